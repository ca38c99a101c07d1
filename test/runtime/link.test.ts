import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FrameRejected, HandshakeFailed, Restarted, Unavailable, type ZonewrightError } from '../../runtime/errors.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import { limits } from '../../runtime/limits.ts'
import { verifyLinkCertificate } from '../../runtime/link/certificate.ts'
import { establish, type EstablishOptions } from '../../runtime/link/handshake.ts'
import type { Link, Message } from '../../runtime/link/link.ts'
import type { Clock, Frame } from '../../runtime/platform/ports.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import {
  channelEnds, device, failureOf, identity, keys, linkPair, otherDevice, quiet, rules, side, testClock, ZONE,
  type CertificateChange, type Ends, type LinkPair, type Wire,
} from './link-fixture.ts'

const ERROR = new Unavailable('test over')

// ---- certificates

const certificate = suite('link certificate')

certificate('names the peer and its key', () => {
  const clock = testClock()
  const bob = identity('bob', clock, { incarnation: 7 })
  const peer = verifyLinkCertificate(bob.certificate, rules(clock))
  assert.equal([peer.zone, peer.host, peer.actor, peer.runtimeType, peer.incarnation, peer.kid],
    [ZONE, 'host-1', 'bob', 'service', 7, bob.key.public.kid])
})

type MakeText = (clock: Clock) => string

const bobs = (change: (clock: Clock) => CertificateChange): MakeText => (clock) =>
  identity('bob', clock, change(clock)).certificate

const refusals: readonly (readonly [what: string, reason: string, make: MakeText])[] = [
  ['of a device that nobody knows', 'unknown device', bobs(() => ({ host: 'host-9' }))],
  ['signed by another device', 'certificate of another device key', bobs(() => ({ device: otherDevice }))],
  ['of another zone', 'certificate of another zone', bobs(() => ({ zone: 'other' }))],
  ['that has expired', 'certificate expired', bobs((clock) => ({ exp: Math.floor(clock.now() / 1000) }))],
  ['for a kernel name from a plain node', 'device may not speak for this actor',
    (clock) => identity('verify-hub', clock, { host: 'host-2', device: otherDevice }).certificate],
  ['with an unknown field', 'certificate malformed', bobs(() => ({ extra: 1 }) as CertificateChange)],
  ['with a negative incarnation', 'certificate malformed', bobs(() => ({ incarnation: -1 }))],
  ['with trailing white space', 'certificate malformed', (clock) => `${identity('bob', clock).certificate}\n`],
  ['respelt in its signature', 'certificate malformed', (clock) => respelt(identity('bob', clock).certificate)],
  ['that is too long', 'certificate too-long', () => 'a'.repeat(limits.certificate + 1)],
]

const refusalOf = (text: string, clock: Clock): Promise<ZonewrightError> =>
  failureOf(Promise.resolve().then(() => verifyLinkCertificate(text, rules(clock))))
for (const [what, reason, make] of refusals) {
  certificate(`is refused: one ${what}`, async () => {
    const clock = testClock()
    const error = await refusalOf(make(clock), clock)
    assert.instance(error, HandshakeFailed)
    assert.is(error.details['reason'], reason)
  })
}

certificate('is refused when any byte of it changes', async () => {
  const clock = testClock()
  const text = identity('bob', clock).certificate
  for (let index = 0; index < text.length; index += 5) {
    const changed = text.slice(0, index) + (text[index] === 'A' ? 'B' : 'A') + text.slice(index + 1)
    assert.instance(await refusalOf(changed, clock), HandshakeFailed)
  }
})

certificate('is not a token: another typ is refused', async () => {
  const clock = testClock()
  const text = identity('bob', clock).certificate
  const [, payload] = text.split('.')
  const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value)
  const header = toBase64url(utf8(JSON.stringify({ alg: 'EdDSA', typ: 'zw-session+jwt', kid: device.public.kid })))
  const signature = toBase64url(device.sign(utf8(`${header}.${payload}`)))
  const error = await refusalOf(`${header}.${payload}.${signature}`, clock)
  assert.is(error.details['reason'], 'not a link certificate')
})

/** The last character of 64 bytes in base64url has four bits that encode nothing. */
function respelt(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1)!) ^ 1]!
}

certificate.run()

// ---- handshake

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

// ---- frames

const frames = suite('frames')

interface Listener {
  readonly messages: Message[]
  readonly signed: boolean[]
  readonly closed: ZonewrightError[]
}

function listen(link: Link): Listener {
  const listener: Listener = { messages: [], signed: [], closed: [] }
  link.receive((message, signed) => {
    listener.messages.push(message)
    listener.signed.push(signed)
  }, (error) => void listener.closed.push(error))
  return listener
}

interface Tampered extends Listener {
  readonly rejected: string[]
  readonly initiator: Listener
}

const untouched: Wire = (frame, deliver) => deliver(frame)

/** What the responder saw when `wire` had its way with the frames after the handshake, which are counted from 0. */
async function tamper(
  kind: 'port' | 'memory', minimum: 'mac' | 'sealed', wire: Wire, act: (pair: LinkPair) => void | Promise<void>,
): Promise<Tampered> {
  const afterHandshake: Wire = (frame, deliver, count) => (count < 2 ? deliver(frame) : wire(frame, deliver, count - 2))
  const pair = await linkPair({ ends: channelEnds({ kind, toResponder: afterHandshake }), minimum })
  const [initiator, responder] = [listen(pair.initiator), listen(pair.responder)]
  await act(pair)
  await quiet()
  return { ...responder, rejected: pair.rejected, initiator }
}

const flipAt = (frame: Frame, at: number): Frame => {
  if (typeof frame === 'string') {
    const index = at < 0 ? frame.length + at : at
    return frame.slice(0, index) + String.fromCharCode(frame.charCodeAt(index) ^ 1) + frame.slice(index + 1)
  }
  const copy = frame.slice()
  copy[at < 0 ? copy.length + at : at]! ^= 1
  return copy
}

for (const kind of ['port', 'memory'] as const) {
  for (const base of ['mac', 'sealed'] as const) {
    const on = `${base} over ${kind}`
    const two = async ({ initiator }: LinkPair): Promise<void> => {
      initiator.send([1, 'first'])
      await quiet(20)
      initiator.send([1, 'second'])
    }

    frames(`${on}: messages sent together arrive in one frame, in order`, async () => {
      let count = 0
      const result = await tamper(kind, base, (frame, deliver) => (count++, deliver(frame)), ({ initiator }) => {
        for (let index = 0; index < 10; index++) initiator.send([1, index])
      })
      assert.equal(result.messages.map((message) => message[1]), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      assert.is(count, 1)
    })

    frames(`${on}: a frame with any one bit changed closes the link`, async () => {
      const text = 'Zürich 東京 🙂'
      for (const at of [0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 40, -1, -2]) {
        const flip: Wire = (frame, deliver) => deliver(flipAt(frame, at))
        const result = await tamper(kind, base, flip, ({ initiator }) => void initiator.send([1, text]))
        assert.equal(result.messages, [], `bit at ${at}`)
        assert.is(result.closed[0]?.code, 'FrameRejected')
        assert.is(result.rejected.length, 1)
        assert.is(result.initiator.closed[0]?.code, 'FrameRejected')
      }
    })

    frames(`${on}: a forged, replayed, reordered, missing, reflected and cut frame are each named`, async () => {
      assert.equal((await tamper(kind, base, (frame, deliver) => deliver(flipAt(frame, -3)), two)).rejected, ['forged'])
      const replayed = await tamper(kind, base, (frame, deliver, count) => {
        deliver(frame)
        if (count === 0) deliver(frame)
      }, two)
      assert.equal(replayed.rejected, ['replayed'])
      assert.equal(replayed.messages, [[1, 'first']])
      let held: Frame | undefined
      const reordered = await tamper(kind, base, (frame, deliver, count) => {
        if (count === 0) return void (held = frame)
        deliver(frame)
        deliver(held!)
      }, two)
      assert.equal(reordered.rejected, ['reordered'])
      assert.equal(reordered.messages, [])
      const missing = await tamper(kind, base, (frame, deliver, count) => count === 0 || deliver(frame), two)
      assert.equal(missing.rejected, ['reordered'])
      const cut = await tamper(kind, base, (frame, deliver) => deliver(frame.slice(0, -4)), two)
      assert.equal(cut.rejected, ['cut'])
      const stub = await tamper(kind, base, (frame, deliver) => deliver(frame.slice(0, 20)), two)
      assert.equal(stub.rejected, ['cut'])
      const reflected = await tamper(kind, base, () => undefined, async (pair) => {
        pair.ends.inject(await capture(pair.responder, pair.ends))
      })
      assert.equal(reflected.rejected, ['reflected'])
    })

    frames(`${on}: a frame of another link between the same two actors is refused`, async () => {
      let stolen: Frame | undefined
      await tamper(kind, base, (frame) => void (stolen = frame), ({ initiator }) => void initiator.send([1, 'there']))
      const swap: Wire = (_frame, deliver) => deliver(stolen!)
      const result = await tamper(kind, base, swap, ({ initiator }) => void initiator.send([1, 'here']))
      assert.equal(result.rejected, ['forged'])
      assert.equal(result.messages, [])
    })

    frames(`${on}: a frame too large, of the wrong kind or that is no list of messages is refused`, async () => {
      const big: Frame = kind === 'port' ? 'x'.repeat(limits.frame + 1) : new Uint8Array(limits.frame + 1)
      assert.equal((await tamper(kind, base, (_frame, deliver) => deliver(big), two)).rejected, ['oversize'])
      const wrong: Frame = kind === 'port' ? new Uint8Array(64) : 'x'.repeat(64)
      assert.equal((await tamper(kind, base, (_frame, deliver) => deliver(wrong), two)).rejected, ['malformed'])
      const odd = await tamper(kind, base, untouched, ({ initiator }) => void initiator.send({ no: 'array' } as never))
      assert.equal(odd.rejected, ['malformed'])
    })

    frames(`${on}: a signed message is told as signed, with all that shares its frame, and no other`, async () => {
      const result = await tamper(kind, base, untouched, async ({ initiator }) => {
        initiator.send([1, 'plain'])
        await quiet(20)
        initiator.send([1, 'signed'], true)
        initiator.send([1, 'beside'])
        await quiet(20)
        initiator.send([1, 'plain again'])
      })
      assert.equal(result.signed, [false, true, true, false])
    })

    frames(`${on}: a frame signed with another key than the certified one is refused`, async () => {
      const clock = testClock()
      const ends = channelEnds({ kind })
      const [alice, bob, mallory] = [identity('alice', clock), identity('bob', clock), identity('mallory', clock)]
      let mute = false
      // Signs the handshake with the certified key, then frames with another
      const split = { ...alice.key, sign: (message: Uint8Array) => (mute ? mallory.key : alice.key).sign(message) }
      const rejected: string[] = []
      const onRejected = (error: ZonewrightError): void => void rejected.push(String(error.details['reason']))
      const minimum = base
      const [initiator, responder] = await Promise.all([
        establish(ends.initiator, side('initiator', { ...alice, key: split }, { actor: 'bob' }, clock, { minimum })),
        establish(ends.responder, side('responder', bob, { actor: 'alice' }, clock, { minimum, onRejected })),
      ])
      mute = true
      const { messages } = listen(responder)
      listen(initiator)
      initiator.send([1, 'provable'], true)
      await quiet()
      assert.equal(rejected, ['signature'])
      assert.equal(messages, [])
    })

    frames(`${on}: a close arrives as the error it was made with, after all that was sent before`, async () => {
      const result = await tamper(kind, base, untouched, ({ initiator }) => {
        initiator.send([1, 'last'])
        initiator.close(new Restarted('The actor is restarting', { incarnation: 2 }))
      })
      assert.equal(result.messages, [[1, 'last']])
      assert.instance(result.closed[0], Restarted)
      assert.equal(result.closed[0]?.details, { incarnation: 2 })
      assert.equal(result.rejected, [])
    })

    frames(`${on}: a channel cut without a word is no clean close`, async () => {
      const result = await tamper(kind, base, untouched, (pair) => pair.ends.cut())
      assert.instance(result.closed[0], Restarted)
      assert.match(result.closed[0]!.message, /cut/)
    })
  }
}

/** The next frame that this end of the link sends. */
async function capture(link: Link, ends: Ends): Promise<Frame> {
  const frames: Frame[] = []
  const send = ends.responder.send
  ends.responder.send = (frame) => void frames.push(frame)
  link.send([1, 'mine'])
  await quiet(20)
  ends.responder.send = send
  return frames[0]!
}

frames('over tls: a cut is Unavailable, since the peer may well live', async () => {
  const pair = await linkPair({ ends: channelEnds({ kind: 'tls' }) })
  const { closed } = listen(pair.initiator)
  pair.ends.cut()
  await quiet()
  assert.instance(closed[0], Unavailable)
})

for (const algorithm of ['aes-256-gcm', 'chacha20-poly1305'] as const) {
  frames(`the MAC of small and large frames, by ${algorithm}, covers each bit, header and key`, async () => {
    const { mac } = await createCrypto(algorithm)
    const key = new Uint8Array(32).fill(7)
    const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
      const copy = bytes.slice()
      copy[bit >> 3]! ^= 1 << (bit & 7)
      return copy
    }
    for (const length of [0, 100, 2_031, 2_032, 5_000, 70_000]) {
      const header = Uint8Array.from({ length: 16 }, (_, index) => index)
      const frame = new Uint8Array(length).map((_, index) => index * 31)
      const tag = (own: Uint8Array, head: Uint8Array, body: Uint8Array): string => mac(own).tag(head, body).join()
      const genuine = tag(key, header, frame)
      assert.is(genuine.split(',').length, 16)
      assert.is(tag(key, header, frame), genuine)
      const others = [tag(flipped(key, 9), header, frame), tag(key, header, new Uint8Array([...frame, 0]))]
      for (let bit = 0; bit < 128; bit++) others.push(tag(key, flipped(header, bit), frame))
      for (let bit = 0; bit < length * 8; bit += 1 + (length >> 2)) others.push(tag(key, header, flipped(frame, bit)))
      assert.is(others.includes(genuine), false, `${length} bytes`)
    }
    assert.throws(() => mac(key).tag(new Uint8Array(12), new Uint8Array(4)), /header/)
  })
}

frames('sealed frames say nothing in clear', async () => {
  const seen: Frame[] = []
  const look: Wire = (frame, deliver) => (seen.push(frame), deliver(frame))
  await tamper('memory', 'sealed', look, ({ initiator }) => void initiator.send([1, 'secret-word']))
  assert.is(seen.length, 1)
  assert.not.match(new TextDecoder().decode(seen[0] as Uint8Array), /secret-word/)
})

frames('mac over port: a lone surrogate in place of U+FFFD, which encodes to the same bytes, is refused', async () => {
  const swap: Wire = (frame, deliver) => deliver((frame as string).replace('\ufffd', '\ud800'))
  const result = await tamper('port', 'mac', swap, ({ initiator }) => void initiator.send([1, 'a\ufffdb']))
  assert.equal(result.rejected, ['forged'])
})

frames('a message that is too long or not JSON is refused at once and leaves the link open', async () => {
  const pair = await linkPair()
  const { messages, closed } = listen(pair.responder)
  assert.is(pair.initiator.send([1, 'x'.repeat(limits.message)])?.code, 'LimitExceeded')
  assert.is(pair.initiator.send([1, 1n])?.code, 'InvalidArgument')
  assert.is(pair.initiator.send([1, 'fine']), undefined)
  await quiet()
  assert.equal(messages, [[1, 'fine']])
  assert.equal(closed, [])
})

frames('a message is sent as it was when it was given', async () => {
  const pair = await linkPair()
  const { messages } = listen(pair.responder)
  const payload = { value: 1 }
  pair.initiator.send([1, payload])
  payload.value = 2
  await quiet()
  assert.equal(messages, [[1, { value: 1 }]])
})

frames('a thousand messages arrive complete and in order, in frames that are sent as they fill', async () => {
  let count = 0
  const result = await tamper('port', 'mac', (frame, deliver) => (count++, deliver(frame)), ({ initiator }) => {
    for (let index = 0; index < 1_000; index++) initiator.send([1, index, 'ü'.repeat(index)])
  })
  assert.equal(result.messages.map((message) => message[1]), Array.from({ length: 1_000 }, (_, index) => index))
  assert.ok(count >= 1_000 / limits.share && count < 100, `${count} frames`)
})

frames('after a close nothing is sent or delivered, and closing again does nothing', async () => {
  const pair = await linkPair()
  const [initiator, responder] = [listen(pair.initiator), listen(pair.responder)]
  pair.initiator.close(ERROR)
  pair.initiator.send([1, 'late'])
  pair.initiator.close(new FrameRejected('again'))
  await quiet()
  assert.equal(responder.messages, [])
  assert.is(initiator.closed.length, 1)
  assert.is(responder.closed.length, 1)
})

frames('a hostile closing frame without an error in it closes the link as malformed', async () => {
  const pair = await linkPair()
  const { closed } = listen(pair.responder)
  pair.initiator.close({ code: 7, message: null, toString: () => 'x' } as never)
  await quiet()
  assert.is(closed.length, 1)
})

frames.run()
