/** Wrong passwords: what they cost, whom they lock out, and that no answer tells which names there are. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createLockout } from '../../actors/verify-hub/lockout.ts'
import { InvalidPassword, LoginLocked } from '../../actors/verify-hub/protocol.ts'
import { InvalidArgument, Overloaded, type ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { krpc, people } from './accounts-fixture.ts'
import { countSlowHashes, crypto, denied, failure, manualClock, service, type Running } from './verify-hub-zone.ts'

const login = (hub: Running, username: string, password: string): Promise<unknown> =>
  krpc(hub, 'login_by_password', { type: 'password', username, password, appid: 'console' })
const outcome = async (attempt: Promise<unknown>): Promise<string> => attempt.then(() => 'in', (error) => {
  const { code, details, message } = error as ZonewrightError
  return `${code} ${message} ${details['retryMs'] ?? ''}`
})

test('after so many wrong passwords a name is locked, be it anybody\'s or not, and costs no hash', async () => {
  const { hub, passwords } = await people()
  const seen = new Set<string>()
  for (const name of ['bob', 'nobody', 'alice ', '../bob', 'root']) {
    const answers: string[] = []
    for (let count = 1; count <= limits.loginFailures + 2; count++) {
      const cost = await countSlowHashes(async () => { answers.push(await outcome(login(hub, name, 'wrong'))) })
      assert.is(cost, count <= limits.loginFailures ? 1 : 0, `${name} ${count}`)
    }
    seen.add(answers.join('; '))
    assert.match(answers.at(-1)!, new RegExp(`^LoginLocked .* ${limits.loginLockMsMin}$`))
    assert.match(answers[limits.loginFailures - 1]!, /^InvalidPassword/)
  }
  assert.is(seen.size, 1, 'all alike')
  // Neither does the right one get in, nor tell that it is right
  assert.is(await countSlowHashes(() => failure(LoginLocked, () => login(hub, 'bob', passwords.bob))), 0)
  assert.match(await outcome(login(hub, 'alice', passwords.alice)), /^in$/)
})

test('the lock ends by itself, grows with each wrong password after it, up to a limit, and is forgotten', async () => {
  const { hub, zone, passwords } = await people()
  for (let count = 0; count < limits.loginFailures; count++) await outcome(login(hub, 'bob', 'wrong'))
  let lockMs: number = limits.loginLockMsMin
  for (let round = 0; round < 7; round++) {
    await zone.clock.advance(lockMs - 1)
    await failure(LoginLocked, () => login(hub, 'bob', passwords.bob))
    await zone.clock.advance(1)
    await failure(InvalidPassword, () => login(hub, 'bob', 'wrong'))
    lockMs = Math.min(2 * lockMs, limits.loginLockMsMax)
    assert.is((await failure(LoginLocked, () => login(hub, 'bob', 'wrong'))).details['retryMs'], lockMs)
  }
  assert.is(lockMs, limits.loginLockMsMax)
  await zone.clock.advance(lockMs)
  assert.match(await outcome(login(hub, 'bob', passwords.bob)), /^in$/)
  const oneLess = async (): Promise<void> => {
    for (let count = 1; count < limits.loginFailures; count++) {
      await failure(InvalidPassword, () => login(hub, 'bob', 'x'))
    }
  }
  // The right one has ended the row
  await oneLess()
  await zone.clock.advance(limits.loginForgetMs + limits.sessionSweepMs)
  assert.equal((await zone.store.list('locks/')).entries, [])
  await oneLess()
  assert.match(await outcome(login(hub, 'bob', passwords.bob)), /^in$/)
})

test('passwords that are tried at the same time are counted one by one', async () => {
  const { hub } = await people()
  let hashes = 0
  const attempts = { length: 2 * limits.loginFailures }
  const tried = Promise.all(Array.from(attempts, () => outcome(login(hub, 'bob', 'wrong'))))
  hashes += await countSlowHashes(() => tried)
  assert.is(hashes, limits.loginFailures)
  assert.is((await tried).filter((one) => one.startsWith('LoginLocked')).length,
    limits.loginFailures)
})

test('a lock outlives a restart, and all OODs of one store keep it', async () => {
  const { hub, zone, passwords } = await people()
  for (let count = 0; count < limits.loginFailures; count++) await outcome(login(hub, 'bob', 'wrong'))
  await failure(LoginLocked, async () => login(await zone.start(), 'bob', passwords.bob))
})

test('who is logged in stays so while their name is locked, and an admin unlocks it', async () => {
  const { hub, zone, passwords, login: loginAs } = await people()
  const [bob, alice] = [await loginAs('bob'), await loginAs('alice')]
  for (let count = 0; count < limits.loginFailures; count++) await outcome(login(hub, 'bob', 'wrong'))
  await failure(LoginLocked, () => login(hub, 'bob', passwords.bob))
  assert.ok(await krpc(hub, 'whoami', {}, bob.session_token))
  assert.ok(await krpc(hub, 'refresh_token', { refresh_token: bob.refresh_token }))
  assert.is(await denied(() => krpc(hub, 'unlock', { username: 'bob' }, bob.session_token)), 'rbac/no-rule')
  assert.equal(await krpc(hub, 'unlock', { username: 'bob' }, alice.session_token), {})
  await zone.clock.advance(limits.loginAttemptsMs)
  assert.match(await outcome(login(hub, 'bob', passwords.bob)), /^in$/)
})

test('an old password that is wrong counts as a wrong password', async () => {
  const { hub, passwords, login: loginAs } = await people()
  const { session_token: token } = await loginAs('bob')
  const change = (old: string) =>
    krpc(hub, 'set_password', { username: 'bob', password: 'another long one', old_password: old }, token)
  for (let count = 0; count < limits.loginFailures; count++) await failure(InvalidPassword, () => change('wrong'))
  await failure(LoginLocked, () => change(passwords.bob))
  await failure(LoginLocked, () => login(hub, 'bob', passwords.bob))
})

test('one name is tried so often in a time, all names together so often, and then for nothing', async () => {
  const clock = manualClock()
  const lockout = createLockout({ store: createMemoryStore({ clock, random: systemRandom }), clock, keys: crypto })
  const attempt = async (name: string): Promise<void> => {
    await lockout.attempt(name)
    await lockout.clear(name)
  }
  for (let count = 0; count < limits.loginAttemptsPerName; count++) await attempt('bob')
  const { details } = await failure(LoginLocked, () => attempt('bob'))
  assert.is(details['retryMs'], Math.ceil(limits.loginAttemptsMs / limits.loginAttemptsPerName))
  await clock.advance(limits.loginAttemptsMs)
  for (let count = 0; count < limits.loginAttempts; count++) await attempt(`user${count}`)
  await failure(Overloaded, () => attempt('one more'))
  await clock.advance(limits.loginAttemptsMs / limits.loginAttempts)
  await attempt('one more')
  await failure(Overloaded, () => attempt('yet one more'))
})

test('a password that is set is long enough, no name, no row, and none of those that are tried first', async () => {
  const { hub, sudo } = await people()
  const set = (password: string) => krpc(hub, 'set_password', { username: 'bob', password }, sudo('alice'))
  const long = 'x'.repeat(limits.passwordBytes - 8)
  const shortest = 'ab3$xyz9'.slice(0, limits.passwordCharactersMin)
  for (const password of [
    '', shortest.slice(1), 'a'.repeat(8), 'sévèn77', '12345678', 'abcdefghij', '87654321', 'Password123',
    'bobbob12', 'abababab', `12abcde ${long}x`,
  ]) {
    await failure(InvalidArgument, () => set(password))
  }
  for (const password of [shortest, 'correct horse', 'sévèn77!', 'пароль-ён', `12abcde ${long}`]) {
    assert.equal(await set(password), {}, password)
    assert.ok(await login(hub, 'bob', password))
  }
})

test('one\'s own password is changed with the one before, which is nothing then, and other sessions end', async () => {
  const { hub, passwords, login: loginAs } = await people()
  const [here, there] = [await loginAs('bob'), await loginAs('bob')]
  const next = 'a new one for bob'
  const change = (params: object, token = here.session_token) =>
    krpc(hub, 'set_password', { username: 'bob', password: next, ...params }, token)
  await failure(InvalidArgument, () => change({}))
  await failure(InvalidPassword, () => change({ old_password: 'not this' }))
  await failure(InvalidArgument, () => change({ old_password: passwords.bob, password: 'short' }))
  assert.is(await countSlowHashes(() => change({ old_password: passwords.bob })), 2)
  assert.is((await hub.handlers.verifySession({ sid: here.sid }, hub.as(service))).active, true)
  assert.is((await hub.handlers.verifySession({ sid: there.sid }, hub.as(service))).active, false)
  await failure(InvalidPassword, () => login(hub, 'bob', passwords.bob))
  assert.ok(await login(hub, 'bob', next))
})

test('another\'s password is set by an admin\'s sudo, and by nobody else', async () => {
  const { hub, sudo, login: loginAs, zone } = await people()
  const [alice, bob] = [await loginAs('alice'), await loginAs('bob')]
  const set = (username: string, token: string) =>
    krpc(hub, 'set_password', { username, password: 'set by somebody' }, token)
  assert.is(await denied(() => set('bob', alice.session_token)), 'rbac/no-rule', 'without sudo')
  assert.is(await denied(() => set('alice', bob.session_token)), 'rbac/no-rule')
  assert.is(await denied(() => set('alice', sudo('bob'))), 'sudo/no-rule')
  assert.is(await denied(() => set('bob', sudo('bob'))), 'sudo/no-rule', 'one\'s own needs the old one')
  for (const username of ['carol', 'root', 'su_bob', '../bob']) {
    assert.is(await denied(() => set(username, sudo('alice'))), 'login/user')
  }
  // A new user, who may not log in yet
  zone.put('users/carol/settings', { name: 'carol', type: 'user', state: 'pending' })
  assert.equal(await set('carol', sudo('alice')), {})
  assert.is(await denied(() => login(hub, 'carol', 'set by somebody')), 'login/user')
  zone.put('users/carol/settings', { name: 'carol', type: 'user', state: 'active' })
  assert.ok(await login(hub, 'carol', 'set by somebody'))
  zone.put('users/carol/settings', { name: 'carol', type: 'user', state: 'deleted' })
  assert.is(await denied(() => set('carol', sudo('alice'))), 'login/user')
  assert.equal(await set('bob', sudo('alice')), {})
  assert.is(await denied(() => krpc(hub, 'whoami', {}, bob.session_token)), 'token/revoked')
})

test.run()
