import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Cancelled, DeadlineExceeded, Restarted, Unavailable } from '../../runtime/errors.ts'
import { createCaller } from '../../runtime/link/caller.ts'
import { serveLink } from '../../runtime/link/serve.ts'
import { Counter, counter, forever, gate, rawCaller, type Cx, type By } from './counter-fixture.ts'
import { failureOf, keys, linkPair, quiet, testClock } from './link-fixture.ts'

const ends = suite('deadlines and cancellation')

ends('a call fails at its deadline, and the callee sees it cancelled', async () => {
  let seen: AbortSignal | undefined
  const { caller, clock, served } = await counter({ add: (_: unknown, cx: Cx) => ((seen = cx.signal), forever()) })
  const result = failureOf(caller.client.add({ by: 1 }, { withinMs: 200 }))
  await quiet()
  assert.is(seen!.aborted, false)
  await clock.advance(199)
  assert.is(caller.pending, 1)
  await clock.advance(1)
  assert.instance(await result, DeadlineExceeded)
  assert.is(seen!.aborted, true)
  assert.is(caller.pending, 0)
  assert.is(served.active, 0)
})

ends('a short deadline is kept though a longer one is waited for', async () => {
  const { caller, clock } = await counter({ read: () => new Promise(() => undefined) })
  const order: string[] = []
  const [long, short] = [500, 100].map(async (withinMs) => {
    await failureOf(caller.client.read({}, { withinMs }))
    order.push(String(withinMs))
  })
  await clock.advance(100)
  await short
  assert.equal(order, ['100'])
  await clock.advance(400)
  await long
  assert.equal(order, ['100', '500'])
  assert.is(clock.timers, 0)
})

ends('a call that waited past its deadline never runs', async () => {
  const door = gate()
  const ran: number[] = []
  const { caller, clock } = await counter({ add: async ({ by }: By) => (ran.push(by), await door.promise, by) })
  const first = caller.client.add({ by: 1 }, { withinMs: 1_000 })
  const second = failureOf(caller.client.add({ by: 2 }, { withinMs: 100 }))
  await clock.advance(100)
  assert.instance(await second, DeadlineExceeded)
  door.open()
  assert.is(await first, 1)
  assert.is(await caller.client.add({ by: 3 }), 3)
  assert.equal(ran, [1, 3])
})

ends('a deadline that has passed, or is no number, fails the call at once', async () => {
  const { caller } = await counter()
  for (const withinMs of [0, -5, NaN]) {
    assert.instance(await failureOf(caller.client.add({ by: 1 }, { withinMs })), DeadlineExceeded)
  }
})

ends('a callee whose clock is ahead cancels the handler itself and says so', async () => {
  const clock = testClock()
  let seen: AbortSignal | undefined
  const target = await counter({ add: (_: unknown, cx: Cx) => ((seen = cx.signal), forever()) }, { clock })
  const raw = await rawCaller(target)
  raw.send([1, 1, 0, clock.now() + 100, 0, { by: 1 }])
  await quiet()
  await clock.advance(99)
  assert.is(seen!.aborted, false)
  await clock.advance(1)
  assert.is(seen!.aborted, true)
  assert.equal((await raw.next()).slice(0, 3), [9, 1, 'DeadlineExceeded'])
  assert.is(clock.timers, 0)
})

ends('a signal cancels the call at both ends', async () => {
  let seen: AbortSignal | undefined
  const { caller } = await counter({ add: (_: unknown, cx: Cx) => ((seen = cx.signal), forever()) })
  const controller = new AbortController()
  const result = failureOf(caller.client.add({ by: 1 }, { signal: controller.signal }))
  await quiet()
  controller.abort()
  assert.instance(await result, Cancelled)
  await quiet()
  assert.is(seen!.aborted, true)
  assert.instance(await failureOf(caller.client.add({ by: 1 }, { signal: controller.signal })), Cancelled)
})

ends('a call cancelled while it waits never runs', async () => {
  const door = gate()
  const ran: number[] = []
  const { caller } = await counter({ add: async ({ by }: By) => (ran.push(by), await door.promise, by) })
  const first = caller.client.add({ by: 1 })
  const controller = new AbortController()
  const second = failureOf(caller.client.add({ by: 2 }, { signal: controller.signal }))
  await quiet()
  controller.abort()
  await second
  await quiet()
  door.open()
  await first
  assert.is(await caller.client.add({ by: 3 }), 3)
  assert.equal(ran, [1, 3])
})

ends('an answer that comes after the caller gave up is no fault', async () => {
  const door = gate()
  const { caller, clock } = await counter({ add: async () => (await door.promise, 1), read: () => 7 })
  const late = failureOf(caller.client.add({ by: 1 }, { withinMs: 10 }))
  await clock.advance(10)
  await late
  door.open()
  await quiet()
  assert.is(await caller.client.read({}), 7)
})

ends.run()

const restarts = suite('links that come and go')

restarts('calls pending on a peer that died fail Restarted, and none is lost in silence', async () => {
  const { caller, ends } = await counter({ add: () => new Promise(() => undefined) })
  const results = [1, 2, 3].map((by) => failureOf(caller.client.add({ by })))
  await quiet()
  ends.cut()
  for (const error of await Promise.all(results)) assert.instance(error, Restarted)
})

restarts('calls made while there is no link wait for the next and run there once', async () => {
  const { caller, ends, clock } = await counter()
  ends.cut()
  await quiet()
  const waiting = caller.client.add({ by: 41 })
  await quiet()
  const next = await counter({}, { clock, incarnation: 2 })
  next.caller.detach(new Unavailable('not this one'))
  const fresh = await linkPair({ clock, incarnation: 3 })
  serveLink(fresh.responder, next.service)
  caller.attach(fresh.initiator)
  assert.is(await waiting, 42)
})

restarts('a call that finds no link until its deadline is Unavailable: it did not run', async () => {
  const clock = testClock()
  const caller = createCaller(Counter, { clock, keys })
  const result = failureOf(caller.client.add({ by: 1 }, { withinMs: 50 }))
  await clock.advance(50)
  assert.instance(await result, Unavailable)
  assert.is(clock.timers, 0)
})

restarts('a new incarnation takes over: what was pending fails Restarted', async () => {
  const old = await counter({ add: () => new Promise(() => undefined) })
  const pending = failureOf(old.caller.client.add({ by: 1 }))
  await quiet()
  const fresh = await linkPair({ clock: old.clock, incarnation: 2 })
  serveLink(fresh.responder, old.service)
  old.caller.attach(fresh.initiator)
  assert.instance(await pending, Restarted)
  assert.is(await old.caller.client.read({}), 7)
})

restarts('an actor that stops says so: its caller gets that error, and handlers are cancelled', async () => {
  let seen: AbortSignal | undefined
  const { caller, served } = await counter({ add: (_: unknown, cx: Cx) => ((seen = cx.signal), forever()) })
  const pending = failureOf(caller.client.add({ by: 1 }))
  await quiet()
  served.close(new Unavailable('The actor stops'))
  const error = await pending
  assert.instance(error, Unavailable)
  assert.is(error.message, 'The actor stops')
  assert.is(seen!.aborted, true)
})

restarts('a closed caller fails every call, waiting and to come', async () => {
  const clock = testClock()
  const caller = createCaller(Counter, { clock, keys })
  const waiting = failureOf(caller.client.add({ by: 1 }))
  caller.close(new Unavailable('stopping'))
  assert.is((await waiting).message, 'stopping')
  assert.is((await failureOf(caller.client.add({ by: 1 }))).message, 'stopping')
  assert.is(clock.timers, 0)
})

restarts.run()
