import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../../actors/records.ts'
import { VerifyHubKeyMismatch } from '../../actors/verify-hub/protocol.ts'
import { limits } from '../../runtime/limits.ts'
import {
  check, claimsOf, denied, failure, loggedIn, peer, refreshAs, seconds, service, testZone,
  type Running, type TestZone,
} from './verify-hub-zone.ts'

const isActive = async (hub: Running, sid: string): Promise<boolean> =>
  (await hub.handlers.verifySession({ sid }, hub.as(service))).active

test('a refresh token and a session token are not taken for each other', async () => {
  const { zone, hub, pair } = await loggedIn()
  assert.is(await denied(() => check(hub, pair.refreshToken, 'verify-hub')), 'token/use')
  assert.is(await denied(() => refreshAs(hub, pair.sessionToken)), 'token/use')
  assert.is(await denied(() => refreshAs(hub, zone.login())), 'token/use')
  assert.ok((await refreshAs(hub, pair.refreshToken)).sid, 'none of this ended the session')
})

test('a refresh gives a new pair of the same session, and every generation works on', async () => {
  const { zone, hub, pair } = await loggedIn()
  let current = pair
  const seen = new Set([pair.refreshToken])
  for (let turn = 0; turn < 4; turn++) {
    await zone.clock.advance(10 * 60_000)
    current = await refreshAs(hub, current.refreshToken)
    assert.is(current.sid, pair.sid)
    assert.is(current.sessionExpires, seconds(zone) + 900)
    assert.is((await check(hub, current.sessionToken)).sid, pair.sid)
    seen.add(current.refreshToken)
  }
  assert.is(seen.size, 5)
  hub.stop()
})

test('when the reply of a refresh is lost, the same holder gets the same successor, also after a restart', async () => {
  const { zone, hub, pair } = await loggedIn()
  const successor = await refreshAs(hub, pair.refreshToken)
  await zone.clock.advance(60_000)
  assert.equal(await refreshAs(hub, pair.refreshToken), successor)
  const restarted = await zone.start()
  assert.equal(await refreshAs(restarted, pair.refreshToken), successor)
  assert.ok((await refreshAs(restarted, successor.refreshToken)).sid)
})

test('refreshes of one token at the same time give one successor', async () => {
  const { hub, pair } = await loggedIn()
  const pairs = await Promise.all(Array.from({ length: 8 }, () => refreshAs(hub, pair.refreshToken)))
  assert.is(new Set(pairs.map(({ refreshToken }) => refreshToken)).size, 1)
})

test('a refresh token that comes back after its successor was used ends the session', async () => {
  const { hub, pair } = await loggedIn()
  const second = await refreshAs(hub, pair.refreshToken)
  const third = await refreshAs(hub, second.refreshToken)
  assert.is(await denied(() => refreshAs(hub, pair.refreshToken)), 'refresh/reused')
  assert.is(await denied(() => refreshAs(hub, third.refreshToken)), 'token/revoked')
  assert.is(await denied(() => check(hub, third.sessionToken)), 'token/revoked')
})

test('a refresh token in the hands of another key ends the session, used or not', async () => {
  for (const usedBefore of [false, true]) {
    const { hub, pair } = await loggedIn()
    const newest = usedBefore ? await refreshAs(hub, pair.refreshToken) : pair
    assert.is(await denied(() => refreshAs(hub, pair.refreshToken, { ...service, kid: 'thief' })), 'refresh/holder')
    assert.is(await denied(() => refreshAs(hub, newest.refreshToken)), 'token/revoked')
    const answer = await hub.handlers.verifySession({ sid: pair.sid }, hub.as(service))
    assert.equal(answer, { active: false, expires: newest.refreshExpires })
  }
})

test('verify_token and verify_session say at once that a session has ended, before its token expires', async () => {
  const { hub, pair } = await loggedIn()
  const other = await refreshAs(hub, pair.refreshToken)
  assert.is((await hub.handlers.verifySession({ sid: pair.sid }, hub.as(service))).active, true)
  assert.equal(await hub.handlers.logout({ refreshToken: other.refreshToken }, hub.as(service)), { sid: pair.sid })
  assert.is(await denied(() => check(hub, pair.sessionToken)), 'token/revoked')
  assert.is(await denied(() => check(hub, other.sessionToken)), 'token/revoked')
  assert.is((await hub.handlers.verifySession({ sid: pair.sid }, hub.as(service))).active, false)
  assert.is(await denied(() => refreshAs(hub, other.refreshToken)), 'token/revoked')
  assert.equal(await hub.handlers.verifySession({ sid: 'none' }, hub.as(service)), { active: false, expires: 0 })
})

test('after a logout the login token that began the session does not give it back', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const jwt = zone.login()
  const { refreshToken } = await hub.handlers.loginByJwt({ jwt }, hub.as(service))
  await hub.handlers.logout({ refreshToken }, hub.as(service))
  assert.is(await denied(() => hub.handlers.loginByJwt({ jwt }, hub.as(service))), 'token/revoked')
})

test('a restart loses no session', async () => {
  const { zone, hub, pair } = await loggedIn()
  hub.stop()
  const restarted = await zone.start()
  assert.is((await check(restarted, pair.sessionToken)).sid, pair.sid)
  const next = await refreshAs(restarted, pair.refreshToken)
  await restarted.handlers.logout({ refreshToken: next.refreshToken }, restarted.as(service))
  const again = await zone.start()
  assert.is(await denied(() => check(again, next.sessionToken)), 'token/revoked')
})

test('the store of sessions holds no token', async () => {
  const { zone, hub, pair } = await loggedIn()
  const next = await refreshAs(hub, pair.refreshToken)
  const { entries } = await zone.store.list('')
  const all = entries.map(({ key, value }) => key + new TextDecoder().decode(value)).join('\n')
  for (const token of [pair.sessionToken, pair.refreshToken, next.refreshToken]) {
    assert.not.ok(all.includes(token.split('.')[2]!))
  }
  assert.ok(all.includes(pair.sid))
})

test('a refresh asks again who the principal is, and a refusal ends the session', async () => {
  const changes: Record<string, (zone: TestZone) => void> = {
    'token/unknown-key': (zone) => zone.kv.delete(kv.device('ood1')),
    'login/app': (zone) => zone.kv.delete(kv.spec('service')),
    'login/placement': (zone) => zone.put(kv.node('ood1'), { host: 'ood1', state: 'running', services: {} }),
  }
  for (const [reason, change] of Object.entries(changes)) {
    const { zone, hub, pair } = await loggedIn()
    change(zone)
    assert.is(await denied(() => refreshAs(hub, pair.refreshToken)), reason)
    assert.is(await denied(() => check(hub, pair.sessionToken)), 'token/revoked')
  }
})

test('an audience that the spec no longer allows is gone with the next refresh', async () => {
  const { zone, hub } = await loggedIn()
  const scheduler = peer('scheduler')
  const jwt = zone.login({ appid: 'scheduler' })
  const pair = await hub.handlers.loginByJwt({ jwt, audiences: ['system-config'] }, hub.as(scheduler))
  zone.put(kv.spec('scheduler'), { ...JSON.parse(zone.kv.get(kv.spec('scheduler'))!), audiences: [] })
  const next = await refreshAs(hub, pair.refreshToken, scheduler)
  assert.equal(claimsOf(next.sessionToken).aud, ['scheduler'])
})

test('a raised zone epoch ends every token from before', async () => {
  const { zone, hub, pair } = await loggedIn()
  zone.boot({ epoch: 1 })
  hub.stop()
  const failed = await failure(VerifyHubKeyMismatch, () => zone.start())
  assert.is(failed.details['reason'], 'token/epoch')
  await failure(VerifyHubKeyMismatch, () => refreshAs(hub, pair.refreshToken))
})

test('its own session is renewed before it expires, for days', async () => {
  const { zone, hub, pair } = await loggedIn()
  let current = pair
  for (let turn = 0; turn < 100; turn++) {
    await zone.clock.advance(7 * 60_000)
    current = await refreshAs(hub, current.refreshToken)
  }
  const lives = zone.reads.map(({ exp }) => exp - seconds(zone))
  assert.is(lives.at(-1)! <= 900, true)
  assert.ok(new Set(zone.reads.map(({ exp }) => exp)).size < 101, 'one token serves several reads')
  hub.stop()
})

test('a session that nobody refreshes is forgotten once its refresh token has expired', async () => {
  const { zone, hub, pair } = await loggedIn()
  zone.clock.set(zone.clock.now() + 7 * 24 * 3_600_000 - 61_000)
  assert.is((await hub.handlers.verifySession({ sid: pair.sid }, hub.as(service))).active, true)
  await zone.clock.advance(3 * 60_000)
  assert.equal(await hub.handlers.verifySession({ sid: pair.sid }, hub.as(service)), { active: false, expires: 0 })
  assert.is(await denied(() => refreshAs(hub, pair.refreshToken)), 'token/expired')
  const left = (await zone.store.list('')).entries.map(({ key }) => key)
  assert.equal(left, ['swept'])
  hub.stop()
})

test('one more login than an app may have ends its oldest', async () => {
  const { zone, hub, pair } = await loggedIn()
  const sids = [pair.sid]
  for (let login = 1; login <= limits.sessionsPerApp; login++) {
    await zone.clock.advance(1_000)
    sids.push((await hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service))).sid)
  }
  const active = await Promise.all(sids.map((sid) => isActive(hub, sid)))
  assert.equal(active, [false, ...sids.slice(1).map(() => true)])
  hub.stop()
})

test('more logins at once than an app may have all succeed, and leave as many sessions as it may', async () => {
  const { zone, hub } = await loggedIn()
  const pairs = await Promise.all(Array.from({ length: 3 * limits.sessionsPerApp }, () =>
    hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service))))
  const active = await Promise.all(pairs.map(({ sid }) => isActive(hub, sid)))
  assert.is(active.filter(Boolean).length, limits.sessionsPerApp)
})

test.run()
