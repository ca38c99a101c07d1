import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { HandshakeFailed } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { establish, type EstablishOptions } from '../../runtime/link/handshake.ts'
import type { Link } from '../../runtime/link/link.ts'
import type { Frame } from '../../runtime/platform/ports.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import {
  channelEnds, failureOf, identity, keys, linkPair, listen, otherDevice, quiet, side, testClock, type Ends,
  type Wire,
} from './link-fixture.ts'

const handshake = suite('handshake')

interface Attempt { readonly initiator: string; readonly responder: string }

/** Reasons with which both sides failed; 'open' for one that did not. */
async function attempt(options: {
  ends?: Ends; initiator?: Partial<EstablishOptions>; responder?: Partial<EstablishOptions>
  alice?: Parameters<typeof identity>[2]; bob?: Parameters<typeof identity>[2]
}): Promise<Attempt> {
  const clock = testClock()
  const ends = options.ends ?? channelEnds()
  const [alice, bob] = [identity('alice', clock, options.alice), identity('bob', clock, options.bob)]
  const run = async (promise: Promise<Link>): Promise<string> => {
    try {
      await promise
      return 'open'
    } catch (error) {
      assert.instance(error, HandshakeFailed)
      return String((error as { details: Record<string, unknown> }).details['reason'])
    }
  }
  const sides = Promise.all([
    run(establish(ends.initiator, side('initiator', alice, { actor: 'bob' }, clock, options.initiator))),
    run(establish(ends.responder, side('responder', bob, { actor: 'alice' }, clock, options.responder))),
  ])
  await quiet()
  await clock.advance(limits.handshakeMs)
  const [initiator, responder] = await sides
  assert.is(clock.timers, 0)
  return { initiator, responder }
}

/** Changes the JSON of one handshake message. */
type Change = (value: Record<string, unknown>) => void
const rewrite = (message: number, change: Change): Wire => (frame, deliver, count) => {
  if (count !== message) return deliver(frame)
  const value = JSON.parse(frame as string) as Record<string, unknown>
  change(value)
  deliver(JSON.stringify(value))
}

for (const kind of ['port', 'memory', 'simulated'] as const) {
  for (const minimum of ['mac', 'sealed'] as const) {
    handshake(`opens a ${minimum} link over a ${kind} channel, and both ends name the same transcript`, async () => {
      const { initiator, responder } = await linkPair({ ends: channelEnds({ kind }), minimum })
      assert.is(initiator.base, minimum)
      assert.is(responder.base, minimum)
      assert.is(initiator.transcript, responder.transcript)
      assert.equal([initiator.peer.actor, responder.peer.actor], ['bob', 'alice'])
    })
  }
}

for (const kind of ['tls', 'tunnel'] as const) {
  handshake(`is sealed on ${kind}, even where mac would do`, async () => {
    const { initiator } = await linkPair({ ends: channelEnds({ kind }) })
    assert.is(initiator.base, 'sealed')
  })
  handshake(`refuses a peer that offers mac alone on ${kind}`, async () => {
    const result = await attempt({ ends: channelEnds({ kind }), initiator: { offers: ['mac'] } })
    assert.is(result.responder, 'suite below the minimum')
    assert.not.equal(result.initiator, 'open')
  })
}

handshake('refuses a base below the minimum of the responder', async () => {
  const result = await attempt({ initiator: { offers: ['mac'] }, responder: { minimum: 'sealed' } })
  assert.is(result.responder, 'suite below the minimum')
})

handshake('refuses a chosen base below the minimum of the initiator', async () => {
  const result = await attempt({ initiator: { minimum: 'sealed', offers: ['mac', 'sealed'] } })
  assert.is(result.initiator, 'suite below the minimum')
})

handshake('fails when somebody on the way takes away the stronger offer', async () => {
  const weaken = rewrite(0, (first) => void (first['offers'] = ['mac']))
  const result = await attempt({ ends: channelEnds({ toResponder: weaken }) })
  assert.is(result.initiator, 'signature')
  assert.not.equal(result.responder, 'open')
})

handshake('fails when somebody on the way changes the chosen suite', async () => {
  const change = rewrite(0, (second) => void (second['suite'] = 'sealed'))
  const result = await attempt({ ends: channelEnds({ toInitiator: change }) })
  assert.is(result.initiator, 'signature')
})

handshake('refuses another incarnation of the expected actor, at either end', async () => {
  const old = await attempt({ alice: { incarnation: 2 } })
  assert.is(old.responder, 'not the expected incarnation')
  const restarted = await attempt({ bob: { incarnation: 2 } })
  assert.is(restarted.responder, 'meant for another incarnation')
})

handshake('refuses an actor other than the expected one, though its certificate is good', async () => {
  const clock = testClock()
  const mallory = identity('mallory', clock)
  const result = await attempt({ initiator: { self: side('initiator', mallory, { actor: 'bob' }, clock).self } })
  assert.is(result.responder, 'not the expected actor')
})

handshake('refuses a certificate whose key the peer does not hold', async () => {
  const clock = testClock()
  const [bob, mallory] = [identity('bob', clock), identity('mallory', clock)]
  const stolen = { ...side('responder', bob, { actor: 'alice' }, clock).self, key: mallory.key }
  const result = await attempt({ responder: { self: stolen } })
  assert.is(result.initiator, 'signature')
})

handshake('refuses a certificate of an unknown device, an expired one and one of another device', async () => {
  assert.is((await attempt({ alice: { host: 'host-9' } })).responder, 'unknown device')
  assert.is((await attempt({ alice: { exp: 1 } })).responder, 'certificate expired')
  assert.is((await attempt({ bob: { device: otherDevice } })).initiator, 'certificate of another device key')
})

handshake('refuses X25519 keys of low order', async () => {
  // RFC 7748 §6.1: with these the agreement is zero, whatever the other key is
  const points = [new Uint8Array(32), Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? 1 : 0))]
  for (const point of points) {
    const ephemeral = toBase64url(point)
    const swap = rewrite(0, (first) => void (first['ephemeral'] = ephemeral))
    const atResponder = await attempt({ ends: channelEnds({ toResponder: swap }) })
    assert.is(atResponder.responder, 'X25519 key')
    const weak = { ...keys, agreement: () => ({ publicKey: point, agree: () => new Uint8Array(32) }) }
    const atInitiator = await attempt({ responder: { keys: weak } })
    assert.is(atInitiator.initiator, 'X25519 key')
  }
})

handshake('reads nothing of a field that it does not know, in any message', async () => {
  const extra = (value: Record<string, unknown>): void => void (value['extra'] = 1)
  assert.is((await attempt({ ends: channelEnds({ toResponder: rewrite(0, extra) }) })).responder, 'malformed')
  assert.is((await attempt({ ends: channelEnds({ toInitiator: rewrite(0, extra) }) })).initiator, 'malformed')
  assert.is((await attempt({ ends: channelEnds({ toResponder: rewrite(1, extra) }) })).responder, 'malformed')
})

handshake('refuses a call before the key is confirmed', async () => {
  const early = '[[0,"counter","hash"],[1,1,0,9e15,0,{}]]'
  const calls: Wire = (frame, deliver, count) => deliver(count === 1 ? early : frame)
  const result = await attempt({ ends: channelEnds({ toResponder: calls }) })
  assert.is(result.responder, 'malformed')
})

handshake('refuses a wrong confirmation, though all signatures are good', async () => {
  const wrong = (value: Record<string, unknown>): void => void (value['confirmation'] = 'A'.repeat(22))
  assert.is((await attempt({ ends: channelEnds({ toInitiator: rewrite(0, wrong) }) })).initiator, 'confirmation')
  assert.is((await attempt({ ends: channelEnds({ toResponder: rewrite(1, wrong) }) })).responder, 'confirmation')
})

handshake('refuses a message that is too long, not JSON, or bytes where text is spoken', async () => {
  const reasons: string[] = []
  for (const bad of [' '.repeat(limits.handshake + 1), '{', new Uint8Array(4)]) {
    const result = await attempt({ ends: channelEnds({ toResponder: (_frame, deliver) => deliver(bad) }) })
    reasons.push(result.responder)
  }
  assert.equal(reasons, ['message too long', 'malformed', 'malformed'])
})

handshake('refuses every handshake in which one character of a message was changed', async () => {
  for (const [wire, message] of [['toResponder', 0], ['toInitiator', 0], ['toResponder', 1]] as const) {
    for (let part = 1; part < 40; part++) {
      const flip: Wire = (frame, deliver, count) => {
        if (count !== message) return deliver(frame)
        const text = frame as string
        const at = Math.floor(text.length * part / 40)
        deliver(text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1))
      }
      const result = await attempt({ ends: channelEnds({ [wire]: flip }) })
      assert.not.equal(result.responder, 'open')
    }
  }
})

handshake('replayed from an earlier link is refused', async () => {
  const clock = testClock()
  const [alice, bob] = [identity('alice', clock), identity('bob', clock)]
  const recorded: Frame[] = []
  const first = channelEnds({ toResponder: (frame, deliver) => (recorded.push(frame), deliver(frame)) })
  await Promise.all([
    establish(first.initiator, side('initiator', alice, { actor: 'bob' }, clock)),
    establish(first.responder, side('responder', bob, { actor: 'alice' }, clock)),
  ])
  assert.is(recorded.length, 2)
  const second = channelEnds()
  const responder = establish(second.responder, side('responder', bob, { actor: 'alice' }, clock))
  second.inject(recorded[0]!)
  second.inject(recorded[1]!)
  assert.is((await failureOf(responder)).details['reason'], 'signature')
})

handshake('gives up when the peer says nothing, and leaves no timer behind', async () => {
  const result = await attempt({ ends: channelEnds({ toResponder: () => undefined }) })
  assert.is(result.initiator, 'no answer in time')
  assert.match(result.responder, /no answer in time/)
})

handshake('fails when the channel closes under it', async () => {
  const ends = channelEnds({ toResponder: () => ends.cut() })
  const result = await attempt({ ends })
  assert.match(result.initiator, /channel closed/)
  assert.match(result.responder, /channel closed/)
})

handshake('keeps what arrives before anybody reads the link, up to a limit', async () => {
  const { initiator, responder } = await linkPair()
  initiator.send([1, 'early'])
  await quiet()
  const { messages } = listen(responder)
  assert.equal(messages, [[1, 'early']])
  const other = await linkPair()
  for (let count = 0; count <= limits.unreadFrames; count++) {
    other.initiator.send([1, count])
    await quiet(10)
  }
  const { closed } = listen(other.responder)
  assert.is(closed[0]?.details['reason'], 'unread')
})

handshake.run()
