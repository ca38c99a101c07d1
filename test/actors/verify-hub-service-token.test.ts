/** What a gateway gets in place of a cookie: for whom, for what, and for how long. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../../actors/records.ts'
import {
  check, claimsOf, denied, gateway, loggedIn, peer, seconds, service, supervisor, testZone, type Pair, type Running,
  type TestZone,
} from './verify-hub-zone.ts'

const test = suite('tokens for services')

const spec = (name: string, more: object = {}) => ({
  name, appid: name, owner: null, runtimeType: 'service', kernel: false, audiences: [], http: { port: 8_000 }, ...more,
})

interface SignedIn {
  readonly zone: TestZone
  readonly hub: Running
  readonly pair: Pair
}

/** alice in the app `web`, by a gateway. */
async function signedIn(): Promise<SignedIn> {
  const zone = await testZone()
  zone.put(kv.spec('web'), spec('web', { audiences: ['scheduler', 'core', 'system-config', 'quiet', 'alias'] }))
  zone.put(kv.spec('quiet'), spec('quiet', { http: undefined }))
  zone.put(kv.spec('alias'), spec('web', { name: 'alias' }))
  zone.put(kv.spec('core'), spec('core', { runtimeType: 'kernel-service' }))
  zone.put(kv.spec('scheduler'), spec('scheduler', { kernel: true, runtimeType: 'kernel-service' }))
  const hub = await zone.start()
  const { password } = await hub.handlers.issueFirstPassword({}, hub.as(supervisor))
  const audiences = ['scheduler', 'core', 'system-config', 'quiet', 'alias']
  const login = { username: 'alice', password, appid: 'web', audiences }
  return { zone, hub, pair: await hub.handlers.loginByPassword(login, hub.as(gateway)) }
}

const ask = async ({ hub }: Pick<SignedIn, 'hub'>, sessionToken: string, audience = 'web', as = gateway) =>
  hub.handlers.serviceToken({ sessionToken, audience }, hub.as(as))

test('are of the same session, for one service, bound to no key, and good for a minute', async () => {
  const all = await signedIn()
  const { zone, hub, pair } = all
  const { token, expires } = await ask(all, pair.sessionToken)
  const { jti, iat, ...claims } = claimsOf(token)
  assert.equal(claims, {
    iss: 'verify-hub', sub: 'alice', aud: ['web'], exp: seconds(zone) + 60, token_use: 'session', appid: 'web',
    runtime_type: 'user', sid: pair.sid, epoch: 0,
  })
  assert.is(iat, seconds(zone))
  assert.is(expires, claims.exp)
  assert.is.not(jti, claimsOf(pair.sessionToken).jti)
  assert.is((await check(hub, token, 'web')).sid, pair.sid)
  assert.is.not(claimsOf((await ask(all, pair.sessionToken)).token).jti, jti)
})

test('end with the token that they are asked for with, and are no way to a longer one', async () => {
  const all = await signedIn()
  const { zone, pair } = all
  await zone.clock.advance(14 * 60_000 + 30_000)
  const { token, expires } = await ask(all, pair.sessionToken)
  assert.is(expires, pair.sessionExpires)
  await zone.clock.advance(10_000)
  assert.is((await ask(all, token)).expires, pair.sessionExpires)
  await zone.clock.advance(20_000)
  assert.is(await denied(() => ask(all, pair.sessionToken)), 'token/expired')
})

test('are given to gateways only', async () => {
  const all = await signedIn()
  for (const who of [service, supervisor, peer('web'), peer('gateway'), peer('node-daemon', { runtimeType: 'ood' })]) {
    assert.is(await denied(() => ask(all, all.pair.sessionToken, 'web', who)), 'login/presenter', who.actor)
  }
})

test('are given for what the session names, and never for a service of the system', async () => {
  const all = await signedIn()
  const { sessionToken } = all.pair
  const audiences = [...claimsOf(sessionToken).aud].sort()
  assert.equal(audiences, ['alias', 'core', 'quiet', 'scheduler', 'system-config', 'web'])
  for (const [audience, reason] of [
    ['scheduler', 'login/app'], ['core', 'login/app'], ['system-config', 'login/app'], ['quiet', 'login/app'],
    ['alias', 'login/app'],
    ['notes', 'token/audience'], ['verify-hub', 'token/audience'], ['', 'token/audience'], ['web/x', 'token/audience'],
  ] as const) assert.is(await denied(() => ask(all, sessionToken, audience)), reason, audience)
})

test('are given for a session that lives, by its session token, which is bound to no key', async () => {
  const all = await signedIn()
  const { hub, pair } = all
  assert.is(await denied(() => ask(all, pair.refreshToken)), 'token/use')
  assert.is(await denied(() => ask(all, 'none')), 'token/malformed')
  await hub.handlers.logout({ refreshToken: pair.refreshToken }, hub.as(gateway))
  assert.is(await denied(() => ask(all, pair.sessionToken)), 'token/revoked')
  const bound = await loggedIn()
  bound.zone.put(kv.spec('service'), spec('service'))
  assert.is(await denied(() => ask(bound, bound.pair.sessionToken, 'service')), 'token/holder')
})

test.run()
