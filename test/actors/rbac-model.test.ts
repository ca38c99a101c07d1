import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checkRules, createAccess, type Access, type Speaker } from '../../actors/rbac/access.ts'
import { casbinEngine } from '../../actors/rbac/casbin-engine.ts'
import { provideEngine } from '../../actors/rbac/load-engine.ts'
import { builtInModel, parseModel } from '../../actors/rbac/model.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import { installTraps } from '../../runtime/sim/traps.ts'
import { createWebCrypto } from '../../runtime/sim/webcrypto.ts'

const user = (sub: string, changes: Partial<Speaker> = {}): Speaker =>
  ({ appid: 'panel', sub, runtimeType: 'user', sudo: false, root: false, ...changes })

const lines = 'g, panel, console\np, console, zone/*, read|write'
const modelOf = (parts: Partial<Record<'r' | 'p' | 'g' | 'e' | 'm', string>>): string => {
  const { r, p, g, e, m } = {
    r: 'sub, obj, act', p: 'sub, obj, act, eft', g: '_, _',
    e: 'some(where (p.eft == allow)) && !some(where (p.eft == deny))',
    m: 'g(r.sub, p.sub) && zonePath(r.obj, p.obj, r.sub, p.eft) && regexMatch(r.act, p.act)', ...parts,
  }
  return `[request_definition]\nr = ${r}\n[policy_definition]\np = ${p}\n${g ? `[role_definition]\ng = ${g}\n` : ''}`
    + `[policy_effect]\ne = ${e}\n[matchers]\nm = ${m}\n`
}
const keyMatch = modelOf({ m: 'g(r.sub, p.sub) && keyMatch(r.obj, p.obj) && regexMatch(r.act, p.act)' })
/** By names alone; but what the control plane cannot be without. */
const byName = modelOf({ g: '', m: '(r.sub == p.sub || p.sub == "console" || p.sub == "control-plane" || p.sub == '
  + '"kernel" || p.sub == "type:kernel-service" || p.sub == "type:gateway") && keyMatch(r.obj, p.obj)' })
const reads = (access: Access, sub: string, path: string): boolean => access.decide(user(sub), 'read', path).allowed

async function refusal(model: string, policy = lines): Promise<string> {
  try {
    await checkRules({ model, policy })
  } catch (error) {
    assert.instance(error, InvalidArgument, String(error))
    return (error as Error).message
  }
  throw new Error(`It was accepted: ${model}\n${policy}`)
}

test('the built-in model is known however it is written, and anything else is another', () => {
  const spaced = `# ours\n${builtInModel.replace(/ && /g, '  &&\\\n   ').replace(/, /g, ',').replace('r =', 'r=')}\n`
  for (const model of ['', ' \n', builtInModel, spaced, modelOf({})]) assert.is(parseModel(model).builtIn, true, model)
  assert.is(parseModel(keyMatch).builtIn, false)
  assert.is(parseModel(modelOf({ m: 'g(r.sub, p.sub) && zonePath(r.obj, p.obj, r.sub, p.eft)' })).builtIn, false)
})

test('under a model of its own casbin decides: prefixes of paths, the first line that fits, names alone', async () => {
  const access = createAccess()
  await access.replace({ model: keyMatch, policy: `${lines}\np, alice, zone/a*, read` })
  assert.equal(['zone/abc', 'zone/b', 'zone/a/b/c'].map((path) => reads(access, 'alice', path)), [true, false, true])
  assert.is(reads(access, 'bob', 'zone/abc'), false)
  assert.is(access.decide(user('alice'), 'read', 'zone/abc').chain[0]!.rule,
    'p, console, zone/*, read|write; p, alice, zone/a*, read')

  const priority = modelOf({ e: 'priority(p.eft) || deny' })
  const ordered = [lines, 'p, alice, zone/x, read, allow', 'p, alice, zone/*, read, deny', 'p, alice, zone/y, read']
  await access.replace({ model: priority, policy: ordered.join('\n') })
  assert.equal(['zone/x', 'zone/y', 'zone/z'].map((path) => reads(access, 'alice', path)), [true, false, false])

  await access.replace({ model: byName, policy: `${lines}\np, bob, zone/q, read` })
  assert.equal(['alice', 'bob'].map((sub) => reads(access, sub, 'zone/x')), [true, true])
})

test('no model opens what is of root alone or of sudo alone, and none gives a name what is a role’s', async () => {
  const access = createAccess()
  const all = modelOf({ m: 'keyMatch(r.obj, p.obj) || r.sub == p.sub' })
  await access.replace({ model: all, policy: `${lines}\np, console, *, read|write` })
  assert.is(access.decide(user('alice'), 'write', 'zone/x').allowed, true)
  for (const [path, reason] of [
    ['boot/config', 'rbac/root-only'], ['security/x', 'rbac/root-only'], ['devices/ood1/doc', 'rbac/root-only'],
    ['users/alice/settings', 'rbac/sudo-only'], ['users/alice/key_settings', 'rbac/sudo-only'],
  ] as const) assert.is(access.decide(user('alice'), 'write', path).chain[0]!.reason, reason, path)

  await access.replace({ model: byName, policy: `${lines}\n`
    + 'p, panel, x/*, read\np, admin, x/*, read\np, alice, x/*, read' })
  // A user called admin is not who the lines of the role are for
  assert.equal(['alice', 'admin'].map((sub) => reads(access, sub, 'x/y')), [true, false])
})

test('sudo is asked as su_ under any model, and a placeholder stands for the user', async () => {
  const access = createAccess()
  const model = modelOf({ e: 'priority(p.eft) || deny' })
  await access.replace({ model, policy: `${lines}\ng, su_alice, sudo\np, console, users/*, read|write` })
  const sudo = user('alice', { sudo: true })
  assert.is(access.decide(sudo, 'write', 'users/alice/key_settings').chain.at(-1)!.layer, 'sudo')
  assert.is(access.decide(sudo, 'write', 'users/bob/key_settings').allowed, false)
})

test('what a line or an expression cannot decide is denied, not thrown', async () => {
  const access = createAccess()
  const model = modelOf({ m: 'g(r.sub, p.sub) && keyMatch4(r.obj, p.obj)' })
  // keyMatch4 throws where a name stands in braces behind a star that takes the segment
  await access.replace({ model, policy: `${lines}\np, alice, zone/(a)/{b}, read` })
  assert.is(reads(access, 'alice', 'zone/a/b'), false)
})

test('a model that would be read otherwise than it is written is refused, and says why', async () => {
  const wrong: readonly [model: string, why: RegExp][] = [
    ['nonsense', /does not belong to its section/], ['[matchers]\nm = true', /has no r/],
    [modelOf({}).replace('[matchers]', '[matcher]'), /no section matcher/],
    [`${modelOf({})}m2 = true\n`, /does not belong/], [`${modelOf({})}m = true\n`, /defined twice/],
    [modelOf({ r: 'sub, dom, obj, act' }), /a request is/], [modelOf({ g: '_, _, _' }), /roles are/],
    [modelOf({ p: 'sub, obj, act, rule' }), /a line is/], [modelOf({ p: 'obj, sub, act' }), /a line is/],
    // Everything is allowed that no line denies
    [modelOf({ e: '!some(where (p.eft == deny))' }), /effect/], [modelOf({ e: 'yes' }), /effect/],
    [modelOf({ m: 'true' }), /looks at no line/], [modelOf({ m: 'r.sub == "alice"' }), /looks at no line/],
    [modelOf({ m: 'eval(p.sub)' }), /may not: eval/], [modelOf({ m: 'ipMatch(r.sub, p.sub)' }), /may not: ipMatch/],
    [modelOf({ m: 'r.sub.constructor.constructor("x")() == p.sub' }), /not read|may not/],
    [modelOf({ m: 'r.sub["constructor"] == p.sub' }), /not read/], [modelOf({ m: 'this == p.sub' }), /may not: this/],
    [modelOf({ m: 'p.toString == r.sub' }), /may not: p.toString/],
    [modelOf({ m: 'r.age == p.sub' }), /may not: r.age/],
    [modelOf({ m: 'keyMatch2(p.obj, r.obj)' }), /comes of the request/],
    [modelOf({ m: 'regexMatch(r.obj, keyGet(r.obj, p.obj))' }), /something else than names/],
    [modelOf({ g: '', m: 'g(r.sub, p.sub)' }), /may not: g/],
    [modelOf({ m: 'g(r.sub, p.sub) && && r.act == p.act' }), /cannot decide/],
    [modelOf({ m: 'g(r.sub, p.sub' }), /something else than names/],
    [modelOf({ m: '(p.sub == r.sub' }), /cannot decide/],
    [modelOf({ m: 'regexMatch(r.obj, "(") && p.sub == r.sub' }), /A text of the access model/],
    [`${modelOf({})}${'#'.repeat(limits.modelCharacters)}`, /characters/],
  ]
  for (const [model, why] of wrong) assert.match(await refusal(model), why, model)
})

test('a line that a function of the model cannot read, or would read for ever, refuses the policy whole', async () => {
  const by = (name: string): string => modelOf({ m: `g(r.sub, p.sub) && ${name}(r.obj, p.obj)` })
  const wrong: readonly [name: string, object: string][] = [
    ['regexMatch', 'kv://('], ['keyMatch2', 'zone/:'], ['keyMatch2', 'zone/:/x'], ['keyMatch3', 'zone/{x'],
    ['keyMatch3', 'zone/{}'], ['keyMatch4', 'zone/{/}'], ['keyMatch5', 'zone/{'], ['keyGet2', 'zone/:'],
    ['keyMatch3', 'zone/(x'],
  ]
  for (const [name, object] of wrong) {
    const model = name === 'keyGet2' ? modelOf({ m: 'keyGet2(r.obj, p.obj, "a") == r.sub' }) : by(name)
    const said = await refusal(model, `${lines}\np, alice, ${object}, read`)
    assert.match(said, /Line 3 of the policy/, `${name} ${object}`)
  }
  const withoutEffect = modelOf({ p: 'sub, obj, act', m: 'r.sub == p.sub' })
  assert.match(await refusal(withoutEffect, `${lines}\np, alice, zone/x, read, deny`), /no effect/)
  const many = Array.from({ length: limits.modelPolicyLines - 1 }, (_, index) => `p, alice, zone/${index}, read`)
  await checkRules({ model: keyMatch, policy: [lines, ...many].join('\n') })
  assert.match(await refusal(keyMatch, [lines, ...many, 'p, bob, zone/x, read'].join('\n')), /at most/)
  // What no pattern of the index is, is one for a model that has its own
  assert.match(await refusal('', 'p, alice, zone/a*, read'), /not a pattern/)
})

test('a model or a line that takes from the control plane what it needs is refused, and says of whom', async () => {
  const wrong: readonly [model: string, line: string, why: RegExp][] = [
    [modelOf({ m: 'r.sub == p.sub && keyMatch(r.obj, p.obj)' }), '', /own scheduler could not read devices\//],
    ['', 'p, scheduler, users/*, read, deny', /own scheduler could not read users\//],
    ['', 'p, verify-hub, users/*/settings, read|write, deny', /own verify-hub could not read users\/a\/settings/],
    ['', 'g, node-daemon, slow\np, slow, nodes/x/*, read, deny', /own node-daemon could not read nodes\//],
  ]
  for (const [model, line, why] of wrong) assert.match(await refusal(model, `${lines}\n${line}`), why)
  await checkRules({ model: '', policy: `${lines}\np, verify-hub, zone/*, read, deny` })
})

test('rules that are refused leave those before in force, and of two the later ones stay', async () => {
  const access = createAccess()
  void access.replace({ model: '', policy: `${lines}\np, alice, zone/x, read` })
  const { generation } = access
  for (const rules of [{ model: 'nonsense', policy: lines }, { model: '', policy: 'nonsense' }]) {
    assert.throws(() => access.replace(rules))
  }
  try {
    await access.replace({ model: modelOf({ m: '(p.sub == r.sub' }), policy: lines })
    assert.unreachable()
  } catch (error) {
    assert.instance(error, InvalidArgument)
  }
  assert.equal([reads(access, 'alice', 'zone/x'), access.generation], [true, generation])

  const slower = access.replace({ model: keyMatch, policy: `${lines}\np, alice, *, read` })
  void access.replace({ model: '', policy: `${lines}\np, alice, zone/y, read` })
  await slower
  assert.equal(['zone/x', 'zone/y'].map((path) => reads(access, 'alice', path)), [false, true])
})

test('casbin reads a model and decides where clocks, timers and chance are out of reach: in simulation', async () => {
  provideEngine(casbinEngine)
  const trapped: Error[] = []
  const removeTraps = installTraps(createWebCrypto(new SeededRandom('rbac')), (error) => trapped.push(error))
  try {
    const access = createAccess()
    await access.replace({ model: keyMatch, policy: `${lines}\np, alice, zone/a*, read` })
    assert.equal(['zone/abc', 'zone/b'].map((path) => reads(access, 'alice', path)), [true, false])
    assert.match(await refusal(modelOf({ m: 'keyMatch2(r.obj, p.obj)' }), `${lines}\np, alice, zone/:, read`), /Line 3/)
  } finally {
    removeTraps()
  }
  assert.equal(trapped, [])
})

test('an access model has at most its characters, and one more refuses it', async () => {
  const filled = (length: number): string => `#${'x'.repeat(length - keyMatch.length - 2)}\n${keyMatch}`
  assert.is(filled(limits.modelCharacters).length, limits.modelCharacters)
  await checkRules({ model: filled(limits.modelCharacters), policy: lines })
  assert.match(await refusal(filled(limits.modelCharacters + 1)), /characters/)
})

test.run()
