import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openTallies } from '../../actors/verify-hub/tallies.ts'
import { openSessions, type Session, type Sessions } from '../../actors/verify-hub/sessions.ts'
import { StoreDamaged, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import type { Store } from '../../runtime/store/store.ts'
import { check, denied, loggedIn, manualClock, seconds, service, testZone } from './verify-hub-zone.ts'

/** Two verify-hubs may run at once on one store: an incarnation that is going and one that comes, or two OODs. */

const now = 1_795_000_000
/** What was used is remembered for so much longer than it lives. */
const kept = limits.usedTokenSeconds
const newStore = (): Store => createMemoryStore({ clock: manualClock(), random: systemRandom })

const session = (sid: string, changes: Partial<Session> = {}): Session => ({
  sid, sub: 'ood1', appid: 'service', host: 'ood1', holder: 'link', state: 'live', reason: '', createdMs: now * 1000,
  expires: now + 604_800, before: null,
  issue: {
    sessionJti: `s-${sid}`, refreshJti: `r-${sid}`, iat: now, aud: ['service'], runtimeType: 'service', epoch: 0,
  },
  ...changes,
})

/** A store on which others do something just before the first transaction of whoever holds it, or the first reading. */
function overtaken(store: Store, by: () => Promise<unknown>, before: 'transact' | 'get' = 'transact'): Store {
  let waiting: (() => Promise<unknown>) | undefined = by
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      const method = value.bind(target) as (...args: unknown[]) => unknown
      if (name !== before) return method
      return async (...args: unknown[]) => {
        const task = waiting
        waiting = undefined
        await task?.()
        return method(...args)
      }
    },
  })
}

const login = (sessions: Sessions, sid: string, expires: number): Promise<boolean> =>
  sessions.create(session(sid), { id: `kid:${sid}`, expires })

test('a slow sweep does not take back what a faster one has forgotten', async () => {
  const store = newStore()
  const fast = openSessions(store)
  await login(fast, 'early', now + 100)
  const slow = openSessions(overtaken(store, async () => {
    await login(fast, 'late', now + 900)
    await fast.sweep(now + 900 + kept)
  }))
  await slow.sweep(now + 100 + kept)
  assert.is(await fast.loginUse('kid:late', now + 900), 'forgotten')
  assert.is(await fast.loginUse('kid:early', now + 100), 'forgotten')
})

test('a login that was used and forgotten while a slow caller was at it is not new for that caller', async () => {
  const store = newStore()
  const fast = openSessions(store)
  const slow = openSessions(overtaken(store, async () => {
    assert.is(await login(fast, 'one', now + 100), true)
    await fast.sweep(now + 100 + kept)
  }))
  assert.is(await slow.loginUse('kid:one', now + 100), undefined)
  assert.is(await slow.create(session('two'), { id: 'kid:one', expires: now + 100 }), false)
  assert.is(await slow.create(session('two'), { id: 'kid:one', expires: now + 100 }), false)
  assert.is(await slow.loginUse('kid:one', now + 100), 'forgotten')
  assert.is(await slow.find('two'), undefined)
})

test('a sweep spares the session that a refresh has just carried on', async () => {
  const store = newStore()
  const sessions = openSessions(store)
  await sessions.create(session('one', { expires: now + 50 }))
  const slow = openSessions(overtaken(store, async () => {
    const found = (await sessions.find('one'))!
    assert.ok(await sessions.replace(found, { ...found.session, expires: now + 604_800 }))
  }))
  await slow.sweep(now + 50)
  assert.is((await sessions.find('one'))?.session.state, 'live')
  await sessions.sweep(now + 604_800)
  assert.is(await sessions.find('one'), undefined)
})

test('of two refreshes at two verify-hubs one rotates, and its successor is what both give', async () => {
  const { zone, hub, pair } = await loggedIn()
  const other = await zone.start()
  const pairs = await Promise.all([hub, other, hub, other].map((each) =>
    each.handlers.refreshToken({ refreshToken: pair.refreshToken }, each.as(service))))
  assert.is(new Set(pairs.map(({ refreshToken }) => refreshToken)).size, 1)
  assert.is((await check(other, pairs[0]!.sessionToken)).sid, pair.sid)
  await hub.handlers.logout({ refreshToken: pairs[0]!.refreshToken }, hub.as(service))
  assert.is(await denied(() => check(other, pairs[0]!.sessionToken)), 'token/revoked')
})

test('an ended session is forgotten when its session token would have expired, and stays dead', async () => {
  const { zone, hub, pair } = await loggedIn()
  for (let login = 0; login < 30; login++) {
    const { refreshToken } = await hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service))
    await hub.handlers.logout({ refreshToken }, hub.as(service))
  }
  const left = async (): Promise<number> => (await zone.store.list('sessions/')).entries.length
  await hub.handlers.logout({ refreshToken: pair.refreshToken }, hub.as(service))
  assert.is(await left(), 31)
  const end = seconds(zone) + 900
  await zone.clock.advance(14 * 60_000)
  assert.is(await left(), 31)
  await zone.clock.advance(2 * 60_000)
  assert.ok(seconds(zone) > end)
  assert.is(await left(), 0)
  assert.is(await denied(() =>
    hub.handlers.refreshToken({ refreshToken: pair.refreshToken }, hub.as(service))), 'token/revoked')
  hub.stop()
})

test('a session that is refreshed while a sweep is at it lives on', async () => {
  const store = newStore()
  const fast = openSessions(store)
  await fast.create(session('one', { expires: now + 100 }))
  const list: Store['list'] = async (prefix, options) => {
    const listed = await store.list(prefix, options)
    const found = (await fast.find('one'))!
    if (prefix === 'due/') await fast.replace(found, { ...found.session, expires: now + 604_800 })
    return listed
  }
  const slow = openSessions(new Proxy(store, {
    get: (target, name) => (name === 'list' ? list : (Reflect.get(target, name) as () => unknown).bind?.(target)),
  }))
  await slow.sweep(now + 100)
  assert.is((await fast.find('one'))?.session.state, 'live')
  assert.equal((await fast.page('ood1', undefined)).sessions.map(({ sid }) => sid), ['one'])
})

test('what is counted on while a sweep is at it is not forgotten', async () => {
  const store = newStore()
  const fast = openTallies<number>(store, 'locks', 10)
  await fast.update('one', () => ({ value: 1, untilMs: now * 1000 }))
  const slow = openTallies<number>(overtaken(store, async () => {
    await fast.update('one', (value = 0) => ({ value: value + 1, untilMs: (now + 900) * 1000 }))
  }, 'get'), 'locks', 10)
  await slow.sweep(now * 1000)
  assert.is(await fast.get('one'), 2)
  await fast.sweep((now + 900) * 1000)
  assert.is((await store.list('locks/')).entries.length, 0)
})

test('a sweep that finds the store away is made up for by the next one, and other faults end the actor', async () => {
  const zone = await testZone()
  let fault: Error | undefined
  const faulty = new Proxy(zone.store, {
    get(target, name) {
      const method = Reflect.get(target, name) as (...args: unknown[]) => unknown
      return (...args: unknown[]) => (fault && name === 'list' ? Promise.reject(fault) : method.apply(target, args))
    },
  })
  const hub = await zone.start(faulty)
  await hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service))
  zone.clock.set(zone.clock.now() + 25 * 60_000 + limits.usedTokenSeconds * 1_000)
  fault = new Unavailable('etcd did not answer')
  await zone.clock.advance(limits.sessionSweepMs)
  assert.equal(hub.ended, [])
  assert.ok(hub.said.some((text) => text.includes('etcd did not answer')), hub.said.join('\n'))
  fault = undefined
  assert.is((await zone.store.list('logins/')).entries.length, 1)
  await zone.clock.advance(limits.sessionSweepMs)
  assert.is((await zone.store.list('logins/')).entries.length, 0)
  fault = new StoreDamaged('a record cannot be read')
  await zone.clock.advance(limits.sessionSweepMs)
  assert.equal(hub.ended, [fault])
  hub.stop()
})

test.run()
