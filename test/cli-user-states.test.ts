/** Users who are suspended or deleted, by the command line. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BOB, liveZoneWithBob, OWNER, removeFolders, type LiveCommandLine } from './boot-fixtures/command-line.ts'

let zone: LiveCommandLine

test.before(async () => {
  zone = await liveZoneWithBob()
})
test.after(async () => {
  await zone.stop()
  removeFolders()
})

const loginBob = (session = 'bob.json') =>
  zone.json('login', 'bob', '--password-file', 'first', '--session', session)

test('a user who is suspended is out at once, and back when active again; one who is deleted is out', async () => {
  await loginBob()
  await loginBob('bob2.json')
  const suspended = await zone.json('sudo', 'users', 'suspend', 'bob')
  assert.equal([suspended['state'], suspended['ended']], ['suspended', 2])
  assert.is((await zone.fails(18, 'whoami', ...BOB)).code, 'NotLoggedIn')
  const refused = await zone.fails(14, 'login', 'bob', '--password-file', 'first', ...BOB)
  assert.equal([refused.reason, refused.message], ['login/user', 'The user is not active'])
  await zone.json('sudo', 'users', 'activate', 'bob')
  await loginBob()
  const line = await zone.run('users', 'delete', 'bob', ...OWNER)
  assert.match(line.stdout, /\nbob is deleted\n1 session of bob ended\n$/)
  // Not active; and once verify-hub has forgotten the password, like a name that nobody has
  const { exitCode } = await zone.run('login', 'bob', '--password-file', 'first', ...BOB)
  assert.ok(exitCode === 14 || exitCode === 19, `${exitCode}`)
  assert.is((await zone.fails(20, 'sudo', 'users', 'suspend', 'nobody')).code, 'NotFound')
})

test('an admin locks nobody out for good: not themselves by sudo, and the owner key needs no login', async () => {
  for (const verb of ['suspend', 'delete']) {
    const refused = await zone.fails(2, 'sudo', 'users', verb, 'owner')
    assert.match(refused.message, /You are owner/)
  }
  assert.is((await zone.json('whoami'))['state'], 'active')
  const suspended = await zone.run('users', 'suspend', 'owner', ...OWNER)
  assert.match(suspended.stdout, /\nowner is suspended\nTheir sessions end a moment later\n$/)
  await zone.fails(18, 'whoami')
  await zone.fails(18, 'users', 'list')

  assert.is((await zone.run('users', 'suspend', 'bob', ...OWNER)).exitCode, 0, 'nobody is logged in')
  await zone.json('users', 'activate', 'owner', ...OWNER)
  await zone.json('users', 'key', 'owner', ...OWNER, '--replace')
  await zone.fails(18, 'sudo', 'whoami')
  assert.match((await zone.fails(2, 'sudo', 'users', 'delete', 'owner', '--user', 'owner')).message, /You are owner/)
  writeFileSync(join(zone.cwd, 'next'), 'quite another password\n', { mode: 0o600 })
  assert.equal(await zone.json('sudo', 'passwd', 'owner', '--user', 'owner', '--password-file', 'next'),
    { user: 'owner' })
  await zone.json('login', '--password-file', 'next')
  assert.is((await zone.json('whoami'))['state'], 'active')
})

test.run()
