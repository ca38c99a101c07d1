import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createAccess, type Access, type Speaker } from '../../actors/rbac/access.ts'
import { matches } from '../../actors/rbac/path.ts'
import { parsePolicy } from '../../actors/rbac/policy.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { policy } from './system-config-zone.ts'

const speaker = (appid: string, sub: string, runtimeType: string, changes: Partial<Speaker> = {}): Speaker =>
  ({ appid, sub, runtimeType, sudo: false, root: false, ...changes })

/** These lines, with the built-in model: in force at once. */
const use = (access: Access, text: string): void => void access.replace({ model: '', policy: text })

const access = createAccess()
use(access, policy)

const who = {
  root: speaker('cli', 'root', 'user', { root: true }),
  daemon: speaker('node-daemon', 'ood1', 'ood'),
  scheduler: speaker('scheduler', 'ood1', 'kernel-service'),
  hub: speaker('verify-hub', 'verify-hub', 'kernel-service'),
  gateway: speaker('gateway', 'ood1', 'gateway'),
  node: speaker('node-daemon', 'node1', 'node'),
  /** The app's own session: its owner is alice. */
  notes: speaker('notes', 'alice', 'service'),
  aliceByNotes: speaker('notes', 'alice', 'user'),
  aliceByPanel: speaker('panel', 'alice', 'user'),
  carolByPanel: speaker('panel', 'carol', 'user'),
  bobByPanel: speaker('panel', 'bob', 'user'),
  strangerByPanel: speaker('panel', 'dave', 'user'),
  aliceByNoApp: speaker('uninstalled', 'alice', 'user'),
  sudoAlice: speaker('panel', 'alice', 'user', { sudo: true }),
} as const
type Who = keyof typeof who

const may = (name: Who, operation: 'read' | 'write', path: string): boolean =>
  access.decide(who[name], operation, path).allowed

const allows: readonly [Who, 'read' | 'write', string, boolean][] = [
  ['root', 'write', 'security/x', true], ['root', 'read', '', true],

  ['daemon', 'read', 'nodes/ood1/config', true], ['daemon', 'read', 'nodes/', true], ['daemon', 'read', '', false],
  ['daemon', 'write', 'nodes/ood1/config', false], ['daemon', 'write', 'devices/ood1/info', true],
  ['daemon', 'write', 'devices/ood2/info', false], ['daemon', 'write', 'devices/ood1/doc', false],
  ['daemon', 'write', 'services/notes/instances/ood1', true],
  ['daemon', 'write', 'services/notes/instances/ood2', true],
  ['daemon', 'read', 'security/verify-hub/key', false], ['daemon', 'read', 'security', false],
  ['daemon', 'write', 'boot/config', false], ['daemon', 'write', 'system/rbac/policy', false],

  ['scheduler', 'write', 'nodes/ood1/config', true], ['scheduler', 'write', 'nodes/ood1/deep/config', false],
  ['scheduler', 'write', 'services/notes/info', true], ['scheduler', 'write', 'services/notes/spec', false],
  ['scheduler', 'write', 'system/rbac/policy', true], ['scheduler', 'write', 'system/scheduler/snapshot', true],
  ['scheduler', 'write', 'devices/ood1/info', false], ['scheduler', 'write', 'boot/config', false],
  ['scheduler', 'write', 'users/alice/settings', false], ['scheduler', 'read', 'users/alice/settings', true],
  ['scheduler', 'write', 'services/scheduler/instances/ood1', true],

  ['hub', 'read', 'devices/node1/doc', true], ['hub', 'read', 'services/notes/spec', true],
  ['hub', 'write', 'boot/config', false],
  ['hub', 'write', 'users/alice/doc', false], ['hub', 'read', 'security/x', false],
  ['hub', 'write', 'system/rbac/policy', false], ['hub', 'write', 'nodes/ood1/config', false],

  ['gateway', 'read', 'services/notes/info', true], ['gateway', 'read', 'nodes/ood1/gateway_info', true],
  ['gateway', 'read', 'users/alice/settings', false], ['gateway', 'write', 'services/gateway/instances/ood1', true],
  ['gateway', 'write', 'nodes/ood1/config', false],

  ['node', 'read', 'nodes/node1/config', true], ['node', 'read', 'nodes/node2/config', false],
  ['node', 'read', 'users/alice/settings', false], ['node', 'write', 'devices/node1/info', true],
  ['node', 'write', 'devices/ood1/info', false], ['node', 'write', 'services/notes/instances/node1', true],
  ['node', 'write', 'services/notes/instances/ood1', false],

  ['notes', 'read', 'boot/config', true], ['notes', 'read', 'services/notes/spec', true],
  ['notes', 'write', 'services/notes/settings', true], ['notes', 'write', 'services/notes/spec', false],
  ['notes', 'write', 'services/notes/info', false], ['notes', 'write', 'services/other/settings', false],
  ['notes', 'read', 'services/other/spec', false], ['notes', 'read', 'services/other/info', true],
  ['notes', 'write', 'users/alice/apps/notes/settings', true],
  ['notes', 'write', 'users/bob/apps/notes/settings', false],
  ['notes', 'write', 'users/alice/apps/notes/spec', false], ['notes', 'read', 'users/alice/settings', false],
  ['notes', 'read', 'nodes/ood1/config', false], ['notes', 'read', 'devices/ood1/doc', false],

  ['aliceByNotes', 'write', 'users/alice/apps/notes/settings', true],
  ['aliceByNotes', 'write', 'users/alice/apps/other/settings', false],
  ['aliceByNotes', 'write', 'users/alice/profile', false],
  ['aliceByNotes', 'write', 'services/notes/settings', false],
  ['aliceByPanel', 'write', 'users/alice/profile', true], ['aliceByPanel', 'read', 'users/alice/', true],
  ['aliceByPanel', 'write', 'users/alice/settings', false], ['aliceByPanel', 'write', 'users/alice/doc', false],
  ['aliceByPanel', 'read', 'users/bob/profile', false], ['aliceByPanel', 'read', 'users/', false],
  ['aliceByPanel', 'write', 'services/notes/spec', false],
  ['carolByPanel', 'write', 'services/notes/spec', true], ['carolByPanel', 'read', 'users/alice/profile', false],
  ['carolByPanel', 'write', 'users/carol/profile', true], ['carolByPanel', 'write', 'system/rbac/policy', false],
  ['bobByPanel', 'read', 'zone/files/public', true], ['bobByPanel', 'write', 'zone/files/public', false],
  ['bobByPanel', 'read', 'zone/files/deep/public', false], ['aliceByPanel', 'read', 'zone/files/public', false],
  ['strangerByPanel', 'read', 'boot/config', false], ['aliceByNoApp', 'read', 'boot/config', false],

  ['sudoAlice', 'write', 'users/alice/key_settings', true], ['sudoAlice', 'write', 'users/alice/doc', false],
  ['sudoAlice', 'write', 'users/bob/key_settings', false],
]

test('the base and the lines of the scheduler give each caller what it needs and nothing beside it', () => {
  for (const [name, operation, path, allowed] of allows) {
    assert.is(may(name, operation, path), allowed, `${name} ${operation} ${path}`)
  }
})

test('a name that is also the name of a role, of a kernel app or of a host gains nothing by it', () => {
  const names = [
    'app', 'console', 'user', 'admin', 'kernel', 'control-plane', 'readers', 'type:ood', 'type:kernel-service',
    'su_alice',
  ]
  const paths = ['boot/config', 'nodes/ood1/config', 'users/alice/profile', 'zone/files/public', 'services/notes/spec']
  const reads = (appid: string, sub: string, path: string): boolean =>
    access.decide(speaker(appid, sub, 'user'), 'read', path).allowed
  for (const name of names) {
    for (const path of paths) {
      assert.is(reads('panel', name, path), false, `user ${name} reads ${path}`)
      assert.is(reads(name, 'alice', path), false, `app ${name} reads ${path}`)
    }
  }
  const alike = createAccess()
  use(alike, 'g, admin, user\ng, user, user\ng, alice, admin\ng, panel, console\ng, console, app')
  const asUser = (sub: string, path: string) => alike.decide(speaker('panel', sub, 'user'), 'read', path).allowed
  assert.is(asUser('admin', 'users/admin/profile'), true)
  assert.is(asUser('user', 'users/user/profile'), true)
  assert.is(asUser('admin', 'services/notes/spec'), false)
  assert.is(asUser('alice', 'services/notes/spec'), true)
  assert.is(alike.decide(speaker('console', 'alice', 'user'), 'read', 'nodes/ood1/config').allowed, false)

  const kernelUser = createAccess()
  use(kernelUser, 'g, scheduler, user\ng, panel, console')
  assert.is(kernelUser.decide(speaker('panel', 'scheduler', 'user'), 'read', 'nodes/ood1/config').allowed, false)
  // A node that was named after a user is not that user
  assert.is(access.decide(speaker('node-daemon', 'alice', 'node'), 'read', 'users/alice/profile').allowed, false)
})

test('sudo asks the ordinary lines first, and only then those of su_: the chain says which allowed it', () => {
  const layers = (path: string) =>
    access.decide(who.sudoAlice, 'write', path).chain.map(({ layer, verdict }) => `${layer} ${verdict}`)
  assert.equal(layers('users/alice/profile'), ['rbac allowed'])
  const added = createAccess()
  use(added, 'g, panel, console\np, su_alice, users/shared/x, write')
  const decision = added.decide(who.sudoAlice, 'write', 'users/shared/x')
  assert.equal(decision.chain.map(({ layer, rule }) => `${layer}: ${rule}`), [
    'rbac: p, console, users/*, read|write', 'sudo: p, su_alice, users/shared/x, write',
  ])
  assert.is(added.decide({ ...who.sudoAlice, sudo: false }, 'write', 'users/shared/x').allowed, false)
  assert.is(added.decide(who.sudoAlice, 'write', 'users/shared/y').chain.at(-1)!.reason, 'sudo/no-rule')
})

test('a line for everything still leaves out what is of root alone, and su_ names are nobody who logs in', () => {
  const wide = createAccess()
  use(wide, 'g, panel, wide\ng, alice, wide\np, wide, *, read|write\np, su_bob, users/bob/x, read')
  const panel = (sub: string) => speaker('panel', sub, 'user')
  assert.is(wide.decide(panel('alice'), 'read', 'system/x').allowed, true)
  assert.is(wide.decide(panel('alice'), 'read', 'users/').allowed, true)
  for (const path of ['', 'security', 'security/', 'security/x']) {
    assert.is(wide.decide(panel('alice'), 'read', path).chain[0]!.reason, 'rbac/root-only', path)
  }
  for (const path of ['boot/config', 'devices/ood1/doc', 'security/x', '', 'devices/']) {
    assert.is(wide.decide(panel('alice'), 'write', path).chain[0]!.reason, 'rbac/root-only', path)
  }
  for (const path of ['users/alice/doc', 'users/bob/settings', 'users/alice/key_settings', 'users/alice/']) {
    assert.is(wide.decide(panel('alice'), 'write', path).chain[0]!.reason, 'rbac/sudo-only', path)
  }
  assert.is(wide.decide(panel('su_bob'), 'read', 'users/bob/x').allowed, false)
})

test('a pattern matches whole segments: a star one of them, the last star all that follow, braces the caller', () => {
  const cases: readonly [string, string, boolean][] = [
    ['a/*', 'a/b', true], ['a/*', 'a/b/c', true], ['a/*', 'a', false], ['a/*', 'a/', true], ['a/*', 'ab/c', false],
    ['a/*/c', 'a/b/c', true], ['a/*/c', 'a/b/x/c', false], ['a/*/c', 'a//c', false], ['a/*/c', 'a/b/', false],
    ['a/{u}', 'a/alice', true], ['a/{u}', 'a/bob', false], ['a/{u}', 'a/', false], ['a/{u}/*', 'a/alice/x', true],
    ['a/{u}/*', 'a/alicia/x', false], ['a/{u}/{u}', 'a/alice/alice', true], ['a/{u}/{u}', 'a/alice/bob', false],
    ['*', '', true], ['*', 'x/y', true], ['a', 'a', true], ['a', 'a/b', false], ['a/b', 'a', false], ['a', 'A', false],
  ]
  for (const [pattern, path, expected] of cases) {
    assert.is(matches(pattern.split('/'), path.split('/'), 'alice'), expected, `${pattern} on ${path}`)
  }
})

test('a line that is no policy line refuses the policy whole, and names the line', () => {
  const wrong = [
    'x', 'p', 'p, a', 'p, a, b', 'p, a, b, execute', 'p, a, b, read, denied', 'p, a, b, read, allow, more',
    'p, , b, read',
    'p, a, , read', 'p, a, b//c, read', 'p, a, b*, read', 'p, a, ../b, read', 'p, a, {}, read', 'p, a, {u, read',
    'p, a b, c, read',
    'g', 'g, a', 'g, a, b, c', 'g, a, ', 'p,a,b,write|read', 'P, a, b, read', 'p; a; b; read', 'p, a, b, toString',
  ]
  const target = createAccess()
  use(target, policy)
  const fixed = [
    'g, mallory, kernel', 'g, mallory, control-plane', 'g, mallory, scheduler', 'g, mallory, type:ood',
    'p, kernel, security/*, read', 'p, type:service, users/*, read', 'g, mallory, sudo', 'g, mallory, su_admin',
    'g, mallory, su_alice', 'p, kernel, boot/*, read, deny',
  ]
  for (const line of [...wrong, ...fixed]) {
    const error = (() => {
      try {
        use(target, `g, mallory, user\n${line}`)
      } catch (caught) {
        return caught as Error
      }
    })()
    assert.instance(error, InvalidArgument, line)
    if (wrong.includes(line)) assert.match(error!.message, 'Line 2', line)
    assert.is(target.decide(speaker('panel', 'mallory', 'user'), 'read', 'boot/config').allowed, false, line)
    assert.is(target.decide(who.aliceByPanel, 'read', 'boot/config').allowed, true, line)
  }
  const tooLong = '\n'.repeat(limits.policyLines)
  assert.throws(() => parsePolicy(tooLong), (error: unknown) => error instanceof InvalidArgument)
})

test('roles that contain each other end, and give what any of them gives', () => {
  const target = createAccess()
  const lines = ['g, dave, one', 'g, one, two', 'g, two, one', 'p, two, zone/x, read', 'g, panel, console']
  use(target, [...lines, 'p, console, zone/*, read'].join('\n'))
  assert.is(target.decide(speaker('panel', 'dave', 'user'), 'read', 'zone/x').allowed, true)
  assert.is(target.decide(speaker('panel', 'dave', 'user'), 'write', 'zone/x').allowed, false)
})

test('what was allowed once is decided anew for another operation or speaker, and by the next policy', () => {
  const target = createAccess()
  use(target, 'g, panel, console\np, console, zone/*, read|write\np, alice, zone/x, read\np, dave, zone/y, read')
  const [alice, dave] = [speaker('panel', 'alice', 'user'), speaker('panel', 'dave', 'user')]
  const reads = (): boolean => target.decide(alice, 'read', 'zone/x').allowed
  assert.equal([reads(), reads()], [true, true])
  assert.is(target.decide(alice, 'write', 'zone/x').allowed, false)
  assert.is(target.decide(dave, 'read', 'zone/x').allowed, false)
  use(target, 'g, panel, console\np, console, zone/*, read|write')
  assert.is(reads(), false)
})

test('more paths than are remembered are all decided alike', () => {
  const target = createAccess()
  use(target, 'g, panel, console\np, console, zone/*, read\np, alice, zone/*, read')
  const alice = speaker('panel', 'alice', 'user')
  const paths = Array.from({ length: limits.accessDecisions + 2 }, (_, index) => `zone/${index}`)
  for (const path of [...paths, ...paths]) assert.is(target.decide(alice, 'read', path).allowed, true, path)
  assert.is(target.decide(alice, 'read', 'security/0').allowed, false)
})

test('a folder that is allowed does not open what only root writes in it, nor the whole', () => {
  const target = createAccess()
  use(target, ['reader', 'ann'].flatMap((name) => [`p, ${name}, users/*, write`, `p, ${name}, *, write`]).join('\n'))
  const ann = speaker('reader', 'ann', 'user')
  const allowed = (path: string): boolean => target.decide(ann, 'write', path).allowed
  assert.equal(['users/a/spec', 'users/a/doc', 'users/a/settings', 'users/a/other'].map(allowed),
    [true, false, false, true])
  assert.equal(['other', '', 'security', 'security/x', 'boot/x', 'boot/config'].map(allowed),
    [true, false, false, false, true, false])
})

test('what was decided before never changes what is decided: one that remembers agrees with one that does not', () => {
  const names = ['a', 'b', 'spec', 'info', 'doc', 'notes', 'alice', 'ood1', 'config', '']
  const roots = ['services', 'users', 'nodes', 'devices', 'security', 'system', 'boot', 'x']
  // Park and Miller's: the same in every run
  let seed = 4_242
  const one = <T>(of: readonly T[]): T => of[(seed = (seed * 48_271) % 2_147_483_647) % of.length]!
  const pattern = (): string => {
    const inner = Array.from({ length: one([0, 1, 2, 3]) }, () => one(['*', '{x}', ...names.slice(0, -1)]))
    return [one(roots), ...inner].join('/')
  }
  const path = (): string => one(['', [one(roots), ...Array.from({ length: one([0, 1, 2, 3]) }, () => one(names))]
    .filter((segment, index, all) => segment !== '' || index === all.length - 1).join('/')])
  let allowed = 0
  for (let policies = 0; policies < 40; policies++) {
    const text = Array.from({ length: 12 }, () =>
      `p, ${one(['app', 'user', 'notes', 'alice', 'su_alice'])}, ${pattern()}, ${one(['read', 'write', 'read|write'])}`)
      .concat('g, notes, app', 'g, alice, user').join('\n')
    const remembering = createAccess()
    use(remembering, text)
    for (let question = 0; question < 400; question++) {
      const [asks, operation, where] = [one(Object.values(who)), one(['read', 'write'] as const), path()]
      // Nothing is remembered of a speaker that never spoke before
      const fresh = remembering.decide({ ...asks }, operation, where)
      const known = remembering.decide(asks, operation, where)
      assert.equal(known, fresh, `${asks.sub} by ${asks.appid}: ${operation} ${where}\n${text}`)
      if (fresh.allowed && !asks.root) allowed++
    }
  }
  assert.ok(allowed > 500, `${allowed} were allowed`)
})

test.run()
