/** What people read of the trust matrix is the matrix, and ARCHITECTURE.md says the same. */
import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { loginActions } from '../../actors/login-actions.ts'
import { loginTypes, matrix, rulesFor, type Verifier } from '../../actors/trust-matrix.ts'
import { trustMarkdown } from '../../boot/commands/trust.ts'
import { matrixRows, phaseRows, roles, rowsOfRole } from '../../boot/commands/trust-tables.ts'

test('ARCHITECTURE.md has the tables as `zonewright trust --markdown` prints them', () => {
  const [, section] = /<!-- zonewright trust --markdown -->\n\n([^]*?)\n\n<!-- end -->/
    .exec(readFileSync('ARCHITECTURE.md', 'utf8')) ?? []
  assert.is(section, trustMarkdown())
})

test('review item 4: each role has its LOGIN_TYPE and its actions, and whom it calls takes what it shows', () => {
  for (const role of roles) {
    const mine = loginActions.filter((row) => row.role === role)
    assert.ok(mine.length > 0, role)
    assert.is(loginTypes[role] === 'none', mine.every(({ callee }) => callee === undefined), role)
  }
  for (const { role, callee, shows, action } of loginActions) {
    if (callee === undefined || shows === 'password') continue
    const rules = [...rulesFor(callee, 'boot'), ...rulesFor(callee, 'normal')]
    assert.ok(rules.some(({ tokenUse }) => tokenUse === shows), `${role}: ${action}`)
  }
})

test('review item 4: a role that is by-jwt or by-password calls verify-hub for it, by a method that there is', () => {
  const methods = readFileSync('actors/verify-hub/krpc.ts', 'utf8')
  for (const { role, action, callee } of loginActions) {
    const [name] = /^(login_by_\w+|refresh_token|logout)/.exec(action) ?? []
    if (name === undefined) continue
    assert.is(callee, 'verify-hub', role)
    assert.match(methods, new RegExp(`\\b${name}: method`))
  }
})

test('each rule of the matrix has a row, and no row is without its rule', () => {
  const all = Object.values(matrix).flatMap(({ boot, normal }) => [...boot, ...normal])
  assert.is(matrixRows().length, all.length)
  for (const { verifier, phase, use, lifetime } of matrixRows()) {
    assert.ok(rulesFor(verifier, phase).some(({ tokenUse }) => tokenUse === use))
    assert.match(lifetime, /^\d+ (min|d)$/)
  }
})

test('review item 3: in boot phase the device of the ENV is trusted and nothing of kv://', () => {
  const row = phaseRows().find(([what]) => what === 'key sources')
  assert.equal(row, ['key sources', 'env', 'env; boot-config.verify-hub; boot-config.root; users/*/doc'])
})

test('review item 7: what runs as a service takes no token of a device', () => {
  for (const verifier of ['service', 'kernel-service', 'node', 'gateway'] as const satisfies readonly Verifier[]) {
    const rows = matrixRows().filter((row) => row.verifier === verifier)
    assert.ok(rows.every(({ key }) => !/env|devices/.test(key)), verifier)
    const session = rows.find(({ use }) => use === 'session')
    assert.is(session?.issuer, 'verify-hub', verifier)
  }
})

test('a role is shown what it checks and what its tokens meet', () => {
  const of = (role: Parameters<typeof rowsOfRole>[0]): readonly string[] =>
    rowsOfRole(role).map(({ verifier, phase, use }) => `${verifier} ${phase} ${use}`)
  assert.equal(of('sudo'), [
    'system-config normal sudo', 'verify-hub normal sudo', 'kernel-service normal sudo', 'service normal sudo',
  ])
  assert.equal(of('vault'), [])
  assert.ok(of('user').includes('system-config normal session'))
  assert.not.ok(of('user').includes('system-config boot session'))
  assert.not.ok(of('user').some((row) => / (login|sudo|root|boot)$/.test(row)))
})

test.run()
