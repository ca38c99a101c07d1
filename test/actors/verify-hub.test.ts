import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../../actors/records.ts'
import { onlyUse, rulesFor } from '../../actors/trust-matrix.ts'
import { limits } from '../../runtime/limits.ts'
import { signDocument, trustKeyOf } from '../../runtime/trust/keys.ts'
import { signToken, type TokenClaims, type TokenUse } from '../../runtime/trust/token.ts'
import { verifyTokenSync } from '../../runtime/trust/verify.ts'
import {
  check, claimsOf, crypto, denied, loggedIn, peer, seconds, service, testZone,
} from './verify-hub-zone.ts'

test('a login token of a registered device gives a pair that names its session, its holder and its app', async () => {
  const { zone, hub, pair } = await loggedIn()
  const [session, refresh] = [claimsOf(pair.sessionToken), claimsOf(pair.refreshToken)]
  const common = {
    iss: 'verify-hub', sub: 'ood1', appid: 'service', runtime_type: 'service', iat: seconds(zone), epoch: 0,
    sid: pair.sid, cnf: { jkt: service.kid },
  }
  assert.equal(session, {
    ...common, token_use: 'session', aud: ['service'], exp: seconds(zone) + 900, jti: session.jti,
  })
  assert.equal(refresh, {
    ...common, token_use: 'refresh', aud: ['verify-hub'], exp: seconds(zone) + 604_800, jti: refresh.jti,
  })
  assert.is.not(session.jti, refresh.jti)
  assert.is(pair.sessionExpires, session.exp)
  assert.is(pair.refreshExpires, refresh.exp)
  assert.equal(await check(hub, pair.sessionToken), {
    iss: 'verify-hub', sub: 'ood1', appid: 'service', runtimeType: 'service', sid: pair.sid, exp: session.exp,
    holder: service.kid,
  })
})

test('runtime type comes from the spec of the service, whatever the login token says', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const jwt = zone.login({ runtime_type: 'kernel-service' })
  const { sessionToken } = await hub.handlers.loginByJwt({ jwt }, hub.as(service))
  assert.is(claimsOf(sessionToken).runtime_type, 'service')
})

test('system-config is an audience only of those that ask for it and whose spec allows it', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const login = (appid: string, audiences: string[]) =>
    hub.handlers.loginByJwt({ jwt: zone.login({ appid }), audiences }, hub.as(peer(appid)))
  assert.equal(claimsOf((await login('scheduler', [])).sessionToken).aud, ['scheduler'])
  assert.equal(claimsOf((await login('scheduler', ['system-config'])).sessionToken).aud, ['scheduler', 'system-config'])
  assert.is(await denied(() => login('service', ['system-config'])), 'login/audience')
  assert.is(await denied(() => login('scheduler', ['system-config', 'vault'])), 'login/audience')
})

test('a session passes at system-config by the real rules, and its refresh token does not', async () => {
  const { zone, hub } = await loggedIn()
  const pair = await hub.handlers.loginByJwt(
    { jwt: zone.login({ appid: 'scheduler' }), audiences: ['system-config'] }, hub.as(peer('scheduler')))
  const trusted = trustKeyOf(crypto, zone.hubKey.public.jwk, 'boot-config.verify-hub', 'verify-hub')
  const at = (token: string) => verifyTokenSync(token, {
    keys: crypto, rules: onlyUse(rulesFor('system-config', 'normal'), 'session'), audience: 'system-config', epoch: 0,
    nowSeconds: seconds(zone), trustKey: () => trusted,
  })
  assert.is(at(pair.sessionToken).accepted, true)
  assert.is(at(pair.refreshToken).accepted, false)
})

test('when the reply is lost, the same login token by the same key gives the same pair, byte for byte', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const jwt = zone.login()
  const first = await hub.handlers.loginByJwt({ jwt }, hub.as(service))
  await zone.clock.advance(30_000)
  assert.equal(await hub.handlers.loginByJwt({ jwt }, hub.as(service)), first)
  const restarted = await zone.start()
  assert.equal(await restarted.handlers.loginByJwt({ jwt }, restarted.as(service)), first)
})

test('one login token used many times at once by one key makes one session', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const jwt = zone.login()
  const pairs = await Promise.all(Array.from({ length: 8 }, () => hub.handlers.loginByJwt({ jwt }, hub.as(service))))
  assert.is(new Set(pairs.map(({ refreshToken }) => refreshToken)).size, 1)
  assert.is((await zone.store.list('sessions/')).entries.length, 1)
})

test('a login token is burned for every other key, also when all come at once', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const jwt = zone.login()
  const answers = await Promise.allSettled(Array.from({ length: 8 }, (_, index) =>
    hub.handlers.loginByJwt({ jwt }, hub.as({ ...service, kid: `link-${index}` }))))
  assert.is(answers.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const answer of answers) {
    if (answer.status === 'rejected') assert.is(answer.reason.details.reason, 'token/replayed')
  }
})

test('a used login token stays burned until it expires: beyond the first session token, across a restart', async () => {
  const { zone } = await loggedIn()
  const hub = await zone.start()
  const jwt = zone.login()
  await hub.handlers.loginByJwt({ jwt }, hub.as(service))
  const thief = { ...service, kid: 'thief' }
  await zone.clock.advance(16 * 60_000)
  assert.is(await denied(() => hub.handlers.loginByJwt({ jwt }, hub.as(thief))), 'token/replayed')
  const restarted = await zone.start()
  assert.is(await denied(() => restarted.handlers.loginByJwt({ jwt }, restarted.as(thief))), 'token/replayed')
  await zone.clock.advance(4 * 60_000)
  assert.is(await denied(() => restarted.handlers.loginByJwt({ jwt }, restarted.as(thief))), 'token/expired')
  hub.stop()
})

test('a login token that was swept away stays refused when the clock is set back', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const jwt = zone.login()
  const at = zone.clock.now()
  await hub.handlers.loginByJwt({ jwt }, hub.as(service))
  zone.clock.set(at + 25 * 60_000 + limits.usedTokenSeconds * 1_000)
  await zone.clock.advance(limits.sessionSweepMs)
  assert.is((await zone.store.list('logins/')).entries.length, 0, 'the sweep must have come by')
  zone.clock.set(at)
  const thief = { ...service, kid: 'thief' }
  assert.is(await denied(() => hub.handlers.loginByJwt({ jwt }, hub.as(thief))), 'token/replayed')
  hub.stop()
})

test('two login tokens of the same second and app are two logins, since a jti is not a time', async () => {
  const { zone, hub, pair } = await loggedIn()
  const other = await hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service))
  assert.is.not(other.sid, pair.sid)
  assert.is.not(claimsOf(other.sessionToken).jti, claimsOf(pair.sessionToken).jti)
})

test('every other kind of token is refused as a login, each for its own reason', async () => {
  const { zone, hub, pair } = await loggedIn()
  const iat = seconds(zone)
  const token = (use: TokenUse, changes: Partial<TokenClaims>, key = zone.devices.ood1): string => signToken(key, {
    iss: 'ood1', sub: 'ood1', aud: ['verify-hub'], iat, exp: iat + 60, jti: 'j', token_use: use, appid: 'service',
    runtime_type: 'service', epoch: 0, ...changes,
  })
  const login = (jwt: string) => denied(() => hub.handlers.loginByJwt({ jwt }, hub.as(service)))
  assert.is(await login(pair.sessionToken), 'token/use', 'a session is no way to a new pair')
  assert.is(await login(pair.refreshToken), 'token/use')
  assert.is(await login(token('root', { iss: 'root', sub: 'root' }, zone.owner)), 'token/use')
  assert.is(await login(token('boot', { sub: 'scheduler' })), 'token/use')
  assert.is(await login(token('sudo', { iss: 'alice', sub: 'alice' })), 'token/use')
  assert.is(await login(token('session', {})), 'token/use', 'a device session')
  assert.is(await login(token('login', { iss: 'root', sub: 'root' }, zone.owner)), 'token/key-reason', 'root')
  assert.is(await login(token('login', { iss: 'verify-hub' }, zone.hubKey)), 'token/key-reason', 'verify-hub')
  assert.is(await login(token('login', { aud: ['service'] })), 'token/audience')
  assert.is(await login(token('login', { aud: ['verify-hub', 'service'] })), 'token/audience')
  assert.is(await login(token('login', { exp: iat + 1201 })), 'token/lifetime')
  assert.is(await login(token('login', { epoch: 1 })), 'token/epoch')
  assert.is(await login('nonsense'), 'token/malformed')
})

test('a device signs for itself alone', async () => {
  const { zone, hub } = await loggedIn()
  const login = (changes: Partial<TokenClaims>, as = service, key = zone.devices.ood1) =>
    denied(() => hub.handlers.loginByJwt({ jwt: zone.login(changes, key) }, hub.as(as)))
  const onNode = peer('service', { host: 'node1' })
  assert.is(await login({ iss: 'node1', sub: 'node1' }, onNode), 'token/unknown-key', 'the key of another device')
  assert.is(await login({ iss: 'ghost', sub: 'ghost' }, peer('service', { host: 'ghost' })), 'token/unknown-key')
  assert.is(await login({ sub: 'node1' }), 'login/subject', 'sub of another device')
  assert.is(await login({ sub: 'alice' }), 'login/subject', 'a user, for a service of the system')
  assert.is(await login({ sub: 'root' }), 'token/subject')
  assert.is(await login({ sub: 'su_alice' }), 'token/subject')
})

test('a login token whose issuer is no name of a host asks for no key of kv://', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  // What it follows by itself is read first
  await zone.clock.advance(0)
  const before = zone.reads.length
  for (const iss of ['../users/alice', 'ood1/doc', 'a//b', '%2e%2e', 'constructor', '__proto__', 'OOD1']) {
    const jwt = zone.login({ iss, sub: iss })
    assert.is(await denied(() => hub.handlers.loginByJwt({ jwt }, hub.as(service))), 'token/unknown-key', iss)
  }
  assert.ok(zone.reads.slice(before).every(({ key }) => key === kv.bootConfig))
})

test('a spec makes no user, no OOD and, off an OOD, no kernel service of what logs in by a token', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const as = (runtimeType: string, host: 'ood1' | 'node1') => {
    zone.put(kv.spec('service'), { ...JSON.parse(zone.kv.get(kv.spec('service'))!), runtimeType })
    const jwt = zone.login({ iss: host, sub: host }, zone.devices[host])
    return hub.handlers.loginByJwt({ jwt }, hub.as({ ...service, host }))
  }
  assert.is(await denied(() => as('user', 'ood1')), 'login/role')
  assert.is(await denied(() => as('ood', 'ood1')), 'login/role')
  assert.is(await denied(() => as('kernel-service', 'node1')), 'login/kernel')
  assert.is(claimsOf((await as('kernel-service', 'ood1')).sessionToken).runtime_type, 'kernel-service')
  assert.is(claimsOf((await as('service', 'node1')).sessionToken).runtime_type, 'service')
})

test('a login token works only in the hands of the actor and on the host that it was made for', async () => {
  const { zone, hub } = await loggedIn()
  const login = (as: typeof service) => denied(() => hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(as)))
  assert.is(await login(peer('gateway')), 'login/presenter')
  assert.is(await login(peer('service', { host: 'node1' })), 'login/presenter')
})

test('a device is registered only by a document that the owner key signed, for this zone and this name', async () => {
  const { zone, hub } = await loggedIn()
  const content = { zone: 'z1', name: 'ood1', role: 'ood', key: zone.devices.ood1.public.jwk, owner: 'alice', iat: 1 }
  const login = () => hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service))
  const signed = (changes: object, key = zone.owner, typ = 'zw-device+jws') =>
    signDocument(key, typ, { ...content, ...changes })
  const bad: Record<string, string> = {
    'signed by the device itself': signed({}, zone.devices.ood1),
    'signed by verify-hub': signed({}, zone.hubKey),
    'of another zone': signed({ zone: 'z2' }),
    'of another device': signed({ name: 'node1' }),
    'of another kind': signed({}, zone.owner, 'zw-anchor+jws'),
    'with a claim too many': signed({ admin: true }),
    'not signed': JSON.stringify(content),
  }
  for (const [what, text] of Object.entries(bad)) {
    zone.put(kv.device('ood1'), text)
    assert.is(await denied(login), 'token/unknown-key', what)
  }
  zone.put(kv.device('ood1'), signed({}))
  assert.ok((await login()).sid)
})

test('no device signs under the name of root or verify-hub, even with a document that the owner signed', async () => {
  const { zone, hub } = await loggedIn()
  for (const name of ['root', 'verify-hub']) {
    const content = { zone: 'z1', name, role: 'ood', key: zone.devices.ood1.public.jwk, owner: 'alice', iat: 1 }
    zone.put(kv.device(name), signDocument(zone.owner, 'zw-device+jws', content))
    const services = { notes: { target: 'running', specRevision: 1 } }
    zone.put(kv.node(name), { host: name, state: 'running', services })
    const jwt = zone.login({ iss: name, sub: 'alice', appid: 'notes' })
    const notes = peer('notes', { host: name })
    assert.is(await denied(() => hub.handlers.loginByJwt({ jwt }, hub.as(notes))), 'token/unknown-key', name)
  }
})

test('a spec that lies under the name of another service logs nobody in', async () => {
  const { zone, hub } = await loggedIn()
  zone.put(kv.spec('service'), zone.kv.get(kv.spec('scheduler')))
  assert.is(await denied(() => hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service))), 'login/app')
})

test('a service logs in only from where the scheduler put it, and a kernel service only from an OOD', async () => {
  const { zone, hub } = await loggedIn()
  const login = (appid: string, host: 'ood1' | 'node1') => hub.handlers.loginByJwt(
    { jwt: zone.login({ appid, iss: host, sub: host }, zone.devices[host]) }, hub.as(peer(appid, { host })))
  assert.ok((await login('service', 'node1')).sid)
  assert.is(await denied(() => login('gateway', 'node1')), 'login/placement')
  assert.is(await denied(() => login('scheduler', 'node1')), 'login/kernel')
  assert.is(await denied(() => login('unknown', 'ood1')), 'login/app')
  const services = (target: string) => ({ service: { target, specRevision: 2 } })
  zone.put(kv.node('ood1'), { host: 'ood1', state: 'running', services: services('stopped') })
  assert.is(await denied(() => login('service', 'ood1')), 'login/placement')
  zone.put(kv.node('node1'), { host: 'node1', state: 'stopped', services: services('running') })
  assert.is(await denied(() => login('service', 'node1')), 'login/placement')
})

test('an app service speaks for its owner, as long as the owner is active', async () => {
  const { zone, hub } = await loggedIn()
  const login = (sub: string) =>
    hub.handlers.loginByJwt({ jwt: zone.login({ appid: 'notes', sub }) }, hub.as(peer('notes')))
  assert.is(claimsOf((await login('alice')).sessionToken).sub, 'alice')
  assert.is(await denied(() => login('ood1')), 'login/subject')
  assert.is(await denied(() => login('bob')), 'login/subject')
  for (const state of ['suspended', 'pending', 'deleted']) {
    zone.put(kv.user('alice'), { name: 'alice', type: 'admin', state })
    const before = (await zone.store.list('sessions/')).entries.length
    assert.is(await denied(() => login('alice')), 'login/user', state)
    assert.is((await zone.store.list('sessions/')).entries.length, before, 'nor was there ever a session')
  }
})

test('who has no LOGIN_TYPE by-jwt does not log in by a login token', async () => {
  const { zone, hub } = await loggedIn()
  for (const appid of ['verify-hub', 'system-config', 'vault', 'ood', 'user']) {
    const spec = { name: appid, appid, owner: null, runtimeType: 'kernel-service', kernel: true, audiences: [] }
    zone.put(kv.spec(appid), spec)
    const jwt = zone.login({ appid })
    assert.is(await denied(() => hub.handlers.loginByJwt({ jwt }, hub.as(peer(appid)))), 'login/role', appid)
  }
})

test('a session token is good at its own audience only', async () => {
  const { hub, pair } = await loggedIn()
  assert.is(await denied(() => check(hub, pair.sessionToken, 'gateway')), 'token/audience')
  assert.is(await denied(() => check(hub, pair.sessionToken, 'verify-hub')), 'token/audience')
  assert.is(await denied(() => check(hub, pair.sessionToken, 'system-config')), 'token/audience')
})

test.run()
