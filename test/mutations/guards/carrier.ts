/** Links that an actor carries between hosts. */
import { guardsOf, type Guard } from '../guard.ts'

const lies = 'a carrier that leads to another host than the one that is asked for is refused at once'
const pretends = 'an actor whose spec does not say that it carries is refused, whatever it asks for'
const named = 'an actor that is not here, one that does not serve, and a host that nobody knows are named as such'

export const carrier: readonly Guard[] = [
  ...guardsOf('runtime/carriage.ts', 'test/runtime/carrier.test.ts',
    ['only who may carry asks for channels', 'if (!carries) throw carriesNothing(actor)', 'void carries', pretends],
  ),
  ...guardsOf('runtime/carriers.ts', 'test/runtime/carrier.test.ts',
    [
      'only who may carry is asked', 'if (!life.spec.carries) throw new Denied(', 'if (false) throw new Denied(', pretends,
    ],
    [
      'a link leads to the host that is wanted', 'if (wanted.host !== undefined && host !== wanted.host) {',
      'if (false) {', lies,
    ],
    [
      'a caller is of a host that is known', 'if (!devices().some((device) => device.host === peer.host)) {',
      'if (false) {', named,
    ],
    ['an actor that does not serve is not handed a channel', "if (life.state !== 'serving') throw absent()", '', named],
  ),
  ...guardsOf('runtime/actor-host.ts', 'test/runtime/carrier.test.ts',
    [
      'what leaves the process is sealed bytes at both ends',
      "(carried ? { ...platform.openChannel(end), kind: 'tunnel' }",
      '(false ? undefined as never',
      'a link between actors of two hosts carries calls and streams, sealed, and is counted at both',
    ],
  ),
  ...guardsOf('runtime/splice.ts', 'test/runtime/splice.test.ts',
    [
      'no text leaves the process, and none comes in', "if (typeof frame === 'string') over(", 'if (false) over(',
      'a frame of text crosses in neither direction: it closes both ends',
    ],
    [
      'an actor gets nothing of the links of others', 'frame.byteLength === frame.buffer.byteLength ? frame',
      'true ? frame',
      'of a frame that lies among others in one buffer, an actor gets that frame and nothing beside it',
    ],
  ),
]
