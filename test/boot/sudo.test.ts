/** What signs for `sudo`, and what is said when it does not get through. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { rulesFor } from '../../actors/trust-matrix.ts'
import { notBySudo, sudoHint } from '../../boot/commands/sudo-able.ts'
import { clockFault, openSudo, otherKey } from '../../boot/client/sudo.ts'
import { isEncrypted, keyPlace, makeKey, openKey, pathOf, placeAt, readKey } from '../../boot/client/user-key.ts'
import { openTerminal, type Terminal } from '../../boot/terminal.ts'
import { Denied, Unavailable, type ZonewrightError } from '../../runtime/errors.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { trustKeyOf } from '../../runtime/trust/keys.ts'
import { parseCompact } from '../../runtime/trust/jws.ts'
import { verifyToken } from '../../runtime/trust/verify.ts'

const platform = await openPlatform()
const folder = mkdtempSync(join(tmpdir(), 'zonewright-test-'))
const opened = openTerminal()
const terminal: Terminal = { ...opened, interactive: false }
test.after(() => {
  rmSync(folder, { recursive: true })
  opened.close(Number(process.exitCode ?? 0))
})

const failure = async (work: Promise<unknown>): Promise<ZonewrightError> =>
  work.then(() => assert.unreachable('it did not fail') as never, (error: unknown) => error as ZonewrightError)
const taken = async <T>(value: T): Promise<T> => value

const make = async (name: string, passphrase?: string) => {
  const made = await makeKey(platform, placeAt(join(folder, name)), {
    user: 'alice', replaces: false, ...(passphrase === undefined ? {} : { passphrase }),
  })
  await made.install(() => taken(1))
  return made
}
const signer = (key: string, passphrase?: string) => openSudo(
  { key, ...(passphrase === undefined ? {} : { passphrase }) },
  { terminal, platform, scope: 'z', user: () => taken('alice'), epoch: () => taken(3) },
)

test('a sudo token is what the matrix takes: for one callee, for 3 minutes, and no two are alike', async () => {
  const { path, document } = await make('a.key')
  const sudo = signer(path)
  const [token, again] = [await sudo.token('system-config'), await sudo.token('system-config')]
  const key = trustKeyOf(platform.keys, document.key, 'users/alice/doc', 'alice')
  const used = new Set<string>()
  const judge = (text: string, audience: 'system-config' | 'verify-hub') => verifyToken(text, {
    keys: platform.keys, rules: rulesFor(audience, 'normal'), audience, epoch: 3,
    nowSeconds: Math.floor(platform.clock.now() / 1000), trustKey: () => key,
    burn: async (id) => !used.has(id) && Boolean(used.add(id)),
  })
  const verdict = await judge(token, 'system-config')
  assert.ok(verdict.accepted)
  assert.equal(verdict.principal, { sub: 'alice', appid: 'console', runtimeType: 'user', sudo: true })
  const { iat, exp, aud, sid } = verdict.claims
  assert.equal([exp - iat, aud, sid], [180, ['system-config'], undefined])
  assert.ok((await judge(again, 'system-config')).accepted, 'each has a jti of its own')
  for (const [text, audience, reason] of [
    [token, 'system-config', 'token/replayed'], [await sudo.token('system-config'), 'verify-hub', 'token/audience'],
  ] as const) {
    const refused = await judge(text, audience)
    assert.is(refused.accepted ? 'accepted' : refused.denial.reason, reason)
  }
})

test('a key is for its user alone: one that others may read is not used', async () => {
  const { path } = await make('open.key')
  assert.is(statSync(path).mode & 0o777, 0o600)
  for (const mode of [0o640, 0o604, 0o620]) {
    chmodSync(path, mode)
    const { code, message, details } = await failure(signer(path).token('system-config'))
    assert.is(code, 'SudoKeyNeeded')
    assert.match(message, /open to other users/)
    assert.match(`${details['next']}`, /^chmod 600 /)
  }
  chmodSync(path, 0o400)
  assert.ok(await signer(path).token('system-config'))
})

test('a key that is missing, is none, or is encrypted is told of, and nothing of it is shown', async () => {
  const none = await failure(signer(join(folder, 'none.key')).token('system-config'))
  assert.is(none.code, 'SudoKeyNeeded')
  assert.match(`${none.details['next']}`, /users key alice --owner-key FILE/)
  writeFileSync(join(folder, 'text.key'), 'MC4CAQAwBQ', { mode: 0o600 })
  const text = await failure(signer(join(folder, 'text.key')).token('system-config'))
  assert.is(text.code, 'SudoKeyNeeded')
  assert.not.match(text.message + JSON.stringify(text.details), /MC4CAQ/)
  const { path } = await make('locked.key', 'open sesame')
  assert.ok(isEncrypted(readFileSync(path, 'utf8')))
  assert.match(`${(await failure(signer(path).token('verify-hub'))).details['next']}`, /--passphrase-file/)
  assert.is((await failure(signer(path, 'wrong').token('verify-hub'))).code, 'SudoKeyNeeded')
  assert.ok(await signer(path, 'open sesame').token('verify-hub'))
})

test('the key is read once for all requests of a command', async () => {
  const { path } = await make('once.key')
  let reads = 0
  const counting: Terminal = { ...terminal, read: (name) => { reads++; return terminal.read(name) } }
  const sudo = openSudo({ key: path },
    { terminal: counting, platform, scope: 'z', user: () => taken('alice'), epoch: () => taken(0) })
  await Promise.all([sudo.token('system-config'), sudo.token('verify-hub')])
  assert.is(reads, 1)
})

test('a new key takes its place when the zone took it, is gone if refused, and kept when nobody knows', async () => {
  const place = placeAt(join(folder, 'new.key'))
  const fresh = () => makeKey(platform, place, { user: 'alice', replaces: true })
  const first = await fresh()
  assert.not.ok(existsSync(first.path))
  await first.install(() => taken(undefined))
  const kept = readFileSync(first.path, 'utf8')

  const refused = await fresh()
  await failure(refused.install(() => Promise.reject(new Denied('no'))))
  assert.is(readFileSync(first.path, 'utf8'), kept)
  assert.not.ok(existsSync(`${first.path}.new`))

  const unknown = await fresh()
  await failure(unknown.install(() => Promise.reject(new Unavailable('cut'))))
  assert.is(readFileSync(first.path, 'utf8'), kept)
  assert.ok(existsSync(`${first.path}.new`))
  assert.match((await failure(fresh())).message, /that the zone may know/)
  const { message } = await failure(makeKey(platform, placeAt(join(folder, 'a.key')), { user: 'bob', replaces: false }))
  assert.match(message, /^There is a file already: /)
})

test('keys lie beside the sessions, by zone and user', () => {
  const host = { ...platform.host, env: (name: string) => (name === 'HOME' ? '/above' : undefined) }
  const place = keyPlace({ host }, 'z.local-1', 'alice')
  assert.is(pathOf(place), '/above/.local/state/zonewright/keys/z.local-1/alice.key')
  assert.throws(() => keyPlace({ host }, 'z.local-1', '../alice'))
  assert.equal(placeAt('/alice.key'), { folder: '/', name: 'alice.key' })
  assert.is(pathOf(placeAt('/alice.key')), '/alice.key')
})

const denied = (reason: string, details: object = {}): Denied => new Denied('no', { reason, ...details })
type Denied = InstanceType<typeof Denied>

test('a token made now that is too old or of the future says by how much the clocks differ', () => {
  const at = Date.UTC(2030, 0, 1)
  const of = (reason: string, zoneMs?: number): string => (clockFault(denied(reason), at, zoneMs) as Error).message
  assert.is(of('token/not-yet-valid', at - 600_000),
    'The clock of this machine is 10 min 0 s ahead of that of the zone: a token made now is refused')
  assert.is(of('token/expired', at + 7_200_000),
    'The clock of this machine is 2 h 0 min behind that of the zone: a token made now is refused')
  assert.match(of('token/expired'), /at least 3 min 0 s behind/)
  assert.match(of('token/not-yet-valid'), /at least 1 min 0 s ahead/)
  assert.is(of('token/expired', at + 2_000), 'no')
  // What the verifier tells is its own clock, and goes before that of the answer
  const told = clockFault(denied('token/expired', { issuedAgoSeconds: 300 }), at, at + 1_000) as Error
  assert.match(told.message, / is 5 min 0 s behind /)
  const ahead = clockFault(denied('token/not-yet-valid', { skewSeconds: 90 }), at, undefined) as Error
  assert.match(ahead.message, / is 1 min 30 s ahead /)
  assert.is(of('token/replayed', at + 7_200_000), 'no')
  assert.is(terminal.timeOf('Tue, 01 Jan 2030 00:00:00 GMT'), at)
  assert.is(terminal.timeOf('soon'), undefined)
})

test('a key that the zone does not know is told apart from other refusals', () => {
  const unknown = denied('token/unknown-key')
  assert.match(`${(otherKey(unknown, 'zw') as Denied).details['next']}`, /zw users show NAME/)
  const other = denied('token/replayed')
  assert.is(otherKey(other, 'zw'), other)
})

test('commands that a sudo token is for are known, and of the others it is said why not', () => {
  for (const words of [['kv', 'set', 'a', 'b'], ['users', 'suspend', 'bob'], ['passwd'], ['whoami', '--json']]) {
    assert.is(notBySudo(words), undefined, words.join(' '))
  }
  assert.match(`${notBySudo(['kv', 'watch', 'a'])}`, /one request/)
  for (const name of ['ps', 'kill', 'services', 'status', 'logs', 'explain']) {
    assert.match(`${notBySudo([name])}`, /node-daemon/)
  }
  for (const words of [['up'], ['login'], ['sudo', 'kv'], ['toString'], []]) assert.ok(notBySudo(words), words.join())
})

test('who is refused what sudo may do is told so, and no value that was typed is repeated', () => {
  const at = (...args: readonly string[]): Terminal => ({ ...terminal, args, invocation: 'zw' })
  const hint = (from: Terminal, error: unknown): string => `${(sudoHint(from, error) as Denied).details['next']}`
  const set = at('kv', 'set', 'users/alice/secret', 'hunter2')
  assert.is(hint(set, denied('rbac/no-rule', { denial: 'D-1' })),
    'An admin can see why: explain D-1. Sudo may be allowed more: zw sudo kv set …')
  assert.is(hint(at('passwd', 'bob'), denied('rbac/sudo-only')), 'By sudo it may be allowed: zw sudo passwd …')
  for (const [from, error] of [
    [set, denied('rbac/root-only')], [set, denied('token/expired')], [at('ps'), denied('rbac/no-rule')],
    [{ ...set, sudo: {} }, denied('rbac/no-rule')], [set, denied('toString')], [set, new Unavailable('x')],
  ] as const) assert.is(sudoHint(from, error), error)
})

test('a passphrase is asked for where there is a terminal', async () => {
  const { path } = await make('asked.key', 'open sesame')
  const asked: string[] = []
  const person: Terminal = {
    ...terminal, interactive: true,
    ask: async (question, options) => {
      asked.push(`${question}${options?.secret}`)
      return 'open sesame'
    },
  }
  const sudo = openSudo({ key: path },
    { terminal: person, platform, scope: 'z', user: () => taken('alice'), epoch: () => taken(0) })
  const parsed = parseCompact(await sudo.token('verify-hub'), 10_000)
  assert.ok('jws' in parsed)
  assert.equal(parsed.jws.payload['aud'], ['verify-hub'])
  assert.equal(asked, [`Passphrase of ${path}: true`])
  assert.ok(openKey(platform.keys, await readKey(terminal, path, { user: 'alice', next: '' }), path, 'open sesame'))
})

test.run()
