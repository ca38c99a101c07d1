/** What is held for the other end of a tunnel is bounded, whatever it does or does not do. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Cancelled, DeadlineExceeded, Overloaded, ZonewrightError } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import type { StreamChannel } from '../transport/tunnel/protocol.ts'
import { quiet } from './runtime/link-fixture.ts'
import { link, optionsOf } from './tunnel-ends.ts'
import { accepted, asked, credit, failure, gone, greeting, opened, piece, violated, wanted } from './tunnel-script.ts'

/** What a piece takes of credit beside its bytes. */
const COST = 64
const MORE = 1
const bytesOf = (pieces: readonly Uint8Array[]): number => pieces.reduce((sum, { length }) => sum + length - 8, 0)
const told = (frames: readonly Record<string, unknown>[], t: string) => frames.filter((message) => message['t'] === t)

test('an end may send what it has credit for, and one byte more closes the tunnel', async () => {
  const whole = limits.tunnelWindowBytes - COST
  const one = await opened()
  const held = await asked(one, 2)
  one.bring(piece(2, new Uint8Array(whole)))
  await quiet()
  assert.equal([one.closes, one.tunnel.held, one.pieces], [[], limits.tunnelWindowBytes, []])
  const seen: number[] = []
  held.receive((frame) => void seen.push(frame.length), () => {})
  assert.equal([seen, one.tunnel.held, one.pieces.length], [[whole], 0, 1], 'read, and credit given')
  held.hold(true)
  one.bring(piece(2, new Uint8Array(whole)))
  assert.equal(one.closes, [])
  one.bring(piece(2, []))
  // What came before is read all the same
  held.hold(false)
  assert.equal(seen, [whole, whole])
  await violated(one, /more was sent than there was credit for/)
})

test('credit has an end', async () => {
  const one = await opened()
  await accepted(one, 1)
  one.bring(credit(1, 0x7fff_ffff - greeting.window))
  assert.equal(one.closes, [])
  one.bring(credit(1, 1))
  await violated(one, /more credit than there is/)
})

test('without credit a stream sends its window, then waits, then is closed, and others go on', async () => {
  const one = await opened()
  const [mute, other] = [await asked(one, 2), await asked(one, 4)]
  const closes: string[] = []
  mute.receive(() => {}, (reason) => void closes.push(reason))
  const frame = new Uint8Array(1 << 20)
  assert.not(mute.full)
  for (let count = 0; count < limits.tunnelBacklogBytes / frame.length; count++) mute.send(frame)
  await quiet()
  assert.ok(mute.full)
  assert.ok(bytesOf(one.pieces) <= greeting.window)
  assert.ok(one.pieces.every(({ length }) => length <= limits.tunnelPieceBytes + 8))
  assert.equal(closes, [])
  mute.send(frame)
  await quiet()
  assert.equal([closes, one.tunnel.held], [['the other end does not read'], 0])
  assert.is(told(one.said, 'close').length, 1)
  const before = one.pieces.length
  other.send('on')
  assert.is(one.pieces.length, before + 1)
})

test('all streams of a tunnel together hold no more than its share', async () => {
  const one = await opened()
  const frame = new Uint8Array(1 << 20)
  const streams = []
  const each = limits.tunnelBacklogBytes / 2 / frame.length
  for (let id = 2; id <= 8; id += 2) streams.push(await asked(one, id))
  for (const stream of streams) for (let count = 0; count < each; count++) stream.send(frame)
  assert.ok(one.tunnel.held <= limits.tunnelBacklogsBytes)
  assert.is(one.tunnel.streams, 4)
  const last = await asked(one, 10)
  last.send('small')
  last.send(frame)
  last.send(frame)
  await quiet()
  assert.is(one.tunnel.streams, 4)
  assert.ok(one.tunnel.held <= limits.tunnelBacklogsBytes)
  one.tunnel.close('done')
  await gone(one)
})

test('a stream that is closed has its time to send the rest, and no more', async () => {
  const one = await opened()
  const stream = await asked(one, 2)
  stream.send(new Uint8Array(greeting.window * 2))
  stream.close('enough')
  stream.send('late')
  await one.clock.advance(limits.tunnelPingMs)
  one.say({ t: 'pong', n: 1 })
  assert.equal([told(one.said, 'close'), one.tunnel.streams], [[], 1])
  one.bring(credit(2, greeting.window * 4))
  await quiet()
  assert.equal([bytesOf(one.pieces), told(one.said, 'close').length], [greeting.window * 2, 1])

  const other = await opened()
  const mute = await asked(other, 2)
  mute.send(new Uint8Array(greeting.window * 2))
  mute.close('enough')
  for (let ms = 0; ms < limits.tunnelLingerMs; ms += 1_000) {
    assert.is(other.tunnel.streams, 1)
    other.say({ t: 'ping', n: 1 })
    await other.clock.advance(1_000)
  }
  assert.equal([other.tunnel.streams, other.tunnel.held, told(other.said, 'close').length], [0, 0, 1])
})

test('frames that nobody reads are held up to the limit; then the stream that has most of them is closed', async () => {
  const one = await opened()
  const each = limits.tunnelWindowBytes
  const most = limits.tunnelUnreadBytes / each
  for (let count = 0; count < most; count++) {
    await asked(one, 2 + count * 2)
    // One has a little more than the others
    one.bring(piece(2 + count * 2, new Uint8Array(each - COST - (count === 7 ? 0 : 1))))
  }
  const held = limits.tunnelUnreadBytes - most + 1
  assert.equal([one.tunnel.held, one.tunnel.streams], [held, most])
  const id = 2 + most * 2
  const last = await asked(one, id)
  one.bring(piece(id, new Uint8Array(each / 2 - COST)))
  await quiet()
  assert.equal(told(one.said, 'close').map((message) => message['id']), [2 + 7 * 2])
  assert.is(one.tunnel.held, held - each / 2)
  let seen = 0
  last.receive((frame) => { seen = frame.length }, () => {})
  assert.is(seen, each / 2 - COST)
  one.tunnel.close('done')
  await quiet()
  assert.is(one.tunnel.streams, 0)
})

test('a frame that has no end closes the tunnel at the longest that there may be', async () => {
  const one = await opened()
  const stream = await asked(one, 2)
  stream.receive(() => {}, () => {})
  const part = new Uint8Array(64 * 1_024)
  for (let bytes = 0; bytes < limits.frame; bytes += part.length) one.bring(piece(2, part, MORE))
  assert.equal([one.closes, one.tunnel.held], [[], limits.frame])
  one.bring(piece(2, [1], MORE))
  await violated(one, /a frame is too long/)
  const other = await opened()
  const sender = await asked(other, 2)
  sender.send(new Uint8Array(limits.frame + 1))
  assert.equal([other.pieces, told(other.said, 'close').length], [[], 1])
})

test('there are so many streams, and so many that wait for an answer; one more is refused', async () => {
  const decided: (() => void)[] = []
  const options = optionsOf('here')
  const one = await opened({
    async onOpen(request, signal) {
      await new Promise<void>((resolve) => void decided.push(resolve))
      return options.onOpen(request, signal)
    },
  })
  let id = 1
  for (let count = 0; count < limits.tunnelOpening; count++, id += 2) one.say(wanted(id))
  await quiet()
  one.say(wanted(id))
  const refused = () => told(one.said, 'refused') as { id?: number; error?: { code: string } }[]
  assert.equal(refused().map(({ error, ...rest }) => [rest.id, error!.code]), [[id, 'Overloaded']])
  // Taken back, they wait here all the same until they are answered
  for (let back = 1; back < id; back += 2) one.say({ t: 'close', id: back, reason: '' })
  one.say(wanted(id += 2))
  assert.equal([refused().length, one.tunnel.streams], [2, 0])
  for (const go of decided.splice(0)) go()
  await quiet()
  assert.is(options.accepting.released, limits.tunnelOpening)
  while (one.tunnel.streams < limits.tunnelStreams) {
    one.say(wanted(id += 2))
    for (const go of decided.splice(0)) go()
    await quiet(8)
  }
  one.say(wanted(id += 2))
  assert.is(refused().length, 3)
  assert.instance(await failure(one.tunnel.open(link('own'))), Overloaded)
  one.end('cut')
  await quiet()
  assert.equal([one.tunnel.streams, one.tunnel.held], [0, 0])
})

test('a document that is told has its length, its order and pieces of some size', async () => {
  const documents: string[] = []
  const onTell = async (_: string, document: string): Promise<void> => void documents.push(document)
  const tell = (at: number, text: string, last = false) => ({ t: 'tell', kind: 'roots', at, text, last })
  const part = 'x'.repeat(32_768)
  const one = await opened({ onTell })
  let at = 0
  for (; at < limits.tunnelDocument - part.length; at += part.length) one.say(tell(at, part))
  one.say(tell(at, part, true))
  await quiet()
  assert.equal(documents.map(({ length }) => length), [limits.tunnelDocument])
  for (at = 0; at < limits.tunnelDocument; at += part.length) one.say(tell(at, part))
  one.say(tell(at, 'x', true))
  await violated(one, /a document is too long/)
  for (const [messages, reason] of [
    [[tell(1, 'x', true)], /out of order/], [[tell(0, part), tell(part.length + 1, 'x', true)], /out of order/],
    [[tell(0, 'x')], /too small pieces/], [[tell(0, '')], /too small pieces/],
  ] as const) {
    const other = await opened({ onTell })
    for (const message of messages) other.say(message)
    await violated(other, reason)
  }
  const sender = await opened()
  sender.tunnel.tell('roots', 'x'.repeat(limits.tunnelDocument + 1))
  assert.equal(sender.said, [])
})

test('a stream is open in time, or not at all', async () => {
  const one = await opened()
  const opening = failure(one.tunnel.open(link('p')))
  await one.clock.advance(limits.tunnelOpenMs - 1)
  assert.is(one.tunnel.streams, 1)
  await one.clock.advance(1)
  assert.instance(await opening, DeadlineExceeded)
  const stop = new AbortController()
  const other = failure(one.tunnel.open(link('p'), stop.signal))
  stop.abort()
  assert.instance(await other, Cancelled)
  assert.equal([one.tunnel.streams, told(one.said, 'close').length], [0, 2])
  assert.instance(await failure(one.tunnel.open(link('x'.repeat(256)))), ZonewrightError)
})

test('while the channel is full nothing is added to it, and each stream has its turn after that', async () => {
  const one = await opened()
  const [first, second] = [await asked(one, 2), await asked(one, 4)]
  one.full(true)
  first.send(new Uint8Array(limits.tunnelPieceBytes * 3))
  second.send(new Uint8Array(limits.tunnelPieceBytes * 2))
  assert.is(one.pieces.length, 0)
  one.full(false)
  assert.equal(one.pieces.map((bytes) => bytes[7]), [2, 4, 2, 4, 2])
})

test('each origin has its turn, behind an OOD as well, however many streams another has', async () => {
  const one = await opened()
  const laptop = Array.from({ length: 6 }, () => ['laptop'])
  const names = [...laptop, ['ood3', 'x1'], ['ood3', 'x1'], ['ood3', 'x2'], ['phone']]
  const streams: StreamChannel[] = []
  for (const [at, by] of names.entries()) streams.push(await asked(one, 2 + at * 2, by))
  one.full(true)
  for (const stream of streams) stream.send(new Uint8Array(limits.tunnelPieceBytes * 3))
  one.full(false)
  const turns = one.pieces.map((bytes) => names[bytes[7]! / 2 - 1]!)
  assert.equal(turns.slice(0, 9).map(([first]) => first), [
    'laptop', 'ood3', 'phone', 'laptop', 'ood3', 'phone', 'laptop', 'ood3', 'phone',
  ])
  const behind = turns.filter(([first]) => first === 'ood3').map(([, second]) => second)
  assert.equal(behind.slice(0, 6), ['x1', 'x2', 'x1', 'x2', 'x1', 'x2'])
  assert.is(one.pieces.length, names.length * 3, 'and all of them go')
  one.tunnel.close('done')
})

test.run()
