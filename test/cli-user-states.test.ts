/** Users who are suspended, deleted or locked out, by the command line. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { liveZone, removeFolders, type LiveCommandLine } from './boot-fixtures/command-line.ts'

let zone: LiveCommandLine
const OWNER = ['--owner-key', '.zone/owner.key', '--yes']
/** Bob's own login, beside the owner's. */
const BOB = ['--session', 'bob.json']

test.before(async () => {
  zone = await liveZone()
  writeFileSync(join(zone.cwd, 'first'), 'a first password of his\n', { mode: 0o600 })
  writeFileSync(join(zone.cwd, 'wrong'), 'quite another password\n', { mode: 0o600 })
  await zone.json('users', 'key', 'owner', ...OWNER)
  await zone.json('sudo', 'users', 'add', 'bob', '--password-file', 'first')
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
  await zone.fails(14, 'login', 'bob', '--password-file', 'first', ...BOB)
  assert.is((await zone.fails(20, 'sudo', 'users', 'suspend', 'nobody')).code, 'NotFound')
})

test('who typed too many wrong passwords is locked out, until an admin unlocks', async () => {
  await zone.json('sudo', 'users', 'add', 'carol', '--password-file', 'first')
  const CAROL = ['--session', 'carol.json']
  let locked: string | undefined
  for (let tries = 0; tries < 20 && locked === undefined; tries++) {
    const { exitCode, stderr } = await zone.run('login', 'carol', '--password-file', 'wrong', ...CAROL)
    if (exitCode === 33) locked = stderr
    else assert.is(exitCode, 19, stderr)
  }
  assert.match(`${locked}`, /Too many wrong passwords/)
  await zone.json('users', 'unlock', 'carol')
  await zone.json('login', 'carol', '--password-file', 'first', ...CAROL)
})

test.run()
