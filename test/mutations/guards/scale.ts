/** What a thousand hosts share, and what is left out while nothing has changed. */
import { guardsOf, type Guard } from '../guard.ts'

const JUDGED = 'test/tunnels-judged.test.ts'
const SELDOM = 'while nothing has changed a tunnel is judged after the limit alone, and when its certificate has ended'
const SHARED = 'test/actors/shared-watch.test.ts'
const LIMIT = 'as many bytes of changes as the limit are kept; who comes from before catches up alone, and joins'

export const scale: readonly Guard[] = [
  ...guardsOf('actors/enrolment/tunnels/rounds.ts', JUDGED,
    ['what has changed is judged by', 'before?.by !== by', 'before === undefined', SELDOM],
    ['each tunnel is judged once in a while', 'atMs - before.atMs >= limits.tunnelJudgeMs', 'false', SELDOM],
    ['a certificate that has ended is judged', 'clock.now() > notAfter', 'false', SELDOM],
    ['where nobody says what has changed all are judged', 'by === undefined ||', 'by !== undefined &&', SELDOM],
  ),
  ...guardsOf('actors/enrolment/tunnels/tunnels.ts', JUDGED,
    ['who could not be judged is asked about again', 'if (await recheckOne(name, one)) judged(one)',
      'await recheckOne(name, one); judged(one)', SELDOM],
  ),
  ...guardsOf('actors/node-daemon/hosts.ts', 'test/actors/hosts-told.test.ts',
    ['what the watch brought is not believed', 'if (told !== digest) told = await byAll()',
      'if (told === undefined) told = await byAll()',
      'who missed a change, or was told another thing, reads all, and goes by what is there'],
    ['changes are bounded', 'since.size >= limits.deviceDocuments', 'false',
      'more changes than documents are remembered are no changes: all is read'],
  ),
  ...guardsOf('actors/system-config/shared-watch.ts', SHARED,
    ['who comes from before what is kept has a stream of its own', 'after >= (seesUnkept ? this.#at : this.#floor)',
      'true', LIMIT],
    ['who watches what is not kept has missed none of it', 'seesUnkept ? this.#at : this.#floor', 'this.#floor',
      'what hosts tell of themselves is not kept: who watches it hears of all of it'],
    ['what is kept is bounded', 'this.#bytes > limits.sharedWatchBytes', 'false', LIMIT],
  ),
]
