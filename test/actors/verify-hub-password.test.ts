import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../../actors/records.ts'
import { InvalidPassword } from '../../actors/verify-hub/protocol.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import {
  check, claimsOf, countSlowHashes, denied, failure, gateway, peer, refreshAs, service, supervisor, testZone,
  type LoggedIn, type Running,
} from './verify-hub-zone.ts'

const firstPassword = async (hub: Running, as = supervisor) => hub.handlers.issueFirstPassword({}, hub.as(as))
const passwordLogin = async (hub: Running, password: string, username = 'alice', as = gateway) =>
  hub.handlers.loginByPassword({ username, password, appid: 'gateway' }, hub.as(as))

test('the first password is made again until it was used once', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const first = await firstPassword(hub)
  const second = await firstPassword(hub)
  assert.is(first.username, 'alice')
  assert.match(first.password, /^[a-hjkmnp-z2-9]{5}(-[a-hjkmnp-z2-9]{5}){4}$/)
  assert.is(second.issued, true)
  assert.is.not(second.password, first.password)
  await failure(InvalidPassword, () => passwordLogin(hub, first.password))
  const { sessionToken } = await passwordLogin(hub, second.password)
  const claims = claimsOf(sessionToken)
  assert.equal([claims.sub, claims.runtime_type, claims.aud], ['alice', 'user', ['gateway']])
  assert.equal(await firstPassword(hub), { username: 'alice', password: '', issued: false })
  const restarted = await zone.start()
  assert.is((await firstPassword(restarted)).issued, false)
  assert.ok((await passwordLogin(restarted, second.password)).sid)
})

test('only the supervisor of this host gets a first password', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  for (const caller of [service, gateway, peer('node-daemon'), peer('supervisor', { host: 'node1' })]) {
    assert.is(await denied(() => firstPassword(hub, caller)), 'login/first-password')
  }
})

test('without a document of this host nobody is given a first password', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  zone.kv.delete(kv.device('ood1'))
  assert.is(await denied(() => firstPassword(hub)), 'link/unknown-host')
})

test('each attempt costs one slow hash, whoever it is for, and all failures look the same', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const { password } = await firstPassword(hub)
  const attempts: [string, string][] = [
    ['alice', 'wrong'], ['alice', ''], ['bob', password], ['nobody', password], ['root', password],
    ['../alice', password], ['', ''],
  ]
  const messages = new Set<string>()
  for (const [username, offered] of attempts) {
    const cost = await countSlowHashes(async () => {
      messages.add((await failure(InvalidPassword, () => passwordLogin(hub, offered, username))).message)
    })
    assert.is(cost, 1, username)
  }
  assert.is(messages.size, 1)
  assert.is(await countSlowHashes(() => passwordLogin(hub, password)), 1)
  zone.put(kv.user('alice'), { name: 'alice', type: 'admin', state: 'suspended' })
  assert.is(await countSlowHashes(() => denied(() => passwordLogin(hub, password))), 1)
})

test('only active users log in or refresh, and no user logs in to a kernel service', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  // It does not hear of the change, so that it is the refresh that asks
  hub.stop()
  const { password } = await firstPassword(hub)
  for (const state of ['suspended', 'pending', 'deleted', 'active']) {
    const pair = await passwordLogin(hub, password)
    zone.put(kv.user('alice'), { name: 'alice', type: 'admin', state })
    if (state === 'active') {
      assert.ok((await refreshAs(hub, pair.refreshToken, gateway)).sid)
    } else {
      assert.is(await denied(() => passwordLogin(hub, password)), 'login/user')
      assert.is(await denied(() => refreshAs(hub, pair.refreshToken, gateway)), 'login/user')
    }
    zone.put(kv.user('alice'), { name: 'alice', type: 'admin', state: 'active' })
  }
  const at = (appid: string) => hub.handlers.loginByPassword({ username: 'alice', password, appid }, hub.as(gateway))
  assert.is(await denied(() => at('scheduler')), 'login/app')
  assert.is(await denied(() => at('nowhere')), 'login/app')
})

test('no password logs anybody in as root, or under a name of the sudo rule', async () => {
  for (const owner of ['root', 'su_alice', 'kernel']) {
    const zone = await testZone()
    const content = { zone: 'z1', name: 'ood1', role: 'ood', key: zone.devices.ood1.public.jwk, owner, iat: 1 }
    zone.put(kv.device('ood1'), signDocument(zone.owner, 'zw-device+jws', content))
    zone.put(kv.user(owner), { name: owner, type: 'admin', state: 'active' })
    const hub = await zone.start()
    const { username, password } = await firstPassword(hub)
    assert.is(username, owner)
    assert.is(await denied(() => passwordLogin(hub, password, owner)), 'login/user')
    assert.equal((await zone.store.list('sessions/')).entries, [], 'nor was there ever a session')
  }
})

test('verifiers of passwords are in the vault alone, sealed, and no password is in any store', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const { password } = await firstPassword(hub)
  const text = async (store: typeof zone.store): Promise<string> =>
    (await store.list('')).entries.map(({ key, value }) => key + new TextDecoder().decode(value)).join('\n')
  assert.not.ok([...zone.kv.keys()].some((key) => key.includes('password')))
  const stored = await text(zone.store) + await text(zone.vaultStore)
  const everything = stored + [...zone.kv.values()].join() + hub.said.join()
  assert.not.ok(everything.includes(password))
  assert.not.ok((await text(zone.vaultStore)).includes('scrypt'))
})

async function cookie(): Promise<LoggedIn> {
  const zone = await testZone()
  const hub = await zone.start()
  const { password } = await firstPassword(hub)
  return { zone, hub, pair: await passwordLogin(hub, password) }
}

test('a cookie names no holder; the password session of any other peer is held by its key', async () => {
  const { pair } = await cookie()
  assert.is(claimsOf(pair.refreshToken).cnf, undefined)
  const zone = await testZone()
  const hub = await zone.start()
  const held = await passwordLogin(hub, (await firstPassword(hub)).password, 'alice', service)
  assert.equal(claimsOf(held.refreshToken).cnf, { jkt: service.kid })
  assert.is(await denied(() => refreshAs(hub, held.refreshToken, gateway)), 'refresh/holder')
})

test('a keyless holder may repeat a refresh within ten seconds', async () => {
  const { zone, hub, pair } = await cookie()
  const successor = await refreshAs(hub, pair.refreshToken, gateway)
  await zone.clock.advance(9_000)
  assert.equal(await refreshAs(hub, pair.refreshToken, gateway), successor)
  await zone.clock.advance(1_001)
  assert.is(await denied(() => refreshAs(hub, pair.refreshToken, gateway)), 'refresh/reused')
  assert.is(await denied(() => refreshAs(hub, successor.refreshToken, gateway)), 'token/revoked')
})

test('the window of a keyless holder closes when the successor is first used', async () => {
  const uses: Record<string, (hub: Running, successor: LoggedIn['pair']) => Promise<unknown>> = {
    session: (hub, successor) => check(hub, successor.sessionToken, 'gateway'),
    refresh: (hub, successor) => refreshAs(hub, successor.refreshToken, gateway),
  }
  for (const [name, use] of Object.entries(uses)) {
    const { hub, pair } = await cookie()
    await use(hub, await refreshAs(hub, pair.refreshToken, gateway))
    assert.is(await denied(() => refreshAs(hub, pair.refreshToken, gateway)), 'refresh/reused', name)
  }
})

test.run()
