import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { contents, keys, startIn } from './vault-fixture.ts'
import { askOf, listener, openHttpVault, type Ask } from './vault-http-fixture.ts'

const lookup = (ask: Ask, token: string) => ask('GET', 'auth/token/lookup-self', { token })

test('of many requests at once with a token for one use exactly one passes', async () => {
  for (const uses of [1, 3]) {
    const { ask, token } = await openHttpVault()
    const limited = await token({ num_uses: uses })
    const replies = await Promise.all(Array.from({ length: 40 }, () => lookup(ask, limited)))
    const passed = replies.filter(({ status }) => status === 200)
    assert.is(passed.length, uses)
    assert.equal(passed.map(({ body }) => body.data['num_uses']).sort(), Array.from({ length: uses }, (_, left) => left))
    const refused = replies.filter(({ status }) => status !== 200)
    assert.ok(refused.every(({ status, body }) => status === 403 && body.errors[0] === 'permission denied'))
  }
})

test('a use counts also when the request is refused, and a token without uses left is gone with its accessor', async () => {
  const { ask, root, token } = await openHttpVault()
  const limited = await token({ num_uses: 2, policies: ['default'] })
  const { accessor } = (await root('POST', 'auth/token/lookup', { body: { token: limited } })).body.data
  assert.is((await ask('GET', 'secret/data/x', { token: limited })).status, 403)
  assert.is((await lookup(ask, limited)).status, 200)
  assert.is((await lookup(ask, limited)).status, 403)
  assert.is((await root('POST', 'auth/token/lookup-accessor', { body: { accessor } })).status, 403)
})

test('two vaults on one store give out no use twice', async () => {
  const { ask, token, store, clock, shares } = await openHttpVault()
  const second = await startIn(store, {}, { clock, env: { ZONEWRIGHT_VAULT_SEALED: '1' }, host: 'ood2' })
  const other = askOf(second, { ...listener, host: 'ood2' })
  await other('PUT', 'sys/unseal', { body: { key: shares[0] } })
  const limited = await token({ num_uses: 5 })
  const replies = await Promise.all(Array.from({ length: 12 }, (_, index) => lookup(index % 2 ? ask : other, limited)))
  assert.is(replies.filter(({ status }) => status === 200).length, 5)
})

test('a token that is restricted in its uses makes no tokens', async () => {
  const { ask, token } = await openHttpVault()
  const made = await ask('POST', 'auth/token/create', { token: await token({ num_uses: 3 }), body: {} })
  assert.equal([made.status, made.body.errors], [400, ['restricted use token cannot generate child tokens']])
})

test('a token is worth nothing once its time is over, before anything sweeps, and is swept when it is due', async () => {
  const { ask, root, token, clock, store } = await openHttpVault()
  const short = await token({ ttl: '1m' })
  const before = (await contents(store)).size
  assert.is((await lookup(ask, short)).body.data['ttl'], 60)
  clock.set(clock.now() + 59_999)
  assert.is((await lookup(ask, short)).status, 200)
  clock.set(clock.now() + 1)
  assert.is((await lookup(ask, short)).status, 403)
  assert.is((await root('POST', 'auth/token/lookup', { body: { token: short } })).status, 403)
  assert.is((await contents(store)).size, before)
  await clock.advance(0)
  assert.is((await contents(store)).size, before - 4, 'token, accessor, its due entry and the link to its parent')
})

test('a renewal adds to what is left, never beyond the bound of the token or of the vault', async () => {
  const { ask, token, clock } = await openHttpVault()
  const bounded = await token({ ttl: '1h', explicit_max_ttl: '3h' })
  const renew = async (increment: string) => ask('POST', 'auth/token/renew-self', { token: bounded, body: { increment } })
  await clock.advance(30 * 60_000)
  assert.is((await renew('2h')).body.auth['lease_duration'], 7_200)
  await clock.advance(90 * 60_000)
  const cut = await renew('5h')
  assert.is(cut.body.auth['lease_duration'], 3_600)
  assert.is(cut.body.warnings?.length, 1)
  await clock.advance(60 * 60_000)
  assert.is((await renew('1h')).status, 403)
  const long = (await lookup(ask, await token({ ttl: '9000h' }))).body.data
  assert.is(long['ttl'], limits.vaultTokenSeconds)
  const fixed = await token({ ttl: '1h', renewable: false })
  const refused = await ask('POST', 'auth/token/renew-self', { token: fixed, body: {} })
  assert.equal([refused.status, refused.body.errors], [400, ['lease is not renewable']])
})

test('a periodic token gets its period at each renewal, for ever', async () => {
  const { ask, token, clock } = await openHttpVault()
  const periodic = await token({ period: '1h', policies: ['default'] })
  for (let round = 0; round < 1_000; round++) {
    clock.set(clock.now() + 3_599_000)
    const renewed = await ask('POST', 'auth/token/renew-self', { token: periodic, body: {} })
    assert.is(renewed.body.auth['lease_duration'], 3_600)
  }
  assert.is((await lookup(ask, periodic)).body.data['period'], 3_600)
})

test('with a token go all below it, orphans stay, and a revoked parent makes no more children', async () => {
  const { ask, root, token } = await openHttpVault()
  const parent = await token({ policies: ['maker'] })
  await root('PUT', 'sys/policies/acl/maker', {
    body: { policy: 'path "auth/token/create*" { capabilities = ["update", "sudo"] }' },
  })
  const create = async (by: string, path = 'create', body = {}) =>
    String((await ask('POST', `auth/token/${path}`, { token: by, body })).body.auth?.['client_token'])
  const child = await create(parent)
  const grandchildren = await Promise.all(Array.from({ length: 5 }, () => create(child)))
  const orphan = await create(child, 'create-orphan')
  const alive = async (one: string) => (await lookup(ask, one)).status === 200
  assert.ok(await alive(grandchildren[4]!))
  await root('POST', 'auth/token/revoke', { body: { token: parent } })
  for (const gone of [parent, child, ...grandchildren]) assert.not.ok(await alive(gone))
  assert.ok(await alive(orphan))
  assert.is((await ask('POST', 'auth/token/create', { token: child, body: {} })).status, 403)
})

test('a child that is made while its parent is revoked does not outlive it', async () => {
  for (let round = 0; round < 20; round++) {
    const { ask, root, token } = await openHttpVault()
    const parent = await token()
    const [made] = await Promise.all([
      ask('POST', 'auth/token/create', { token: parent, body: {} }),
      root('POST', 'auth/token/revoke', { body: { token: parent } }),
    ])
    if (made.status === 200) assert.is((await lookup(ask, String(made.body.auth['client_token']))).status, 403)
    else assert.is(made.status, 403)
  }
})

test('revoke-orphan takes one alone: its children live on without a parent', async () => {
  const { ask, root, token } = await openHttpVault()
  const parent = await token()
  const child = String((await ask('POST', 'auth/token/create', { token: parent, body: {} })).body.auth['client_token'])
  assert.is((await lookup(ask, child)).body.data['orphan'], false)
  assert.is((await root('POST', 'auth/token/revoke-orphan', { body: { token: parent } })).status, 204)
  assert.is((await lookup(ask, parent)).status, 403)
  assert.is((await lookup(ask, child)).body.data['orphan'], true)
})

test('a token may do no more than who made it, and only a root token makes root tokens', async () => {
  const { ask, root, token } = await openHttpVault()
  for (const name of ['maker', 'other']) {
    await root('PUT', `sys/policies/acl/${name}`, {
      body: { policy: 'path "auth/token/create" { capabilities = ["update", "sudo"] }' },
    })
  }
  const maker = await token({ policies: ['maker'] })
  const create = async (body: object) => ask('POST', 'auth/token/create', { token: maker, body })
  assert.equal((await create({})).body.auth['policies'], ['default', 'maker'])
  assert.equal((await create({ policies: ['maker'], no_default_policy: true })).body.auth['policies'], ['maker'])
  for (const policies of [['other'], ['maker', 'other'], ['root'], ['ROOT']]) {
    const refused = await create({ policies })
    assert.is(refused.status, 400, JSON.stringify(policies))
  }
  await root('POST', 'auth/token/roles/wide', { body: { allowed_policies: ['other', 'root'] } })
  await root('PUT', 'sys/policies/acl/maker', {
    body: { policy: 'path "auth/token/create/wide" { capabilities = ["update"] }' },
  })
  const byRole = async (body: object) => ask('POST', 'auth/token/create/wide', { token: maker, body })
  assert.equal((await byRole({ policies: ['other'] })).body.auth['policies'], ['default', 'other'])
  assert.equal((await byRole({ policies: ['root'] })).body.errors, [
    'root tokens may not be created without parent token being root',
  ])
  assert.is((await byRole({ policies: ['maker'] })).status, 400)
})

test('an own id, a period and an orphan are for root and sudo', async () => {
  const { ask, root, token } = await openHttpVault()
  const policy = 'path "auth/token/create" { capabilities = ["update"] }'
  await root('PUT', 'sys/policies/acl/maker', { body: { policy } })
  const maker = await token({ policies: ['maker'] })
  for (const body of [{ id: 'chosen-token' }, { period: '1h' }, { no_parent: true }]) {
    assert.is((await ask('POST', 'auth/token/create', { token: maker, body })).status, 403, JSON.stringify(body))
  }
  assert.is((await ask('POST', 'auth/token/create-orphan', { token: maker, body: {} })).status, 403)
  assert.is(await token({ id: 'chosen-token' }), 'chosen-token')
  assert.is((await lookup(ask, 'chosen-token')).status, 200)
  const twice = await root('POST', 'auth/token/create', { body: { id: 'chosen-token' } })
  assert.equal([twice.status, twice.body.errors], [400, ['cannot create a token with that id']])
})

test('by its accessor a token is looked up, renewed and revoked, and never told', async () => {
  const { ask, root, token } = await openHttpVault()
  const one = await token({ ttl: '1h', meta: { team: 'a' }, display_name: 'build 1' })
  const { accessor } = (await lookup(ask, one)).body.data
  const told = await root('POST', 'auth/token/lookup-accessor', { body: { accessor } })
  assert.equal([told.body.data['id'], told.body.data['display_name'], told.body.data['meta']], [
    '', 'token-build-1', { team: 'a' },
  ])
  assert.ok(JSON.stringify((await root('LIST', 'auth/token/accessors')).body.data).includes(`"${accessor}"`))
  const renewed = await root('POST', 'auth/token/renew-accessor', { body: { accessor, increment: '2h' } })
  assert.is(renewed.body.auth['client_token'], '')
  assert.is((await root('POST', 'auth/token/revoke-accessor', { body: { accessor } })).status, 204)
  assert.is((await lookup(ask, one)).status, 403)
})

test('no token lies in the store, the log or the audit, in clear or as a plain hash', async () => {
  const vault = await openHttpVault()
  const one = await vault.token({ id: 'planted-token-of-my-own' })
  await lookup(vault.ask, one)
  await lookup(vault.ask, `${one}x`)
  const stored = [...await contents(vault.store)].map(([path, value]) => path + new TextDecoder('latin1').decode(value))
  const outside = [...stored, ...vault.said].join('\n')
  for (const secret of [one, vault.rootToken, toBase64url(keys.hash(new TextEncoder().encode(one)))]) {
    assert.not.ok(outside.includes(secret))
  }
})

test('revocation that was interrupted goes on at the next sweep, all the way down', async () => {
  const { ask, root, token, store } = await openHttpVault()
  const parent = await token()
  let at = parent
  const all = [parent]
  for (let depth = 0; depth < 6; depth++) {
    at = String((await ask('POST', 'auth/token/create', { token: at, body: {} })).body.auth['client_token'])
    all.push(at)
  }
  const transact = store.transact.bind(store)
  let left = 3
  store.transact = async (guards, operations) => {
    const revokes = operations.some(({ type, key }) => type === 'put' && key.startsWith('sys/token/revoking/'))
    if (revokes && left-- === 0) throw new Error('the disk went away')
    return transact(guards, operations)
  }
  assert.is((await root('POST', 'auth/token/revoke', { body: { token: parent } })).status, 500)
  store.transact = transact
  assert.is((await lookup(ask, at)).status, 200)
  await root('POST', 'auth/token/tidy')
  for (const gone of all) assert.is((await lookup(ask, gone)).status, 403)
  const rest = [...(await contents(store)).keys()].filter((path) => /token\/(revoking|parent)/.test(path))
  assert.equal(rest, [])
})

test.run()
