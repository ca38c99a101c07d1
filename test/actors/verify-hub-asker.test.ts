/** Who asks verify-hub: by a session of an app that may, or by sudo for one call; and what it burns for services. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../../actors/records.ts'
import { UnknownMethod } from '../../actors/krpc.ts'
import { ask, krpc, people } from './accounts-fixture.ts'
import { claimsOf, denied, failure, gateway, loggedIn, peer, service } from './verify-hub-zone.ts'

test('a session of an app whose audiences name verify-hub says who asks; another app\'s does not', async () => {
  const { hub, login, zone } = await people()
  const { session_token: token, sid } = await login('bob')
  const { exp } = claimsOf(token)
  assert.equal(await krpc(hub, 'whoami', {}, token), {
    sub: 'bob', appid: 'console', runtime_type: 'user', sid, aud: ['console', 'system-config', 'verify-hub'], exp,
    user_type: 'user', state: 'active', sudo: false,
  })
  const other = await login('bob', 'gateway')
  assert.is(await denied(() => krpc(hub, 'whoami', {}, other.session_token)), 'token/audience')
  assert.is(await denied(() => krpc(hub, 'whoami', {})), 'token/absent')
  for (const use of ['login', 'root', 'refresh'] as const) {
    const text = use === 'refresh' ? (await login('bob')).refresh_token
      : zone.login({ token_use: use }, use === 'root' ? zone.owner : undefined)
    assert.is(await denied(() => krpc(hub, 'whoami', {}, text)), 'token/use', use)
  }
  await failure(UnknownMethod, () => krpc(hub, 'nothing', {}, token))
})

test('an ended session, or one of a user who is active no more, asks nothing', async () => {
  const { hub, login, zone } = await people()
  const first = await login('bob')
  await krpc(hub, 'logout', { refresh_token: first.refresh_token })
  assert.is(await denied(() => krpc(hub, 'whoami', {}, first.session_token)), 'token/revoked')
  const { session_token: token } = await login('bob')
  hub.stop()
  zone.put(kv.user('bob'), { name: 'bob', type: 'user', state: 'suspended' })
  assert.is(await denied(() => krpc(hub, 'whoami', {}, token)), 'login/user')
})

test('a session that a key holds asks by that key\'s link alone, and never by HTTP', async () => {
  const { zone, hub } = await loggedIn()
  zone.put(kv.spec('service'), {
    name: 'service', appid: 'service', owner: null, runtimeType: 'service', kernel: false, audiences: ['verify-hub'],
  })
  const { sessionToken } = await hub.handlers.loginByJwt(
    { jwt: zone.login(), audiences: ['verify-hub'] }, hub.as(service))
  const { sub, appid, userType, state } = await ask(hub, 'whoami', {}, sessionToken, service)
  assert.equal([sub, appid, userType, state], ['ood1', 'service', '', 'active'])
  assert.is(await denied(() => ask(hub, 'whoami', {}, sessionToken, peer('notes'))), 'token/holder')
  assert.is(await denied(() => krpc(hub, 'whoami', {}, sessionToken)), 'token/holder')
  const { sessionToken: own } = await hub.handlers.loginByJwt(
    { jwt: zone.login({ appid: 'gateway' }) }, hub.as(gateway))
  zone.put(kv.spec('gateway'), {
    name: 'gateway', appid: 'gateway', owner: null, runtimeType: 'gateway', kernel: false, audiences: ['verify-hub'],
  })
  const wider = await hub.handlers.loginByJwt(
    { jwt: zone.login({ appid: 'gateway' }), audiences: ['verify-hub'] }, hub.as(gateway))
  assert.is(await denied(() => krpc(hub, 'whoami', {}, wider.sessionToken)), 'token/holder', 'the gateway\'s own')
  assert.is(await denied(() => krpc(hub, 'whoami', {}, own)), 'token/audience')
})

test('a sudo token of a user is good for one call, behind the gateway and after a restart', async () => {
  const { hub, sudo, zone } = await people()
  const token = sudo('bob')
  const answer = await krpc(hub, 'whoami', {}, token) as Record<string, unknown>
  assert.equal([answer['sub'], answer['sudo'], answer['sid']], ['bob', true, ''])
  assert.is(await denied(() => krpc(hub, 'whoami', {}, token)), 'token/replayed')
  const restarted = await zone.start()
  assert.is(await denied(() => krpc(restarted, 'whoami', {}, token)), 'token/replayed')
  const at = sudo('alice')
  const answers = await Promise.all(Array.from({ length: 8 }, () =>
    krpc(hub, 'whoami', {}, at).then(() => 'asked', (error: { details: object }) => error.details)))
  assert.is(answers.filter((one) => one === 'asked').length, 1)
})

test('a sudo token is signed by the key of the very user that it names, for verify-hub alone', async () => {
  const { hub, sudo, keys, zone } = await people()
  const refusals: readonly (readonly [string, string])[] = [
    ['token/subject', sudo('bob', { sub: 'alice' })],
    ['token/unknown-key', sudo('bob', { iss: 'alice', sub: 'alice' })],
    ['token/audience', sudo('bob', { aud: ['verify-hub', 'system-config'] })],
    ['token/audience', sudo('bob', { aud: ['system-config'] })],
    ['token/lifetime', sudo('bob', { exp: claimsOf(sudo('bob')).iat + 181 })],
    ['token/runtime-type', sudo('bob', { runtime_type: 'ood' })],
    ['token/epoch', sudo('bob', { epoch: 1 })],
    // As of one who is there: nobody is told which names have a key
    ['token/unknown-key', sudo('bob', { iss: 'carol', sub: 'carol' })],
  ]
  for (const [reason, token] of refusals) {
    assert.is(await denied(() => krpc(hub, 'whoami', {}, token)), reason, reason)
  }
  // Somebody's key is not the key of a name that is nobody's
  zone.put(kv.userDocument('root'), { name: 'root', key: keys.bob.public.jwk, iat: 1 })
  assert.is(await denied(() => krpc(hub, 'whoami', {}, sudo('bob', { iss: 'root', sub: 'root' }))), 'token/subject')
  // Nor one that lies under another name than it says
  zone.put(kv.userDocument('carol'), { name: 'bob', key: keys.bob.public.jwk, iat: 1 })
  assert.is(await denied(() => krpc(hub, 'whoami', {}, sudo('bob', { iss: 'carol', sub: 'carol' }))),
    'token/unknown-key')
})

test('of a user who is not active no sudo token is good, and none is burned by that', async () => {
  for (const state of ['suspended', 'pending', 'deleted']) {
    const { hub, sudo, zone } = await people()
    const token = sudo('bob')
    zone.put(kv.user('bob'), { name: 'bob', type: 'user', state })
    assert.is(await denied(() => krpc(hub, 'whoami', {}, token)), 'login/user', state)
    zone.put(kv.user('bob'), { name: 'bob', type: 'user', state: 'active' })
    assert.is((await krpc(hub, 'whoami', {}, token) as { sub: string }).sub, 'bob')
  }
})

test('a service has its sudo and root tokens burned, each once, also by another OOD of the same store', async () => {
  const { hub, sudo, zone } = await people()
  const burn = (token: string, { at = hub, audience = 'notes', as = peer('notes') } = {}) =>
    ask(at, 'burn', { token, audience }, undefined, as)
  const token = sudo('bob', { aud: ['notes'] })
  const burned = await burn(token)
  assert.equal([burned.sub, burned.appid, burned.sudo, burned.root], ['bob', 'console', true, false])
  const other = await zone.start()
  for (const at of [hub, other]) assert.is(await denied(() => burn(token, { at })), 'token/replayed')
  const ofRoot = { iss: 'root', sub: 'root', aud: ['notes'], token_use: 'root' } as const
  const root = zone.login({ ...ofRoot, exp: claimsOf(token).iat + 300 }, zone.owner)
  const asRoot = await burn(root, { at: other })
  assert.equal([asRoot.sub, asRoot.sudo, asRoot.root], ['root', false, true])
  assert.is(await denied(() => burn(root)), 'token/replayed')
})

test('nobody burns a token of another service, nor has anything else burned', async () => {
  const { hub, sudo, login, zone } = await people()
  const burn = (token: string, audience = 'notes') => ask(hub, 'burn', { token, audience }, undefined, peer('notes'))
  const token = sudo('bob', { aud: ['service'] })
  assert.is(await denied(() => burn(token, 'service')), 'token/audience')
  assert.is(await denied(() => burn(token)), 'token/audience')
  const { session_token: session } = await login('bob', 'notes')
  assert.is(await denied(() => burn(session)), 'token/use')
  assert.is(await denied(() => burn(zone.login({ aud: ['notes'] }))), 'token/use')
  zone.put(kv.user('bob'), { name: 'bob', type: 'user', state: 'suspended' })
  assert.is(await denied(() => burn(sudo('bob', { aud: ['notes'] }))), 'login/user')
  // It is still good where it is meant for
  const meant = { token: sudo('alice', { aud: ['service'] }), audience: 'service' }
  assert.is((await ask(hub, 'burn', meant, undefined, service)).sub, 'alice')
})

test.run()
