import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import { contents } from '../actors/vault-fixture.ts'
import { openHttpVault } from '../actors/vault-http-fixture.ts'

const READ = '{ capabilities = ["read"] }'

test('a path, a query, a list and JSON may be as long and deep as their limits, and no more', async () => {
  const { root } = await openHttpVault()
  const status = async (method: string, path: string, more = {}) => (await root(method, path, more)).status
  const path = (length: number): string => `secret/data/${'x'.repeat(length - 'secret/data/'.length)}`
  assert.equal([await status('GET', path(limits.vaultHttpPath)), await status('GET', path(limits.vaultHttpPath + 1))], [
    404, 400,
  ])
  const query = (count: number): object => ({ query: Array.from({ length: count }, (_, n) => `q${n}=1`).join('&') })
  assert.is(await status('GET', 'sys/mounts', query(limits.vaultHttpParameters)), 200)
  assert.is(await status('GET', 'sys/mounts', query(limits.vaultHttpParameters + 1)), 400)
  const words = (count: number): object => ({ body: { paths: Array.from({ length: count }, (_, n) => `p${n}`) } })
  assert.is(await status('POST', 'sys/capabilities-self', words(limits.vaultHttpWords)), 200)
  assert.is(await status('POST', 'sys/capabilities-self', words(limits.vaultHttpWords + 1)), 400)
  const lists = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
  const deep = (levels: number): object => ({ raw: `{"data":{"a":${lists(levels - 2)}}}` })
  assert.is(await status('POST', 'secret/data/a', deep(limits.vaultHttpDepth)), 200)
  assert.is(await status('POST', 'secret/data/a', deep(limits.vaultHttpDepth + 1)), 400)
})

test('a token lives as long as the limit and has as many uses; a longer life is cut, more are refused', async () => {
  const { root } = await openHttpVault()
  const make = async (body: object) => (await root('POST', 'auth/token/create', { body })).body
  assert.equal((await make({ ttl: limits.vaultTokenSeconds })).warnings, null)
  const cut = await make({ ttl: limits.vaultTokenSeconds + 1 })
  assert.equal([cut.auth['lease_duration'], cut.warnings?.length], [limits.vaultTokenSeconds, 1])
  assert.is((await make({ num_uses: limits.vaultTokenUses })).auth['num_uses'], limits.vaultTokenUses)
  assert.is((await make({ num_uses: limits.vaultTokenUses + 1 })).errors.length, 1)
})

test('one sweep takes as many expired tokens as the limit, and the next ones take the others', async () => {
  const { token, store, clock } = await openHttpVault()
  const count = limits.vaultTokenSweep + 3
  const before = (await contents(store)).size
  for (let made = 0; made < count; made++) await token({ ttl: '10s' })
  assert.is((await contents(store)).size, before + 4 * count)
  await clock.advance(10_000)
  for (let look = 0; look < 50 && (await contents(store)).size > before; look++) await clock.advance(1)
  assert.is((await contents(store)).size, before)
})

test('while there are tokens that end, the vault looks for them at least as often as the limit says', async () => {
  const { token, store, clock } = await openHttpVault()
  await token({ ttl: 3 * limits.vaultTokenSweepMs })
  const list = store.list.bind(store)
  let looks = 0
  store.list = (prefix, options) => {
    if (prefix === 'sys/token/due/') looks++
    return list(prefix, options)
  }
  await clock.advance(5 * limits.vaultTokenSweepMs)
  assert.is(looks, 5)
})

test('as many roles, policies and mounts as the limits are kept, and one more is refused', async () => {
  const { root } = await openHttpVault()
  const policy = `path "a" ${READ}`
  const most = [
    [limits.vaultTokenRoles, (n: number) => root('POST', `auth/token/roles/r${n}`, { body: {} })],
    [limits.vaultPolicies, (n: number) => root('PUT', `sys/policies/acl/p${n}`, { body: { policy } })],
    [limits.vaultMounts, (n: number) => root('POST', `sys/mounts/m${n}`, { body: { type: 'kv-v2' } })],
  ] as const
  for (const [limit, add] of most) {
    for (let number = 0; number < limit; number++) assert.is((await add(number)).status, 204)
    const over = await add(limit)
    assert.equal([over.status, /may be no more/.test(over.body.errors[0]!)], [400, true])
  }
  assert.is((await root('PUT', 'sys/policies/acl/p0', { body: { policy: `path "b" ${READ}` } })).status, 204)
})

test('a policy is as long, has as many paths and is as deep as its limits, and no more', async () => {
  const { root } = await openHttpVault()
  const write = async (policy: string) => (await root('PUT', 'sys/policies/acl/p', { body: { policy } })).status
  const padded = (characters: number): string => `path "a" ${READ}`.padEnd(characters, '\n')
  const length = limits.vaultPolicyCharacters
  assert.equal([await write(padded(length)), await write(padded(length + 1))], [204, 400])
  const paths = (most: number): string => Array.from({ length: most }, (_, n) => `path "p${n}" ${READ}`).join('\n')
  const count = limits.vaultPolicyRules
  assert.equal([await write(paths(count)), await write(paths(count + 1))], [204, 400])
  // A block, the object in it, and the list of a parameter are a level each
  const deep = (levels: number): string =>
    `path "a" { allowed_parameters = { x = ${'['.repeat(levels - 2)}${']'.repeat(levels - 2)} } }`
  assert.equal([await write(deep(limits.vaultPolicyDepth)), await write(deep(limits.vaultPolicyDepth + 1))], [204, 400])
})

test('more policies than are kept ready decide all the same', async () => {
  const { ask, root, token } = await openHttpVault()
  const tokens: string[] = []
  const most = Math.max(limits.vaultCompiledPolicies, limits.vaultKeptEntries)
  for (let number = 0; number <= most; number++) {
    await root('PUT', `sys/policies/acl/p${number}`, { body: { policy: `path "secret/data/s${number}" ${READ}` } })
    tokens.push(await token({ policies: [`p${number}`] }))
  }
  for (const number of [0, 1, most, 0]) {
    assert.is((await ask('GET', `secret/data/s${number}`, { token: tokens[number]! })).status, 404)
    assert.is((await ask('GET', `secret/data/s${number + 1}`, { token: tokens[number]! })).status, 403)
  }
})

test('a secret keeps as many versions as the limit allows to ask for', async () => {
  const { root } = await openHttpVault()
  const ask = async (most: number) => (await root('POST', 'secret/metadata/a', { body: { max_versions: most } })).status
  assert.equal([await ask(limits.vaultKvVersions), await ask(limits.vaultKvVersions + 1)], [204, 400])
  for (let n = 0; n <= limits.vaultKvVersions; n++) await root('POST', 'secret/data/a', { body: { data: { n } } })
  const { data } = (await root('GET', 'secret/metadata/a')).body
  assert.equal([Object.keys(data['versions']!).length, data['oldest_version']], [limits.vaultKvVersions, 2])
})

test('a list has as many names as the limit, and says where to go on; pages of the store do not bound it', async () => {
  const { root, store } = await openHttpVault()
  await root('POST', 'secret/data/a', { body: { data: {} } })
  const count = limits.vaultListNames + limits.vaultListPage
  const names = Array.from({ length: count }, (_, n) => `n${String(n).padStart(6, '0')}`)
  // What is listed are paths: what stands there does not matter
  for (let at = 0; at < count; at += 1_000) {
    await store.transact([], names.slice(at, at + 1_000).map((name) => (
      { type: 'put', key: `secret/metadata/${name}`, value: new Uint8Array(1) })))
  }
  const first = await root('LIST', 'secret/metadata')
  assert.is(first.body.data['keys']!['length'], limits.vaultListNames)
  const after = String(first.body.warnings![0]).split('after=')[1]!
  const rest = await root('LIST', 'secret/metadata', { query: `after=${after}` })
  assert.equal(rest.body.data['keys'], names.slice(limits.vaultListNames - 1))
  assert.is(rest.body.warnings, null)
})

test('a mount with more entries than one transaction takes goes whole', async () => {
  const { root, store } = await openHttpVault()
  await root('POST', 'sys/mounts/m', { body: { type: 'kv-v2' } })
  for (let n = 0; n <= limits.vaultClearBatch / 2; n++) await root('POST', `m/data/s${n}`, { body: { data: {} } })
  assert.ok((await store.list('logical/')).entries.length > limits.vaultClearBatch)
  assert.is((await root('DELETE', 'sys/mounts/m')).status, 204)
  assert.is((await store.list('logical/')).entries.length, 0)
})

test.run()
