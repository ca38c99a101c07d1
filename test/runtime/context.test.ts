import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { CallContext, Principal } from '../../runtime/actor.ts'
import { Cancelled, DeadlineExceeded, Unavailable } from '../../runtime/errors.ts'
import { call, number, object, protocol, stream, string } from '../../runtime/protocol.ts'
import { createTrace, type SpanEvent } from '../../runtime/trace.ts'
import { aborted, counter, CounterFull, gate, alice, type Cx } from './counter-fixture.ts'
import { failureOf, quiet, serve, testClock } from './link-fixture.ts'

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
