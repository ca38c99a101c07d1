/** Frames over TLS: what every channel does, and what only one to another machine has to. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../runtime/limits.ts'
import { systemClock } from '../runtime/platform/clock.ts'
import type { TlsConnection } from '../runtime/platform/tls-ports.ts'
import type { Frame } from '../transport/channel.ts'
import { FrameReader, FrameWriter } from '../transport/frames.ts'
import { tlsChannel } from '../transport/tls.ts'
import { transportCompliance } from './compliance/transport.ts'
import { openTlsEnds, type TlsEnds } from './tls-ends.ts'

let ends: TlsEnds
const settle = (ms: number) => (): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
/** Both ends are in this process: what is under way needs turns of its loop, however long these take. */
const turns = async (): Promise<void> => { for (let turn = 0; turn < 40; turn++) await settle(2)() }
const until = async (is: () => boolean): Promise<void> => {
  for (let turn = 0; turn < 1_000 && !is(); turn++) await settle(5)()
  assert.ok(is())
}

const compliance = transportCompliance('tls', async () => {
  const { near, far } = await ends.connect()
  return { near: tlsChannel(near, ports), far: tlsChannel(far, ports), settle: turns }
})
const ports = { clock: systemClock }

interface Seen { frames: Frame[]; closes: string[] }
const listen = (channel: { receive: ReturnType<typeof tlsChannel>['receive'] }): Seen => {
  const seen: Seen = { frames: [], closes: [] }
  channel.receive((frame) => void seen.frames.push(frame), (reason) => void seen.closes.push(reason))
  return seen
}

/** A connection whose other end is this test. */
function scripted() {
  const sent: Uint8Array[] = []
  const closes: string[] = []
  let unsent = 0
  let onBytes: ((bytes: Uint8Array) => void) | undefined
  let onClose: ((reason: string) => void) | undefined
  let onDrained: (() => void) | undefined
  const connection: TlsConnection = {
    alpn: 'bytes/1', remoteAddress: '127.0.0.1',
    send: (bytes) => void sent.push(bytes),
    get unsent() { return unsent },
    receive(bytes, close, drained) { [onBytes, onClose, onDrained] = [bytes, close, drained] },
    close: (reason) => void closes.push(reason),
  }
  return {
    connection, sent, closes,
    bring: (bytes: Uint8Array) => onBytes!(bytes),
    end: (reason: string) => onClose!(reason),
    holds(bytes: number) { unsent = bytes },
    drained() { onDrained!() },
  }
}
const framed = (...frames: Frame[]): Uint8Array => {
  const writer = new FrameWriter()
  for (const frame of frames) writer.add(frame, 1 << 30)
  return writer.take()
}

test('frames are the same however the bytes are cut', () => {
  const frames: Frame[] = ['', 'é', new Uint8Array(0), new Uint8Array([1, 2, 3]), 'x'.repeat(300), new Uint8Array(700)]
  const bytes = framed(...frames)
  for (const size of [1, 2, 3, 4, 5, 7, 64, 300, 701, bytes.length]) {
    const [reader, seen] = [new FrameReader(1_000), [] as Frame[]]
    for (let at = 0; at < bytes.length; at += size) {
      const fault = reader.read(bytes.subarray(at, at + size), (frame) => {
        seen.push(typeof frame === 'string' ? frame : Uint8Array.from(frame))
        return true
      })
      assert.is(fault, undefined)
    }
    assert.equal([seen, reader.midway], [frames, false], `in pieces of ${size}`)
  }
})

test('a frame is as long as the limit at most, at the sender and at the receiver', async () => {
  const [longest, longer] = [new Uint8Array(limits.tlsFrameBytes), new Uint8Array(limits.tlsFrameBytes + 1)]
  const one = scripted()
  const channel = tlsChannel(one.connection, ports)
  const seen = listen(channel)
  one.bring(framed(longest))
  assert.is((seen.frames[0] as Uint8Array).length, limits.tlsFrameBytes)
  channel.send(longest)
  assert.equal([one.sent.length, one.closes.length], [1, 0])
  // Refused by its head alone: nothing of it is waited for
  one.bring(framed(longer).subarray(0, 4))
  assert.match(one.closes[0] ?? '', /longer than/)
  one.bring(framed('more'))
  assert.is(seen.frames.length, 1)

  const other = scripted()
  tlsChannel(other.connection, ports).send(longer)
  assert.match(other.closes[0] ?? '', /longer than/)
  assert.is(other.sent.length, 0)
})

test('a frame that was cut off, and text that is none, close the channel', () => {
  const cut = scripted()
  const atCut = listen(tlsChannel(cut.connection, ports))
  cut.bring(framed('whole', 'half').subarray(0, 10))
  cut.end('the peer closed the connection')
  assert.equal([atCut.frames, atCut.closes], [['whole'], ['the peer closed the connection in the midst of a frame']])

  const odd = scripted()
  const atOdd = listen(tlsChannel(odd.connection, ports))
  odd.bring(Uint8Array.of(0x80, 0, 0, 1, 0xff))
  assert.equal([atOdd.frames, odd.closes], [[], ['a text is not UTF-8']])
})

test('what is sent in one turn leaves in one write, and much of it at once', async () => {
  const one = scripted()
  const channel = tlsChannel(one.connection, ports)
  for (let count = 0; count < 100; count++) channel.send('small')
  assert.is(one.sent.length, 0)
  await settle(10)()
  assert.equal(one.sent.map(({ length }) => length), [900])
  channel.send(new Uint8Array(limits.tlsFillBytes - 5))
  assert.is(one.sent.length, 1)
  channel.send('')
  assert.is(one.sent.length, 2)
})

test('who can wait is told when, and a peer that does not read is cut off', async () => {
  const one = scripted()
  const channel = tlsChannel(one.connection, ports)
  listen(channel)
  let drained = 0
  channel.onDrained(() => { drained++ })
  one.holds(limits.tlsUnsentBytes - 1)
  assert.not(channel.full)
  one.holds(limits.tlsUnsentBytes)
  assert.ok(channel.full)
  one.holds(0)
  one.drained()
  assert.equal([channel.full, drained], [false, 1])
  one.holds(limits.tlsUnsentBytesMax)
  channel.send('still')
  await settle(10)()
  assert.equal(one.closes, [])
  one.holds(limits.tlsUnsentBytesMax + 1)
  channel.send('more')
  await settle(10)()
  assert.equal(one.closes, ['the peer does not read'])
})

test('over a real connection a sender that waits when it is told to sends all that it has', async () => {
  const { near, far } = await ends.connect()
  const [sender, receiver] = [tlsChannel(near, ports), tlsChannel(far, ports)]
  listen(sender)
  const frame = new Uint8Array(60_000)
  let sent = 0
  const fill = (): void => { while (sent < 1_000 && !sender.full) { sender.send(frame); sent++ } }
  sender.onDrained(fill)
  fill()
  assert.is(sent, Math.ceil(limits.tlsUnsentBytes / (frame.length + 4)))
  let frames = 0
  receiver.receive((one) => { frames += Number(one.length === 60_000) }, () => {})
  await until(() => frames === 1_000)
  sender.close('done')
})

test('large frames in small pieces cost as many bytes as they have', () => {
  const frame = framed(new Uint8Array(limits.tlsFrameBytes))
  const took = (pieces: number): number => {
    const size = Math.ceil(frame.length / pieces)
    const reader = new FrameReader(limits.tlsFrameBytes)
    const began = performance.now()
    for (let round = 0; round < 4; round++) {
      for (let at = 0; at < frame.length; at += size) reader.read(frame.subarray(at, at + size), () => true)
    }
    return performance.now() - began
  }
  took(4_096)
  const [few, many] = [took(1_024), took(65_536)]
  // Copied anew with each piece, 64 times as many pieces would cost 64 x the bytes: seconds
  assert.ok(many < 1_000, `${few} ms in 1024 pieces, ${many} ms in 65536`)
})

// Both suites have one server, which the last of them closes
for (const suite of [compliance, test]) suite.before(async () => { ends ??= await openTlsEnds() })
test.after(() => ends.close())

compliance.run()
test.run()
