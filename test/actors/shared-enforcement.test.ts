/** What is enforced is the same at all system-configs of a store before its writer is answered. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createEnforcers } from '../../actors/system-config/enforcers.ts'
import {
  changedAtMs as changedAt, CLOCK_RATE, confirmed, LONGEST_MS, sawNews, unknown,
} from '../../actors/system-config/shared/standing.ts'
import { Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import type { Store } from '../../runtime/store/store.ts'
import { isSettled } from './enforcer-zone.ts'
import { denied, failure, peer, policy, testZone } from './system-config-zone.ts'
import { Host, SharedWorld } from './shared-world.ts'

const SEEDS = 120
const MINUTE = 60_000

/** Three hosts that are treated as hosts are, and written at all the while. */
async function course(seed: string) {
  const world = new SharedWorld(seed)
  const hosts = ['a', 'b', 'c'].map((name) => new Host(world, name))
  hosts.slice(0, 2).forEach((host) => host.start())
  const waits: number[] = []
  for (let at = 2_000; at < MINUTE; at += 300 + world.below(3_000)) {
    world.after(at, () => {
      const host = hosts[world.below(hosts.length)]!
      if (host.life.signal.aborted || !host.shared) return
      const others = host.frozenUntil
      void host.write().then((ms) => {
        // One that stood still itself, or could not reach the store, took its own time
        if (ms !== undefined && !host.cut && others === host.frozenUntil) waits.push(ms)
      })
    })
  }
  for (let at = 1_000; at < MINUTE; at += 500 + world.below(4_000)) {
    world.after(at, () => {
      const host = hosts[world.below(hosts.length)]!
      const what = world.below(6)
      if (what === 0) host.frozenUntil = world.now + world.below(15_000)
      if (what === 1) host.cut = true
      if (what === 2) host.life.abort()
      if (what >= 3) {
        host.cut = false
        if (host.life.signal.aborted || !host.shared) host.start()
      }
    })
  }
  for (let at = 0; at < MINUTE; at += 211) world.after(at, () => world.check('at some moment'))
  await world.run(MINUTE + 20_000)
  return { world, waits }
}

test('no enforcer goes by what a writer was answered to have replaced, whatever hosts and clocks do', async () => {
  let answered = 0
  let longest = 0
  for (let seed = 0; seed < SEEDS; seed++) {
    const { world, waits } = await course(`shared ${seed}`)
    assert.equal(world.broken, [], `seed ${seed}`)
    answered += waits.length
    longest = Math.max(longest, ...waits)
  }
  assert.ok(answered > 5 * SEEDS, `answered: ${answered}`)
  // Its own enforcers, and the reading of what it wrote, take their time as well
  assert.ok(longest <= LONGEST_MS + 1_700, `longest: ${longest}`)
  assert.ok(longest > limits.enforcerLeaseMs, `longest: ${longest}`)
})

/** A store whose contents are elsewhere. */
const elsewhere = (store: Store): Store => new Proxy(store, {
  get(target, name) {
    const value = name === 'peek' ? undefined : Reflect.get(target, name) as unknown
    return typeof value === 'function' ? value.bind(target) as unknown : value
  },
})

const hub = peer('verify-hub', { runtimeType: 'kernel-service' })
const notes = peer('notes', { host: 'ood2' })

/** Two OODs on one store, which is neither's own, and an enforcer at the second one. */
async function pair() {
  const zone = testZone()
  const start = async (host: string) => zone.start(host === 'ood1' ? {} : zone.envOf(host), {
    host, store: elsewhere(zone.store),
  })
  const first = await start('ood1')
  await zone.boot(first, { 'system/rbac/policy': policy })
  await zone.elapse(1)
  const second = await start('ood2')
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 100) await zone.elapse(Math.min(100, left))
  }
  // What the first one may have granted before it was started is over
  await pass(limits.enforcerLeaseMs * 1.05 + 100)
  const token = (sid: string) => zone.tokens.session('notes', { runtime_type: 'service', sid })
  const enforcer = second.as(token('enforcer'), notes)
  const items = enforcer.enforcement({ replaces: '' })[Symbol.asyncIterator]()
  const { lease, sequence } = (await items.next()).value!
  assert.is((await enforcer.renewLease({ lease, sequence })).granted, true)
  return {
    zone, first, second, pass, enforcer, items, lease, token,
    revoke: (sid: string) => first.as(zone.tokens.verifyHub(), hub).revoke({
      sessions: [{ sid, until: Math.floor(zone.now / 1000) + 900 }],
    }),
    stop() {
      first.stop()
      second.stop()
    },
  }
}

test('a session that ends at one OOD has ended at the other and its enforcers before that is answered', async () => {
  const { pass, revoke, second, enforcer, items, lease, token, stop } = await pair()
  const ended = second.as(token('s-1'), notes)
  await ended.list({ key: 'services/notes' })
  const revoking = revoke('s-1')
  const { value } = await items.next()
  assert.equal(value!.revoked.map(({ sid }: { sid: string }) => sid), ['s-1'])
  await pass(500)
  assert.is(await isSettled(revoking), false, 'its enforcer has not said so')
  assert.is(await denied(() => ended.list({ key: 'services/notes' })), 'token/revoked')
  await enforcer.renewLease({ lease, sequence: value!.sequence })
  await pass(100)
  assert.is(await isSettled(revoking), true)
  stop()
})

test('a policy that is written at one OOD holds at the other before that is answered', async () => {
  const { zone, first, second, pass, items, enforcer, lease, token, stop } = await pair()
  const reader = () => second.as(token('s-2'), notes).get({ key: 'services/notes/settings' })
  await reader()
  const value = policy.replace('g, notes, app\n', '')
  const actions = { 'system/rbac/policy': { action: 'update' as const, value } }
  const writing = first.as(zone.tokens.root()).execTx({ actions })
  const item = (await items.next()).value!
  assert.is(item.rbac!.policy, value)
  assert.is(await isSettled(writing), false)
  await enforcer.renewLease({ lease, sequence: item.sequence })
  await pass(100)
  assert.is(await isSettled(writing), true)
  assert.match(String(await denied(reader)), /^rbac/)
  stop()
})

test('for an OOD that is dead a writer waits as long as its enforcers may go on, and no longer', async () => {
  const { zone, pass, revoke, second, stop } = await pair()
  await pass(1_000)
  second.stop()
  const began = zone.now
  const revoking = revoke('s-1')
  // They may have been granted time by what it asked the store last
  await pass(limits.enforcerLeaseMs)
  assert.is(await isSettled(revoking), false)
  await pass(LONGEST_MS - limits.enforcerLeaseMs + 100)
  assert.is(await isSettled(revoking), true, `after ${zone.now - began} ms`)
  stop()
})

test('one that does not reach the store grants nothing, and decides nothing once its enforcers are over', async () => {
  const zone = testZone()
  let cut = false
  const store = new Proxy(elsewhere(zone.store), {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown
      if (typeof value !== 'function' || !['list', 'get', 'grant', 'transact'].includes(String(name))) return value
      return async (...args: unknown[]) => {
        if (cut) throw new Unavailable('Cut off')
        return await Reflect.apply(value, target, args) as unknown
      }
    },
  })
  const running = await zone.start({}, { store })
  await zone.boot(running, { 'system/rbac/policy': policy })
  await zone.elapse(1)
  const session = zone.tokens.session('notes', { runtime_type: 'service' })
  const enforcer = running.as(session, peer('notes'))
  const { lease, sequence } = (await enforcer.enforcement({ replaces: '' })[Symbol.asyncIterator]().next()).value!
  assert.is((await enforcer.renewLease({ lease, sequence })).granted, true)
  const explain = () => enforcer.check({ key: 'services/notes/settings', act: 'read' })
  cut = true
  await zone.elapse(limits.enforcementFreshMs)
  await failure(Unavailable, () => enforcer.renewLease({ lease, sequence }))
  await explain()
  await zone.elapse(limits.enforcerLeaseMs + 1)
  await failure(Unavailable, explain)
  cut = false
  await explain()
  running.stop()
})

test('what a host is confirmed by is its own entry, and all that is new', async () => {
  assert.is(confirmed(unknown, 5, 1), unknown)
  assert.equal(confirmed(sawNews(unknown, 1), 5, 1), { seen: 1, confirmedMs: 5 })
  const { zone, pass, second, token, stop } = await pair()
  const before = (await zone.store.get('enforcement/hosts/ood2'))!
  // Another of this host's name: whoever waits for that one does not wait for this one
  await zone.store.put(before.key, before.value)
  await zone.elapse(limits.enforcementLookMs)
  const after = await zone.store.get(before.key)
  await pass(2 * limits.enforcementLookMs)
  await second.as(token('s-3'), notes).check({ key: 'services/notes/settings', act: 'read' })
  const own = (await zone.store.get(before.key))!
  assert.ok(own.lease !== undefined && own.modRevision > after!.createRevision)
  stop()
})

test('a change that may be older than it is known has no time left to be unknown to enforcers', () => {
  const zone = testZone()
  let changedAtMs = zone.now
  const enforcers = createEnforcers({
    clock: zone.clock, random: systemRandom, revoked: () => [], leasesBefore: false, mayGrant: () => true,
    changedAtMs: () => changedAtMs,
  })
  const lease = (enforcers.open('kid', '').poll() as { lease: string }).lease
  enforcers.publish({ boot: 'one' })
  assert.is(enforcers.renew(lease, 0, 'kid'), true)
  changedAtMs -= limits.enforcerLagMs
  enforcers.publish({ boot: 'two' })
  assert.is(enforcers.renew(lease, 1, 'kid'), false)
  assert.is(enforcers.renew(lease, 2, 'kid'), true)
  const standing = { seen: 1, confirmedMs: 1_000 }
  const unknownUntil = (nowMs: number): number => changedAt(standing, nowMs) + limits.enforcerLagMs
  assert.is(unknownUntil(1_000), 1_000 + limits.enforcerLagMs)
  assert.is(unknownUntil(9_000), 1_000 + limits.enforcementFreshMs, 'what was granted before is over by then')
})

test('a host that is not heard of is forgotten after its enforcers are over, by the slowest of clocks', () => {
  assert.ok(LONGEST_MS * CLOCK_RATE <= limits.enforcementHostMs)
  assert.ok(limits.enforcementLookMs < limits.enforcementFreshMs)
})

test.run()
