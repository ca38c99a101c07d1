/** What one link, channel or start may take: the last that is allowed passes, the next has its documented end. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { HandshakeFailed, Overloaded } from '../../runtime/errors.ts'
import { createIntroducer } from '../../runtime/introduce.ts'
import { verifyLinkCertificate } from '../../runtime/link/certificate.ts'
import { ItemBatch } from '../../runtime/link/item-batch.ts'
import { limits } from '../../runtime/limits.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { backoffMs, RestartBudget } from '../../runtime/restart.ts'
import { Threads } from '../../runtime/threads.ts'
import { createTrace, spanTrace, type SpanEvent } from '../../runtime/trace.ts'
import { memoryChannelPair } from '../../transport/memory.ts'
import { counter, firstFailure } from '../runtime/counter-fixture.ts'
import {
  channelEnds, countingRandom, failureOf, keys, linkPair, listen, quiet, testClock,
} from '../runtime/link-fixture.ts'
import { pause } from '../runtime/sim-fixture.ts'
import { withHost } from '../runtime/supervisor-fixture.ts'

const test = suite('limits of links and starts')

test('a channel that nobody reads keeps its frames, and one more closes it', async () => {
  const soon = { soon: (task: () => void) => void Promise.resolve().then(task) }
  for (const over of [0, 1]) {
    const [left, right] = memoryChannelPair(soon)
    let closed = ''
    left.receive(() => {}, (reason) => void (closed = reason))
    for (let frame = 0; frame < limits.channelBacklog + over; frame++) left.send(`${frame}`)
    await quiet()
    let received = 0
    right.receive(() => void received++, () => {})
    await quiet()
    assert.equal([closed, received], over === 0 ? ['', limits.channelBacklog] : ['nobody reads the channel', 0])
  }
})

test('messages leave at once when as many wait as one batch may have, or as many characters', async () => {
  const frames: number[] = []
  const { initiator, responder } = await linkPair({
    ends: channelEnds({ toResponder: (frame, deliver, count) => {
      frames.push(count)
      deliver(frame)
    } }),
  })
  const { messages } = listen(responder)
  const sentAtOnce = (send: () => void): boolean => {
    const before = frames.length
    send()
    return frames.length > before
  }
  const many = (count: number) => () => {
    for (let message = 0; message < count; message++) initiator.send([1, message])
  }
  assert.not(sentAtOnce(many(limits.batch - 1)))
  await quiet(2_000)
  assert.ok(sentAtOnce(many(limits.batch)))
  await quiet(2_000)
  // [1,"…"] has six characters of its own
  assert.not(sentAtOnce(() => initiator.send([1, 'x'.repeat(limits.frameFill - 7)])))
  await quiet(2_000)
  assert.ok(sentAtOnce(() => initiator.send([1, 'x'.repeat(limits.frameFill - 6)])))
  await quiet(2_000)
  assert.is(messages.length, 2 * limits.batch - 1 + 2)
})

test('a frame with as many messages as a batch may have is read, one with one more closes the link', async () => {
  for (const over of [0, 1]) {
    const { initiator, responder, rejected } = await linkPair()
    const { messages } = listen(responder)
    // One text that reads as the messages of a whole frame: what only a peer of another make would send
    initiator.sendText(Array.from({ length: limits.batch + over }, () => '[1]').join())
    await quiet(2_000)
    assert.equal([messages.length, rejected], over === 0 ? [limits.batch, []] : [0, ['malformed']])
  }
})

test('as many streams as a link may have are open, one more is Overloaded, one that ends makes place', async () => {
  const { caller } = await counter({
    async *watch(_: unknown, { signal }: { signal: AbortSignal }) {
      yield { n: 0 }
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    },
  })
  const watch = () => caller.client.watch({ from: 0, to: 1 })
  const open = Array.from({ length: limits.streams }, () => watch()[Symbol.asyncIterator]())
  const firsts = open.map((stream) => stream.next())
  assert.instance(await firstFailure(watch()), Overloaded)
  assert.is((await Promise.all(firsts)).filter(({ done }) => done === false).length, limits.streams)
  await open[0]!.return!()
  await quiet()
  const more = watch()[Symbol.asyncIterator]()
  assert.not((await more.next()).done)
})

test('shared items leave at once when as many wait as one frame of streams may have', () => {
  const sent: string[] = []
  const batch = new ItemBatch({ sendText: (text: string) => void sent.push(text) } as never)
  const item = { n: 1 }
  for (let id = 1; id < limits.streamBatch; id++) batch.addShared({ id, place: 0 }, item)
  assert.is(sent.length, 0)
  batch.addShared({ id: limits.streamBatch, place: 0 }, item)
  assert.is(sent.length, 1)
})

test('spans of one turn leave together, and at once when as many wait as may', () => {
  const emitted: number[] = []
  const later: (() => void)[] = []
  const clock = { ...testClock(), soon: (task: () => void) => void later.push(task) }
  const { trace } = spanTrace(clock, ({ event }) => void emitted.push((JSON.parse(String(event)) as unknown[]).length))
  const span = { host: 'h1' } as SpanEvent
  for (let count = 1; count < limits.spanBatch; count++) trace.emit('span', span)
  assert.equal(emitted, [])
  trace.emit('span', span)
  assert.equal(emitted, [limits.spanBatch])
})

test('a link certificate of as many characters as the limit is looked at, one with one more is too long', async () => {
  for (const [over, reason] of [[0, /^certificate (?!too-long)/], [1, /^certificate too-long$/]] as const) {
    const text = 'a'.repeat(limits.certificate + over)
    const verify = () => verifyLinkCertificate(text, {
      keys, zone: 'z1', nowMs: 0, device: () => undefined, allows: () => true,
    })
    const error = await failureOf(Promise.resolve().then(verify))
    assert.match(String(error.details['reason']), reason)
  }
})

test('a link certificate is good until its life is over, and not a second longer', async () => {
  const platform = await openPlatform()
  const clock = testClock()
  const device = platform.keys.generate(platform.random)
  const introducer = createIntroducer({
    platform: { ...platform, clock }, zone: 'z1', host: 'h1', device, trace: createTrace(), kernelActors: [],
    devices: [{ host: 'h1', role: 'ood', jwk: device.public.jwk }],
  }, () => {})
  for (const actor of ['a', 'b']) {
    introducer.register({ actor, runtimeType: 'service', incarnation: 1, key: device.public.jwk })
  }
  const { certificate } = introducer.pair('a', 'b', 'mac').forCaller.introduction
  const verify = () => verifyLinkCertificate(certificate, {
    keys: platform.keys, zone: 'z1', nowMs: clock.now(), device: () => ({ role: 'ood', key: device.public }),
    allows: () => true,
  })
  await clock.advance(limits.linkCertificateMs - 1_000)
  assert.is(verify().actor, 'a')
  await clock.advance(1_000)
  const error = await failureOf(Promise.resolve().then(verify))
  assert.instance(error, HandshakeFailed)
  assert.is(error.details['reason'], 'certificate expired')
  introducer.close()
})

test('an actor may take as long to start as the limit says, and fails the start a little later', async () => {
  for (const [extraMs, outcome] of [[-1_000, 'serving'], [1_000, 'StartFailed']] as const) {
    const slow = { start: (given: Pick<Platform, 'clock'>) => pause(given, limits.startMs + extraMs) }
    await withHost({ slow }, async ({ supervisor, state }) => {
      const started = await supervisor.start('slow').then(() => state('slow'), (error: Error) => error.name)
      if (started !== outcome) throw new Error(`${extraMs} ms: ${started}`)
    })
  }
})

test('the pause before a restart grows up to its maximum and no further', () => {
  // As many restarts as the budget has do not get there; what it doubles to does
  const budget = new RestartBudget(countingRandom())
  const waits = Array.from({ length: limits.restarts }, () => budget.next(0))
  assert.is(budget.next(0), undefined)
  assert.ok(waits.every((wait) => wait !== undefined && wait <= limits.restartBackoffMsMax))
  const { restartBackoffMsMin: min, restartBackoffMsMax: max } = limits
  const longest = Array.from({ length: 40 }, (_, failures) => backoffMs(countingRandom(), failures, { min, max }))
  assert.ok(Math.max(...longest) <= max && longest.at(-1)! >= max / 2, longest.join(' '))
})

test('a link that closed is made anew after pauses that grow up to their maximum', () => {
  const { relinkMsMin: min, relinkMsMax: max } = limits
  const pauses = Array.from({ length: 40 }, (_, failures) => backoffMs(countingRandom(), failures, { min, max }))
  assert.ok(pauses[0]! <= min && pauses[0]! >= min / 2, `${pauses[0]}`)
  assert.ok(pauses.every((pause) => pause <= max) && pauses.at(-1)! >= max / 2, pauses.join(' '))
})

test('a worker may tell of a heap as large as the limit, of a larger one not too often in a row', async () => {
  const bytes = limits.workerHeapMb * 1024 * 1024
  const large = Array.from({ length: limits.workerHeapBeats - 1 }, () => bytes + 1)
  const cases: readonly (readonly [beats: readonly number[], reason: string])[] = [
    [[bytes], ''],
    [[...large, bytes, ...large, bytes], ''],
    [[...large, bytes + 1], `out of memory: its heap is larger than ${limits.workerHeapMb} MB`],
  ]
  for (const [beats, expected] of cases) {
    const clock = testClock()
    let beat = 0
    const worker = {
      control: { beat: async () => beats[Math.min(beat++, beats.length - 1)]! },
      onExit: () => {}, onEvent: () => {}, terminate: async () => {},
    }
    const deaths: string[] = []
    const platform = { clock, host: { spawn: () => worker } } as unknown as Platform
    const spec = { thread: 'a', module: new URL('sim:///a.js'), permissions: {}, protocol: { name: 'a' } } as never
    const threads = new Threads({ platform, trace: createTrace() } as never, [spec], (_, reason) => {
      deaths.push(reason)
    }, () => {})
    threads.of(spec)
    threads.watch()
    for (let second = 0; second < beats.length; second++) await clock.advance(limits.heartbeatMs)
    assert.is(deaths.join(), expected)
    await threads.close()
  }
})

test('as many counters as an actor may have are counted, a name more is not', async () => {
  let counting: ((name: string, by?: number) => void) | undefined
  await withHost({ a: { start: (given) => void (counting = (name, by) => given.count(name, by)) } }, async (host) => {
    await host.supervisor.start('a')
    for (let name = 0; name <= limits.counters; name++) counting!(`name_${name}`)
    counting!('name_0')
    const counters = (await host.supervisor.inspect()).find(({ actor }) => actor === 'a')?.counters ?? {}
    const told = [Object.keys(counters).length, counters['name_0'], counters[`name_${limits.counters}`]].join()
    if (told !== `${limits.counters},2,`) throw new Error(told)
  })
})

test.run()
