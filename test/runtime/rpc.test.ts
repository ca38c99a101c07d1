import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { CallContext, Principal } from '../../runtime/actor.ts'
import {
  Cancelled, DeadlineExceeded, Denied, Internal, InvalidArgument, InvalidResult, LimitExceeded, Overloaded, Restarted,
  Unavailable, ZonewrightError, defineError,
} from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { createCaller } from '../../runtime/link/caller.ts'
import type { Message } from '../../runtime/link/link.ts'
import { SIGNED } from '../../runtime/link/seal.ts'
import { serveLink } from '../../runtime/link/serve.ts'
import { createService } from '../../runtime/context.ts'
import { createMailbox } from '../../runtime/mailbox.ts'
import { call, number, object, protocol, send, stream, string } from '../../runtime/protocol.ts'
import { createTrace, type SpanEvent } from '../../runtime/trace.ts'
import {
  channelEnds, failureOf, keys, linkPair, quiet, serve, testClock, type PairOptions, type Wire,
} from './link-fixture.ts'

type Cx = CallContext
interface By { readonly by: number }

const Counter = protocol('counter', {
  add: call(object({ by: number() }), number()),
  read: call(object({}), number(), { concurrent: 4 }),
  grant: call(object({ to: string() }), string(), { suite: 'signature' }),
  secret: call(object({}), string(), { suite: 'sealed' }),
  note: send(object({ text: string() })),
  watch: stream(object({ from: number(), to: number() }), object({ n: number() })),
})

const CounterFull = defineError('CounterFull')

interface Gate { readonly promise: Promise<void>; open(): void }
function gate(): Gate {
  let open!: () => void
  const promise = new Promise<void>((resolve) => void (open = resolve))
  return { promise, open }
}

const idle: Record<string, unknown> = {
  add: ({ by }: { by: number }) => by + 1,
  read: () => 7,
  grant: ({ to }: { to: string }) => `granted to ${to}`,
  secret: () => 'hush',
  note: () => undefined,
  async *watch({ from, to }: { from: number; to: number }) {
    for (let n = from; n < to; n++) yield { n }
  },
}

const forever = (): Promise<never> => new Promise(() => undefined)

const aborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => signal.addEventListener('abort', resolve))

/** How reading the first item fails. */
const firstFailure = (items: AsyncIterable<unknown>): Promise<ZonewrightError> =>
  failureOf(items[Symbol.asyncIterator]().next())

const counter = (change: Record<string, unknown> = {}, options: PairOptions & Parameters<typeof serve>[2] = {}) =>
  serve(Counter, { ...idle, ...change }, options)

// ---- calls

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

// ---- deadlines and cancellation

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

// ---- restarts

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

// ---- suites

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

/** Speaks the wire by hand to an actor that `serve` set up. */
async function rawCaller(target: Awaited<ReturnType<typeof counter>>): Promise<{
  send(message: Message, signed?: boolean): void
  next(): Promise<Message>
  readonly closed: ZonewrightError | undefined
  readonly rejected: string[]
}> {
  const fresh = await linkPair({ clock: target.clock })
  serveLink(fresh.responder, target.service)
  const messages: Message[] = []
  let closed: ZonewrightError | undefined
  const caller = createCaller(Counter, { clock: target.clock, keys })
  let hello: Message | undefined
  caller.attach({
    ...fresh.initiator, send: (message) => void (hello ??= message), receive: () => undefined, close: () => undefined,
  })
  fresh.initiator.receive((message) => void messages.push(message), (error) => void (closed = error))
  // Without an epoch: deadlines are epoch milliseconds
  fresh.initiator.send(hello!.slice(0, 3))
  await quiet()
  assert.equal(messages.shift(), hello!.slice(0, 3))
  return {
    send: (message, signed) => void fresh.initiator.send(message, signed),
    async next() {
      await quiet()
      const message = messages.shift()
      if (!message) throw new Error(`No message; closed: ${closed?.message ?? 'no'}`)
      return message
    },
    get closed() { return closed },
    rejected: fresh.rejected,
  }
}

// ---- tokens

const tokens = suite('tokens')

const alice: Principal = { sub: 'alice', appid: 'app', runtimeType: 'user', sid: 's1', sudo: false }

function tokenService(verdict: (token: string, method: string) => Principal | Promise<Principal>) {
  const asked: string[] = []
  const seen: (Principal | undefined)[] = []
  const heard: (string | undefined)[] = []
  const handlers = {
    read: (_: unknown, cx: Cx) => {
      seen.push(cx.principal)
      heard.push(cx.token)
      return 1
    },
    add: (_: unknown, cx: Cx) => (seen.push(cx.principal), 1),
  }
  const lifecycle = {
    authenticate: (token: string, _peer: unknown, { method }: { method: string }) => {
      asked.push(`${token} ${method}`)
      return verdict(token, method)
    },
  }
  return { asked, seen, heard, handlers, lifecycle }
}

tokens('go over a link once, and later calls name them by a number', async () => {
  const sent: string[] = []
  const ends = channelEnds({ toResponder: (frame, deliver) => (sent.push(frame as string), deliver(frame)) })
  const { handlers, lifecycle, seen, heard } = tokenService(() => ({ ...alice, expires: Infinity }))
  const { caller } = await counter(handlers, { lifecycle, ends })
  for (let count = 0; count < 3; count++) await caller.client.read({}, { token: 'token-of-alice' })
  assert.is(sent.filter((frame) => frame.includes('token-of-alice')).length, 1)
  assert.is(seen.every((principal) => principal!.sub === 'alice'), true)
  assert.equal(heard, ['token-of-alice', 'token-of-alice', 'token-of-alice'])
})

tokens('are asked about for every call unless the verdict says how long it holds', async () => {
  const always = tokenService(() => alice)
  const first = await counter(always.handlers, { lifecycle: always.lifecycle })
  for (let count = 0; count < 3; count++) await first.caller.client.read({}, { token: 't' })
  assert.is(always.asked.length, 3)
  const clock = testClock()
  const held = tokenService(() => ({ ...alice, expires: clock.now() + 1_000 }))
  const second = await counter(held.handlers, { lifecycle: held.lifecycle, clock })
  for (let count = 0; count < 3; count++) await second.caller.client.read({}, { token: 't' })
  assert.equal(held.asked, ['t read'])
  await second.caller.client.add({ by: 1 }, { token: 't' })
  assert.equal(held.asked, ['t read', 't add'])
  await clock.advance(1_000)
  await second.caller.client.read({}, { token: 't' })
  assert.equal(held.asked, ['t read', 't add', 't read'])
})

tokens('that are revoked are unbound: the next call is denied', async () => {
  let valid = true
  const { handlers, lifecycle } = tokenService(() => {
    if (!valid) throw new Denied('The session was ended')
    return { ...alice, expires: Infinity }
  })
  const { caller, service } = await counter(handlers, { lifecycle })
  await caller.client.read({}, { token: 't' })
  valid = false
  service.unbind((principal) => principal.sid === 'other')
  assert.is(await caller.client.read({}, { token: 't' }), 1)
  service.unbind((principal) => principal.sid === 's1')
  const error = await failureOf(caller.client.read({}, { token: 't' }))
  assert.instance(error, Denied)
  assert.is(error.message, 'The session was ended')
})

tokens('are denied by an actor that takes none, and when they are too long', async () => {
  const { caller } = await counter()
  assert.instance(await failureOf(caller.client.read({}, { token: 't' })), Denied)
  assert.instance(await failureOf(caller.client.read({}, { token: 'x'.repeat(limits.token + 1) })), Denied)
})

tokens('of one call say nothing about the next', async () => {
  const { handlers, lifecycle, seen } = tokenService((token) => ({ ...alice, sub: token, expires: Infinity }))
  const { caller } = await counter(handlers, { lifecycle })
  await caller.client.read({}, { token: 'anna' })
  await caller.client.read({})
  await caller.client.read({}, { token: 'bert' })
  await caller.client.read({}, { token: 'anna' })
  assert.equal(seen.map((principal) => principal!.sub), ['anna', 'alice', 'bert', 'anna'])
})

tokens('beyond the number that one link binds replace the least recently used', async () => {
  const { handlers, lifecycle, asked } = tokenService((token) => ({ ...alice, sub: token, expires: Infinity }))
  const { caller } = await counter(handlers, { lifecycle })
  for (let index = 0; index <= limits.boundTokens; index++) {
    await caller.client.read({}, { token: `t${index}` })
    await caller.client.read({}, { token: 't1' })
  }
  assert.is(asked.length, limits.boundTokens + 1)
  await caller.client.read({}, { token: 't1' })
  assert.is(asked.length, limits.boundTokens + 1)
  await caller.client.read({}, { token: 't0' })
  assert.is(asked.length, limits.boundTokens + 2)
})

tokens('whose check takes time keep calls in order', async () => {
  const door = gate()
  const { handlers, lifecycle } = tokenService(async () => (await door.promise, alice))
  const order: string[] = []
  const read = (_: unknown, cx: Cx): number => (order.push(cx.principal.appid), 1)
  const { caller } = await counter({ ...handlers, read }, { lifecycle })
  const results = [{ token: 't' }, {}, { token: 't' }].map((settings) => caller.client.read({}, settings))
  await quiet()
  assert.equal(order, [])
  door.open()
  await Promise.all(results)
  assert.equal(order, ['app', 'alice', 'app'])
})

tokens('that were never bound are denied, though their number is small', async () => {
  const raw = await rawCaller(await counter())
  raw.send([1, 1, 0, 2e13, 3, { by: 1 }])
  assert.equal((await raw.next()).slice(0, 3), [9, 1, 'Denied'])
})

tokens.run()

// ---- hostile callers

const hostile = suite('hostile callers')

const junk: readonly (readonly [string, readonly Message[]])[] = [
  ['an unknown kind of message', [[77, 1]]],
  ['a message that only a server sends', [[8, 1, 1]]],
  ['a method that there is not', [[1, 1, 99, 2e13, 0, {}]]],
  ['a method of another kind', [[1, 1, 5, 2e13, 0, {}]]],
  ['an id that is no number', [[1, 'x', 0, 2e13, 0, {}]]],
  ['an id used twice', [[1, 5, 1, 2e13, 0, {}], [1, 5, 1, 2e13, 0, {}]]],
  ['an id that goes back', [[1, 5, 1, 2e13, 0, {}], [1, 4, 1, 2e13, 0, {}]]],
  ['a deadline that is no number', [[1, 1, 0, 'soon', 0, {}]]],
  ['a slot out of range', [[1, 1, 0, 2e13, limits.boundTokens + 1, {}]]],
  ['a token bound to no number', [[6, 0, 't']]],
  ['a token that is no text', [[6, 1, 7]]],
  ['a token that is too long', [[6, 1, 'x'.repeat(limits.token + 1)]]],
  ['a cancellation of what was never asked', [[4, 9]]],
  ['credit for what was never asked', [[5, 9, 1]]],
  ['credit for a call', [[1, 1, 0, 2e13, 0, { by: 1 }], [5, 1, 1]]],
  ['more credit than there is', [[3, 1, 5, 2e13, 0, { from: 0, to: 0 }], [5, 1, 1]]],
  ['a trace id that is no hexadecimal', [[1, 1, 0, 2e13, 0, {}, 'Z'.repeat(32), 'a'.repeat(16)]]],
  ['a second greeting', [[0, 'counter', 'x']]],
]
for (const [what, messages] of junk) {
  hostile(`${what} closes the link as malformed, and other links go on`, async () => {
    const target = await counter({ add: () => new Promise(() => undefined) })
    const raw = await rawCaller(target)
    for (const message of messages) raw.send(message)
    await quiet()
    assert.equal(raw.rejected, ['malformed'])
    assert.is(raw.closed?.code, 'FrameRejected')
    assert.is(await target.caller.client.read({}), 7)
  })
}

hostile('a call before the greeting closes the link', async () => {
  const target = await counter()
  const fresh = await linkPair({ clock: target.clock })
  serveLink(fresh.responder, target.service)
  fresh.initiator.receive(() => undefined, () => undefined)
  fresh.initiator.send([1, 1, 0, 2e13, 0, { by: 1 }])
  await quiet()
  assert.equal(fresh.rejected, ['malformed'])
})

hostile('one that floods gets Overloaded, not memory', async () => {
  const raw = await rawCaller(await counter({ read: () => new Promise(() => undefined) }))
  for (let id = 1; id <= limits.inFlight + 5; id++) raw.send([1, id, 1, 2e13, 0, {}])
  const codes: unknown[] = []
  await quiet(2_000)
  for (let count = 0; count < 5; count++) codes.push((await raw.next())[2])
  assert.is(codes.filter((code) => code === 'Overloaded').length, 5)
})

hostile('a hostile server cannot answer what was not asked', async () => {
  const answers: Message[] = [[8, 1, 1], [10, 1, {}], [11, 1], [9, 1, 'Denied', 'x', {}], [1, 1], ['x'], [8, 'x']]
  for (const message of answers) {
    const { initiator, responder, clock } = await linkPair()
    const caller = createCaller(Counter, { clock, keys })
    let closed: ZonewrightError | undefined
    responder.receive((hello) => void (hello[0] === 0 && responder.send(hello)), () => undefined)
    caller.attach(initiator, (error) => void (closed = error))
    await quiet()
    responder.send(message)
    await quiet()
    assert.is(closed?.code, 'FrameRejected', JSON.stringify(message))
  }
})

hostile.run()

// ---- one-way and streams

const flows = suite('one-way sends and streams')

flows('a one-way message arrives once, and its failure is nobody else\'s', async () => {
  const notes: string[] = []
  const { caller, faults } = await counter({
    note({ text }: { text: string }) {
      notes.push(text)
      if (text === 'bad') throw new Error('broken')
    },
  })
  caller.client.note({ text: 'one' })
  caller.client.note({ text: 'bad' })
  caller.client.note({ text: 'two' })
  assert.is(await caller.client.read({}), 7)
  assert.equal(notes, ['one', 'bad', 'two'])
  assert.is(faults.length, 1)
})

flows('a one-way message that cannot be delivered or run counts as a dead letter', async () => {
  const { caller, service, ends } = await counter({ note: () => new Promise(() => undefined) }, { capacity: 1 })
  caller.client.note({ text: 1 } as never)
  for (let count = 0; count < 4; count++) caller.client.note({ text: 'x' })
  await quiet()
  assert.is(service.deadLetters, 3)
  ends.cut()
  await quiet()
  caller.client.note({ text: 'x' })
  assert.is(caller.deadLetters, 1)
})

flows('a stream gives its items in order and ends', async () => {
  const { caller, served } = await counter()
  const items: number[] = []
  for await (const { n } of caller.client.watch({ from: 0, to: 2_000 })) items.push(n)
  assert.equal(items, Array.from({ length: 2_000 }, (_, n) => n))
  assert.is(served.active, 0)
  assert.is(caller.pending, 0)
})

flows('a stream runs no further ahead of its reader than its credit', async () => {
  let made = 0
  const { caller } = await counter({
    async *watch() {
      for (;;) yield { n: made++ }
    },
  })
  const reader = caller.client.watch({ from: 0, to: 1 })[Symbol.asyncIterator]()
  await reader.next()
  await quiet(5_000)
  assert.ok(made <= limits.streamCredit + 1, `${made} made`)
  for (let count = 0; count < limits.streamCredit; count++) await reader.next()
  await quiet(5_000)
  assert.ok(made > limits.streamCredit + 1, `${made} made`)
  await reader.return!()
})

flows('a reader that leaves cancels the writer', async () => {
  let stopped = false
  const { caller, served } = await counter({
    async *watch() {
      try {
        for (let n = 0; ; n++) yield { n }
      } finally {
        stopped = true
      }
    },
  })
  for await (const { n } of caller.client.watch({ from: 0, to: 1 })) if (n === 3) break
  await quiet(2_000)
  assert.is(stopped, true)
  assert.is(served.active, 0)
})

flows('an error in a stream arrives as its class, after the items before it', async () => {
  const { caller } = await counter({
    async *watch() {
      yield { n: 1 }
      throw new CounterFull('full')
    },
  })
  const items: number[] = []
  const error = await failureOf((async () => {
    for await (const { n } of caller.client.watch({ from: 0, to: 1 })) items.push(n)
  })())
  assert.instance(error, CounterFull)
  assert.equal(items, [1])
})

flows('a stream has no deadline of its own, and keeps one that it is given', async () => {
  const { caller, clock, served } = await counter({ async *watch(_: unknown, cx: Cx) { await aborted(cx.signal) } })
  const endless = caller.client.watch({ from: 0, to: 1 })[Symbol.asyncIterator]()
  const first = failureOf(endless.next())
  await clock.advance(limits.callMs * 100)
  assert.is(caller.pending, 1)
  const limited = firstFailure(caller.client.watch({ from: 0, to: 1 }, { withinMs: 50 }))
  await clock.advance(50)
  assert.instance(await limited, DeadlineExceeded)
  assert.is(served.active, 1)
  const controller = new AbortController()
  const cancelled = firstFailure(caller.client.watch({ from: 0, to: 1 }, { signal: controller.signal }))
  controller.abort()
  assert.instance(await cancelled, Cancelled)
  caller.detach(new Unavailable('over'))
  assert.instance(await first, Unavailable)
})

flows('an item of the wrong shape ends the stream at both ends', async () => {
  const { caller, served } = await counter({ async *watch() { for (;;) yield { n: 'x' } } })
  assert.instance(await firstFailure(caller.client.watch({ from: 0, to: 1 })), InvalidResult)
  await quiet()
  assert.is(served.active, 0)
})

flows('a stream that its writer lost fails: it does not look finished', async () => {
  const { caller, ends } = await counter({ async *watch() { yield { n: 1 }; await new Promise(() => undefined) } })
  const reader = caller.client.watch({ from: 0, to: 1 })[Symbol.asyncIterator]()
  assert.equal(await reader.next(), { done: false, value: { n: 1 } })
  const next = failureOf(reader.next())
  ends.cut()
  assert.instance(await next, Restarted)
})

flows('a handler that gives no stream fails its caller, as a bug', async () => {
  const { caller, faults } = await counter({ watch: () => 7 })
  assert.is((await firstFailure(caller.client.watch({ from: 0, to: 1 }))).code, 'Internal')
  assert.is(faults.length, 1)
})

flows('streams do not occupy the actor', async () => {
  const { caller, mailbox } = await counter({ async *watch() { await new Promise(() => undefined) } })
  void caller.client.watch({ from: 0, to: 1 })[Symbol.asyncIterator]().next().catch(() => undefined)
  await quiet()
  assert.is(mailbox.running, 0)
  assert.is(await caller.client.add({ by: 1 }), 2)
})

flows.run()

// ---- the context

const contexts = suite('context')

const Audit = protocol('audit', {
  append: call(object({ who: string() }), number(), { concurrent: 4 }),
  follow: stream(object({}), number()),
})

type Handlers = Record<string, unknown>

/** The counter, which needs an audit. */
async function audited(handlers: Handlers, auditHandlers: Handlers, trace = createTrace()) {
  const clock = testClock()
  const lifecycle = { authenticate: (token: string): Principal => ({ ...alice, sub: `owner of ${token}` }) }
  const follow = async function* (): AsyncGenerator<number> {}
  const audit = await serve(Audit, { append: () => 1, follow, ...auditHandlers }, { clock, lifecycle, trace })
  const front = await counter(handlers, { clock, lifecycle, callers: { audit: audit.caller as never }, trace })
  return { audit, front, clock, trace }
}

type AuditCx = CallContext<{ audit: typeof Audit }>

contexts('calls of needs carry the token on, so they speak for the same principal', async () => {
  let who: Principal | undefined
  const { front } = await audited(
    { add: (_: unknown, cx: AuditCx) => cx.audit.append({ who: cx.principal.sub }) },
    { append: (_: unknown, cx: Cx) => ((who = cx.principal), 5) },
  )
  assert.is(await front.caller.client.add({ by: 1 }, { token: 'abc' }), 5)
  assert.is(who!.sub, 'owner of abc')
})

contexts('calls of needs have no later deadline than the call they serve', async () => {
  const deadlines: number[] = []
  const { front, clock } = await audited(
    { add: (_: unknown, cx: AuditCx) => cx.audit.append({ who: 'x' }, { withinMs: 60_000 }) },
    { append: (_: unknown, cx: Cx) => (deadlines.push(cx.deadline), 1) },
  )
  await front.caller.client.add({ by: 1 }, { withinMs: 300 })
  assert.equal(deadlines, [clock.now() + 300])
})

contexts('a cancelled call cancels what was called for it, through every actor', async () => {
  let seen: AbortSignal | undefined
  const { front } = await audited(
    { add: (_: unknown, cx: AuditCx) => cx.audit.append({ who: 'x' }) },
    { append: (_: unknown, cx: Cx) => ((seen = cx.signal), new Promise(() => undefined)) },
  )
  const controller = new AbortController()
  const result = failureOf(front.caller.client.add({ by: 1 }, { signal: controller.signal }))
  await quiet()
  assert.is(seen!.aborted, false)
  controller.abort()
  assert.instance(await result, Cancelled)
  await quiet()
  assert.is(seen!.aborted, true)
})

contexts('of the calls of needs only those under way are cancelled with the call', async () => {
  const doors = [gate(), gate(), gate(), gate()]
  const aborted: string[] = []
  const { front } = await audited({
    add: async (_: unknown, cx: AuditCx) => {
      const calls = ['0', '1', '2', '3'].map((who) => cx.audit.append({ who }))
      doors[2]!.open()
      await calls[2]
      doors[0]!.open()
      await calls[0]
      return Promise.all(calls).then(() => 1)
    },
  }, {
    append: async ({ who }: { who: string }, cx: Cx) => {
      cx.signal.addEventListener('abort', () => void aborted.push(who))
      await doors[Number(who)]!.promise
      return 1
    },
  })
  const controller = new AbortController()
  const result = failureOf(front.caller.client.add({ by: 1 }, { signal: controller.signal }))
  await quiet()
  controller.abort()
  await result
  await quiet()
  assert.equal(aborted.sort(), ['1', '3'])
})

contexts('the trace goes through: one trace id, and each span names the one that caused it', async () => {
  const spans: SpanEvent[] = []
  const trace = createTrace()
  trace.on('span', (span) => void spans.push(span))
  const { front } = await audited({ add: (_: unknown, cx: AuditCx) => cx.audit.append({ who: 'x' }) }, {}, trace)
  await front.caller.client.add({ by: 1 })
  const [inner, outer] = spans
  assert.equal([inner!.protocol, inner!.method, outer!.protocol, outer!.method], ['audit', 'append', 'counter', 'add'])
  assert.match(outer!.traceId, /^[0-9a-f]{32}$/)
  assert.match(outer!.spanId, /^[0-9a-f]{16}$/)
  assert.is(inner!.traceId, outer!.traceId)
  assert.is(inner!.parentSpanId, outer!.spanId)
  assert.is(outer!.parentSpanId, '')
  assert.not.equal(inner!.spanId, outer!.spanId)
  assert.is(outer!.code, '')
})

contexts('the code of a failed call is in its span', async () => {
  const spans: SpanEvent[] = []
  const trace = createTrace()
  trace.on('span', (span) => void spans.push(span))
  const { caller } = await counter({ add() { throw new CounterFull('x') } }, { trace })
  await failureOf(caller.client.add({ by: 1 }))
  await failureOf(caller.client.add({ by: 'x' } as never))
  assert.equal(spans.map(({ code }) => code), ['CounterFull', 'InvalidArgument'])
})

contexts('a client of a need may be taken apart', async () => {
  const { front } = await audited({
    add: (_: unknown, cx: AuditCx) => {
      const { append } = cx.audit
      return append({ who: 'x' })
    },
  }, {})
  assert.is(await front.caller.client.add({ by: 1 }), 1)
})

contexts('a stream of a need ends with the call it was opened for', async () => {
  let seen: AbortSignal | undefined
  const { front } = await audited(
    { add: async (_: unknown, cx: AuditCx) => { for await (const n of cx.audit.follow({})) return n; return 0 } },
    { follow: async function* (_: unknown, cx: Cx) { await aborted((seen = cx.signal)) } },
  )
  const result = failureOf(front.caller.client.add({ by: 1 }, { withinMs: 40 }))
  await quiet()
  assert.is(seen!.aborted, false)
  await front.clock.advance(40)
  assert.instance(await result, DeadlineExceeded)
  assert.is(seen!.aborted, true)
})

contexts('a stopping actor refuses new calls, finishes what it has, and then is idle', async () => {
  const door = gate()
  const { caller, mailbox } = await counter({ add: async ({ by }: { by: number }) => (await door.promise, by) })
  const accepted = [1, 2].map((by) => caller.client.add({ by }))
  await quiet()
  mailbox.close(new Unavailable('The actor stops'))
  assert.is((await failureOf(caller.client.add({ by: 3 }))).message, 'The actor stops')
  let idle = false
  void mailbox.idle().then(() => void (idle = true))
  await quiet()
  assert.is(idle, false)
  door.open()
  assert.equal(await Promise.all(accepted), [1, 2])
  await quiet()
  assert.is(idle, true)
})

contexts.run()
