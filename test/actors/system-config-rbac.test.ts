/** Models and policies in `kv://`, names that nobody may have, documents of users, and sudo, at system-config. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createAccess, type Speaker } from '../../actors/rbac/access.ts'
import { deviceDocumentType } from '../../actors/records.ts'
import { createPermission } from '../../actors/system-config/permission.ts'
import type { Session } from '../../actors/system-config/sessions.ts'
import type { KvAction } from '../../actors/system-config/transaction.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { createDenialLog } from '../../runtime/trust/denial.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { denied, failure, peer, policy, rooted, settle, testZone } from './system-config-zone.ts'

const MODEL = 'system/rbac/model'
const POLICY = 'system/rbac/policy'
const byPrefix = (m = 'g(r.sub, p.sub) && keyMatch(r.obj, p.obj) && regexMatch(r.act, p.act)'): string =>
  '[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act, eft\n[role_definition]\ng = _, _\n'
  + `[policy_effect]\ne = some(where (p.eft == allow))\n[matchers]\nm = ${m}\n`

/** A zone with the policy of its scheduler, and its people and root, who may do all of it. */
async function populated() {
  const { zone, running, kv } = await rooted()
  await kv.execTx({ actions: { [POLICY]: { action: 'create', value: policy } } })
  const panel = (sub: string) => running.as(zone.tokens.session('panel', { sub, runtime_type: 'user' }))
  return { zone, running, kv, panel }
}

test('a model of the zone decides from the write on, and the built-in one again when it is removed', async () => {
  const { kv, panel } = await populated()
  await kv.execTx({ actions: {
    [MODEL]: { action: 'create', value: byPrefix() },
    [POLICY]: { action: 'update', value: `${policy}\np, alice, zone/a*, read` },
  } })
  assert.is(await panel('alice').get({ key: 'zone/abc' }), null)
  assert.is(await denied(() => panel('alice').get({ key: 'zone/b' })), 'rbac/no-rule')
  // A pattern of this model, which the built-in one cannot read
  await failure(InvalidArgument, () => kv.execTx({ actions: { [MODEL]: { action: 'remove' } } }))
  await kv.execTx({ actions: { [MODEL]: { action: 'remove' }, [POLICY]: { action: 'update', value: policy } } })
  assert.is(await denied(() => panel('alice').get({ key: 'zone/abc' })), 'rbac/no-rule')
  assert.is(await panel('alice').get({ key: 'users/alice/profile' }), null)
})

test('a model or a policy with an error is refused whole, also when the other is right: the old stays', async () => {
  const { kv, panel } = await populated()
  const wrong: readonly Record<string, string>[] = [
    { [MODEL]: 'nonsense' }, { [MODEL]: byPrefix('(p.sub == r.sub') }, { [POLICY]: `${policy}\nnonsense` },
    { [MODEL]: byPrefix(), [POLICY]: 'p, alice, zone/x' }, { [MODEL]: 'nonsense', [POLICY]: 'g, bob, user' },
    { [POLICY]: `${policy}\np, alice, zone/a*, read` }, { [POLICY]: 'g, bob, su_admin' },
  ]
  for (const values of wrong) {
    const actions = Object.fromEntries(Object.entries(values).map(([key, value]) =>
      [key, { action: key === MODEL ? 'create' as const : 'update' as const, value }]))
    const beside = { 'zone/x': { action: 'create' as const, value: 'x' } }
    await failure(InvalidArgument, () => kv.execTx({ actions: { ...actions, ...beside } }))
    assert.equal([await kv.get({ key: MODEL }), await kv.get({ key: 'zone/x' })], [null, null])
    assert.is((await kv.get({ key: POLICY }))!.value, policy)
    assert.is(await panel('alice').get({ key: 'users/alice/profile' }), null)
  }
  for (const key of [MODEL, POLICY]) {
    assert.is(await denied(() => kv.set({ key, value: '' })), 'rbac/signed-only')
    await failure(InvalidArgument, () => kv.execTx({ actions: { [key]: { action: 'append', value: '\n' } } }))
  }
})

test('a model that another host damages behind our back is told of, and the one before stays', async () => {
  const { zone, running, kv, panel } = await populated()
  await kv.execTx({ actions: {
    [MODEL]: { action: 'create', value: byPrefix() },
    [POLICY]: { action: 'update', value: `${policy}\np, alice, zone/a*, read` },
  } })
  await zone.store.put(`kv/${MODEL}`, new TextEncoder().encode('\u0001nonsense'))
  await settle()
  assert.ok(running.said.some((line) => line.includes('The access policy is damaged')))
  assert.is(await panel('alice').get({ key: 'zone/abc' }), null)
  // And as a whole: lines that are right are not taken without the model that they are for
  await zone.store.put(`kv/${POLICY}`, new TextEncoder().encode('\u0001g, panel, console'))
  await settle()
  assert.is(await panel('alice').get({ key: 'zone/abc' }), null)
  await zone.store.put(`kv/${MODEL}`, new TextEncoder().encode('\u0001'))
  await settle()
  assert.is(await denied(() => panel('alice').get({ key: 'zone/abc' })), 'rbac/no-rule')
})

test('no user, device or service is registered under a name of sudo or of the system, however written', async () => {
  const zone = testZone()
  const running = await zone.booted()
  // A root token is good once on a link, so each attempt has its own
  const kv = running.as(zone.tokens.root())
  const spec = (changes: object): string => JSON.stringify({
    name: 'web', appid: 'web', owner: null, runtimeType: 'service', kernel: false, audiences: [], ...changes,
  })
  const document = (name: string): string => signDocument(zone.owner, deviceDocumentType, {
    zone: 'z1', name, role: 'node', key: zone.other.public.jwk, owner: 'alice', iat: 1,
  })
  const settings = (name: string): string => JSON.stringify({ name, type: 'user', state: 'active' })
  const userDocument = (name: string): string => JSON.stringify({ name, key: zone.other.public.jwk, iat: 1 })
  const wrong: readonly [key: string, value: string][] = [
    ['users/su_alice/settings', settings('su_alice')], ['users/su_alice/doc', userDocument('su_alice')],
    ['users/su_alice/profile', 'x'], ['users/root/settings', settings('root')],
    ['users/verify-hub/doc', userDocument('verify-hub')], ['devices/scheduler/doc', document('scheduler')],
    ['devices/su_node/doc', document('su_node')], ['devices/node1/doc', document('su_node')],
    ['devices/su_node/info', '{}'], ['services/su_web/spec', spec({ name: 'su_web' })],
    ['services/web/spec', spec({ appid: 'su_alice' })], ['services/web/spec', spec({ owner: 'su_alice' })],
    ['services/web/spec', spec({ name: 'su_web' })], ['agents/su_one/doc', 'x'], ['nodes/su_node/config', '{}'],
    ['users/alice/settings', settings('bob')], ['users/alice/settings', '{}'], ['users/alice/settings', 'x'],
    ['users/alice/doc', userDocument('bob')], ['users/alice/doc', '{"name":"alice"}'],
  ]
  for (const [key, value] of wrong) {
    const error = await failure(InvalidArgument, () => kv.execTx({ actions: { [key]: { action: 'create', value } } }))
    assert.match(error.message, key, `${key} ${value}`)
    if (!key.endsWith('/doc') || !key.startsWith('users/')) {
      await failure(InvalidArgument, () => kv.set({ key, value }))
      await failure(InvalidArgument, () => kv.create({ key, value }))
    }
    assert.is(await kv.get({ key }), null, key)
  }
  await kv.set({ key: 'services/web/spec', value: spec({}) })
  const path = { key: 'services/web/spec', path: '/appid', value: '"su_alice"' }
  await failure(InvalidArgument, () => kv.setByJsonPath(path))
  await kv.setByJsonPath({ ...path, value: '"web2"' })
  for (const [key, value] of [['users/alice/settings', settings('alice')], ['devices/node1/doc', document('node1')]]) {
    await kv.set({ key: key!, value: value! })
  }
  await kv.delete({ key: 'devices/node1/doc' })
})

const document = JSON.stringify({
  name: 'alice', iat: 1, key: { kty: 'OKP', crv: 'Ed25519', x: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' },
})

/** What a session may do, when its token was verified as such; what stands in the store does not matter here. */
function permitting(speaker: Partial<Speaker>, lines: string) {
  const zone = testZone()
  const access = createAccess()
  void access.replace({ model: '', policy: lines })
  const session: Session = {
    speaker: { sub: 'alice', appid: 'console', runtimeType: 'user', sudo: false, root: false, ...speaker },
    use: speaker.sudo ? 'sudo' : 'session', once: false, rule: 'test', kid: 'kid', jti: 'jti',
    expSeconds: Infinity, generation: 1, link: 'link',
  }
  const denials = createDenialLog({ random: systemRandom, clock: zone.clock })
  const permission = createPermission({ keys: {} as never, denials }, {
    access, environment: {} as never, trust: { phase: 'normal', epoch: 0, generation: 1 } as never,
    sessions: { authenticate: () => session.speaker, current: () => session },
    storedRules: async () => access.rules,
    registration: { concerns: () => false, refusal: async () => undefined },
  })
  const cx = { principal: session.speaker, peer: peer('gateway'), token: 'token' }
  return {
    write: async (key: string) => permission.write(cx, key),
    transaction: (key: string, action: KvAction) => permission.transaction(cx, new Map([[key, action]])),
  }
}

const derived = 'g, console, app\ng, console, console\ng, alice, user\ng, su_alice, sudo\ng, root2, admin\n'
  + 'g, su_root2, sudo\ng, su_root2, su_admin'

test('review item 1: what is refused without sudo is allowed with it, and nothing of another user', async () => {
  const [without, withSudo] = [permitting({}, derived), permitting({ sudo: true }, derived)]
  assert.is(await denied(() => without.write('users/alice/key_settings')), 'rbac/sudo-only')
  await withSudo.write('users/alice/key_settings')
  assert.is(await denied(() => withSudo.write('users/bob/key_settings')), 'sudo/no-rule')
  // The same in a zone, where the session is one of verify-hub's
  const { zone, running, kv } = await rooted()
  await kv.execTx({ actions: { [POLICY]: { action: 'create', value: derived } } })
  const alice = running.as(zone.tokens.session('console', { sub: 'alice', runtime_type: 'user' }))
  assert.is(await denied(() => alice.set({ key: 'users/alice/key_settings', value: '{}' })), 'rbac/sudo-only')
  assert.is(await alice.get({ key: 'users/alice/key_settings' }), null)
  await alice.set({ key: 'users/alice/profile', value: '{}' })
})

test('by sudo a user replaces the own document, signed, and makes none; an admin writes settings', async () => {
  const key = 'users/alice/doc'
  const [alice, admin] = [permitting({ sudo: true }, derived), permitting({ sub: 'root2', sudo: true }, derived)]
  await alice.transaction(key, { action: 'update', value: document })
  for (const action of [{ action: 'create', value: document }, { action: 'remove' }] as const) {
    assert.is(await denied(() => alice.transaction(key, action)), 'sudo/update-only')
  }
  assert.is(await denied(() => alice.transaction(key, { action: 'append', value: ' ' })), 'sudo/update-only')
  assert.is(await denied(() => alice.write(key)), 'rbac/signed-only')
  assert.is(await denied(() => admin.transaction(key, { action: 'update', value: document })), 'sudo/no-rule')
  assert.is(await denied(() => permitting({}, derived).transaction(key, { action: 'update', value: document })),
    'rbac/sudo-only')

  await admin.write('users/alice/settings')
  assert.is(await denied(() => alice.write('users/alice/settings')), 'sudo/no-rule')
  assert.is(await denied(() => permitting({ sub: 'root2' }, derived).write('users/alice/settings')), 'rbac/sudo-only')

  const { kv } = await rooted()
  await failure(InvalidArgument, () => kv.execTx({ actions: { [key]: { action: 'create', value: '{}' } } }))
  await kv.execTx({ actions: { [key]: { action: 'create', value: document } } })
  await failure(InvalidArgument, () => kv.execTx({ actions: { [key]: { action: 'append', value: 'x' } } }))
  await kv.execTx({ actions: { [key]: { action: 'remove' } } })
  assert.is(await denied(() => kv.set({ key, value: document })), 'rbac/signed-only')
})

interface Explained {
  readonly allowed: boolean
  readonly reason?: string
  readonly speaker: Readonly<Record<string, unknown>>
  readonly layers: readonly { layer: string; verdict: string; line?: { text: string }; others?: { text: string }[] }[]
}

test('an explanation is given to everybody about themselves, and about others to who may read the policy', async () => {
  const { zone, running, kv } = await rooted()
  const bobs = `${derived}\ng, bob, user\np, bob, zone/x, read`
  await kv.execTx({ actions: { [POLICY]: { action: 'create', value: bobs } } })
  const by = (sub: string) => running.as(zone.tokens.session('console', { sub, runtime_type: 'user' }))
  const explain = async (client: ReturnType<typeof by>, params: object): Promise<Explained> => (await client.krpcRead({
    method: 'sys_config_explain', params: { act: 'read', key: 'zone/x', ...params },
  })).result as Explained
  const own = await explain(by('alice'), {})
  assert.equal([own.allowed, own.reason, own.speaker['sub'], own.speaker['appid']],
    [false, 'rbac/no-rule', 'alice', 'console'])
  // Whoever may not read the policy learns nothing of what it says of others
  assert.is(JSON.stringify(own).includes('p, bob'), false)
  assert.is(await denied(() => explain(by('alice'), { sub: 'bob' })), 'rbac/no-rule')
  assert.is(await denied(() => explain(by('alice'), { appid: 'other' })), 'rbac/no-rule')
  assert.is((await explain(by('alice'), { key: 'users/alice/key_settings', act: 'write', sudo: true })).allowed, true)

  const other = await explain(by('root2'), { sub: 'alice' })
  assert.ok(other.layers.every(({ layer, others = [] }) =>
    layer === 'guard' || others.some(({ text }) => text === 'p, bob, zone/x, read')))
  const bob = await explain(kv, { sub: 'bob', appid: 'console', key: 'kv://users/bob/profile', act: 'write' })
  assert.equal(bob.layers.map(({ layer, verdict, line }) => `${layer} ${verdict} ${line?.text ?? ''}`.trim()), [
    'guard allowed', 'app allowed p, console, users/*, read|write',
    'subject allowed p, user, users/{user}/*, read|write',
  ])
  assert.is((await explain(kv, { key: 'security/x' })).allowed, true)
  for (const key of ['a//b', 'auth://a//b', '{x}', 'a b', '/', 'auth:///']) {
    try {
      await explain(by('root2'), { key })
      assert.unreachable(key)
    } catch (error) {
      assert.is((error as { code?: string }).code, 'InvalidKey', key)
    }
  }
  for (const key of ['', 'users/', 'kv://', 'auth://', 'auth://sessions/alice', 'obj://config/zone/x']) {
    await explain(by('root2'), { key })
  }
})

test.run()
