import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FrameRejected, Restarted, Unavailable, type ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { establish } from '../../runtime/link/handshake.ts'
import type { Link } from '../../runtime/link/link.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import type { Frame } from '../../runtime/platform/ports.ts'
import {
  channelEnds, identity, keys, linkPair, listen, quiet, side, testClock, type Ends, type LinkPair, type Listener,
  type Wire,
} from './link-fixture.ts'

const frames = suite('frames')

const ERROR = new Unavailable('test over')

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

for (const algorithm of ['aes-gmac', 'hmac-sha-256'] as const) {
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

frames('the MAC of a large frame by hmac-sha-256 is that of RFC 2104, cut to 128 bits', async () => {
  const { mac } = await createCrypto('hmac-sha-256')
  const key = new Uint8Array(32).map((_, index) => index * 3)
  const [header, frame] = [new Uint8Array(16).fill(1), new Uint8Array(3_000).fill(2)]
  const derived = keys.derive(key, new Uint8Array(), 'zonewright mac hmac-sha-256', 32)
  const pad = (byte: number): number[] => Array.from({ length: 64 }, (_, index) => byte ^ (derived[index] ?? 0))
  const inner = keys.hash(new Uint8Array([...pad(0x36), ...header, ...frame]))
  const expected = keys.hash(new Uint8Array([...pad(0x5c), ...inner])).subarray(0, 16)
  assert.is(mac(key).tag(header, frame).join(), expected.join())
})

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
