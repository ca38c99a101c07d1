import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Principal } from '../../runtime/actor.ts'
import { createService } from '../../runtime/context.ts'
import {
  Denied, Internal, InvalidArgument, InvalidResult, LimitExceeded, Overloaded, Restarted, ZonewrightError,
} from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { createCaller } from '../../runtime/link/caller.ts'
import { SIGNED } from '../../runtime/link/seal.ts'
import { serveLink } from '../../runtime/link/serve.ts'
import { createMailbox } from '../../runtime/mailbox.ts'
import { call, number, object, protocol } from '../../runtime/protocol.ts'
import { Counter, counter, CounterFull, gate, idle, rawCaller, type By, type Cx } from './counter-fixture.ts'
import { channelEnds, failureOf, keys, linkPair, quiet, testClock, type Wire } from './link-fixture.ts'

const calls = suite('calls')

calls('are answered, whether the handler is asynchronous or not', async () => {
  const { caller } = await counter({ read: async () => 9 })
  assert.is(await caller.client.add({ by: 1 }), 2)
  assert.is(await caller.client.read({}), 9)
})

calls('speak for the calling actor itself without a token', async () => {
  let principal: Principal | undefined
  const { caller } = await counter({ add: (_: unknown, cx: Cx) => ((principal = cx.principal), 0) })
  await caller.client.add({ by: 1 })
  assert.equal(principal, { sub: 'alice', appid: 'alice', runtimeType: 'service', sudo: false })
})

calls('with arguments of the wrong shape never reach the handler', async () => {
  let ran = false
  const { caller } = await counter({ add: () => ((ran = true), 0) })
  assert.instance(await failureOf(caller.client.add({ by: 'one' } as never)), InvalidArgument)
  assert.instance(await failureOf(caller.client.add({ by: 1, extra: 2 } as never)), InvalidArgument)
  assert.instance(await failureOf(caller.client.add(undefined as never)), InvalidArgument)
  assert.is(ran, false)
})

calls('with a result of the wrong shape fail at the caller', async () => {
  const { caller } = await counter({ add: () => 'many' })
  assert.instance(await failureOf(caller.client.add({ by: 1 })), InvalidResult)
})

calls('that fail carry the error over as its class, with its details', async () => {
  const { caller } = await counter({ add() { throw new CounterFull('The counter is full: 7', { at: 7 }) } })
  const error = await failureOf(caller.client.add({ by: 1 }))
  assert.instance(error, CounterFull)
  assert.is(error.message, 'The counter is full: 7')
  assert.equal(error.details, { at: 7 })
})

calls('that fail by a bug say no more than that, and the actor is told', async () => {
  const { caller, faults } = await counter({ async add() { throw new TypeError('password is hunter2') } })
  const error = await failureOf(caller.client.add({ by: 1 }))
  assert.instance(error, ZonewrightError)
  assert.is(error.code, new Internal('x').code)
  assert.not.match(error.message, /hunter2/)
  assert.match(String((faults[0] as Error).message), /hunter2/)
})

calls('with details that are not JSON still carry their error over', async () => {
  const { caller } = await counter({ add() { throw new CounterFull('full', { big: 1n }) } })
  const error = await failureOf(caller.client.add({ by: 1 }))
  assert.instance(error, CounterFull)
  assert.equal(error.details, {})
})

calls('larger than one message fail with LimitExceeded, there and back', async () => {
  const { caller } = await counter({ grant: () => 'x'.repeat(limits.message) })
  assert.instance(await failureOf(caller.client.grant({ to: 'x'.repeat(limits.message) })), LimitExceeded)
  assert.instance(await failureOf(caller.client.grant({ to: 'x' })), LimitExceeded)
  assert.is(await caller.client.add({ by: 1 }), 2)
})

calls('run one at a time, in order, unless their entry says otherwise', async () => {
  const gates = [gate(), gate(), gate()]
  const log: string[] = []
  const { caller, mailbox } = await counter({
    async add({ by }: { by: number }) {
      log.push(`start ${by}`)
      await gates[by]!.promise
      log.push(`end ${by}`)
      return by
    },
  })
  const results = [0, 1, 2].map((by) => caller.client.add({ by }))
  await quiet()
  assert.equal(log, ['start 0'])
  assert.is(mailbox.waiting, 2)
  assert.is(await caller.client.read({}), 7)
  gates[2]!.open()
  gates[1]!.open()
  gates[0]!.open()
  assert.equal(await Promise.all(results), [0, 1, 2])
  assert.equal(log, ['start 0', 'end 0', 'start 1', 'end 1', 'start 2', 'end 2'])
})

calls('of a concurrent method run beside each other up to its number', async () => {
  const door = gate()
  let running = 0
  let most = 0
  const { caller } = await counter({
    async read() {
      most = Math.max(most, ++running)
      await door.promise
      running--
      return 1
    },
  })
  const results = Array.from({ length: 9 }, () => caller.client.read({}))
  await quiet()
  assert.is(most, 4)
  door.open()
  assert.equal(await Promise.all(results), Array.from({ length: 9 }, () => 1))
  assert.is(most, 4)
})

calls('are refused with Overloaded when the mailbox is full', async () => {
  const door = gate()
  const { caller } = await counter({ add: async () => (await door.promise, 1) }, { capacity: 2 })
  const results = [1, 2, 3].map((by) => caller.client.add({ by }))
  assert.instance(await failureOf(caller.client.add({ by: 4 })), Overloaded)
  door.open()
  assert.equal(await Promise.all(results), [1, 1, 1])
})

calls('of one link are refused with Overloaded beyond the number that may be in flight', async () => {
  const { caller } = await counter({ add: () => new Promise(() => undefined) }, { capacity: 2 * limits.inFlight })
  for (let by = 0; by < limits.inFlight; by++) caller.client.add({ by }).catch(() => undefined)
  assert.is(caller.pending, limits.inFlight)
  const error = await failureOf(caller.client.add({ by: 0 }))
  assert.instance(error, Overloaded)
  assert.match(error.message, /in flight/)
})

calls('that thousands of later ones overtake are still answered, or cancelled with the link', async () => {
  const doors = [gate(), gate()]
  const { caller, served, ends } = await counter({
    read: () => 7,
    add: async ({ by }: By) => (await doors[by]!.promise, by),
  })
  const [first, second] = [0, 1].map((by) => caller.client.add({ by }))
  for (let count = 0; count < 3_000; count++) await caller.client.read({})
  assert.is(caller.pending, 2)
  assert.is(served.active, 2)
  doors[0]!.open()
  assert.is(await first, 0)
  ends.cut()
  assert.instance(await failureOf(second!), Restarted)
  assert.is(caller.pending, 0)
})

calls('of the old kind do not understand the new: another method list closes the link', async () => {
  const clock = testClock()
  const Newer = protocol('counter', { ...Counter.methods, reset: call(object({}), number()) })
  const { initiator, responder } = await linkPair({ clock })
  const mailbox = createMailbox({ capacity: 10, clock })
  const self = { host: 'host-1', actor: 'bob' }
  serveLink(responder, createService({ protocol: Counter, handlers: idle, mailbox, callers: {}, clock, keys, self }))
  const caller = createCaller(Newer, { clock, keys })
  let closed: ZonewrightError | undefined
  caller.attach(initiator, (error) => void (closed = error))
  assert.is((await failureOf(caller.client.add({ by: 1 }))).code, 'HandshakeFailed')
  assert.is(closed?.details['reason'], 'protocol differs')
})

calls.run()

const suites = suite('suites of methods')

suites('a method of suite sealed is refused on a mac link, by caller and by callee', async () => {
  const { caller, initiator, responder, clock } = await counter()
  assert.instance(await failureOf(caller.client.secret({})), Denied)
  const plain = await rawCaller(await counter({}, { clock }))
  plain.send([1, 1, 3, clock.now() + 1_000, 0, {}])
  assert.equal((await plain.next()).slice(0, 3), [9, 1, 'Denied'])
  void initiator
  void responder
})

suites('a method of suite sealed is served on a sealed link', async () => {
  const { caller } = await counter({}, { minimum: 'sealed' })
  assert.is(await caller.client.secret({}), 'hush')
})

suites('a method of suite signature is signed by the client, and refused when it comes unsigned', async () => {
  const { caller } = await counter()
  assert.is(await caller.client.grant({ to: 'alice' }), 'granted to alice')
  let ran = false
  const raw = await rawCaller(await counter({ grant: () => ((ran = true), '') }))
  raw.send([1, 1, 2, 2e13, 0, { to: 'alice' }])
  assert.equal((await raw.next()).slice(0, 3), [9, 1, 'Denied'])
  assert.is(ran, false)
  raw.send([1, 2, 2, 2e13, 0, { to: 'alice' }], true)
  assert.equal((await raw.next()).slice(0, 2), [8, 2])
})

suites('only what is asked in a method of suite signature is signed: neither other calls nor answers', async () => {
  // A header begins with version, direction, flags
  const flags = { toResponder: [] as number[], toInitiator: [] as number[] }
  const tap = (seen: number[]): Wire => (frame, deliver, count) => {
    if (count >= 2) seen.push((frame as string).charCodeAt(2))
    deliver(frame)
  }
  const ends = channelEnds({ toResponder: tap(flags.toResponder), toInitiator: tap(flags.toInitiator) })
  const { caller } = await counter({}, { ends })
  await caller.client.read({})
  await caller.client.grant({ to: 'alice' })
  await caller.client.read({})
  assert.equal(flags.toResponder, [0, SIGNED, 0])
  assert.is(flags.toInitiator.includes(SIGNED), false)
})

suites.run()
