/** What holds while a store or the vault is away, and what ends while a machine sleeps. */
import { guardsOf, type Guard } from '../guard.ts'

const AWAY = 'test/runtime/store-away.test.ts'
const SLEPT = 'test/actors/slept.test.ts'

export const span: readonly Guard[] = [
  ...guardsOf('runtime/restart.ts', AWAY,
    [
      'a store that is away costs no restart', 'if (isStoreAway(error)) return this.#wait(reason)\n', '',
      'an actor that ends while its store is away waits for it, says so, and serves when it is back',
    ],
  ),
  ...guardsOf('runtime/actor-store.ts', AWAY,
    [
      'who says that the store is away is not believed',
      'return isStoreAway(error) && error instanceof Error ? new Unavailable(error.message) : error', 'return error',
      'nobody is waited for who only says that the store is away, nor where there is none in etcd',
    ],
    [
      'what came of a store that is away is not why', 'if (away instanceof Unavailable) return storeAway(away)\n', '',
      'what fails to start because the store went away meanwhile waits as well, whatever it says of it',
    ],
  ),
  ...guardsOf('runtime/life.ts', AWAY,
    [
      'a first start does not wait', '!hasServed || error instanceof RestartLimit', 'error instanceof RestartLimit',
      'a first start does not wait: whoever starts it is told',
    ],
  ),
  ...guardsOf('runtime/lasting.ts', SLEPT,
    [
      'time that a machine slept has passed', 'if (aheadMs > limits.clockAheadMs) sleptMs += aheadMs\n', '',
      'what the wall clock is ahead counts as passed beyond the limit, and what it is set back as nothing',
    ],
    [
      'a wall clock that was set back is no stock to sleep on', ' || aheadMs < 0) offsetMs', ') offsetMs',
      'what the wall clock is ahead counts as passed beyond the limit, and what it is set back as nothing',
    ],
  ),
  ...guardsOf('actors/leading.ts', SLEPT,
    [
      'a leader that slept writes nothing', '      expire()\n      if (signal.aborted) throw signal.reason\n', '',
      'a leader whose machine slept through its lease leads no more when it wakes, and writes nothing',
    ],
    [
      'a leader that slept finds out by itself', 'Math.min(limits.clockLookMs, endsMs - lasting.monotonic())',
      'endsMs - lasting.monotonic()',
      'a leader whose machine slept through its lease leads no more when it wakes, and writes nothing',
    ],
  ),
  ...guardsOf('actors/node-daemon/fence.ts', SLEPT,
    [
      'a host that slept starts nothing before it reads', ' && !this.#lost && this.#leftMs > 0', ' && !this.#lost',
      'a host whose machine slept stops what may run elsewhere, and starts none before it reads',
    ],
    [
      'a host that slept stops what may run elsewhere', 'Math.min(limits.clockLookMs, this.#leftMs)', 'this.#leftMs',
      'a host whose machine slept stops what may run elsewhere, and starts none before it reads',
    ],
  ),
  ...guardsOf('actors/enrolment/tunnels/telling.ts', 'test/limits/tunnels.test.ts',
    [
      'who comes while the vault is sealed is told later', 'for (const end of ends) say(end, told)',
      'for (const end of ends) say(end, news)',
      'whoever comes while the vault is sealed is told all once it is not, and the others what is new',
    ],
  ),
]
