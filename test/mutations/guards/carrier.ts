/** Links that an actor carries between hosts. */
import { guardsOf, type Guard } from '../guard.ts'

const lies = 'a carrier that leads to another host than the one that is asked for is refused at once'
const pretends = 'an actor whose spec does not say that it carries is refused, whatever it asks for'
const trusted = 'who is not trusted, and why, is told as the real client tells it'
const named = 'an actor that is not here, one that does not serve, and a host that nobody knows are named as such'

export const carrier: readonly Guard[] = [
  ...guardsOf('runtime/carriage.ts', 'test/runtime/carrier-refused.test.ts',
    ['only who may carry asks for channels', 'if (!carries) throw carriesNothing(actor)', 'void carries', pretends],
  ),
  ...guardsOf('runtime/carriers.ts', 'test/runtime/carrier-refused.test.ts',
    [
      'only who may carry is asked', 'if (!life.spec.carries) throw new Denied(', 'if (false) throw new Denied(',
      pretends,
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
  ...guardsOf('runtime/actor-host.ts', 'test/runtime/carrier-sim.test.ts',
    [
      'what leaves the process is sealed bytes at both ends',
      "(carried ? { ...platform.openChannel(end), kind: 'tunnel' } : platform.openChannel(end))",
      '(carried && false ? undefined as never : platform.openChannel(end))',
      'a call waits while wires are cut, and is answered once they are healed, on the same link',
    ],
  ),
  ...guardsOf('runtime/need-links.ts', 'test/runtime/carrier-sim.test.ts',
    [
      'a link for one that has died is let go of', 'if (signal.aborted) return opened.release()',
      'if (signal.aborted) return',
      'a caller that dies while its link is on its way leaves none beside that of its next incarnation',
    ],
    [
      'a link for one that has stopped is let go of', '      release()\n      throw error', '      throw error',
      'a caller that stops while its link is on its way leaves none',
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
  ...guardsOf('runtime/sim/http.ts', 'test/runtime/sim-http.test.ts',
    [
      'no piece of a simulated stream is lost', 'deliver: by(true)', 'deliver: by(false)',
      'of a stream that goes on by a wire which dropped what it was sent no piece is lacking',
    ],
  ),
  ...guardsOf('runtime/sim/tls-trust.ts', 'test/runtime/sim-tls.test.ts',
    [
      'a simulated server ends at a root', "if (!endsAt(leaf, others, tls.roots === 'system'",
      "if (now < 0 && !endsAt(leaf, others, tls.roots === 'system'", trusted,
    ],
    [
      'a simulated server has the name that was asked for', 'if (names.some((one) => isNamed(one, name))) return',
      'if (names.length > 0) return', trusted,
    ],
    [
      'a simulated client ends at a root',
      "return endsAt(leaf, others, clientRoots, 'clientAuth', now, keys) ? leaf.raw : undefined", 'return leaf.raw',
      'a client is known by a certificate of a root that the server names, and by no other',
    ],
  ),
]
