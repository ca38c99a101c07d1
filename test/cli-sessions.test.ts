/** Sessions by the command line, listed and ended. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BOB, liveZoneWithBob, removeFolders, type LiveCommandLine } from './boot-fixtures/command-line.ts'

let zone: LiveCommandLine

test.before(async () => {
  zone = await liveZoneWithBob()
})
test.after(async () => {
  await zone.stop()
  removeFolders()
})

interface Session {
  readonly sid: string
  readonly state: string
  readonly current: boolean
  readonly user: string
}
const sessions = async (...args: readonly string[]): Promise<readonly Session[]> =>
  (await zone.json('sessions', 'list', ...args))['sessions'] as readonly Session[]
const live = async (...args: readonly string[]): Promise<number> =>
  (await sessions(...args)).filter(({ state }) => state === 'live').length
const loginBob = (session = 'bob.json') =>
  zone.json('login', 'bob', '--password-file', 'first', '--session', session)

test('a user sees and ends the own sessions, an admin those of others', async () => {
  await loginBob()
  const [mine] = (await sessions(...BOB)).filter(({ state }) => state === 'live')
  assert.is(mine?.user, 'bob')
  assert.is((await zone.fails(14, 'sessions', 'list', '--user', 'owner', ...BOB)).reason, 'rbac/no-rule')
  const owners = (await sessions()).find(({ current }) => current)
  assert.is(owners?.sid, (await zone.json('whoami'))['sid'])
  assert.is((await zone.fails(14, 'sessions', 'revoke', owners!.sid, ...BOB)).reason, 'rbac/no-rule')
  assert.ok((await sessions('--all')).some(({ user }) => user === 'ood1'), 'those of services are listed as well')

  assert.equal(await zone.json('sessions', 'revoke', mine!.sid), { sid: mine!.sid, ended: 1 })
  const ended = await zone.fails(18, 'whoami', ...BOB)
  assert.equal([ended.code, ended.next?.includes(' login bob --session ')], ['NotLoggedIn', true], 'not the owner')
  const absent = await zone.fails(18, 'whoami', '--user', 'carol')
  assert.match(`${absent.message}: ${absent.next}`, /^carol is not logged in to zone\.local: .* login carol$/)
  assert.is((await zone.fails(20, 'sessions', 'revoke', mine!.sid)).code, 'NotFound', 'it has ended already')
  for (const words of [[], ['x', '--all'], ['--user', 'bob', '--all'], ['no such sid']]) {
    await zone.fails(2, 'sessions', 'revoke', ...words)
  }
  await zone.fails(20, 'sessions', 'revoke', '-AAAAAAAAAAAAAAAAAAAAA')

  await loginBob()
  await loginBob('bob2.json')
  assert.equal(await zone.json('sessions', 'revoke', '--user', 'bob'), { user: 'bob', ended: 2 })
  assert.is(await live('--user', 'bob'), 0)
  await loginBob()
  assert.equal(await zone.json('sessions', 'revoke', '--all', ...BOB), { user: 'bob', ended: 1 })
  assert.not.ok(existsSync(join(zone.cwd, 'bob.json')), 'this one as well')
})

test.run()
