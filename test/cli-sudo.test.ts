/** Sudo by the command line: what a session may not do, and a token by the user's own key may. */
import { copyFileSync, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  liveZone, objectOf, removeFolders, runtimeArgs, start, zonewright, type LiveCommandLine,
} from './boot-fixtures/command-line.ts'

let zone: LiveCommandLine

test.before(async () => { zone = await liveZone() })
test.after(async () => {
  await zone.stop()
  removeFolders()
})

const OWNER = ['--owner-key', '.zone/owner.key', '--yes']

const keyFolder = (): string => {
  const keys = join(zone.cwd, 'state/zonewright/keys')
  return join(keys, readdirSync(keys)[0]!)
}
const keyFile = (name: string): string => join(keyFolder(), `${name}.key`)
const secret = (name: string): string => {
  writeFileSync(join(zone.cwd, name), `${name} and nobody else\n`, { mode: 0o600 })
  return name
}
const set = ['kv', 'set', 'users/owner/key_settings', '{"pin":4}']

test('review item 1: what a session is refused, a token by the user’s key is allowed, for one request', async () => {
  const refused = await zone.fails(14, ...set)
  assert.is(refused.reason, 'rbac/sudo-only')
  assert.match(`${refused.next}`, / sudo kv set …$/)
  const keyless = await zone.fails(34, 'sudo', ...set)
  assert.is(keyless.code, 'SudoKeyNeeded')
  assert.match(`${keyless.next}`, /users key owner --owner-key FILE/)

  const { kid, path } = await zone.json('users', 'key', 'owner', ...OWNER)
  assert.is(path, keyFile('owner'))
  assert.is(statSync(keyFile('owner')).mode & 0o777, 0o600)
  assert.is(statSync(keyFolder()).mode & 0o777, 0o700)
  assert.equal((await zone.json('users', 'show', 'owner'))['key'] !== null, true)
  assert.match(`${kid}`, /^[\w-]{43}$/)

  assert.ok((await zone.json('sudo', ...set))['revision'])
  assert.is((await zone.json('kv', 'get', 'users/owner/key_settings'))['value'], '{"pin":4}')
  assert.is((await zone.fails(14, ...set)).reason, 'rbac/sudo-only', 'what was allowed once is for that request')
})

test('sudo opens what the policy says for it, and no more', async () => {
  assert.is((await zone.fails(14, 'sudo', 'kv', 'set', 'boot/config', '{}')).reason, 'rbac/root-only')
  assert.is((await zone.fails(14, 'sudo', 'kv', 'set', 'users/other/key_settings', '1')).reason, 'sudo/no-rule')
  for (const words of [['ps'], ['kv', 'watch', 'users/owner'], ['services'], ['up'], ['sudo', ...set]]) {
    const failure = await zone.fails(2, 'sudo', ...words)
    assert.match(failure.message, /is not possible by sudo: /, words.join(' '))
  }
  assert.match((await zone.fails(2, 'sudo', 'login', '--dir', '.zone')).message, /^login is not possible by sudo: /)
  const unread = await zone.fails(34, 'sudo', '--key', secret('no key'), ...set)
  assert.match(`${unread.next}`, /^Give the file/, 'no passphrase opens what is no key')
  await zone.fails(2, 'sudo')
  assert.match((await zone.fails(2, 'sudo', 'kv', 'tx', '-', ...OWNER)).message, /^One of them signs: /)
  assert.is((await zone.fails(2, 'sudo', 'kv', 'set', 'users/owner/x')).message, 'Missing required argument \'value\'')
})

test('a key is replaced by its own user, and the one before signs no more', async () => {
  copyFileSync(keyFile('owner'), join(zone.cwd, 'old.key'))
  assert.is((await zone.fails(21, 'users', 'key', 'owner', ...OWNER)).code, 'KeyExists')
  assert.not.ok(existsSync(`${keyFile('owner')}.new`), 'a key that was refused is not kept')
  const { kid } = await zone.json('users', 'key', 'owner')
  const shown = (await zone.json('users', 'show', 'owner'))['key'] as { kid: string }
  assert.is(shown.kid, kid)
  await zone.json('sudo', ...set)
  const old = await zone.fails(14, 'sudo', '--key', 'old.key', ...set)
  assert.is(old.reason, 'token/unknown-key')
  assert.match(old.message, /knows no such key of yours/)
  assert.not.match(old.stderr, /eyJ|PRIVATE/)
  // One that was lost
  await zone.json('users', 'key', 'owner', '--replace', '--out', 'lost.key', ...OWNER)
  await zone.fails(14, 'sudo', ...set)
  await zone.json('sudo', '--key', 'lost.key', 'users', 'key', 'owner')
  await zone.json('sudo', ...set)
  await zone.fails(2, 'users', 'key', 'owner', '--out', 'lost.key', '--replace', ...OWNER)
})

test('an encrypted key asks for its passphrase, or takes it from a file', async () => {
  await zone.json('users', 'key', 'owner', '--passphrase-file', secret('words'))
  await zone.fails(34, 'sudo', ...set)
  await zone.json('sudo', '--passphrase-file', 'words', ...set)
  const line = `${[...zonewright, 'sudo', ...set].map((word) => `'${word}'`).join(' ')}`
  const asked = start(['script', '-qec', line, '/dev/null'], { cwd: zone.cwd, input: 'open' })
  await asked.printed(/Passphrase of \S+owner\.key: /)
  asked.type('words and nobody else\r')
  const { exitCode, stdout } = await asked.ended
  assert.is(exitCode, 0, stdout)
  assert.not.match(stdout, /nobody else/)
  await zone.json('sudo', '--passphrase-file', 'words', 'users', 'key', 'owner')
})

test('with another clock than the zone’s, sudo says how far the two are apart', async () => {
  const skewed = async (ms: number) => {
    const file = `clock-${ms}.mjs`
    writeFileSync(join(zone.cwd, file), `const now = Date.now\nDate.now = () => now() + ${ms}\n`)
    const [program, ...rest] = zonewright
    const before = 'Deno' in globalThis ? [...runtimeArgs, '--preload', `./${file}`] : ['--import', `./${file}`]
    const words = rest.slice(runtimeArgs.length)
    const { exitCode, stdout, stderr } =
      await start([program!, ...before, ...words, 'sudo', ...set, '--json'], { cwd: zone.cwd }).ended
    assert.is(exitCode, 14, stderr)
    return objectOf({ stdout })['error'] as { message: string; reason: string }
  }
  const ahead = await skewed(600_000)
  assert.is(ahead.reason, 'token/not-yet-valid')
  assert.match(ahead.message, /^The clock of this machine is (10 min [01] s|9 min 59 s) ahead of that of the zone/)
  const behind = await skewed(-600_000)
  assert.is(behind.reason, 'token/expired')
  assert.match(behind.message, /^The clock of this machine is (10 min [01] s|9 min 59 s) behind that of the zone/)
})

test.run()
