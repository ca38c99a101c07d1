/** Who the command line speaks for: logging in, sessions that end, users who may not, and the owner key. */
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { liveZone, removeFolders, start, zonewright, type LiveCommandLine } from './boot-fixtures/command-line.ts'

let zone: LiveCommandLine

test.before(async () => { zone = await liveZone({ login: false }) })
test.after(async () => {
  await zone.stop()
  removeFolders()
})

const login = () => zone.json('login', '--password-file', zone.passwordFile)

interface Saved { readonly sessionToken: string; readonly refreshToken: string; readonly user: string }

const stateFolder = (): string => {
  const root = join(zone.cwd, 'state/zonewright')
  return join(root, readdirSync(root).find((name) => name.startsWith('zone.local-'))!)
}
const sessionFile = (): string => join(stateFolder(), 'owner.json')
const saved = (): Saved => JSON.parse(readFileSync(sessionFile(), 'utf8')) as Saved

/** As if its time had passed; only the zone can tell that the signature is wrong. */
function expire(): void {
  const { sessionToken } = saved()
  const [head, payload = '', signature] = sessionToken.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
  const exp = Math.floor(Date.now() / 1000) + 30
  const changed = Buffer.from(JSON.stringify({ ...claims, exp })).toString('base64url')
  writeFileSync(sessionFile(), JSON.stringify({ ...saved(), sessionToken: [head, changed, signature].join('.') }))
}

test('a wrong password, an unknown user and a password that cannot be asked for are told apart', async () => {
  assert.is((await zone.fails(18, 'ps')).code, 'NotLoggedIn')
  writeFileSync(join(zone.cwd, 'wrong'), 'not the password\n')
  const wrong = await zone.fails(19, 'login', '--password-file', 'wrong')
  assert.is(wrong.code, 'InvalidPassword')
  assert.not.match(wrong.stderr, /not the password/)
  assert.is((await zone.fails(19, 'login', 'nobody', '--password-file', 'wrong')).code, 'InvalidPassword')
  assert.match(`${(await zone.fails(2, 'login')).next}`, /--password-file/)
  writeFileSync(join(zone.cwd, 'empty'), '\n')
  await zone.fails(2, 'login', '--password-file', 'empty')
  await zone.fails(2, 'login', '--password', 'x')
})

test('a terminal asks for the password and does not show it', async () => {
  const command = `${zonewright.map((word) => `'${word}'`).join(' ')} login`
  const terminal = start(['script', '-qec', command, '/dev/null'], { cwd: zone.cwd, input: 'open' })
  await terminal.printed(/Password of owner in zone\.local: /)
  // One letter too many, taken back
  terminal.type(`${zone.password}x\u007f\r`)
  await terminal.printed(/Logged in to zone\.local as owner/)
  const { exitCode, stdout } = await terminal.ended
  assert.is(exitCode, 0, stdout)
  assert.not.ok(stdout.includes(zone.password), stdout)
  const again = start(['script', '-qec', command, '/dev/null'], { cwd: zone.cwd, input: 'open' })
  await again.printed(/Password of owner/)
  again.type('\u0003')
  assert.is((await again.ended).exitCode, 130)
})

test('the session is kept for its user alone, and logging out ends it there and here', async () => {
  await login()
  assert.is(statSync(sessionFile()).mode & 0o777, 0o600)
  assert.is(statSync(stateFolder()).mode & 0o777, 0o700)
  const { refreshToken } = saved()
  copyFileSync(sessionFile(), join(zone.cwd, 'copy'))
  assert.equal(await zone.json('logout'), { user: 'owner' })
  assert.not.ok(existsSync(sessionFile()))
  assert.is((await zone.fails(18, 'status')).code, 'NotLoggedIn')
  assert.equal(await zone.json('logout'), { user: null })

  copyFileSync(join(zone.cwd, 'copy'), sessionFile())
  expire()
  const dead = await zone.fails(18, 'status')
  assert.match(dead.message, /^The session of owner has ended: /)
  assert.match(`${dead.next}`, / login$/)
  assert.not.ok(existsSync(sessionFile()), 'a dead session is not kept')
  assert.not.match(dead.stderr, new RegExp(refreshToken.slice(0, 20)))
})

test('a session is refreshed in good time, also by many commands at once, and lives on', async () => {
  await login()
  for (let round = 0; round < 2; round++) {
    expire()
    const before = saved()
    const ended = await Promise.all(Array.from({ length: 4 }, () => zone.run('kv', 'get', 'boot/config')))
    for (const { exitCode, stderr } of ended) assert.is(exitCode, 0, stderr)
    assert.is.not(saved().refreshToken, before.refreshToken)
  }
  // One that the zone does not take is as good as expired
  const sessionToken = saved().sessionToken.replace(/^[^.]+/, 'x')
  writeFileSync(sessionFile(), JSON.stringify({ ...saved(), sessionToken }))
  assert.is((await zone.run('status')).exitCode, 0)
})

test('a session file of one\'s own is used and kept apart', async () => {
  const own = ['--session', 'mine.json']
  await zone.json('login', '--password-file', zone.passwordFile, ...own)
  assert.is(statSync(join(zone.cwd, 'mine.json')).mode & 0o777, 0o600)
  await zone.json('logout')
  await zone.fails(18, 'ps')
  assert.ok((await zone.json('ps', ...own))['hosts'])
  await zone.json('logout', ...own)
  assert.not.ok(existsSync(join(zone.cwd, 'mine.json')))
  writeFileSync(join(zone.cwd, 'mine.json'), '{"half')
  assert.is((await zone.fails(18, 'ps', ...own)).code, 'NotLoggedIn')
})

const ownerIs = (type: string): void => writeFileSync(join(zone.cwd, 'owner.yaml'),
  `actions:\n  users/owner/settings: { action: update, value: { name: owner, type: ${type}, state: active } }\n`)

/** Roles follow from the users by the scheduler's next round. */
async function until(exitCode: number, ...args: readonly string[]): Promise<void> {
  for (let attempt = 0; attempt < 40; attempt++) {
    if ((await zone.run(...args)).exitCode === exitCode) return
  }
  assert.unreachable(`${args.join(' ')} does not end with ${exitCode}`)
}

test('the owner key signs what it says it signs, once it was asked, and only for who has it', async () => {
  await login()
  const key = ['--owner-key', '.zone/owner.key']
  ownerIs('user')
  assert.is((await zone.fails(14, 'kv', 'tx', 'owner.yaml')).reason, 'rbac/sudo-only')
  const unasked = await zone.run('kv', 'tx', 'owner.yaml', ...key)
  assert.is(unasked.exitCode, 2)
  assert.match(unasked.stdout, /will sign a root token:\n +zone +zone\.local, epoch 0\n/)
  assert.match(unasked.stdout, /\n +update +users\/owner\/settings +\{"name":"owner","type":"user"/)
  const other = await zone.run('kv', 'tx', 'owner.yaml', '--owner-key', '.zone/device.key', '--yes')
  assert.is(other.exitCode, 14, other.stderr)
  assert.is((await zone.run('kv', 'tx', 'owner.yaml', '--owner-key', 'password', '--yes')).exitCode, 15)
  const command = `${zonewright.map((word) => `'${word}'`).join(' ')} kv tx owner.yaml ${key.join(' ')}`
  const no = start(['script', '-qec', command, '/dev/null'], { cwd: zone.cwd, input: 'open' })
  await no.printed(/Sign it\? \[y\/N\] /)
  no.type('n\r')
  assert.is((await no.ended).exitCode, 130)
  const done = await zone.run('kv', 'tx', 'owner.yaml', ...key, '--yes')
  assert.is(done.exitCode, 0, done.stderr)
  assert.not.match(done.stdout + done.stderr, /eyJ|PRIVATE/)
})

test('who is no admin may not operate hosts, and an admin can see why they were refused', async () => {
  await until(14, 'ps')
  const commands = [
    ['ps'], ['status'], ['logs'], ['kill', 'service'], ['explain', 'D-00000000'], ['services', 'stop', 'service'],
  ]
  const refused: string[] = []
  for (const args of commands) {
    const failure = await zone.fails(14, ...args)
    assert.is(failure.reason, 'rbac/no-rule', args.join(' '))
    refused.push(failure.denial!)
  }
  // An ordinary user's own
  await zone.json('kv', 'set', 'users/owner/theme', 'dark')
  assert.ok((await zone.json('kv', 'get', 'boot/config'))['value'])

  ownerIs('admin')
  const back = await zone.run('kv', 'tx', 'owner.yaml', '--owner-key', '.zone/owner.key', '--yes')
  assert.is(back.exitCode, 0, back.stderr)
  await until(0, 'ps')
  const keys = ['state', 'any', 'logs', 'state', 'logs', 'state']
  for (const [index, id] of refused.entries()) {
    const { chain } = await zone.json('explain', id) as { chain: { layer: string; detail?: string }[] }
    assert.is(chain.at(-1)?.layer, 'rbac')
    const last = new RegExp(`^subject owner: read nodes/ood1/${keys[index]}`)
    if (index !== 1) assert.match(`${chain.at(-1)?.detail}`, last)
  }
})

test.run()
