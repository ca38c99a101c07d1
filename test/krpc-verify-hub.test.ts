/** verify-hub by kRPC: whoever comes by the gateway has shown no key, and is held to that. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../actors/records.ts'
import { InvalidPassword } from '../actors/verify-hub/protocol.ts'
import { InvalidArgument, Overloaded } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import {
  claimsOf, crypto, denied, failure, gateway, loggedIn as linkedService, peer, service, supervisor,
  testZone,
  type Running, type TestZone,
} from './actors/verify-hub-zone.ts'
import { OriginalsClient, type Pair } from './krpc-client.ts'
import { inLiveZone } from './actors/live-zone.ts'
import { ask, loggedIn, postTo } from './krpc-fixture.ts'

const hubs = suite('verify-hub by kRPC')

const call = async (hub: Running, method: string, params: object, as = gateway): Promise<unknown> =>
  (await hub.handlers.krpc({ method, params }, hub.as(as))).result
const refresh = (hub: Running, pair: Pair, as = gateway): Promise<Pair> =>
  call(hub, 'refresh_token', { refresh_token: pair.refresh_token }, as) as Promise<Pair>
const verify = (hub: Running, token: string, appid?: string): Promise<unknown> =>
  call(hub, 'verify_token', { session_token: token, ...(appid === undefined ? {} : { appid }) })

interface User { readonly zone: TestZone; readonly hub: Running; readonly login: object; readonly pair: Pair }

async function withUser(): Promise<User> {
  const zone = await testZone()
  const hub = await zone.start()
  const { username, password } = await hub.handlers.issueFirstPassword({}, hub.as(supervisor))
  const login = { type: 'password', username, password, appid: 'gateway' }
  return { zone, hub, login, pair: await call(hub, 'login_by_password', login) as Pair }
}

/** `tool` is a program on ood1, beside the worker `service`. */
async function withProgram(): Promise<{ zone: TestZone; hub: Running; jwt: (changes?: object) => string }> {
  const zone = await testZone()
  const spec = { name: 'tool', appid: 'tool', owner: null, runtimeType: 'service', kernel: false, audiences: [] }
  zone.put(kv.spec('tool'), { ...spec, audiences: ['system-config'], run: { command: ['/bin/tool'] } })
  const services = Object.fromEntries(['tool', 'core', 'service', 'gateway', 'scheduler'].map((name) =>
    [name, { target: 'running', specRevision: 1 }]))
  // Of the system by its runtime type alone
  const core = { ...spec, name: 'core', appid: 'core', runtimeType: 'kernel-service' }
  zone.put(kv.spec('core'), { ...core, run: { command: ['/bin/core'] } })
  zone.put(kv.node('ood1'), { host: 'ood1', state: 'running', services })
  return { zone, hub: await zone.start(), jwt: (changes = {}) => zone.login({ appid: 'tool', ...changes }) }
}

hubs('a login by password is bound to no key, and has every audience that its app may ask for', async () => {
  const { hub, login, pair } = await withUser()
  for (const token of [pair.session_token, pair.refresh_token]) assert.is(claimsOf(token).cnf, undefined)
  assert.equal(claimsOf(pair.session_token).aud, ['gateway', 'system-config'])
  const narrow = await call(hub, 'login_by_password', { ...login, audiences: [] }) as Pair
  assert.equal(claimsOf(narrow.session_token).aud, ['gateway'])
  // What the originals' clients ask for, and nothing else
  assert.is(await verify(hub, pair.session_token), true)
  assert.is(await verify(hub, pair.session_token, 'system-config'), true)
  assert.is(await denied(() => verify(hub, pair.session_token, 'service')), 'token/audience')
  assert.is(await denied(() => verify(hub, pair.refresh_token)), 'token/use')
})

hubs('a repeat of a refresh gets the same successor within the window, and ends the session after it', async () => {
  const { zone, hub, pair } = await withUser()
  const next = await refresh(hub, pair)
  await zone.clock.advance(limits.keylessRefreshMs)
  assert.equal(await refresh(hub, pair), next)
  await zone.clock.advance(1)
  assert.is(await denied(() => refresh(hub, pair)), 'refresh/reused')
  assert.is(await denied(() => refresh(hub, next)), 'token/revoked')
  assert.is(await denied(() => verify(hub, next.session_token)), 'token/revoked')
})

hubs('the window closes when the successor is first used', async () => {
  const { hub, pair } = await withUser()
  const next = await refresh(hub, pair)
  await verify(hub, next.session_token)
  assert.is(await denied(() => refresh(hub, pair)), 'refresh/reused')
})

hubs('a session of a link is refused by HTTP, and its refresh token there ends it', async () => {
  for (const [holder, appid] of [[service, 'service'], [gateway, 'gateway']] as const) {
    const zone = await testZone()
    const hub = await zone.start()
    const own = await hub.handlers.loginByJwt({ jwt: zone.login({ appid }) }, hub.as(holder))
    assert.is(claimsOf(own.sessionToken).cnf?.jkt, holder.kid)
    assert.is(await denied(() => verify(hub, own.sessionToken)), 'token/holder', appid)
    const stolen = { refresh_token: own.refreshToken } as Pair
    // By the very gateway that holds it, but for somebody who showed no key
    assert.is(await denied(() => refresh(hub, stolen)), 'refresh/holder', appid)
    assert.is(await denied(() => hub.handlers.refreshToken({ refreshToken: own.refreshToken }, hub.as(holder))),
      'token/revoked', appid)
  }
})

hubs('a program logs in by its token once, without a key', async () => {
  const { hub, jwt } = await withProgram()
  const token = jwt()
  const pair = await call(hub, 'login_by_jwt', { type: 'jwt', jwt: token }) as Pair
  const claims = claimsOf(pair.session_token)
  assert.equal([claims.sub, claims.appid, claims.cnf], ['ood1', 'tool', undefined])
  assert.equal(claims.aud, ['tool', 'system-config'])
  assert.is(await denied(() => call(hub, 'login_by_jwt', { jwt: token })), 'token/replayed')
  assert.is(await denied(() => hub.handlers.loginByJwt({ jwt: token }, hub.as(peer('tool')))), 'token/replayed')
  assert.ok((await refresh(hub, pair)).sid)
})

hubs('the login token of a worker, of a kernel service or of another host gets nobody in by HTTP', async () => {
  const { zone, hub, jwt } = await withProgram()
  const elsewhere = peer('gateway', { host: 'node1', runtimeType: 'gateway' })
  for (const [what, attempt] of [
    ['a worker', () => call(hub, 'login_by_jwt', { jwt: jwt({ appid: 'service' }) })],
    ['the gateway itself', () => call(hub, 'login_by_jwt', { jwt: jwt({ appid: 'gateway' }) })],
    ['the scheduler', () => call(hub, 'login_by_jwt', { jwt: jwt({ appid: 'scheduler' }) })],
    ['a kernel service by its type', () => call(hub, 'login_by_jwt', { jwt: jwt({ appid: 'core' }) })],
    ['another host', () => call(hub, 'login_by_jwt', { jwt: jwt() }, elsewhere)],
  ] as const) assert.is(await denied(attempt), 'login/presenter', what)
  const token = zone.login()
  await hub.handlers.loginByJwt({ jwt: token }, hub.as(service))
  assert.is(await denied(() => call(hub, 'login_by_jwt', { jwt: token })), 'token/replayed', 'one that was used')
  const root = zone.login({ iss: 'root', sub: 'root', token_use: 'root', aud: ['verify-hub'] }, zone.owner)
  assert.is(await denied(() => call(hub, 'login_by_jwt', { jwt: root })), 'token/use')
})

hubs('who has a link of its own is not served as if it had none', async () => {
  const { hub, login, pair } = await withUser()
  for (const [method, params] of [
    ['login_by_password', login], ['refresh_token', { refresh_token: pair.refresh_token }],
    ['verify_token', { session_token: pair.session_token }], ['logout', { refresh_token: pair.refresh_token }],
    ['login_by_jwt', { jwt: 'x' }],
  ] as const) assert.is(await denied(() => call(hub, method, params, service)), 'login/presenter', method)
  const { hub: other, pair: linked } = await linkedService()
  assert.is(await denied(() => verify(other, linked.sessionToken)), 'token/holder')
})

hubs('other types and other apps\' instances are refused clearly', async () => {
  const { hub, login } = await withUser()
  for (const wrong of [
    { login_nonce: -1 }, { login_nonce: 1.5 }, { type: 'jwt' }, { type: undefined }, { app_instance_id: 'notes@alice' },
    { other: 1 }, { password: 7 },
  ]) await failure(InvalidArgument, () => call(hub, 'login_by_password', { ...login, ...wrong }))
  const known = { app_instance_id: 'gateway@alice', source_url: 'http://a' }
  assert.ok(await call(hub, 'login_by_password', { ...login, ...known }))
  await failure(InvalidArgument, () => call(hub, 'login_by_jwt', { type: 'password', jwt: 'x' }))
})

hubs('a flood of password logins is bounded, and keeps nobody from refreshing', async () => {
  const { hub, login, pair } = await withUser()
  const wrong = { ...login, password: 'wrong' }
  const attempt = (username: string): Promise<unknown> =>
    call(hub, 'login_by_password', { ...wrong, username }).catch((error: unknown) => error)
  // Of one name there could not be so many
  const attempts = Array.from({ length: 60 }, (_, index) => attempt(`user${index}`))
  assert.ok((await refresh(hub, pair)).sid)
  const outcomes = await Promise.all(attempts)
  const count = (Class: new (...args: never[]) => Error): number =>
    outcomes.filter((one) => one instanceof Class).length
  const served = limits.krpcPasswords + limits.krpcPasswordsWaiting
  assert.equal([count(InvalidPassword), count(Overloaded)], [served, 60 - served])
  assert.ok(await call(hub, 'login_by_password', login), 'its places are free again')
})

hubs('by HTTP, the first use of a session anywhere closes the window of its refresh', async () => {
  await inLiveZone(async (live) => {
    const { hub, pair, client, username } = await loggedIn(live)
    const next = await hub.call('refresh_token', { refresh_token: pair.refresh_token }) as Pair
    const again = await hub.call('refresh_token', { refresh_token: pair.refresh_token }) as Pair
    assert.is(again.session_token, next.session_token)
    await client('system_config', next.session_token).call('sys_config_get', { key: `users/${username}/a` })
    await live.pause(100)
    const reused = await hub.refusal('refresh_token', { refresh_token: pair.refresh_token })
    assert.is(`${reused.status} ${reused.details['reason']}`, '401 refresh/reused')
    assert.match((await hub.refusal('verify_token', { session_token: next.session_token })).message, /has ended/)
  })
})

hubs('by HTTP a client of the originals logs in by its hash and the number of its envelope, once', async () => {
  await inLiveZone(async (live) => {
    const { pair, username, password, login } = await loggedIn(live)
    const sha256 = (text: string): string =>
      Buffer.from(crypto.hash(new TextEncoder().encode(text))).toString('base64')
    const nonce = claimsOf(pair.session_token).iat * 1000 + 1
    const wire = sha256(sha256(`${password}${username}.buckyos`) + nonce)
    const send = async (): Promise<number> => {
      const params = { ...login, password: wire }
      const body = JSON.stringify({ method: 'login_by_password', params, sys: [nonce] })
      return (await ask(live, '/kapi/verify-hub', body)).status
    }
    assert.is(await send(), 401)
    await live.set(kv.user(username), { name: username, type: 'admin', state: 'active', compat_password: true })
    assert.ok(await new OriginalsClient(postTo(live), 'verify-hub').call('login_by_password', login))
    assert.equal([await send(), await send()], [200, 403])
  })
})

hubs('by HTTP, whoever may asks who they are, what sessions there are, and ends them', async () => {
  await inLiveZone(async (live) => {
    await live.setPath(kv.spec('console'), '/audiences', [
      'system-config', 'node-daemon', 'scheduler', 'verify-hub',
    ])
    const { pair, client, username } = await loggedIn(live)
    const hub = client('verify-hub')
    const { sub, sid, state } = await hub.call('whoami', {}) as Record<string, unknown>
    assert.equal([sub, sid, state], [username, pair.sid, 'active'])
    assert.match((await client('verify-hub', null).refusal('whoami', {})).message, /The call needs a token/)
    // Its own user is suspended: it is over at once, wherever it is looked at
    await live.set(kv.user(username), { name: username, type: 'admin', state: 'suspended' })
    await live.pause(1_000)
    assert.is((await hub.refusal('whoami', {})).details['reason'], 'token/revoked')
    const verified = await hub.refusal('verify_token', { session_token: pair.session_token })
    assert.is(verified.details['reason'], 'token/revoked')
  })
})

hubs.run()
