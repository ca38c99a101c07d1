import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createAccess, type Speaker } from '../../actors/rbac/access.ts'
import type { LayerVerdict } from '../../actors/rbac/explain.ts'
import { builtInModel } from '../../actors/rbac/model.ts'
import type { Operation } from '../../actors/rbac/policy.ts'
import { limits } from '../../runtime/limits.ts'

const policy = `
g, panel, console
g, alice, user
g, bob, admin
g, su_bob, sudo
p, console, zone/*, read|write
p, alice, zone/{me}/x, read
p, alice, zone/y, write
p, admin, zone/y, read
p, user, zone/open, read|write
p, alice, zone/open, read, deny
`
const alice: Speaker = { appid: 'panel', sub: 'alice', runtimeType: 'user', sudo: false, root: false }
const access = createAccess()
void access.replace({ model: '', policy })

const layersOf = (act: Operation, path: string, changes: Partial<Speaker> = {}, all = true) =>
  access.explain({ ...alice, ...changes }, act, path, all).layers
const layer = (layers: readonly LayerVerdict[], name: string): LayerVerdict =>
  layers.find((each) => each.layer === name)!
const whys = (verdict: LayerVerdict): Record<string, string> =>
  Object.fromEntries((verdict.others ?? []).map(({ text, why }) => [text, why]))

test('the line that decided is named with its place, and each that came near with what kept it from it', () => {
  const denied = access.explain(alice, 'read', 'zone/y', true)
  assert.equal([denied.allowed, denied.reason, denied.model], [false, 'rbac/no-rule', 'built-in'])
  assert.equal(layer(denied.layers, 'app').line,
    { text: 'p, console, zone/*, read|write', from: 'policy', number: 6 })
  const subject = layer(denied.layers, 'subject')
  assert.equal([subject.verdict, subject.name, subject.roles, subject.why],
    ['denied', 'alice', ['type:user', 'alice', 'user'], 'no line allows it'])
  assert.equal(whys(subject), {
    'p, alice, zone/y, write': 'it is for write', 'p, admin, zone/y, read': 'admin is no role of it',
    'p, console, zone/*, read|write': 'console is no role of it',
    'p, control-plane, zone/*, read': 'control-plane is no role of it',
  })
  assert.equal(whys(layer(layersOf('read', 'zone/bob/x', {}, false), 'subject')), {
    'p, alice, zone/{me}/x, read': 'its braces stand for the caller: alice',
  })
  const overruled = layer(layersOf('read', 'zone/open', {}, false), 'subject')
  assert.is(overruled.line!.text, 'p, alice, zone/open, read, deny')
  assert.equal(whys(overruled), { 'p, user, zone/open, read|write': 'a line that denies wins' })
})

test('a layer is told only when it is asked: sudo after the ordinary lines, and none below what is root’s', () => {
  const names = (layers: readonly LayerVerdict[]): string[] =>
    layers.map(({ layer: name, verdict }) => `${name} ${verdict}`)
  const bob = { sub: 'bob', sudo: true }
  assert.equal(names(layersOf('write', 'boot/config')), ['guard denied'])
  assert.equal(names(layersOf('write', 'users/alice/key_settings')), ['guard denied', 'app allowed'])
  assert.equal(names(layersOf('write', 'users/bob/key_settings', bob)),
    ['guard allowed', 'app allowed', 'sudo allowed'])
  assert.equal(names(layersOf('read', 'zone/y', bob)), ['guard allowed', 'app allowed', 'subject allowed'])
  assert.equal(names(layersOf('read', 'zone/q', bob)),
    ['guard allowed', 'app allowed', 'subject denied', 'sudo denied'])
  assert.equal(names(layersOf('read', 'security/x', { root: true })), ['guard allowed'])
})

test('an explanation names so many lines that came near (explainedLines), and counts the rest', () => {
  const many = createAccess()
  const lines = (count: number) => Array.from({ length: count }, (_, index) => `p, alice, zone/*, write\n#${index}`)
  const named = limits.explainedLines
  for (const count of [named, named + 1]) {
    void many.replace({ model: '', policy: lines(count).join('\n') })
    const { others, unrelated } = layer(many.explain(alice, 'read', 'zone/x', false).layers, 'subject')
    assert.is(others!.length, named)
    assert.ok(unrelated! >= count - named)
  }
})

test('under a model of its own the line that decided is named, and no reason is made up for others', async () => {
  const own = createAccess()
  const byPrefix = builtInModel.replace('zonePath(r.obj, p.obj, r.sub, p.eft)', 'keyMatch(r.obj, p.obj)')
  await own.replace({ model: byPrefix, policy })
  const { model, layers } = own.explain(alice, 'write', 'zone/y', true)
  assert.is(model, 'own')
  assert.equal([layer(layers, 'subject').line!.text, layer(layers, 'subject').others], ['p, alice, zone/y, write', []])
})

test.run()
