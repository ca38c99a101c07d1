/** What a request is answered with, to the letter; and requests that nobody should send. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { as, newStore, startIn, supervisor } from './vault-fixture.ts'
import { askOf, listener, openHttpVault } from './vault-http-fixture.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('an answer is in the envelope of Vault, member by member', async () => {
  const { root } = await openHttpVault()
  await root('POST', 'secret/data/a', { body: { data: { x: 1 } } })
  const { status, headers, body } = await root('GET', 'secret/data/a')
  assert.is(status, 200)
  assert.equal(headers, { 'cache-control': 'no-store', 'content-type': 'application/json' })
  const { request_id: id, ...rest } = body
  assert.match(String(id), UUID)
  assert.equal(rest, {
    lease_id: '', renewable: false, lease_duration: 0, wrap_info: null, warnings: null, auth: null,
    data: {
      data: { x: 1 },
      metadata: {
        created_time: '2026-11-18T11:06:40Z', custom_metadata: null, deletion_time: '', destroyed: false, version: 1,
      },
    },
  } as never)
})

test('a token is answered as Vault does, when it is made and when it is looked up', async () => {
  const { root, ask } = await openHttpVault()
  const made = await root('POST', 'auth/token/create', { body: { policies: ['app'], ttl: '1h', meta: { a: 'b' } } })
  const { client_token: token, accessor, ...auth } = made.body.auth
  assert.equal(auth, {
    policies: ['app', 'default'], token_policies: ['app', 'default'], metadata: { a: 'b' }, lease_duration: 3_600,
    renewable: true, entity_id: '', token_type: 'service', orphan: false, mfa_requirement: null, num_uses: 0,
  } as never)
  assert.equal([made.body.data, made.body['renewable'], made.body['lease_duration']], [null, false, 0])
  const self = await ask('GET', 'auth/token/lookup-self', { token: String(token) })
  assert.equal(self.body.data, {
    accessor, creation_time: 1_795_000_000, creation_ttl: 3_600,
    display_name: 'token', entity_id: '', expire_time: '2026-11-18T12:06:40Z', explicit_max_ttl: 0, id: token,
    issue_time: '2026-11-18T11:06:40Z', meta: { a: 'b' }, num_uses: 0, orphan: false, path: 'auth/token/create',
    policies: ['app', 'default'], renewable: true, ttl: 3_600, type: 'service',
  } as never)
  const root2 = (await root('GET', 'auth/token/lookup-self')).body.data
  assert.equal([root2['expire_time'], root2['ttl'], root2['orphan'], root2['path']], [null, 0, true, 'auth/token/root'])
})

test('the state of the seal is told without a token, with the codes that who watches it asks for', async () => {
  const started = await startIn(newStore(), {}, { env: { ZONEWRIGHT_VAULT_SEALED: '1' } })
  const ask = askOf(started)
  const health = async (method = 'GET', query = '') => (await ask(method, 'sys/health', { query })).status
  assert.equal([await health(), await health('HEAD'), await health('GET', 'uninitcode=299')], [501, 501, 299])
  const { body } = await ask('PUT', 'sys/init', { body: { secret_shares: 1, secret_threshold: 1 } })
  assert.equal([await health(), await health('GET', 'sealedcode=200')], [503, 200])
  const sealed = await ask('GET', 'sys/seal-status')
  assert.equal(sealed.body, {
    type: 'shamir', initialized: true, sealed: true, t: 1, n: 1, progress: 0, nonce: '', version: '1.15.0+zonewright',
    build_date: '', migration: false, recovery_seal: false, storage_type: 'zonewright',
  } as never)
  const [key] = body['keys'] as string[]
  assert.is((await ask('POST', 'sys/unseal', { body: { key } })).body['sealed'], false)
  assert.equal([await health(), await health('HEAD'), await health('GET', 'activecode=204')], [200, 200, 204])
  assert.is(await health('GET', 'activecode=99999'), 400)
  const head = await started.handlers.http({
    method: 'HEAD', path: '/v1/sys/health', origin: 'http://x', headers: {}, body: '',
  }, as(listener))
  assert.is(head.body, '')
  assert.is((await ask('GET', 'sys/leader')).body['ha_enabled'], false)
})

test('a sealed vault answers 503 to all that needs it, with and without a token', async () => {
  const { root, ask, rootToken } = await openHttpVault()
  assert.is((await root('PUT', 'sys/seal')).status, 204)
  for (const path of ['secret/data/a', 'auth/token/lookup-self', 'pki/ca', 'sys/mounts', 'sys/leader', 'no/thing']) {
    for (const token of [rootToken, 'hvs.other', undefined]) {
      const { status, body } = await ask('GET', path, token === undefined ? {} : { token })
      assert.equal([status, body.errors], [503, ['Vault is sealed']], path)
    }
  }
  assert.is((await ask('PUT', 'sys/init', { body: { secret_shares: 1, secret_threshold: 1 } })).status, 400)
})

test('nobody learns whether a token, a path or a secret is there: 403 is 403', async () => {
  const { ask, root, token } = await openHttpVault()
  await root('POST', 'secret/data/there', { body: { data: {} } })
  const poor = await token({ policies: ['default'] })
  const answers: string[] = []
  for (const path of ['secret/data/there', 'secret/data/none', 'none/at/all', 'sys/mounts', 'sys/none', 'auth/none']) {
    for (const shown of [poor, 'hvs.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'x', 'ünïcode-token', ' ', undefined]) {
      const { status, body } = await ask('GET', path, shown === undefined ? {} : { token: shown })
      answers.push(`${status} ${JSON.stringify(body)}`)
    }
  }
  assert.equal([...new Set(answers)], ['403 {"errors":["permission denied"]}'])
})

test('who may finds 404 and 405 where Vault has them', async () => {
  const { root, ask } = await openHttpVault()
  const cases: readonly (readonly [method: string, path: string, status: number])[] = [
    ['GET', 'none/at/all', 404], ['GET', 'sys/none', 404], ['GET', 'auth/userpass/x', 404], ['GET', 'secret/no/x', 404],
    ['GET', 'secret/data/none', 404], ['LIST', 'secret/metadata', 404], ['GET', 'secret', 404],
    ['GET', 'secret/data', 404],
    ['DELETE', 'auth/token/lookup-self', 405], ['GET', 'auth/token/create', 405], ['PATCH', 'sys/mounts', 405],
    ['PUT', 'sys/health', 405], ['LIST', 'secret/data/x', 405], ['OPTIONS', 'sys/health', 405],
    ['LINK', 'sys/health', 405],
  ]
  for (const [method, path, status] of cases) assert.is((await root(method, path)).status, status, `${method} ${path}`)
  assert.is((await ask('BREW', 'sys/health')).status, 405)
})

test('a token comes in either header', async () => {
  const { ask, rootToken } = await openHttpVault()
  const by = async (headers: Record<string, string>) => (await ask('GET', 'auth/token/lookup-self', { headers })).status
  assert.is(await by({ authorization: `Bearer ${rootToken}` }), 200)
  assert.is(await by({ authorization: `Basic ${rootToken}` }), 403)
  assert.is(await by({ 'x-vault-token': rootToken, authorization: 'Bearer other' }), 200)
  assert.is(await by({ 'x-vault-token': 'other', authorization: `Bearer ${rootToken}` }), 403)
})

test('what is not here is refused, not left out in silence: namespaces, wrapping, other types of tokens', async () => {
  const { root } = await openHttpVault()
  const cases = [
    [{ 'x-vault-namespace': 'team' }, 'namespaces are not supported'],
    [{ 'x-vault-wrap-ttl': '60' }, 'response wrapping is not supported'],
  ] as const
  for (const [headers, told] of cases) {
    const reply = await root('GET', 'sys/mounts', { headers: headers as never })
    assert.equal([reply.status, reply.body.errors], [400, [told]])
  }
  const batch = await root('POST', 'auth/token/create', { body: { type: 'batch' } })
  assert.equal([batch.status, batch.body.errors], [400, ['only service tokens are here']])
  assert.is((await root('PUT', 'sys/rekey/init', {
    body: { secret_shares: 1, secret_threshold: 1, pgp_keys: ['x'] },
  })).status, 400)
})

test('a path that two readers could take for two is refused, whatever its spelling', async () => {
  const { root } = await openHttpVault()
  await root('POST', 'secret/data/a/b', { body: { data: { x: 1 } } })
  const refused = [
    'secret/data/../data/a', 'secret/data/a/../b', 'secret/data//a', 'secret/data/./a', '/secret/data/a',
    'secret/data/%2e%2e/x', 'secret/data/a%2F%2e%2e%2Fb', 'secret/data/a%2F%2Fb', 'secret/data/%00',
    'secret/data/a%0Ab',
    'secret/data/%', 'secret/data/%zz', 'secret/data/%ff', 'secret/data/a%E2%80%8Bb', 'secret/data/e%CC%81',
    'secret/data/a%E2%80%AEb', `secret/data/${'x'.repeat(600)}`, 'secret/data/a//',
  ]
  for (const path of refused) assert.is((await root('GET', path)).status, 400, path)
  assert.is((await root('GET', 'secret/data/a%2Fb')).status, 200, 'an encoded slash is a slash')
  assert.is((await root('GET', 'secret/data/a/b/')).status, 200)
  for (const path of ['secret/data/ünï', 'secret/data/a b', 'secret/data/日本', "secret/data/it's"]) {
    assert.is((await root('POST', encodeURI(path), { body: { data: {} } })).status, 200, path)
  }
  const { handlers } = await openHttpVault()
  for (const path of ['/', '/v2/sys/health', '/V1/sys/health', '/v1', 'v1/sys/health', '/sys/health']) {
    const answer = await handlers.http({ method: 'GET', path, origin: 'http://x', headers: {}, body: '' }, as(listener))
    assert.is(answer.status, 404, path)
  }
})

test('a body that is none is refused with what is wrong, on every route that takes one', async () => {
  const { root } = await openHttpVault()
  const deep = `{"data":${'['.repeat(80)}${']'.repeat(80)}}`
  const bodies = ['{', '[]', '1', '"x"', 'null', '{"a":}', '{"data":{}}x', deep]
  for (const raw of bodies) {
    const { status, body } = await root('POST', 'secret/data/a', { raw })
    assert.is(status, 400, raw.slice(0, 20))
    assert.is(body.errors.length, 1)
  }
  const cases: readonly (readonly [method: string, path: string, body: object])[] = [
    ['PUT', 'sys/init', { secret_shares: 'x', secret_threshold: 1 }], ['PUT', 'sys/init', {}],
    ['PUT', 'sys/unseal', { key: 7 }], ['PUT', 'sys/rekey/init', { secret_shares: 3, secret_threshold: 9 }],
    ['PUT', 'sys/rekey/update', { key: 'aa' }], ['PUT', 'sys/rekey/update', { key: 'aa', nonce: 'other' }],
    ['PUT', 'sys/generate-root/update', { key: '!!', nonce: 'x' }],
    ['PUT', 'sys/generate-root/attempt', { otp: 'short' }], ['PUT', 'sys/rekey/verify', { key: 'aa', nonce: 'x' }],
    ['POST', 'sys/mounts/x', { type: 7 }], ['POST', 'sys/mounts/x', { type: 'transit' }],
    ['POST', 'sys/mounts/x', { type: 'kv-v2', config: { max_lease_ttl: 'soon' } }], ['POST', 'sys/mounts/x', {}],
    ['PUT', 'sys/policies/acl/x', {}], ['PUT', 'sys/policies/acl/x', { policy: 7 }],
    ['PUT', 'sys/policies/acl/x', { policy: 'path' }], ['PUT', 'sys/policies/acl/a%20b', { policy: '' }],
    ['POST', 'sys/capabilities-self', {}], ['POST', 'sys/capabilities-self', { paths: 7 }],
    ['POST', 'auth/token/create', { ttl: 'soon' }], ['POST', 'auth/token/create', { ttl: -1 }],
    ['POST', 'auth/token/create', { ttl: [] }], ['POST', 'auth/token/create', { policies: { a: 1 } }],
    ['POST', 'auth/token/create', { num_uses: -1 }], ['POST', 'auth/token/create', { num_uses: 1.5 }],
    ['POST', 'auth/token/create', { meta: { a: 1 } }], ['POST', 'auth/token/create', { renewable: 'maybe' }],
    ['POST', 'auth/token/create', { id: 'x' }], ['POST', 'auth/token/create', { id: '../../etc' }],
    ['POST', 'auth/token/create/none', {}], ['POST', 'auth/token/roles/a%20b', {}],
    ['POST', 'auth/token/lookup', {}], ['POST', 'auth/token/revoke', { token: {} }],
    ['POST', 'secret/data/a', {}], ['POST', 'secret/data/a', { data: [] }], ['POST', 'secret/data/a', { data: 'x' }],
    ['POST', 'secret/data/a', { data: {}, options: 7 }], ['POST', 'secret/data/a', { data: {}, options: { cas: 'x' } }],
    ['POST', 'secret/delete/a', {}], ['POST', 'secret/destroy/a', { versions: ['x'] }],
    ['POST', 'secret/undelete/a', { versions: [0] }], ['POST', 'secret/config', { max_versions: 1e9 }],
    ['POST', 'secret/metadata/a', { custom_metadata: { a: 1 } }], ['POST', 'secret/metadata/a', { cas_required: 7 }],
    ['POST', 'sys/leases/lookup', { lease_id: 'x' }], ['POST', 'sys/leases/renew', { lease_id: 'x' }],
  ]
  for (const [method, path, body] of cases) {
    const { status, body: told } = await root(method, path, { body })
    assert.is(status, 400, `${method} ${path} ${JSON.stringify(body)}: ${JSON.stringify(told)}`)
    assert.ok(typeof told.errors[0] === 'string' && told.errors[0] !== '', path)
  }
})

test('names of the language are names and nothing else', async () => {
  const { root } = await openHttpVault()
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    assert.is((await root('GET', name)).status, 404, name)
    assert.is((await root('GET', `secret/${name}/x`)).status, 404, name)
    assert.is((await root('GET', `secret/data/${name}`)).status, 404, name)
    assert.is((await root('GET', `sys/${name}`)).status, 404, name)
    assert.is((await root('POST', `secret/data/${name}`, { body: { data: { [name]: 1 } } })).status, 200, name)
    assert.is(JSON.stringify((await root('GET', `secret/data/${name}`)).body.data['data']), `{"${name}":1}`)
    assert.is((await root('GET', 'secret/data/x', { query: `${name}=1` })).status, 404)
  }
  assert.is((await root('POST', 'auth/token/create', { raw: '{"__proto__":{"id":"chosen-by-proto"}}' })).status, 200)
})

test('a failure of the store is told as one, and nothing of what it was', async () => {
  const { root, store, said } = await openHttpVault()
  const get = store.get.bind(store)
  store.get = async () => { throw new Error('planted: /srv/secret/place') }
  const { status, body } = await root('GET', 'secret/data/a')
  assert.equal([status, body.errors], [500, ['internal error']])
  store.get = get
  assert.ok(said.some((line) => line.includes('planted')))
})

test('by link only the listener of this host hands requests on', async () => {
  const { handlers } = await openHttpVault()
  const request = { method: 'GET', path: '/v1/sys/health', origin: 'http://x', headers: {}, body: '' }
  for (const peer of [supervisor, { ...listener, host: 'ood2' }, { ...listener, actor: 'gateway' }]) {
    let code = ''
    await Promise.resolve().then(() => handlers.http(request, as(peer))).catch((error) => { code = error.code })
    assert.is(code, 'Denied')
  }
})

test('requests with a token are in the audit by accessor, path and outcome, and those of nobody are not', async () => {
  const { ask, root, token, auditRecords } = await openHttpVault({ audited: true })
  const poor = await token({ policies: ['default'] })
  const { accessor } = (await root('POST', 'auth/token/lookup', { body: { token: poor } })).body.data
  const before = (await auditRecords()).length
  await ask('GET', 'secret/data/a', { token: poor })
  await ask('GET', 'auth/token/lookup-self', { token: poor })
  await ask('GET', 'secret/data/a', { token: 'hvs.nobody' })
  await root('POST', 'secret/data/a', { body: { data: { planted: 'planted-secret' } } })
  await root('GET', 'secret/data/none')
  const records = (await auditRecords()).slice(before)
  assert.equal(records.filter(({ who }) => who === accessor).map(({ method, resource, outcome }) => [
    method, resource, outcome,
  ]), [['http read', 'secret/data/a', 'denied'], ['http read', 'auth/token/lookup-self', 'begun']])
  const others = records.filter(({ kind, who }) => kind === 'call' && who !== accessor)
  assert.equal(others.map(({ method, resource, outcome, code }) => [method, resource, outcome, code]), [
    ['http create', 'secret/data/a', 'begun', undefined], ['http read', 'secret/data/none', 'begun', undefined],
    ['http read', 'secret/data/none', 'failed', '404'],
  ])
  assert.not.ok(JSON.stringify(records).includes('planted'))
  assert.not.ok(JSON.stringify(records).includes(poor))
})

test.run()
