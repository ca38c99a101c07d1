/** Accounts by the command line: who one is, and passwords. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  BOB, liveZoneWithSudo, OWNER, removeFolders, start, zonewright, type LiveCommandLine,
} from './boot-fixtures/command-line.ts'

let zone: LiveCommandLine

test.before(async () => {
  zone = await liveZoneWithSudo()
})
test.after(async () => {
  await zone.stop()
  removeFolders()
})

const secret = (name: string, text: string): string => {
  writeFileSync(join(zone.cwd, name), `${text}\n`, { mode: 0o600 })
  return name
}

const loginBob = (file = 'first') => zone.json('login', 'bob', '--password-file', file, ...BOB)

test('whoami is the zone’s own word, of a session and of a sudo token', async () => {
  const me = await zone.json('whoami')
  const { user, type, state, appid, sudo } = me
  assert.equal({ user, type, state, appid, sudo },
    { user: 'owner', type: 'admin', state: 'active', appid: 'console', sudo: false })
  assert.ok((me['audiences'] as readonly string[]).includes('verify-hub'))
  const bySudo = await zone.json('sudo', 'whoami')
  assert.equal([bySudo['user'], bySudo['sudo'], bySudo['audiences']], ['owner', true, ['verify-hub']])
  assert.match((await zone.run('whoami')).stdout, /^user +owner\n[^]*until +\S+, in 1\d min/)
})

test('a user is added with a first password, logs in, and changes it', async () => {
  secret('first', 'a first password of his')
  secret('second', 'the second password of his')
  await zone.json('sudo', 'users', 'add', 'bob', '--password-file', 'first')
  await loginBob()
  assert.is((await zone.json('whoami', ...BOB))['user'], 'bob')
  const passwd = ['passwd', '--password-file', 'second']
  assert.is((await zone.fails(19, ...passwd, '--old-password-file', 'second', ...BOB)).code, 'InvalidPassword')
  assert.is((await zone.fails(2, ...passwd, ...BOB)).code, 'Usage', 'nobody can be asked')
  await zone.fails(2, 'passwd', '--password-file', '-', '--old-password-file', '-', ...BOB)
  await zone.json(...passwd, '--old-password-file', 'first', ...BOB)
  assert.is((await zone.fails(19, 'login', 'bob', '--password-file', 'first', ...BOB)).code, 'InvalidPassword')
  await loginBob('second')
  secret('short', 'short')
  const short = await zone.fails(25, 'passwd', '--old-password-file', 'second', '--password-file', 'short', ...BOB)
  assert.match(short.message, /at least \d+ characters/)
})

test('a terminal asks for the old password, and twice for the new one', async () => {
  const line = `${[...zonewright, 'passwd', ...BOB].map((word) => `'${word}'`).join(' ')}`
  const person = () => start(['script', '-qec', line, '/dev/null'], { cwd: zone.cwd, input: 'open' })
  const answer = async (again: string) => {
    const asked = person()
    await asked.printed(/Old password of bob: /)
    asked.type('the second password of his\r')
    await asked.printed(/New password of bob: /)
    asked.type('the third password of his\r')
    await asked.printed(/The same again: /)
    asked.type(`${again}\r`)
    const ended = await asked.ended
    assert.not.match(ended.stdout, /(second|third) password/)
    return ended
  }
  const differ = await answer('the thirt password of his')
  assert.is(differ.exitCode, 2)
  assert.match(differ.stdout, /The two passwords differ: nothing was changed/)
  assert.is((await answer('the third password of his')).exitCode, 0)
  secret('third', 'the third password of his')
  await loginBob('third')
})

test('an admin sets the password of another user by sudo, and nobody does without', async () => {
  secret('given', 'given to him by an admin')
  const set = ['passwd', 'bob', '--password-file', 'given']
  assert.match(`${(await zone.fails(2, ...set)).next}`, / sudo passwd bob$/)
  const nobody = await zone.fails(20, 'sudo', 'passwd', 'nobody', '--password-file', 'given')
  assert.match(nobody.message, /There is no such user/)
  assert.is((await zone.fails(2, 'passwd', 'owner', '--password-file', 'given', ...BOB)).code, 'Usage')
  await zone.json('users', 'key', 'bob', '--out', 'bob.key', ...OWNER)
  const bobs = ['sudo', '--key', 'bob.key', 'passwd', 'owner', '--password-file', 'given', ...BOB]
  assert.is((await zone.fails(14, ...bobs)).reason, 'sudo/no-rule', 'he is no admin')
  await zone.json('sudo', ...set)
  await loginBob('given')
})

test('nothing of this prints a token or a key', async () => {
  const runs = [['sudo', 'whoami'], ['sudo', 'kv', 'set', 'boot/config', 'x'], ['sessions'], ['users', 'show', 'owner']]
  for (const words of runs) {
    const { stdout, stderr } = await zone.run(...words, '--debug')
    assert.not.match(stdout + stderr, /eyJ|PRIVATE/, words.join(' '))
  }
})

test.run()
