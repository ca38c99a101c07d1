/** Requests that look harmless: what they say in the wrong place, at the edge of a figure, or by another way. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openHttpVault } from './vault-http-fixture.ts'

const MINE = 'path "secret/data/mine" { capabilities = ["read"] }'

test('a token that stands in a path is not in the audit', async () => {
  const { ask, root, token, auditRecords } = await openHttpVault({ audited: true })
  const [mine, other] = [await token(), await token()]
  for (const path of [
    `auth/token/lookup/${other}`, `auth/token/revoke/${other}`, 'auth/token/renew/my-own-token-id',
    `secret/data/${other}`,
  ]) {
    await root('GET', path)
    await ask('POST', path, { token: mine, body: { data: {} } })
  }
  const text = JSON.stringify(await auditRecords())
  assert.not.ok(text.includes(other))
  assert.not.ok(text.includes('my-own-token-id'))
  assert.ok(text.includes('auth/token/revoke/'))
})

test('a life below a second is one, and not a life without an end', async () => {
  const { root } = await openHttpVault()
  const made = await root('POST', 'auth/token/create', { body: { policies: ['default'], explicit_max_ttl: '500ms' } })
  assert.is(made.body.auth['lease_duration'], 1)
  await root('POST', 'sys/mounts/other', { body: { type: 'pki' } })
  const role = { allow_any_name: true, key_type: 'ec', max_ttl: '500ms' }
  assert.is((await root('POST', 'other/roles/short', { body: role })).body.data['max_ttl'], 1)
})

test('a role that forbids the default policy gives tokens without it', async () => {
  const { root } = await openHttpVault()
  await root('PUT', 'sys/policies/acl/mine', { body: { policy: MINE } })
  for (const forbidden of [{ disallowed_policies: 'default' }, { disallowed_policies_glob: 'def*' }]) {
    const role = { allowed_policies: 'mine', disallowed_policies: '', ...forbidden }
    await root('POST', 'auth/token/roles/bare', { body: role })
    const made = await root('POST', 'auth/token/create/bare', { body: {} })
    assert.equal(made.body.auth['policies'], ['mine'])
  }
})

test('sudo on what a role calls its tokens is no sudo on the path that makes them', async () => {
  const { ask, root, token } = await openHttpVault()
  await root('POST', 'auth/token/roles/app', { body: { allowed_policies: 'default', path_suffix: 'deep' } })
  const policy = `path "auth/token/create/app" { capabilities = ["update"] }
    path "auth/token/create/app/*" { capabilities = ["sudo", "update"] }`
  await root('PUT', 'sys/policies/acl/maker', { body: { policy } })
  const maker = await token({ policies: ['maker'] })
  assert.is((await ask('POST', 'auth/token/create/app', { token: maker, body: { id: 'chosen-by-me' } })).status, 403)
  assert.is((await ask('POST', 'auth/token/create/app', { token: maker, body: {} })).status, 200)
})

test('a one-time pad that no token fits is refused before anybody gives a share', async () => {
  const { ask, rootToken } = await openHttpVault()
  const otp = 'é'.repeat(rootToken.length)
  assert.is((await ask('POST', 'sys/generate-root/attempt', { body: { otp } })).status, 400)
  assert.is((await ask('GET', 'sys/generate-root/attempt')).body['started'], false)
})

test('who may use a mount may ask what it is, as clients do before they use it, and nobody else', async () => {
  const { ask, root, token } = await openHttpVault()
  await root('PUT', 'sys/policies/acl/mine', { body: { policy: MINE } })
  const mine = await token({ policies: ['mine'] })
  const found = await ask('GET', 'sys/internal/ui/mounts/secret/mine', { token: mine })
  assert.equal([found.status, found.body.data['path']], [200, 'secret/'])
  assert.is((await ask('GET', 'sys/internal/ui/mounts/pki/issue/web', { token: mine })).status, 403)
  const all = await ask('GET', 'sys/internal/ui/mounts', { token: mine })
  assert.equal(Object.keys(all.body.data['secret']!), ['secret/', 'sys/'])
  assert.is((await ask('GET', 'sys/internal/ui/mounts')).status, 403)
})

test('to take the authorities of a mount away takes sudo', async () => {
  const { ask, root, token } = await openHttpVault()
  await root('POST', 'sys/mounts/other', { body: { type: 'pki' } })
  await root('POST', 'other/root/generate/internal', { body: { common_name: 'other', key_type: 'ec' } })
  const policy = (more: string): string => `path "other/*" { capabilities = ["update", "delete"${more}] }`
  await root('PUT', 'sys/policies/acl/user', { body: { policy: policy('') } })
  await root('PUT', 'sys/policies/acl/admin', { body: { policy: policy(', "sudo"') } })
  assert.is((await ask('DELETE', 'other/root', { token: await token({ policies: ['user'] }) })).status, 403)
  assert.is((await root('GET', 'other/cert/ca')).status, 200)
  assert.is((await ask('DELETE', 'other/root', { token: await token({ policies: ['admin'] }) })).status, 204)
  assert.is((await root('GET', 'other/cert/ca')).status, 404)
})

test('no certificate of a mount lives longer than the mount is tuned to, whatever its roles say', async () => {
  const { root, clock } = await openHttpVault()
  await root('POST', 'sys/mounts/other', { body: { type: 'pki', config: { max_lease_ttl: '87600h' } } })
  await root('POST', 'other/root/generate/internal', { body: { common_name: 'other', key_type: 'ec' } })
  await root('POST', 'other/roles/web', { body: { allow_any_name: true, key_type: 'ec', max_ttl: '720h' } })
  const lifeOf = async (body: object): Promise<readonly unknown[]> => {
    const made = await root('POST', 'other/issue/web', { body: { common_name: 'a.example', ...body } })
    return [Number(made.body.data['expiration']) - Math.floor(clock.now() / 1_000), (made.body.warnings ?? []).length]
  }
  assert.equal(await lifeOf({ ttl: '700h' }), [700 * 3_600, 0])
  await root('POST', 'sys/mounts/other/tune', { body: { default_lease_ttl: '10m', max_lease_ttl: '1h' } })
  assert.equal([await lifeOf({ ttl: '700h' }), await lifeOf({})], [[3_600, 1], [600, 0]])
  await root('POST', 'sys/mounts/below', { body: { type: 'pki' } })
  const asked = { common_name: 'below', key_type: 'ec' }
  const { csr } = (await root('POST', 'below/intermediate/generate/internal', { body: asked })).body.data
  const wanted = { csr, use_csr_values: true, ttl: '8760h' }
  const below = await root('POST', 'other/root/sign-intermediate', { body: wanted })
  assert.is(Number(below.body.data['expiration']) - Math.floor(clock.now() / 1_000), 3_600)
})

test.run()
