import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { SigningKey } from '../../runtime/platform/ports.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import type { TokenClaims } from '../../runtime/trust/token.ts'
import { crypto, denied, peer, testZone } from './system-config-zone.ts'

const policy = `
g, alice, user
g, su_alice, keepers
g, panel, console
p, console, zone/*, read|write
p, keepers, zone/*, read|write
`

/** A zone where alice may write `zone/*` by sudo and not otherwise, and has a key. */
async function alicesZone() {
  const zone = testZone()
  const running = await zone.booted({ 'system/rbac/policy': policy })
  const own = crypto.generate(systemRandom)
  const root = () => running.as(zone.tokens.root())
  const settings = (state: string) => JSON.stringify({ name: 'alice', type: 'user', state })
  await root().set({ key: 'users/alice/settings', value: settings('active') })
  const put = (name: string, key: SigningKey) => zone.store.put(`kv/users/${name}/doc`, new TextEncoder().encode(
    `\u0001${JSON.stringify({ name: 'alice', key: key.public.jwk, iat: 1 })}`,
  ))
  await put('alice', own)
  const sudo = (changes: Partial<TokenClaims> = {}, by = own) => zone.tokens.session('panel', {
    iss: 'alice', sub: 'alice', aud: ['system-config'], token_use: 'sudo', runtime_type: 'user',
    exp: Math.floor(zone.now / 1000) + 180, ...changes,
  }, by)
  const write = (token: string, from = peer('panel'), link?: string) =>
    running.as(token, from, link).set({ key: 'zone/a', value: '1' })
  return { zone, running, own, root, settings, put, sudo, write }
}

test('what a user may not do by session, sudo allows, once', async () => {
  const { zone, sudo, write } = await alicesZone()
  const session = zone.tokens.session('panel', { sub: 'alice', runtime_type: 'user' })
  assert.is(await denied(() => write(session)), 'rbac/no-rule')
  const token = sudo()
  await write(token, undefined, 'link-a')
  for (const link of ['link-a', 'link-b']) {
    assert.is(await denied(() => write(token, undefined, link)), 'token/replayed')
  }
})

test('two calls at the same time on one link do not share a sudo token', async () => {
  const { running, sudo } = await alicesZone()
  const kv = running.as(sudo())
  const outcomes = await Promise.allSettled(['1', '2', '3'].map((value) => kv.set({ key: 'zone/a', value })))
  assert.equal(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected', 'rejected'])
})

test('a sudo token that was used is refused after a restart, and at another OOD on the same store', async () => {
  const { zone, sudo, running, write } = await alicesZone()
  const token = sudo()
  await write(token)
  const other = await zone.start({ ZONEWRIGHT_BOOTED: '1' })
  assert.is(await denied(() => other.as(token).set({ key: 'zone/a', value: '2' })), 'token/replayed')
  running.stop()
  const again = await zone.start({ ZONEWRIGHT_BOOTED: '1' })
  assert.is(await denied(() => again.as(token).set({ key: 'zone/a', value: '2' })), 'token/replayed')
})

test('sudo is for the user whose key it is, as long as that user is active', async () => {
  const { zone, root, settings, put, sudo, write } = await alicesZone()
  assert.is(await denied(() => write(sudo({ sub: 'bob' }))), 'token/subject')
  assert.is(await denied(() => write(sudo({ iss: 'bob', sub: 'bob' }))), 'token/unknown-key')
  assert.is(await denied(() => write(sudo({ iss: 'su_alice', sub: 'su_alice' }))), 'token/unknown-key')
  assert.is(await denied(() => write(sudo({ iss: '../alice', sub: '../alice' }))), 'token/unknown-key')
  assert.is(await denied(() => write(sudo({}, zone.other))), 'token/unknown-key')
  assert.is(await denied(() => write(sudo({ aud: ['system-config', 'panel'] }))), 'token/audience')
  assert.is(await denied(() => write(sudo({ exp: Math.floor(zone.now / 1000) + 181 }))), 'token/lifetime')
  const mallory = crypto.generate(systemRandom)
  await put('mallory', mallory)
  assert.is(await denied(() => write(sudo({ iss: 'mallory', sub: 'mallory' }, mallory))), 'token/unknown-key')
  for (const state of ['suspended', 'pending', 'deleted']) {
    await root().set({ key: 'users/alice/settings', value: settings(state) })
    assert.is(await denied(() => write(sudo())), 'login/user', state)
  }
  await root().delete({ key: 'users/alice/settings' })
  assert.is(await denied(() => write(sudo())), 'login/user')
})

test('before the zone has booted no user has a key', async () => {
  const zone = testZone()
  const running = await zone.start()
  await zone.store.put('kv/users/alice/doc', new TextEncoder().encode(
    `\u0001${JSON.stringify({ name: 'alice', key: zone.other.public.jwk, iat: 1 })}`,
  ))
  const token = zone.tokens.session('panel', {
    iss: 'alice', sub: 'alice', aud: ['system-config'], token_use: 'sudo', runtime_type: 'user',
    exp: Math.floor(zone.now / 1000) + 180,
  }, zone.other)
  assert.is(await denied(() => running.as(token).get({ key: 'boot/config' })), 'token/use')
})

test.run()
