import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SecretNotFound } from '../../actors/vault/protocol.ts'
import { as, failure, verifyHub } from './vault-fixture.ts'
import { openHttpVault, type Ask } from './vault-http-fixture.ts'

const put = (root: Ask, path: string, data: object, options?: object) =>
  root('POST', `secret/data/${path}`, { body: { data, ...(options ? { options } : {}) } })
const get = (root: Ask, path: string, version?: number) =>
  root('GET', `secret/data/${path}`, version === undefined ? {} : { query: `version=${version}` })

test('versions are kept, read by number, deleted, brought back and destroyed', async () => {
  const { root } = await openHttpVault()
  for (const value of [1, 2, 3]) assert.is((await put(root, 'a', { value })).body.data['version'], value)
  assert.equal((await get(root, 'a')).body.data['data'], { value: 3 })
  assert.equal((await get(root, 'a', 1)).body.data['data'], { value: 1 })
  assert.is((await root('DELETE', 'secret/data/a')).status, 204)
  const deleted = await get(root, 'a')
  assert.is(deleted.status, 404)
  assert.equal([deleted.body.data['data'], Object.keys(deleted.body.data['metadata']!)], [
    null, ['created_time', 'custom_metadata', 'deletion_time', 'destroyed', 'version'],
  ])
  assert.is((await root('POST', 'secret/undelete/a', { body: { versions: [3] } })).status, 204)
  assert.equal((await get(root, 'a')).body.data['data'], { value: 3 })
  assert.is((await root('POST', 'secret/delete/a', { body: { versions: ['1', 2] } })).status, 204)
  assert.equal([(await get(root, 'a', 1)).status, (await get(root, 'a', 2)).status], [404, 404])
  assert.is((await root('PUT', 'secret/destroy/a', { body: { versions: [2, 3] } })).status, 204)
  await root('POST', 'secret/undelete/a', { body: { versions: [1, 2, 3] } })
  assert.equal((await get(root, 'a', 1)).body.data['data'], { value: 1 })
  assert.is((await get(root, 'a', 3)).body.data['data'], null)
  assert.equal([(await get(root, 'a', 9)).status, (await get(root, 'a', 9)).body.errors], [404, []])
})

test('what was destroyed, dropped or removed is in the store no more', async () => {
  const { root, store } = await openHttpVault()
  const versions = async () => (await store.list('secret/versions/')).entries.map(({ key }) => key)
  for (const value of [1, 2, 3]) await put(root, 'a', { value })
  await root('POST', 'secret/destroy/a', { body: { versions: [1] } })
  assert.equal(await versions(), ['secret/versions/a/2', 'secret/versions/a/3'])
  await root('POST', 'secret/metadata/a', { body: { max_versions: 1 } })
  assert.equal(await versions(), ['secret/versions/a/3'])
  await put(root, 'a', { value: 4 })
  assert.equal(await versions(), ['secret/versions/a/4'])
  await root('DELETE', 'secret/metadata/a')
  assert.equal(await versions(), [])
  assert.is((await root('GET', 'secret/metadata/a')).status, 404)
})

test('of many writers with the same cas one wins', async () => {
  const { root } = await openHttpVault()
  const writers = await Promise.all(Array.from({ length: 8 }, (_, n) => put(root, 'a', { n }, { cas: 0 })))
  assert.is(writers.filter(({ status }) => status === 200).length, 1)
  const [refused] = writers.filter(({ status }) => status !== 200)
  assert.equal([refused!.status, refused!.body.errors], [
    400, ['check-and-set parameter did not match the current version'],
  ])
  await root('POST', 'secret/config', { body: { cas_required: true } })
  const without = await put(root, 'a', {})
  assert.equal(without.body.errors, ['check-and-set parameter required for this call'])
  assert.is((await put(root, 'a', {}, { cas: 1 })).status, 200)
})

test('a patch changes what it names, from the current version, and makes nothing of nothing', async () => {
  const { root } = await openHttpVault()
  const patch = (data: object) => root('PATCH', 'secret/data/a', { body: { data } })
  assert.is((await patch({ a: 1 })).status, 404)
  await put(root, 'a', { keep: 1, drop: 2, deep: { x: 1, y: 2 } })
  assert.is((await patch({ drop: null, deep: { y: 3 }, ['__proto__']: { a: 1 } })).body.data['version'], 2)
  const patched = JSON.stringify((await get(root, 'a')).body.data['data'])
  assert.is(patched, '{"keep":1,"deep":{"x":1,"y":3},"__proto__":{"a":1}}')
  const many = await Promise.all(Array.from({ length: 8 }, (_, n) => patch({ [`n${n}`]: n })))
  assert.ok(many.every(({ status }) => status === 200))
  assert.is(Object.keys((await get(root, 'a')).body.data['data']!).length, 11)
  await root('DELETE', 'secret/data/a')
  assert.is((await patch({ a: 1 })).status, 404)
})

test('a version ends by itself when its secret or its mount says so', async () => {
  const { root, clock } = await openHttpVault()
  await root('POST', 'secret/metadata/a', { body: { delete_version_after: '1m', custom_metadata: { owner: 'me' } } })
  await put(root, 'a', { value: 1 })
  await root('POST', 'secret/config', { body: { delete_version_after: '2m', max_versions: 3 } })
  await put(root, 'b', { value: 1 })
  clock.set(clock.now() + 60_000)
  assert.equal([(await get(root, 'a')).status, (await get(root, 'b')).status], [404, 200])
  clock.set(clock.now() + 60_000)
  assert.is((await get(root, 'b')).status, 404)
  const { data } = (await root('GET', 'secret/metadata/a')).body
  assert.equal([data['current_version'], data['delete_version_after'], data['custom_metadata'], data['oldest_version']], [
    1, '1m0s', { owner: 'me' }, 1,
  ])
  assert.equal((await root('GET', 'secret/config')).body.data, {
    max_versions: 3, cas_required: false, delete_version_after: '2m0s',
  } as never)
})

test('a folder is listed by its names, page by page, and what lies deeper is one name', async () => {
  const { root } = await openHttpVault()
  for (const path of ['b', 'a', 'dir/one', 'dir/two', 'dir/deep/x', 'dir-2', 'z']) await put(root, path, {})
  const list = async (path: string, query?: string) => {
    const { status, body } = await root('LIST', `secret/metadata/${path}`, query === undefined ? {} : { query })
    return [status, body.data?.['keys'] ?? body.errors]
  }
  assert.equal(await list(''), [200, ['a', 'b', 'dir-2', 'dir/', 'z']])
  assert.equal(await list('dir'), [200, ['deep/', 'one', 'two']])
  assert.equal(await list('dir/'), [200, ['deep/', 'one', 'two']])
  assert.equal(await list('', 'limit=2'), [200, ['a', 'b']])
  assert.equal(await list('', 'limit=2&after=b'), [200, ['dir-2', 'dir/']])
  assert.equal(await list('', 'after=dir/'), [200, ['z']])
  assert.equal(await list('none'), [404, []])
  const got = await root('GET', 'secret/metadata/dir', { query: 'list=true' })
  assert.equal(got.body.data['keys'], ['deep/', 'one', 'two'])
})

test('subkeys tell the names and not the values, as deep as asked', async () => {
  const { root } = await openHttpVault()
  await put(root, 'a', { secret: 'value', deep: { inner: { x: 'y' } } })
  const subkeys = async (query = '') => (await root('GET', 'secret/subkeys/a', { query })).body.data['subkeys']
  assert.equal(await subkeys(), { secret: null, deep: { inner: { x: null } } })
  assert.equal(await subkeys('depth=1'), { secret: null, deep: null })
})

test('what actors keep by link nobody reads, lists, writes or destroys by HTTP, root neither', async () => {
  const { root, handlers } = await openHttpVault()
  await handlers.putSecret({ path: 'verify-hub/session', value: 'planted' }, as(verifyHub))
  await put(root, 'verify-hub-like', { a: 1 })
  const paths = ['verify-hub/session', 'verify-hub/other', 'verify-hub', 'verify-hub%2Fsession']
  for (const path of paths) {
    for (const [method, kind, body] of [
      ['GET', 'data', undefined], ['POST', 'data', { data: { a: 1 } }], ['DELETE', 'data', undefined],
      ['GET', 'metadata', undefined], ['DELETE', 'metadata', undefined], ['LIST', 'metadata', undefined],
      ['POST', 'destroy', { versions: [1] }], ['POST', 'metadata', { max_versions: 1 }], ['GET', 'subkeys', undefined],
    ] as const) {
      const { status, body: told } = await root(method, `secret/${kind}/${path}`, { body })
      assert.equal([status, told.errors], [403, ['permission denied']], `${method} ${kind}/${path}`)
    }
  }
  assert.equal((await root('LIST', 'secret/metadata')).body.data['keys'], ['verify-hub-like'])
  await root('POST', 'secret/config', { body: { cas_required: true, delete_version_after: '1s', max_versions: 1 } })
  await handlers.putSecret({ path: 'verify-hub/session', value: 'again' }, as(verifyHub))
  assert.equal(await handlers.getSecret({ path: 'verify-hub/session' }, as(verifyHub)), { value: 'again', version: 2 })
  await failure(SecretNotFound, () => handlers.getSecret({ path: 'verify-hub/none' }, as(verifyHub)))
})

test('another mount has secrets of its own, and takes them along when it goes', async () => {
  const { root, store } = await openHttpVault()
  const mount = (type: string, options = {}) => root('POST', 'sys/mounts/team/kv', { body: { type, options } })
  assert.is((await mount('kv')).status, 400)
  assert.is((await mount('kv', { version: '2' })).status, 204)
  assert.is((await mount('kv-v2')).status, 400)
  assert.is((await root('POST', 'team/kv/data/a', { body: { data: { here: 1 } } })).status, 200)
  assert.is((await root('GET', 'secret/data/a')).status, 404)
  assert.equal((await root('GET', 'team/kv/data/a')).body.data['data'], { here: 1 })
  assert.equal((await root('GET', 'sys/mounts')).body.data['team/kv/']?.['options'], { version: '2' } as never)
  const stored = (await store.list('logical/')).entries.length
  assert.ok(stored >= 2)
  assert.is((await root('DELETE', 'sys/mounts/team/kv')).status, 204)
  assert.is((await root('GET', 'team/kv/data/a')).status, 404)
  assert.is((await store.list('logical/')).entries.length, 0)
  for (const path of ['secret', 'pki', 'sys', 'auth/token', 'secret/inner', 'SYS/x/../y']) {
    assert.ok((await root('POST', `sys/mounts/${path}`, { body: { type: 'kv-v2' } })).status === 400, path)
  }
  assert.is((await root('DELETE', 'sys/mounts/secret')).status, 400)
})

test.run()
