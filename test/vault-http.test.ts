/** A stock client of HashiCorp Vault (node-vault) against the vault and its listener, in workers. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { initialise, startVault, withOpenVault, withVault } from './vault-http-fixture.ts'

test('a client initialises the vault, unseals it by three of five shares, seals it, and finds its secret again', () =>
  withVault(async ({ clientOf, ask }) => {
    const client = clientOf()
    assert.equal(await client.initialized(), { initialized: false })
    assert.is((await ask('GET', '/v1/sys/health')).status, 501)
    const { keys, keys_base64: base64, root_token: root } = await client.init({ secret_shares: 5, secret_threshold: 3 })
    assert.equal([keys.length, base64.length, root.slice(0, 4)], [5, 5, 'hvs.'])
    client.token = root
    assert.is((await ask('GET', '/v1/sys/health')).status, 503)
    const unseal = async () => {
      await client.unseal({ key: keys[4] })
      assert.equal((await client.status()).progress, 1)
      await client.unseal({ key: base64[1] })
      return client.unseal({ key: keys[2] })
    }
    assert.equal((await unseal()).sealed, false)
    await client.write('secret/data/app', { data: { a: 1 } })
    await client.seal()
    assert.is((await client.status()).sealed, true)
    const error = await client.read('secret/data/app').catch((failed: Error) => failed)
    assert.is(error.message, 'Vault is sealed')
    await unseal()
    assert.equal((await client.read('secret/data/app')).data.data, { a: 1 })
    const again = await client.init({ secret_shares: 1, secret_threshold: 1 }).catch((failed: Error) => failed)
    assert.match(again.message, /initialised already/)
  }))

test('mounts, policies, tokens and secrets by a client', () => withOpenVault(async ({ client, clientOf, root }) => {
  assert.equal(Object.keys((await client.mounts()).data), ['pki-etcd/', 'pki/', 'secret/', 'sys/'])
  await client.mount({ mount_point: 'team', type: 'kv', options: { version: '2' } })
  await client.addPolicy({ name: 'reader', rules: 'path "team/data/*" { capabilities = ["read"] }' })
  assert.equal((await client.policies()).data.keys, ['default', 'reader', 'root'])
  await client.write('team/data/a', { data: { x: 1 } })
  await client.update('team/data/a', { data: { y: 2 } })
  const made = await client.tokenCreate({ policies: ['reader'], ttl: '1h', num_uses: 2 })
  // It goes on with the token that it was given
  client.token = root
  const reader = clientOf(made.auth.client_token)
  assert.equal((await reader.read('team/data/a')).data.data, { x: 1, y: 2 })
  const refusal = async (work: Promise<unknown>) => (await work.catch((failed: Error) => failed) as Error).message
  assert.is(await refusal(reader.write('team/data/a', { data: {} })), 'permission denied')
  assert.is(await refusal(reader.read('team/data/a')), 'permission denied')
  const role = { allowed_policies: 'reader', orphan: true, token_period: '1h' }
  assert.is(await client.write('auth/token/roles/builder', role), '')
  const built = await client.write('auth/token/create/builder', {})
  assert.equal([built.auth.policies, built.auth.lease_duration, built.auth.orphan], [['default', 'reader'], 3_600, true])
  const other = clientOf(built.auth.client_token)
  assert.is((await other.tokenRenewSelf()).auth.renewable, true)
  await client.tokenRevokeAccessor({ accessor: built.auth.accessor })
  assert.is(await refusal(other.tokenLookupSelf()), 'permission denied')
  assert.ok((await client.tokenAccessors()).data.keys.length >= 1)
  await client.unmount({ mount_point: 'team' })
  await client.removePolicy({ name: 'reader' })
}))

test('an authority, a role, and certificates by a client, and the list of those that were revoked', () =>
  withOpenVault(async ({ client, ask }) => {
    await client.mount({ mount_point: 'certs', type: 'pki' })
    const root = await client.write('certs/root/generate/internal', { common_name: 'example.test root', ttl: '8760h' })
    assert.match(root.data.certificate, /BEGIN CERTIFICATE/)
    await client.write('certs/roles/web', { allowed_domains: 'example.test', allow_subdomains: true, max_ttl: '72h' })
    const issued = await client.write('certs/issue/web', { common_name: 'www.example.test' })
    assert.ok(Array.isArray(issued.data.ca_chain))
    assert.match(issued.data.private_key, /PRIVATE KEY/)
    const outside = await client.write('certs/issue/web', { common_name: 'www.other.test' })
      .catch((failed: Error) => failed)
    assert.instance(outside, Error)
    const revoked = await client.write('certs/revoke', { serial_number: issued.data.serial_number })
    assert.ok(revoked.data.revocation_time > 0)
    const list = await ask('GET', '/v1/certs/crl/pem')
    assert.equal([list.status, /BEGIN X509 CRL/.test(list.text)], [200, true])
    const der = await ask('GET', '/v1/certs/ca')
    assert.is(der.headers['content-type'], 'application/pkix-cert')
    assert.ok((await client.list('certs/certs')).data.keys.length >= 1)
  }))

test('shares are exchanged for new ones, and make a root token when there is none', () => withVault(async (vault) => {
  const { client, root, shares } = await initialise(vault)
  const { ask, clientOf } = vault
  const begun = await client.write('sys/rekey/init', { secret_shares: 3, secret_threshold: 2 })
  assert.equal([begun.started, begun.t, begun.n, begun.required], [true, 2, 3, 1])
  const done = await client.write('sys/rekey/update', { nonce: begun.nonce, key: shares[0] })
  assert.equal([done.complete, done.keys.length], [true, 3])
  await client.seal()
  await client.unseal({ key: done.keys[0] })
  assert.is((await client.unseal({ key: done.keys[2] })).sealed, false)
  await client.tokenRevokeSelf()
  assert.is((await ask('GET', '/v1/auth/token/lookup-self', { token: root })).status, 403)
  const attempt = await client.write('sys/generate-root/attempt', {})
  const { nonce, otp } = attempt
  assert.equal([attempt.started, attempt.required, otp.length], [true, 2, attempt.otp_length])
  await client.write('sys/generate-root/update', { nonce, key: done.keys[0] })
  const complete = await client.write('sys/generate-root/update', { nonce, key: done.keys[1] })
  const encoded = Buffer.from(complete.encoded_root_token, 'base64')
  const token = encoded.map((byte, index) => byte ^ otp.charCodeAt(index)).toString()
  assert.equal((await clientOf(token).tokenLookupSelf()).data.policies, ['root'])
}))

test('what a client has written is there after a restart, and the folder has one vault at a time', async () => {
  const first = await startVault()
  try {
    const { client, root, shares } = await initialise(first)
    await client.write('secret/data/kept', { data: { a: 1 } })
    const second = await startVault({ folder: first.dir }).catch((failed: { code?: string }) => failed)
    assert.is((second as { code?: string }).code, 'FolderInUse')
    await first.halt()
    const again = await startVault({ folder: first.dir })
    try {
      const reopened = again.clientOf(root)
      await reopened.unseal({ key: shares[0] })
      assert.equal((await reopened.read('secret/data/kept')).data.data, { a: 1 })
    } finally {
      await again.stop()
    }
  } finally {
    await first.stop()
  }
})

test.run()
