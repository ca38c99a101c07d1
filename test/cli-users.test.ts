/** Users and devices by the command line. */
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  liveZoneWithSudo, objectOf, OWNER, removeFolders, start, zonewright, type LiveCommandLine,
} from './boot-fixtures/command-line.ts'

let zone: LiveCommandLine

test.before(async () => {
  zone = await liveZoneWithSudo()
})
test.after(async () => {
  await zone.stop()
  removeFolders()
})

test('users are added by an admin’s sudo or by the owner key, under names that nobody else has', async () => {
  assert.match(`${(await zone.fails(2, 'users', 'add', 'bob')).next}`, / sudo users add bob; or --owner-key FILE$/)
  await zone.json('sudo', 'users', 'add', 'bob', '--no-password')
  assert.is((await zone.fails(21, 'sudo', 'users', 'add', 'bob', '--no-password')).code, 'KeyExists')
  for (const name of ['su_bob', 'scheduler', 'a/b']) {
    assert.is((await zone.fails(2, 'sudo', 'users', 'add', name, '--no-password')).code, 'Usage', name)
  }
  const eve = await zone.json('users', 'add', 'eve', '--type', 'admin', '--key-out', 'eve.key', ...OWNER)
  assert.is(statSync(join(zone.cwd, 'eve.key')).mode & 0o777, 0o600)
  const { users } = await zone.json('sudo', 'users') as { users: { name: string; type: string; key: unknown }[] }
  assert.equal(users.map(({ name, type }) => `${name} ${type}`), ['bob user', 'eve admin', 'owner admin'])
  assert.equal(users.map(({ key }) => key !== null), [false, true, true])
  assert.is((users[1]!.key as { kid: string }).kid, eve['kid'])
  // The key of another does not make one another: the login says who asks
  assert.is((await zone.fails(14, 'sudo', '--key', 'eve.key', 'users')).reason, 'token/unknown-key')
  assert.is((await zone.fails(20, 'users', 'show', 'nobody')).code, 'NotFound')
})

test('who typed too many wrong passwords is locked out, until an admin unlocks', async () => {
  writeFileSync(join(zone.cwd, 'first'), 'a first password of hers\n', { mode: 0o600 })
  writeFileSync(join(zone.cwd, 'wrong'), 'quite another password\n', { mode: 0o600 })
  await zone.json('sudo', 'users', 'add', 'carol', '--password-file', 'first')
  const CAROL = ['--session', 'carol.json']
  let locked: string | undefined
  for (let tries = 0; tries < 20 && locked === undefined; tries++) {
    const { exitCode, stderr } = await zone.run('login', 'carol', '--password-file', 'wrong', ...CAROL)
    if (exitCode === 33) locked = stderr
    else assert.is(exitCode, 19, stderr)
  }
  assert.match(`${locked}`, /Too many wrong passwords[^]*next: [^]*users unlock/)
  assert.is((await zone.run('users', 'unlock', 'carol')).stdout, 'carol is not locked out\n')
  await zone.json('login', 'carol', '--password-file', 'first', ...CAROL)
})

test('a first password that is none adds nobody', async () => {
  writeFileSync(join(zone.cwd, 'weak'), 'dora-dora\n', { mode: 0o600 })
  const weak = await zone.fails(25, 'sudo', 'users', 'add', 'dora', '--password-file', 'weak')
  assert.match(weak.message, /not be made of the user name/)
  assert.is((await zone.fails(20, 'users', 'show', 'dora')).code, 'NotFound')
})

test('nobody is added by the name of a device: the policy would give them nothing', async () => {
  const taken = await zone.fails(21, 'sudo', 'users', 'add', 'ood1', '--no-password')
  assert.match(taken.message, /device of this name/)
  assert.is((await zone.fails(20, 'users', 'show', 'ood1')).code, 'NotFound')
})

test('devices are shown as their documents say, which the root key signed', async () => {
  const { devices } = await zone.json('devices') as { devices: Record<string, unknown>[] }
  const [first] = devices
  assert.equal([first?.['name'], first?.['valid'], first?.['role'], first?.['owner']], ['ood1', true, 'ood', 'owner'])
  const one = await zone.run('devices', 'show', 'ood1')
  assert.match(one.stdout, /role +ood\n[^]*services +cert-manager, gateway, scheduler, service, verify-hub\n/)
  assert.is((await zone.fails(20, 'devices', 'show', 'ood9')).code, 'NotFound')
})

test('trust needs no zone, and says what the matrix says', async () => {
  const cwd = join(zone.cwd, 'state')
  const ended = await start([...zonewright, 'trust', '--role', 'sudo', '--json'], { cwd }).ended
  assert.is(ended.exitCode, 0, ended.stderr)
  const { loginActions, matrix } = objectOf(ended) as Record<string, Record<string, unknown>[]>
  assert.ok(loginActions?.every(({ role, loginType }) => role === 'sudo' && loginType === 'by-jwt'))
  assert.ok(matrix?.every(({ use, once, lifetime }) => use === 'sudo' && once === true && lifetime === '3 min'))
  await zone.fails(2, 'trust', '--role', 'nobody')
  await zone.fails(2, 'trust', '--markdown', '--json')
  assert.is((await zone.run('trust')).exitCode, 0)
})

test.run()
