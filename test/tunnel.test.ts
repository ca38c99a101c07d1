/** Streams of a tunnel: as channels, and beside each other. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Cancelled, DeadlineExceeded, Denied, Unavailable, ZonewrightError } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import { systemClock } from '../runtime/platform/clock.ts'
import type { Channel, Frame } from '../transport/channel.ts'
import { memoryChannelPair } from '../transport/memory.ts'
import { tlsChannel } from '../transport/tls.ts'
import { openTunnel } from '../transport/tunnel/tunnel.ts'
import { transportCompliance } from './compliance/transport.ts'
import { openTlsEnds, type TlsEnds } from './tls-ends.ts'
import { link, memoryTunnel, optionsOf, tunnelPair } from './tunnel-ends.ts'

const settle = (ms: number) => (): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
/** Both ends are in this process: what is under way needs turns of its loop, however long these take. */
const turns = async (): Promise<void> => { for (let turn = 0; turn < 40; turn++) await settle(2)() }
const until = async (is: () => boolean): Promise<void> => {
  for (let turn = 0; turn < 1_000 && !is(); turn++) await settle(5)()
  assert.ok(is())
}
interface Seen { frames: Frame[]; closes: string[] }
const listen = (channel: Channel): Seen => {
  const seen: Seen = { frames: [], closes: [] }
  channel.receive((frame) => void seen.frames.push(frame), (reason) => void seen.closes.push(reason))
  return seen
}
const failure = (work: Promise<unknown>): Promise<unknown> => work.then(() => undefined, (error: unknown) => error)

let ends: TlsEnds
const overTls = async (): Promise<readonly [Channel, Channel]> => {
  const { near, far } = await ends.connect()
  return [tlsChannel(near, { clock: systemClock }), tlsChannel(far, { clock: systemClock })]
}
const both = [
  { name: 'a stream over memory', open: async () => memoryChannelPair(systemClock) },
  { name: 'a stream over TLS', open: overTls },
].flatMap(({ name, open }) => [true, false].map((fromDialer) => transportCompliance(
  `${name}, opened by the ${fromDialer ? 'dialer' : 'listener'}`, async () => {
    const { near, far, atNear, atFar } = await tunnelPair(await open())
    const { channel } = await (fromDialer ? near : far).open(link('counter'))
    const accepted = (fromDialer ? atFar : atNear).channels.get('counter')!
    return { near: channel, far: accepted, settle: turns }
  })))

test('a stream leads to what was granted, and the other end is let go once', async () => {
  const { near, atFar } = await memoryTunnel()
  const { channel, granted } = await near.open(link('counter'))
  assert.equal([granted, channel.kind, near.streams], [{ host: 'far', incarnation: 7 }, 'tunnel', 1])
  const [here, there] = [listen(channel), listen(atFar.channels.get('counter')!)]
  channel.send('to')
  channel.close('enough')
  await until(() => there.closes.length === 1)
  assert.equal([there.frames, here.closes, near.streams, atFar.released], [['to'], ['enough'], 0, 1])
})

test('what the other end throws arrives as its class, and no stream is left', async () => {
  const { near, far } = await memoryTunnel({}, {
    onOpen: async () => { throw new Denied('Not for you', { reason: 'policy' }) },
  })
  const error = await failure(near.open(link('vault')))
  assert.instance(error, Denied)
  assert.equal((error as ZonewrightError).details, { reason: 'policy' })
  assert.equal([near.streams, far.streams], [0, 0])
  const huge = await memoryTunnel({}, {
    onOpen: async () => { throw new Denied('x'.repeat(100_000), { reason: 'y'.repeat(100_000) }) },
  })
  assert.instance(await failure(huge.near.open(link('vault'))), Denied)
})

test('one end that is refused is told why, and nobody is let in', async () => {
  const [left, right] = memoryChannelPair(systemClock)
  const refuse = openTunnel({
    ...optionsOf('far'), onHello: async () => { throw new Denied('Revoked') }, channel: right, role: 'listener',
  })
  const results = await Promise.all([
    failure(openTunnel({ ...optionsOf('near'), channel: left, role: 'dialer' })), failure(refuse),
  ])
  for (const error of results) assert.instance(error, Denied)
  const [one, other] = memoryChannelPair(systemClock)
  const ofAnother = { zone: 'another', host: 'near' }
  const ofZones = await Promise.all([
    failure(openTunnel({ ...optionsOf('near'), hello: ofAnother, channel: one, role: 'dialer' })),
    failure(openTunnel({ ...optionsOf('far'), channel: other, role: 'listener' })),
  ])
  for (const error of ofZones) assert.instance(error, Denied)
})

test('a stream that was taken back is let go at the other end, and its caller told why', async () => {
  let aborted = 0
  let decide: ((go: void) => void) | undefined
  const options = optionsOf('far')
  const { near, far } = await memoryTunnel({}, {
    async onOpen(request, signal) {
      signal.addEventListener('abort', () => { aborted++ })
      await new Promise<void>((resolve) => { decide = resolve })
      return options.onOpen(request, signal)
    },
  })
  const stop = new AbortController()
  const opening = failure(near.open(link('slow'), stop.signal))
  await until(() => decide !== undefined)
  stop.abort()
  assert.instance(await opening, Cancelled)
  await until(() => aborted === 1)
  decide!()
  await until(() => options.accepting.released === 1)
  const there = listen(options.accepting.channels.get('slow')!)
  await until(() => there.closes.length === 1)
  assert.equal([near.streams, far.streams], [0, 0])
  assert.instance(await failure(near.open(link('late'), stop.signal)), Cancelled)
})

test('frames of any length arrive whole, in pieces between those of others', async () => {
  const { near, atFar } = await tunnelPair(await overTls())
  const [large, small] = [await near.open(link('large')), await near.open(link('small'))]
  const [atLarge, atSmall] = [listen(atFar.channels.get('large')!), listen(atFar.channels.get('small')!)]
  listen(large.channel)
  listen(small.channel)
  const frame = new Uint8Array(limits.frame).map((_, index) => index * 31)
  const text = 'é'.repeat(200_000)
  large.channel.send(frame)
  large.channel.send(text)
  small.channel.send('in between')
  await until(() => atSmall.frames.length === 1)
  assert.is(atLarge.frames.length, 0, 'the long frame went first')
  await until(() => atLarge.frames.length === 2)
  assert.equal([(atLarge.frames[0] as Uint8Array).length, atLarge.frames[1] === text], [frame.length, true])
  assert.ok((atLarge.frames[0] as Uint8Array).every((byte, index) => byte === frame[index]))
  near.close('done')
})

test('between two tunnels a stream waits for whoever reads last, and what is between them holds little', async () => {
  const toProducer = await memoryTunnel()
  const relayed: unknown[] = []
  const { near: reader, far: relay } = await memoryTunnel({}, {
    async onOpen(request) {
      const { channel, granted } = await toProducer.near.open(request)
      return { channel, granted, release: () => void relayed.push(request.type) }
    },
  })
  const { channel } = await reader.open(link('bulk'))
  const seen = listen(channel)
  channel.hold(true)
  const producer = toProducer.atFar.channels.get('bulk')!
  listen(producer)
  const frame = new Uint8Array(100_000)
  const count = limits.tunnelBacklogBytes / 2 / frame.length | 0
  for (let sent = 0; sent < count; sent++) producer.send(frame)
  await settle(300)()
  const between = relay.held + toProducer.near.held
  assert.ok(between > 0 && between < 4 * limits.tunnelWindowBytes, `${between} bytes`)
  assert.equal([seen.frames.length, seen.closes], [0, []])
  channel.hold(false)
  await until(() => seen.frames.length === count)
  producer.close('done')
  await until(() => seen.closes.length === 1)
  const { streams, held } = toProducer.near
  assert.equal([relay.streams, relay.held, streams, held, relayed], [0, 0, 0, 0, ['link']])
})

test('a frame is bytes of its own: nothing else goes along where it is passed on', async () => {
  const { near, atFar } = await tunnelPair(await overTls())
  const { channel } = await near.open(link('counter'))
  const there = listen(atFar.channels.get('counter')!)
  channel.send(Uint8Array.of(1, 2, 3))
  await until(() => there.frames.length === 1)
  assert.is((there.frames[0] as Uint8Array).buffer.byteLength, 3)
  near.close('done')
})

test('when a tunnel closes, its streams do, and so does all that is asked', async () => {
  const { near, far, atFar } = await memoryTunnel({}, {
    onOpen: (request, signal) => {
      const stays = request.type === 'link' && request.protocol === 'never'
      return stays ? new Promise(() => {}) : optionsOfFar.onOpen(request, signal)
    },
  })
  const { channel } = await near.open(link('counter'))
  const seen = listen(channel)
  const there = listen(optionsOfFar.accepting.channels.get('counter')!)
  const asked = failure(near.open(link('never')))
  await settle(20)()
  far.close('maintenance')
  assert.is(await far.closed, 'maintenance')
  assert.is(await near.closed, 'maintenance')
  assert.instance(await asked, Unavailable)
  assert.instance(await failure(near.open(link('later'))), Unavailable)
  await until(() => there.closes.length === 1)
  assert.equal([seen.closes, near.streams, far.streams, atFar.released], [['maintenance'], 0, 0, 0])
  assert.is(optionsOfFar.accepting.released, 1)
})
const optionsOfFar = optionsOf('far')

test('documents are told whole, and the latest of a kind counts', async () => {
  const told: [string, string][] = []
  let go: (() => void) | undefined
  const { near } = await memoryTunnel({}, {
    async onTell(kind, document) {
      told.push([kind, document])
      await new Promise<void>((resolve) => { go = resolve })
    },
  })
  const long = `${'\u0001"é'.repeat(100_000)}😀`
  near.tell('roots', long)
  await until(() => told.length === 1)
  assert.ok(told[0]![1] === long)
  for (const text of ['one', 'two', 'three']) near.tell('roots', text)
  near.tell('hosts', '')
  await until(() => told.length === 2)
  go!()
  assert.equal(told[1], ['hosts', ''])
  await settle(20)()
  assert.is(told.length, 2)
})

test('a stream that nobody answers for is given up in time', async () => {
  const timers: [number, () => void][] = []
  const clock = {
    ...systemClock,
    after: (ms: number, task: () => void) => {
      timers.push([ms, task])
      return () => {}
    },
  }
  const { near, far } = await memoryTunnel({ clock }, { onOpen: () => new Promise(() => {}) })
  const opening = failure(near.open(link('never')))
  timers.filter(([ms]) => ms === limits.tunnelOpenMs).at(-1)![1]()
  assert.instance(await opening, DeadlineExceeded)
  await until(() => far.streams === 0)
})

// All suites of this file have one server, which the last of them closes
for (const suite of [...both, test]) suite.before(async () => { ends ??= await openTlsEnds() })
test.after(() => ends.close())

for (const suite of both) suite.run()
test.run()
