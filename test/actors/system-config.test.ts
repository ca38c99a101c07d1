import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { safeParse } from 'valibot'
import { InvalidKey, InvalidPath, KeyExists, KeyNotFound, SystemConfig } from '../../actors/system-config/protocol.ts'
import { InvalidArgument, RevisionMismatch } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { denied, failure, rooted } from './system-config-zone.ts'

test('a key that is set, created, changed, deleted and made again never meets a revision it had before', async () => {
  const { kv } = await rooted()
  const key = 'services/notes/spec'
  const revisions = [
    await kv.create({ key, value: 'one' }), await kv.set({ key, value: 'two' }), await kv.append({ key, value: '+' }),
    await kv.delete({ key }), await kv.create({ key, value: 'three' }), await kv.delete({ key }),
    await kv.set({ key, value: '4' }),
  ].map(({ revision }) => revision)
  assert.equal(revisions, [...new Set(revisions)].sort((a, b) => a - b))
  assert.equal(await kv.get({ key }), { value: '4', revision: revisions.at(-1)! })
  await failure(KeyExists, () => kv.create({ key, value: 'x' }))
  for (const revision of [0, ...revisions.slice(0, -1)]) {
    await failure(RevisionMismatch, () =>
      kv.execTx({ actions: { [key]: { action: 'update', value: 'stale' } }, mainKey: { key, revision } }))
  }
  const { revision } = await kv.execTx({
    actions: { [key]: { action: 'update', value: 'fresh' } }, mainKey: { key, revision: revisions.at(-1)! },
  })
  assert.equal(await kv.get({ key }), { value: 'fresh', revision })
})

test('what needs a key that is there says KeyNotFound, and get answers null', async () => {
  const { kv } = await rooted()
  const key = 'services/none/spec'
  assert.is(await kv.get({ key }), null)
  await failure(KeyNotFound, () => kv.delete({ key }))
  await failure(KeyNotFound, () => kv.append({ key, value: 'x' }))
  await failure(KeyNotFound, () => kv.setByJsonPath({ key, path: '/a', value: '1' }))
  await failure(KeyNotFound, () => kv.execTx({ actions: { [key]: { action: 'update', value: 'x' } } }))
  await failure(KeyNotFound, () => kv.execTx({ actions: { [key]: { action: 'remove' } } }))
  assert.is(await kv.get({ key }), null)
})

test('a transaction writes all its keys at one revision, or nothing when one action cannot be', async () => {
  const { kv } = await rooted()
  await kv.set({ key: 'a/there', value: '{"x":1}' })
  const { revision } = await kv.execTx({ actions: {
    'kv://a/new': { action: 'create', value: 'n' },
    'a/there': { action: 'set_by_path', all_set: { '/y/z': [2], '/x': null } },
  } })
  assert.equal((await kv.dump({ prefixes: ['a'] })).items, [
    { key: 'a/new', value: 'n', revision }, { key: 'a/there', value: '{"y":{"z":[2]}}', revision },
  ])
  const before = await kv.dump({ prefixes: ['a'] })
  for (const [Class, wrong] of [
    [KeyExists, { 'a/new': { action: 'create', value: 'again' } }],
    [KeyNotFound, { 'a/none': { action: 'remove' } }],
    [InvalidPath, { 'a/new': { action: 'set_by_path', all_set: { '/b': 1 } } }],
    [InvalidKey, { 'a/../b': { action: 'create', value: '' } }],
    [InvalidKey, { 'a/there': { action: 'remove' }, 'kv://a/there': { action: 'remove' } }],
  ] as const) {
    await failure(Class, () => kv.execTx({ actions: { 'a/other': { action: 'create', value: 'o' }, ...wrong } }))
  }
  await failure(InvalidArgument, () => kv.execTx({ actions: {} }))
  assert.equal(await kv.dump({ prefixes: ['a'] }), before)
})

test('a failed main key says which revision was expected and which is there, and comes before all else', async () => {
  const { kv } = await rooted()
  const { revision } = await kv.set({ key: 'a/guard', value: '' })
  const error = await failure(RevisionMismatch, () => kv.execTx({
    actions: { 'a/none': { action: 'remove' } }, mainKey: { key: 'a/guard', revision: 0 },
  }))
  assert.is(error.message, `Revision mismatch for key a/guard: expected 0, actual ${revision}`)
  assert.equal(error.details, { key: 'a/guard', expected: 0, actual: revision })
})

test('nothing that 64 writers at the same time append, set by path or count up is lost', async () => {
  const { kv } = await rooted()
  await kv.set({ key: 'a/text', value: '' })
  await kv.set({ key: 'a/object', value: '{}' })
  await kv.set({ key: 'a/count', value: '0' })
  const increment = async (): Promise<void> => {
    for (;;) {
      const { value, revision } = (await kv.get({ key: 'a/count' }))!
      try {
        await kv.execTx({
          actions: { 'a/count': { action: 'update', value: String(Number(value) + 1) } },
          mainKey: { key: 'a/count', revision },
        })
        return
      } catch (error) {
        if (!(error instanceof RevisionMismatch)) throw error
      }
    }
  }
  const writers = Array.from({ length: 64 }, (_, index) => [
    kv.append({ key: 'a/text', value: `[${index}]` }),
    kv.setByJsonPath({ key: 'a/object', path: `/k${index}`, value: String(index) }),
    increment(),
  ])
  await Promise.all(writers.flat())
  const text = (await kv.get({ key: 'a/text' }))!.value
  assert.equal(text.match(/\[\d+\]/g)!.sort(), Array.from({ length: 64 }, (_, index) => `[${index}]`).sort())
  assert.is(Object.keys(JSON.parse((await kv.get({ key: 'a/object' }))!.value)).length, 64)
  assert.is((await kv.get({ key: 'a/count' }))!.value, '64')
})

test('of 64 creations of one key at the same time one wins', async () => {
  const { kv } = await rooted()
  const values = Array.from({ length: 64 }, (_, index) => String(index))
  const results = await Promise.allSettled(values.map((value) => kv.create({ key: 'a/one', value })))
  const won = results.flatMap((result, index) => result.status === 'fulfilled' ? [index] : [])
  assert.is(won.length, 1)
  for (const result of results) if (result.status === 'rejected') assert.instance(result.reason, KeyExists)
  assert.is((await kv.get({ key: 'a/one' }))!.value, String(won[0]))
})

test('a JSON path makes the objects on its way, walks nothing but objects, and never reaches a prototype', async () => {
  const { kv } = await rooted()
  const key = 'nodes/ood1/config'
  await kv.set({ key, value: '{"state":"running","list":[1]}' })
  const at = (path: string, value: string) => kv.setByJsonPath({ key, path, value })
  await at('/kernel/scheduler/target', '"running"')
  await at('/kernel/scheduler/__proto', 'true')
  await at('/state', 'null')
  await at('/nothing/there', 'null')
  await at('/toString/there', 'null')
  await at('/kernel/scheduler/other', '1')
  await at('/kernel/scheduler/other', 'null')
  assert.is((await kv.get({ key }))!.value, '{"list":[1],"kernel":{"scheduler":{"target":"running","__proto":true}}}')
  for (const path of [
    '', '/', 'a', 'a/b', '//a', '/a/', '/list/0', '/kernel/scheduler/target/deeper',
    '/__proto__', '/__proto__/polluted', '/kernel/constructor/prototype/polluted', '/prototype',
    '/a'.repeat(limits.jsonPathSegments + 1),
  ]) {
    await failure(InvalidPath, () => at(path, '1'))
  }
  assert.is(({} as Record<string, unknown>)['polluted'], undefined)
  await failure(InvalidArgument, () => at('/a', 'no JSON'))
  await kv.set({ key, value: 'no JSON' })
  await failure(InvalidPath, () => at('/a', '1'))
  await kv.set({ key, value: '[]' })
  await failure(InvalidPath, () => at('/a', '1'))
})

test('a transaction that names what every object has is refused whole, and not done in part', () => {
  const args = (text: string) => safeParse(SystemConfig.methods.execTx.args, JSON.parse(text))
  const create = '{"action":"create","value":""}'
  assert.is(args(`{"actions":{"a/b":${create}}}`).success, true)
  for (const name of ['__proto__', 'constructor', 'prototype']) {
    assert.is(args(`{"actions":{"a/b":${create},"${name}":${create}}}`).success, false, name)
    assert.is(args(`{"actions":{"a/b":{"action":"set_by_path","all_set":{"/x":1,"${name}":2}}}}`).success, false, name)
  }
  assert.is(args('{"actions":[]}').success, false)
})

test('kv:// and the bare path are one key, and no other spelling gets anywhere', async () => {
  const { kv } = await rooted()
  await kv.set({ key: 'kv://zone/did:dev:x_1~@a=b+c.d/doc', value: 'v' })
  assert.is((await kv.get({ key: 'zone/did:dev:x_1~@a=b+c.d/doc' }))!.value, 'v')
  const keys = [
    '', 'kv://', 'kv://kv://a', 'kv:///a', '/a', 'a/', 'a//b', 'a/./b', 'a/../b', '..', 'a/..', '../kv/a',
    'a\\..\\b', 'a/%2e%2e/b',
    'a b', 'a\nb', 'a\u0000b', 'a\u007f', 'ä', 'a*', 'a/{x}', 'a,b', 'a?b', 'a#b',
    '__meta/a', 'a/__revision', 'a/constructor',
    'x'.repeat(limits.keyBytes), `a/${'x/'.repeat(600)}y`,
  ]
  for (const key of keys) {
    await failure(InvalidKey, () => kv.get({ key }))
    await failure(InvalidKey, () => kv.set({ key, value: 'v' }))
    await failure(InvalidKey, () => kv.execTx({ actions: { [key]: { action: 'create', value: 'v' } } }))
  }
  const longest = 'x'.repeat(limits.keyBytes - 'kv/'.length)
  await kv.set({ key: longest, value: 'v' })
  assert.is((await kv.get({ key: longest }))!.value, 'v')
})

test('a value is any text up to the limit, and comes back as it was', async () => {
  const { kv } = await rooted()
  const key = 'a/value'
  for (const value of ['', '\u0000\u0001\uFEFF\r\n', 'ünï 💾', 'x'.repeat(limits.valueBytes - 1)]) {
    await kv.set({ key, value })
    assert.ok((await kv.get({ key }))!.value === value)
  }
  for (const value of ['x'.repeat(limits.valueBytes), 'ü'.repeat(limits.valueBytes / 2), 'half \ud83d']) {
    await failure(InvalidArgument, () => kv.set({ key, value }))
    await failure(InvalidArgument, () => kv.execTx({ actions: { 'a/other': { action: 'create', value } } }))
  }
  await failure(InvalidArgument, () => kv.append({ key, value: 'x' }))
})

test('list names the direct children once, in order, and nothing of the actor itself', async () => {
  const { kv } = await rooted()
  for (const key of ['l/b', 'l/a/1', 'l/a/2', 'l/a-b', 'l/a.b/c/d', 'l', 'lm/x']) await kv.set({ key, value: '' })
  assert.equal(await kv.list({ key: 'l' }), ['a', 'a-b', 'a.b', 'b'])
  assert.equal(await kv.list({ key: 'kv://l/a/' }), ['1', '2'])
  assert.equal(await kv.list({ key: 'l/b' }), [])
  assert.equal(await kv.list({ key: 'nowhere' }), [])
  assert.equal(await kv.list({ key: '' }), ['boot', 'l', 'lm'])
  await failure(InvalidKey, () => kv.list({ key: '__meta' }))
})

test('a root token is good on the one link it came by, and for the life of the token only', async () => {
  const { zone, running } = await rooted()
  const token = zone.tokens.root()
  const first = running.as(token)
  const second = running.as(token)
  const both = await Promise.all([first.get({ key: 'boot/config' }), first.list({ key: 'boot' })])
  assert.is(both.length, 2)
  const replays = [1, 2, 3].map(() => denied(() => second.get({ key: 'boot/config' })))
  assert.equal(await Promise.all(replays), ['token/replayed', 'token/replayed', 'token/replayed'])
  await first.set({ key: 'a/b', value: '' })
  zone.now += 300_000
  assert.is(await denied(() => first.get({ key: 'a/b' })), 'token/expired')
  running.stop()
  const restarted = await zone.start()
  zone.now -= 300_000
  assert.is(await denied(() => restarted.as(token).get({ key: 'boot/config' })), 'token/replayed')
})

test.run()
