/** Who leads: system-config, which keeps the terms, and the loop of an actor that leads by them. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { leading, type Term } from '../../actors/leading.ts'
import { Fenced, type SystemConfig } from '../../actors/system-config/protocol.ts'
import { Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Client } from '../../runtime/protocol.ts'
import { denied, failure, peer, settle, testZone, type Running, type TestZone } from './system-config-zone.ts'

type Kv = Client<typeof SystemConfig>
const NAME = 'scheduler'

/** The scheduler of a host, at the system-config of that host. */
const schedulerOf = (zone: TestZone, running: Running, host: string, incarnation = 1): Kv => running.as(
  zone.tokens.session(NAME, { sub: host, sid: `sid-${host}` }),
  peer(NAME, { host, runtimeType: 'kernel-service', incarnation, kid: `${host}-${incarnation}` }),
)

/** Two OODs on one store. */
async function pair() {
  const zone = testZone()
  const first = await zone.booted()
  const second = await zone.start(zone.envOf('ood2'), { host: 'ood2' })
  return { zone, first, second, one: schedulerOf(zone, first, 'ood1'), two: schedulerOf(zone, second, 'ood2') }
}

const create = (key: string) => ({ actions: { [key]: { action: 'create' as const, value: '{}' } } })
/** The term of this host that leads. */
const termOf = async (kv: Kv): Promise<number> => {
  const { leads, term } = await kv.lead({ name: NAME })
  assert.ok(leads)
  return term
}

test('of all hosts of a store one leads, until it is not heard of for the time of its lease', async () => {
  const { zone, one, two } = await pair()
  const term = await termOf(one)
  assert.equal(await two.lead({ name: NAME }), { leads: false, term, host: 'ood1', ttlMs: limits.leaderLeaseMs })
  await zone.elapse(limits.leaderLeaseMs - 1)
  assert.is(await termOf(one), term, 'renewed, it is the same term')
  await zone.elapse(limits.leaderLeaseMs - 1)
  assert.is((await two.lead({ name: NAME })).leads, false)
  await zone.elapse(2)
  const next = await two.lead({ name: NAME })
  assert.is(next.leads, true)
  assert.ok(next.term > term, 'terms grow')
  assert.equal(await one.lead({ name: NAME }), { ...next, leads: false })
})

test('no write of a leader before goes through, and it is told who leads', async () => {
  const { zone, one, two } = await pair()
  const term = await termOf(one)
  const fence = { name: NAME, term }
  await one.execTx({ ...create('system/scheduler/a'), fence })
  await zone.elapse(limits.leaderLeaseMs + 1)
  const none = await failure(Fenced, () => one.execTx({ ...create('system/scheduler/b'), fence }))
  assert.equal(none.details, { name: NAME, term, leader: '', leaderTerm: 0 })
  const next = await termOf(two)
  const error = await failure(Fenced, () => one.execTx({ ...create('system/scheduler/b'), fence }))
  assert.equal(error.details, { name: NAME, term, leader: 'ood2', leaderTerm: next })
  // Also where something else is in its way
  await failure(Fenced, () => one.execTx({ ...create('system/scheduler/a'), fence }))
  await two.execTx({ ...create('system/scheduler/b'), fence: { name: NAME, term: next } })
})

test('a term that is given up is over at once, and only its holder gives it up', async () => {
  const { zone, first, one, two } = await pair()
  const term = await termOf(one)
  await two.resign({ name: NAME })
  await schedulerOf(zone, first, 'ood1', 2).resign({ name: NAME })
  assert.is(await termOf(one), term)
  await one.resign({ name: NAME })
  assert.ok(await termOf(two) > term)
})

test('an actor that was started again leads at once where the one before it led, and that one no more', async () => {
  const { zone, first, one } = await pair()
  const term = await termOf(one)
  const again = schedulerOf(zone, first, 'ood1', 2)
  const next = await termOf(again)
  assert.ok(next > term)
  await failure(Fenced, () => one.execTx({ ...create('system/scheduler/a'), fence: { name: NAME, term } }))
  assert.is((await one.lead({ name: NAME })).leads, false, 'a call of the one before that was late takes nothing')
  assert.is(await termOf(again), next)
})

test('so it is after a restart of system-config, which knows no leases of before', async () => {
  const { zone, first, one } = await pair()
  const term = await termOf(one)
  first.stop()
  const later = schedulerOf(zone, await zone.start(), 'ood1', 2)
  assert.ok(await termOf(later) > term)
})

test('only a kernel service leads, by its own name and at its own host', async () => {
  const { zone, first } = await pair()
  const lead = (running: Kv, name = NAME) => denied(() => running.lead({ name }))
  const kernel = { runtimeType: 'kernel-service' }
  const session = zone.tokens.session(NAME)
  assert.is(await lead(first.as(session, peer(NAME, kernel)), 'cert-manager'), 'rbac/no-rule')
  assert.is(await lead(first.as(session, peer('notes', kernel))), 'rbac/no-rule')
  assert.is(await lead(first.as(session, peer(NAME, { ...kernel, host: 'ood2' }))), 'rbac/no-rule')
  const service = zone.tokens.session('notes', { runtime_type: 'service' })
  assert.is(await lead(first.as(service, peer('notes')), 'notes'), 'rbac/no-rule')
  const user = zone.tokens.session(NAME, { runtime_type: 'user', sub: 'alice' })
  assert.is(await lead(first.as(user, peer(NAME))), 'rbac/no-rule')
})

interface Around {
  before?: () => Promise<void>
  /** None of its timers runs. */
  frozen?: boolean
  /** Its clocks stand at this moment as well: nothing of its own tells it that time has passed. */
  stands?: number
}

/** One that leads at this system-config; its calls can be held up, and fail. */
function leader(zone: TestZone, kv: Kv, around: Around = {}) {
  const stopping = new AbortController()
  const terms: Term[] = []
  const asked: number[] = []
  let running = 0
  const led = leading({
    start: {
      clock: {
        ...zone.clock,
        now: () => around.stands ?? zone.clock.now(), monotonic: () => around.stands ?? zone.clock.monotonic(),
        after: (ms, task) => zone.clock.after(ms, () => (around.frozen ? undefined : task())),
      },
      stopping: stopping.signal, gauge: () => {},
      log: { info: () => {}, warn: () => {}, error: () => {} },
      background: (task) => void task().catch((error: unknown) => { throw error }),
    },
    systemConfig: {
      lead: async (args) => {
        asked.push(zone.now)
        await around.before?.()
        return kv.lead(args)
      },
      resign: (args) => kv.resign(args), execTx: (args) => kv.execTx(args),
    },
    session: { token: () => '' }, name: NAME,
    async body(term) {
      terms.push(term)
      assert.is(++running, 1, 'one body at a time')
      await new Promise((resolve) => term.signal.addEventListener('abort', resolve, { once: true }))
      running--
    },
  })
  return { led, terms, asked, around, async stop() {
    stopping.abort()
    await led.stop()
  } }
}

async function pass(zone: TestZone, ms: number, stepMs = 50): Promise<void> {
  for (let left = ms; left > 0; left -= stepMs) await zone.elapse(Math.min(stepMs, left))
}

test('a leader renews its term for as long as it lives; one that stops is followed at once', async () => {
  const { zone, one, two } = await pair()
  const a = leader(zone, one)
  await settle()
  const b = leader(zone, two)
  await pass(zone, 5 * limits.leaderLeaseMs)
  // Time passes in steps of 50 ms
  const isEach = (ms: number, at: readonly number[]): boolean =>
    at.slice(1).map((each, index) => each - at[index]! - ms).every((late) => late >= 0 && late <= 50)
  assert.ok(isEach(limits.leaderRenewMs, a.asked), a.asked.join())
  assert.ok(isEach(limits.leaderAskMs, b.asked), b.asked.join())
  assert.is(a.terms.length, 1)
  assert.is(b.terms.length, 0)
  assert.equal(b.led.leader, { host: 'ood1', term: a.terms[0]!.term })
  await a.stop()
  await pass(zone, limits.leaderAskMs + 100)
  assert.is(a.terms[0]!.signal.aborted, true)
  assert.is(b.terms.length, 1)
  await b.stop()
})

test('one that is not answered stops leading before another may, and that one leads within a second more', async () => {
  const { zone, one, two } = await pair()
  const a = leader(zone, one)
  await settle()
  const b = leader(zone, two)
  await pass(zone, 2 * limits.leaderRenewMs)
  a.around.before = () => Promise.reject(new Unavailable('Cut off'))
  const began = zone.now
  let endedMs = 0
  while (b.terms.length === 0) {
    await pass(zone, 50)
    if (a.terms[0]!.signal.aborted) endedMs ||= zone.now - began
    assert.ok(zone.now - began <= limits.leaderLeaseMs + 1_000)
  }
  assert.ok(endedMs > 0 && endedMs <= limits.leaderLeaseMs / 1.05 + 50, `aborted after ${endedMs} ms`)
  a.around.before = async () => {}
  await pass(zone, limits.leaderAskMs + 100)
  assert.is(a.terms.length, 1, 'back, it follows')
  await Promise.all([a.stop(), b.stop()])
})

test('one that stood still finds its term over when it wakes, by the fence if not by its clock', async () => {
  const { zone, one, two } = await pair()
  const a = leader(zone, one)
  await settle()
  Object.assign(a.around, { frozen: true, stands: zone.now })
  await zone.elapse(limits.leaderLeaseMs + 1)
  assert.is(a.terms[0]!.signal.aborted, false)
  await termOf(two)
  const error = await failure(Fenced, () => a.terms[0]!.write(create('system/scheduler/a')))
  assert.is(error.details['leader'], 'ood2')
  assert.is(a.terms[0]!.signal.aborted, true)
  await failure(Fenced, () => a.terms[0]!.write(create('system/scheduler/b')))
})

test('one whose timers stood still finds by its clock, and asks nobody, that its term is over', async () => {
  for (const look of ['a write', 'the term'] as const) {
    const { zone, one } = await pair()
    const a = leader(zone, one)
    await settle()
    a.around.frozen = true
    await zone.elapse(limits.leaderLeaseMs)
    // Nobody else leads: the fence would let it through
    if (look === 'the term') assert.is(a.led.term, undefined)
    else await failure(Fenced, () => a.terms[0]!.write(create('system/scheduler/a')))
    assert.is(a.terms[0]!.signal.aborted, true)
  }
})

test.run()
