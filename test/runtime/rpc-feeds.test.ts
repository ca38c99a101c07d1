import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InvalidArgument, LimitExceeded, WatchOverrun } from '../../runtime/errors.ts'
import { ENDED, Feed, feedOf, PENDING, refined, type Polled } from '../../runtime/feed.ts'
import { limits } from '../../runtime/limits.ts'
import type { Frame } from '../../runtime/platform/ports.ts'
import { object, protocol, stream, unknown } from '../../runtime/protocol.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import type { Event } from '../../runtime/store/store.ts'
import { counter, CounterFull, type Cx } from './counter-fixture.ts'
import { channelEnds, failureOf, quiet, random, serve } from './link-fixture.ts'

const feeds = suite('streams from feeds')

/** What a careless reader takes an item for. */
interface Changed { n: number; a: { b: number[] }; push(n: number): void }
interface Item { n: number; readonly more?: unknown }

/** A feed that the test fills. */
class Filled extends Feed<Item> {
  readonly items: (Item | Error | typeof ENDED)[] = []
  closed = 0
  push(...items: (Item | Error | typeof ENDED)[]): void {
    this.items.push(...items)
    this.onReady()
  }
  poll(): Polled<Item> {
    const item = this.items.shift() ?? PENDING
    if (item instanceof Error) throw item
    return item
  }
  close(): void {
    this.closed++
  }
}

/** Serves each call of `watch` with the next of these feeds; frames to the caller are kept. */
async function served(...open: Feed<Item>[]) {
  const frames: Frame[] = []
  const ends = channelEnds({
    toInitiator(frame, deliver) {
      frames.push(frame)
      deliver(frame)
    },
  })
  const target = await counter({ watch: () => open.shift() }, { ends })
  const reader = (): AsyncIterator<Item> => target.caller.client.watch({ from: 0, to: 0 })[Symbol.asyncIterator]()
  return { ...target, frames, reader }
}

const take = async (reader: AsyncIterator<Item>, count: number): Promise<number[]> => {
  const seen: number[] = []
  while (seen.length < count) seen.push((await reader.next()).value.n)
  return seen
}
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

feeds('what is there leaves in one frame, in order; then the end', async () => {
  const feed = new Filled()
  const { reader, frames, served: link } = await served(feed)
  const one = reader()
  await quiet()
  frames.length = 0
  feed.push(...upTo(40).map((n) => ({ n })), ENDED)
  assert.equal(await take(one, 40), upTo(40))
  assert.is((await one.next()).done, true)
  assert.is(frames.length, 1)
  assert.is(link.active, 0)
})

feeds('an object that many streams give is sent once, and every reader has its own', async () => {
  const open = upTo(50).map(() => new Filled())
  const { reader, frames } = await served(...open)
  const readers = open.map(() => reader())
  await quiet()
  frames.length = 0
  const shared = [{ n: 1 }, { n: 2 }]
  for (const feed of open) feed.push(...shared)
  const first = await Promise.all(readers.map(async (one) => (await one.next()).value))
  assert.is(new Set(first).size, 50)
  first[0]!.n = 9
  assert.equal(first.slice(1).map(({ n }) => n), first.slice(1).map(() => 1))
  assert.equal((await Promise.all(readers.map((one) => take(one, 1)))).flat(), open.map(() => 2))
  const characters = frames.reduce((sum, { length }) => sum + length, 0)
  assert.ok(characters < 600, `${characters} characters for 50 times two items`)
})

feeds('a reader may change what it was given, however deep, and no other sees it', async () => {
  const wide = protocol('wide', { watch: stream(object({}), unknown()) })
  for (const [given, change] of [
    [{ n: 1 }, (item: Changed) => { item.n = 9 }], [{ a: { b: [1] } }, (item: Changed) => { item.a.b.push(2) }],
    [[1, 2], (item: Changed) => { item.push(3) }],
  ] as const) {
    const open = [new Filled(), new Filled(), new Filled()]
    const queue = [...open]
    const { caller } = await serve(wide, { watch: () => queue.shift() })
    const readers = open.map(() => caller.client.watch({})[Symbol.asyncIterator]())
    await quiet()
    for (const feed of open) feed.push(given as unknown as Item)
    for (const reader of readers) {
      const { value } = await reader.next()
      assert.equal(value, given)
      change(value as Changed)
    }
  }
})

feeds('streams that give the same objects in different orders keep their own', async () => {
  const open = [new Filled(), new Filled(), new Filled()]
  const { reader } = await served(...open)
  const readers = open.map(() => reader())
  await quiet()
  const [a, b, c] = [{ n: 1 }, { n: 2 }, { n: 3 }]
  open[0]!.push(a, b, c)
  open[1]!.push(c, b, a)
  open[2]!.push(b, b, a)
  assert.equal(await Promise.all(readers.map((one) => take(one, 3))), [[1, 2, 3], [3, 2, 1], [2, 2, 1]])
})

feeds('items leave without a timer or a task, and after an answer that is due as well', async () => {
  const feed = new Filled()
  const { reader, caller } = await served(feed)
  const one = reader()
  await quiet()
  const told: string[] = []
  void one.next().then(() => told.push('item'))
  feed.push({ n: 1 })
  void caller.client.read({}).then(() => told.push('answer'))
  await quiet(80)
  assert.equal(told, ['answer', 'item'])
})

feeds('items of a generator share frames', async () => {
  const frames: Frame[] = []
  const ends = channelEnds({
    toInitiator(frame, deliver) {
      frames.push(frame)
      deliver(frame)
    },
  })
  const { caller } = await counter({
    async *watch() {
      for (let n = 0; n < 1_000; n++) {
        // As a generator that reads from others does
        await quiet(8)
        yield { n }
      }
    },
  }, { ends })
  const seen: number[] = []
  for await (const { n } of caller.client.watch({ from: 0, to: 1_000 })) seen.push(n)
  assert.equal(seen, upTo(1_000))
  assert.ok(frames.length < 60, `${frames.length} frames for 1000 items`)
})

feeds('a failure arrives as its class, after the items before it, and concerns no other stream', async () => {
  const open = [new Filled(), new Filled()]
  const { reader } = await served(...open)
  const readers = open.map(() => reader())
  await quiet()
  const item = { n: 1 }
  open[0]!.push(item, new CounterFull('full'))
  open[1]!.push(item, { n: 2 })
  assert.equal(await take(readers[0]!, 1), [1])
  assert.instance(await failureOf(readers[0]!.next()), CounterFull)
  assert.equal(await take(readers[1]!, 2), [1, 2])
})

feeds('an item that cannot be sent ends its stream only', async () => {
  const circle: Record<string, unknown> = { n: 1 }
  circle['more'] = circle
  for (const [item, expected] of [
    [circle, InvalidArgument], [{ n: 1, more: 'x'.repeat(limits.message) }, LimitExceeded],
  ] as const) {
    const open = [new Filled(), new Filled()]
    const { reader } = await served(...open)
    const readers = open.map(() => reader())
    await quiet()
    open[0]!.push(item as unknown as Item)
    open[1]!.push({ n: 2 })
    assert.instance(await failureOf(readers[0]!.next()), expected)
    assert.equal(await take(readers[1]!, 1), [2])
    assert.is(open[0]!.closed, 1)
  }
})

feeds('is closed when its reader leaves, and when the link ends', async () => {
  const open = [new Filled(), new Filled()]
  const { reader, ends } = await served(...open)
  const [left, lost] = [reader(), reader()]
  void lost.next().catch(() => undefined)
  await quiet()
  await left.return!()
  await quiet()
  assert.equal(open.map(({ closed }) => closed), [1, 0])
  ends.cut()
  await quiet()
  assert.equal(open.map(({ closed }) => closed), [1, 1])
})

const numberOf = ({ value }: Event): number => new DataView(value.buffer).getUint32(0)
const bytesOf = (n: number): Uint8Array => {
  const value = new Uint8Array(4)
  new DataView(value.buffer).setUint32(0, n)
  return value
}

feeds('a thousand watchers of a store see every write of one writer, once and in order', async () => {
  const items = new WeakMap<Event, Item>()
  const itemOf = (event: Event): Item => {
    const item = items.get(event) ?? { n: numberOf(event) }
    items.set(event, item)
    return item
  }
  const { caller, store } = await overStore(itemOf)
  const views = upTo(1_000).map(async () => {
    const seen: number[] = []
    for await (const { n } of caller.client.watch({ from: 0, to: 0 })) if (seen.push(n) === 300) break
    return seen
  })
  for (let n = 0; n < 300; n++) await store.put(`k${n % 7}`, bytesOf(n))
  for (const seen of await Promise.all(views)) assert.equal(seen, upTo(300))
})

feeds('a watcher that does not read holds nobody up, and ends when it lags too far', async () => {
  const { caller, store } = await overStore((event) => ({ n: numberOf(event) }))
  const slow = caller.client.watch({ from: 0, to: 0 })[Symbol.asyncIterator]()
  assert.is((await Promise.all([slow.next(), store.put('k', bytesOf(0))]))[0].value.n, 0)
  const size = limits.transactionOperations
  const rounds = Math.ceil((limits.watchBacklog + limits.streamCredit) / size) + 1
  let seen = 0
  const quick = (async () => {
    for await (const { n } of caller.client.watch({ from: 0, to: 0 })) {
      if (n !== (seen === 0 ? 0 : (seen - 1) % size)) throw new Error(`${n} came after ${seen} writes`)
      if (++seen > rounds * size) return
    }
  })()
  for (let round = 0; round < rounds; round++) {
    await store.transact([], upTo(size).map((n) => ({ type: 'put', key: `k${n}`, value: bytesOf(n) })))
    await quiet(2_000)
  }
  await quick
  assert.ok(seen > limits.watchBacklog)
  for (let read = 1; read < limits.streamCredit; read++) await slow.next()
  assert.instance(await failureOf(slow.next()), WatchOverrun)
})

async function overStore(itemOf: (event: Event) => Item) {
  let store!: ReturnType<typeof createMemoryStore>
  const target = await counter({
    watch: (_: unknown, cx: Cx) => refined(store.watch('k', { after: 0, signal: cx.signal }), itemOf),
  })
  store = createMemoryStore({ clock: target.clock, random })
  return { ...target, store }
}

feeds('any iterable is a feed, one item ahead of its reader', async () => {
  let made = 0
  let left = false
  const feed = refined(feedOf((async function* () {
    try {
      for (;;) yield made++
    } finally {
      left = true
    }
  })()), (n) => (n % 2 === 1 ? n : undefined))
  const seen: number[] = []
  for await (const n of feed) if (seen.push(n) === 3) break
  assert.equal(seen, [1, 3, 5])
  await quiet()
  assert.ok(made <= 8, `${made} made`)
  assert.is(left, true)
  const broken = feedOf((async function* () {
    yield 1
    throw new CounterFull('full')
  })())[Symbol.asyncIterator]()
  assert.is((await broken.next()).value, 1)
  assert.instance(await failureOf(broken.next()), CounterFull)
  assert.is((await broken.next()).done, true)
})

feeds.run()
