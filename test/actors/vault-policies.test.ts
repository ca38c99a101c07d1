import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Fault } from '../../actors/vault/http/answer.ts'
import { createAcl, type Acl } from '../../actors/vault/http/policies/acl.ts'
import { readPolicy } from '../../actors/vault/http/policies/policy.ts'
import { openHttpVault } from './vault-http-fixture.ts'

const acl = (...texts: readonly string[]): Acl => createAcl(texts.flatMap(readPolicy))
const rule = (path: string, ...capabilities: readonly string[]): string =>
  `path "${path}" { capabilities = ${JSON.stringify(capabilities)} }`
const allows = (of: Acl, path: string, operation: 'read' | 'list' | 'update' | 'create' = 'read', data = {}): boolean =>
  of.allows({ operation, path, data, isSudo: false })

const errorOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    assert.instance(error, Fault)
    assert.is((error as Fault).status, 400)
    return (error as Fault).errors[0]!
  }
  throw new Error('Nothing was thrown')
}

test('what no rule names is denied, and an empty policy allows nothing', () => {
  for (const each of [acl(), acl(rule('secret/data/a', 'read')), acl('')]) {
    for (const path of ['secret/data/b', 'secret/data', 'secret/data/a/b', 'sys/mounts', '']) {
      assert.not.ok(allows(each, path), path)
    }
  }
  assert.not.ok(allows(acl(rule('secret/data/a', 'read')), 'secret/data/a', 'update'))
})

test('a star at the end stands for what follows, a plus for one segment, and both elsewhere for themselves', () => {
  const cases: readonly (readonly [pattern: string, path: string, matches: boolean])[] = [
    ['secret/*', 'secret/a/b', true], ['secret/*', 'secret/', true], ['secret/*', 'secret', false],
    ['secret/a*', 'secret/abc/d', true], ['*', 'anything/at/all', true], ['secret/a', 'secret/a/', false],
    ['secret/+/x', 'secret/a/x', true], ['secret/+/x', 'secret/a/b/x', false], ['secret/+/x', 'secret//x', false],
    ['+/+', 'a/b', true], ['+/+', 'a', false], ['secret/+/x*', 'secret/a/xyz/more', true], ['secret/+', 'secret/a', true],
    ['secret/+/*', 'secret/a/b/c', true], ['secret/+/*', 'secret/a', false],
    ['se+ret/a', 'secret/a', false], ['se+ret/a', 'se+ret/a', true], ['a*b', 'axxb', false], ['a*b', 'a*b', true],
    ['/secret/a', 'secret/a', true],
  ]
  for (const [pattern, path, matches] of cases) {
    assert.is(allows(acl(rule(pattern, 'read')), path), matches, `${pattern} ${path}`)
  }
})

test('the most specific rule decides alone, in the order that Vault documents', () => {
  const wins = (specific: string, general: string, path: string): void => {
    for (const texts of [[rule(specific, 'read'), rule(general, 'deny')], [rule(general, 'deny'), rule(specific, 'read')]]) {
      assert.ok(allows(acl(...texts), path), `${specific} before ${general}`)
      assert.not.ok(allows(acl(rule(specific, 'update'), rule(general, 'read')), path), `${specific} hides ${general}`)
    }
  }
  wins('secret/a/b', 'secret/a/*', 'secret/a/b')
  wins('secret/a/b', 'secret/+/b', 'secret/a/b')
  wins('secret/a/*', 'secret/*', 'secret/a/b')
  wins('secret/a/+', 'secret/+/b', 'secret/a/b')
  wins('secret/+/b', 'secret/*', 'secret/a/b')
  wins('secret/+/b', 'secret/+/*', 'secret/a/b')
  wins('secret/+/b', 'secret/+/+', 'secret/a/b')
  wins('secret/+/bc*', 'secret/+/b*', 'secret/a/bcd')
})

test('rules for one path in several policies are one, and one deny denies', () => {
  const both = acl(rule('secret/a', 'read'), rule('secret/a', 'update'))
  assert.equal([...both.capabilities('secret/a')].sort(), ['read', 'update'])
  assert.not.ok(allows(acl(rule('secret/a', 'read'), rule('secret/a', 'deny')), 'secret/a'))
  assert.not.ok(allows(acl(rule('secret/a', 'read', 'deny', 'sudo')), 'secret/a'))
})

test('a folder is listed by a rule with or without a slash at its end, and read by neither', () => {
  for (const path of ['secret/metadata/a/', 'secret/metadata/a', 'secret/metadata/*', 'secret/metadata/a/*']) {
    assert.ok(allows(acl(rule(path, 'list')), 'secret/metadata/a', 'list'), path)
    assert.not.ok(allows(acl(rule(path, 'list')), 'secret/metadata/a'), path)
  }
  assert.not.ok(allows(acl(rule('secret/metadata/a/b', 'list')), 'secret/metadata/a', 'list'))
})

test('parameters are allowed, denied and required by name and value', () => {
  const of = (body: string): Acl => acl(`path "x" { capabilities = ["update"]\n${body} }`)
  const cases: readonly (readonly [body: string, data: object, allowed: boolean])[] = [
    ['allowed_parameters = { "a" = [] }', { a: 1 }, true], ['allowed_parameters = { "a" = [] }', { A: 1 }, true],
    ['allowed_parameters = { "a" = [] }', { b: 1 }, false], ['allowed_parameters = { "a" = [] }', {}, true],
    ['allowed_parameters = { "a" = ["x", 2, true, "pre*"] }', { a: 'x' }, true],
    ['allowed_parameters = { "a" = ["x", 2, true, "pre*"] }', { a: 2 }, true],
    ['allowed_parameters = { "a" = ["x", 2, true, "pre*"] }', { a: 'prefix' }, true],
    ['allowed_parameters = { "a" = ["x", 2, true, "pre*"] }', { a: '2' }, false],
    ['allowed_parameters = { "a" = ["x"], "*" = [] }', { a: 'y' }, false],
    ['allowed_parameters = { "a" = ["x"], "*" = [] }', { b: 'y' }, true],
    ['denied_parameters = { "a" = [] }', { a: 1 }, false], ['denied_parameters = { "a" = [] }', { b: 1 }, true],
    ['denied_parameters = { "a" = ["bad"] }', { a: 'good' }, true], ['denied_parameters = { "*" = [] }', { b: 1 }, false],
    ['required_parameters = ["a"]', {}, false], ['required_parameters = ["a"]', { a: 0 }, true],
    ['allowed_parameters { a = [] }\ndenied_parameters = { a = ["z"] }', { a: 'z' }, false],
  ]
  for (const [body, data, allowed] of cases) {
    assert.is(allows(of(body), 'x', 'update', data), allowed, `${body} ${JSON.stringify(data)}`)
  }
})

test('a policy is read as HCL and as JSON alike', () => {
  const hcl = readPolicy(`
    # one comment
    name = "ours" // another
    /* and
       a third */
    path "secret/data/\\u0061" { capabilities = ["read", "list",] }
    path "old" { policy = "write" }
  `)
  const json = readPolicy(JSON.stringify({
    name: 'ours', path: { 'secret/data/a': { capabilities: ['read', 'list'] }, old: { policy: 'write' } },
  }))
  const plain = (rules: typeof hcl) => rules.map(({ path, capabilities }) => [path, [...capabilities]])
  assert.equal(plain(hcl), plain(json))
  assert.equal(plain(hcl), [
    ['secret/data/a', ['read', 'list']], ['old', ['create', 'read', 'update', 'delete', 'list']],
  ])
  const listed = readPolicy(JSON.stringify({ path: [{ a: [{ capabilities: ['read'] }] }, { b: { capabilities: ['list'] } }] }))
  assert.equal(plain(listed), [['a', ['read']], ['b', ['list']]])
})

test('what is no policy is refused with what is wrong, and where', () => {
  const cases: readonly (readonly [text: string, told: RegExp])[] = [
    ['path "a" { capabilities = ["raed"] }', /invalid capability: raed/],
    ['path "a" {\n capabilities = "read" }', /capabilities must be a list/],
    ['path "a" { capabilities = ["read"] ', /line 1: a name is expected/],
    ['path "a" {\n\n capabilities = [read] }', /line 3: a value is expected/],
    ['path "a" { capabilities = ["read"]\n capabilities = ["list"] }', /line 2: twice: capabilities/],
    ['path "a {', /a string does not end/], ['/* never', /comment does not end/], ['path "a" "b" {}', /path/],
    ['pfad "a" {}', /only path/], ['path "${x}" {}', /templates/], ['path "{{identity.id}}" {}', /templates/],
    ['path "+*" {}', /forbidden/], ['path "" {}', /empty/], ['path "a" { min_wrapping_ttl = "1s" }', /unsupported key/],
    ['path "a" { capabilities = <<EOF\nEOF\n }', /unexpected text/], ['{"path": 1}', /no object: path/],
    ['{"paths": {}}', /unknown key: paths/], ['{"path": ', /no JSON/], ['path "\\x" {}', /unknown escape/],
    ['x = 1', /unknown key: x/], ['path "a" { policy = "all" }', /invalid policy/], ['\0', /NUL/],
    [`path "a" { allowed_parameters = ${'{ a = '.repeat(10)} }`, /deeper than/], ['path "a" { x "y" {} }', /label/],
    ['@', /unexpected text/], ['path "a"', /\{ is expected/], ['path "a" { capabilities = ["read" "list"] }', /, is expected/],
  ]
  for (const [text, told] of cases) assert.match(errorOf(() => readPolicy(text)), told)
})

test('no text makes the reader do anything but read or refuse', () => {
  const pieces = ['path', '"a"', '{', '}', '[', ']', '=', ',', 'capabilities', '"read"', '\n', '#', '/*', '*/', '\\', '"', '1', 'é']
  let state = 7
  const next = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor(state / 65_536) % below
  }
  let read = 0
  for (let round = 0; round < 20_000; round++) {
    const text = Array.from({ length: next(14) }, () => pieces[next(pieces.length)]).join(next(2) ? ' ' : '')
    try {
      readPolicy(text)
      read++
    } catch (error) {
      assert.instance(error, Fault, text)
    }
  }
  assert.ok(read > 500, String(read))
})

test('a change of a policy counts for tokens that have it, at once; one that is gone gives nothing', async () => {
  const { ask, root, token } = await openHttpVault()
  const write = (policy: string) => root('PUT', 'sys/policies/acl/app', { body: { policy } })
  await write(rule('secret/data/*', 'create', 'read'))
  const app = await token({ policies: ['app'] })
  const put = async () => (await ask('POST', 'secret/data/x', { token: app, body: { data: { a: 1 } } })).status
  const get = async () => (await ask('GET', 'secret/data/x', { token: app })).status
  assert.equal([await put(), await put(), await get()], [200, 403, 200], 'it may create, not change')
  await write(rule('secret/data/*', 'update'))
  assert.equal([await put(), await get()], [200, 403])
  await root('DELETE', 'sys/policies/acl/app')
  assert.equal([await put(), await get()], [403, 403])
})

test('sudo is asked for where Vault asks for it', async () => {
  const { ask, root, token } = await openHttpVault()
  await root('PUT', 'sys/policies/acl/nearly', {
    body: { policy: rule('*', 'create', 'read', 'update', 'delete', 'list', 'patch') },
  })
  await root('PUT', 'sys/policies/acl/all', { body: { policy: rule('*', 'read', 'update', 'list', 'sudo') } })
  const [nearly, all] = [await token({ policies: ['nearly'] }), await token({ policies: ['all'] })]
  const cases = [['PUT', 'sys/rotate', 204], ['LIST', 'auth/token/accessors', 200], ['GET', 'sys/audit', 200]] as const
  for (const [method, path, status] of cases) {
    assert.is((await ask(method, path, { token: nearly })).status, 403, path)
    assert.is((await ask(method, path, { token: all })).status, status, path)
  }
  assert.is((await ask('PUT', 'sys/seal', { token: nearly })).status, 403)
  assert.is((await ask('GET', 'sys/seal-status')).body['sealed'], false)
})

test('the policies of the vault itself cannot be changed or taken away', async () => {
  const { root } = await openHttpVault()
  assert.is((await root('PUT', 'sys/policies/acl/root', { body: { policy: '' } })).status, 400)
  for (const name of ['root', 'default']) assert.is((await root('DELETE', `sys/policy/${name}`)).status, 400)
  assert.equal((await root('LIST', 'sys/policies/acl')).body.data['keys'], ['default', 'root'])
  assert.is((await root('PUT', 'sys/policies/acl/Mine', { body: { policy: rule('a', 'read') } })).status, 204)
  assert.equal((await root('GET', 'sys/policy/mine')).body['rules'], rule('a', 'read'))
  assert.is((await root('GET', 'sys/policies/acl/none')).status, 404)
})

test('capabilities are told of paths as they are decided', async () => {
  const { ask, root, token } = await openHttpVault()
  await root('PUT', 'sys/policies/acl/app', { body: { policy: rule('secret/data/*', 'read') + rule('secret/data/x', 'deny') } })
  const app = await token({ policies: ['app'] })
  const { body } = await ask('POST', 'sys/capabilities-self', {
    token: app, body: { paths: ['secret/data/a', '/secret/data/x', 'sys/mounts'] },
  })
  assert.equal(body.data, {
    'secret/data/a': ['read'], '/secret/data/x': ['deny'], 'sys/mounts': ['deny'], capabilities: ['read'],
  } as never)
  assert.equal(body['capabilities'], ['read'])
  const own = await root('POST', 'sys/capabilities-self', { body: { path: 'any' } })
  assert.equal(own.body['capabilities'], ['root'])
})

test.run()
