/** What ends a session ends it for all who accept its tokens, before anybody is answered that it has ended. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../../actors/records.ts'
import { DiskFull, Overloaded, Unavailable } from '../../runtime/errors.ts'
import { InvalidPassword } from '../../actors/verify-hub/protocol.ts'
import { limits } from '../../runtime/limits.ts'
import { krpc, people, type KrpcPair } from './accounts-fixture.ts'
import { denied, failure, gateway, service } from './verify-hub-zone.ts'

test('who revokes by OAuth is answered when everybody knows that the session has ended', async () => {
  const { zone, hub, login } = await people()
  const told: string[] = []
  let away = false
  zone.kv.revoke = async ({ sessions }) => {
    if (away) throw new Unavailable('Nobody can be told')
    told.push(...sessions.map(({ sid }) => sid))
  }
  const revoke = async (token: string): Promise<number> => (await hub.handlers.http({
    method: 'POST', path: '/oauth/revoke', origin: 'http://127.0.0.1:1',
    body: new URLSearchParams({ token }).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  }, hub.as(gateway))).status
  const [one, two] = [await login('alice'), await login('bob')]
  assert.equal([await revoke(one.refresh_token), told], [200, [one.sid]])
  assert.equal([await revoke(two.session_token), told], [200, [one.sid, two.sid]])
  const three = await login('bob')
  away = true
  assert.is(await revoke(three.session_token), 503, 'it is to be asked for again')
  away = false
  assert.equal([await revoke(three.session_token), told.at(-1)], [200, three.sid])
})

test('a session that the store would not end is ended as soon as it will', async () => {
  const { zone, hub, login } = await people()
  const pair = await login('bob')
  await zone.clock.advance(0)
  const { transact } = zone.store
  let failures = 0
  Object.assign(zone.store, {
    async transact(...args: Parameters<typeof transact>) {
      if (args[1].some(({ key }) => key.startsWith('outbox/')) && failures++ < 2) throw new DiskFull('Planted')
      return transact.apply(zone.store, args)
    },
  })
  const live = async () => (await hub.handlers.verifySession({ sid: pair.sid }, hub.as(service))).active
  zone.put(kv.user('bob'), { name: 'bob', type: 'user', state: 'suspended' })
  await zone.clock.advance(1)
  assert.equal([failures, await live()], [1, true])
  await zone.clock.advance(3 * limits.convergeRetryMs)
  assert.is(await live(), false)
})

test('who reuses a refresh token is not told that this has ended the session when it has not', async () => {
  const { zone, hub, login } = await people()
  const { refresh_token: first } = await login('bob')
  const refresh = (token: string) => krpc(hub, 'refresh_token', { refresh_token: token })
  const { refresh_token: second, sid } = await refresh(first) as KrpcPair
  await refresh(second)
  const { transact } = zone.store
  Object.assign(zone.store, { transact: async () => { throw new DiskFull('Planted') } })
  await failure(DiskFull, () => refresh(first))
  Object.assign(zone.store, { transact })
  assert.is((await hub.handlers.verifySession({ sid }, hub.as(service))).active, true)
  assert.is(await denied(() => refresh(first)), 'refresh/reused')
  assert.is((await hub.handlers.verifySession({ sid }, hub.as(service))).active, false)
})

test('a login with the old password that is on its way leaves no session when a new one is set', async () => {
  const { zone, hub, login, sudo, passwords } = await people()
  const { transact } = zone.store
  let sid = ''
  Object.assign(zone.store, {
    // After the old one was found right, in the moment before the session is stored
    async transact(...args: Parameters<typeof transact>) {
      const session = args[1].find(({ key }) => key.startsWith('sessions/'))
      if (session) {
        Object.assign(zone.store, { transact })
        sid = session.key.slice('sessions/'.length)
        await krpc(hub, 'set_password', { username: 'bob', password: 'another long one' }, sudo('alice'))
      }
      return transact.apply(zone.store, args)
    },
  })
  await failure(Overloaded, () => login('bob'))
  assert.is((await hub.handlers.verifySession({ sid }, hub.as(service))).active, false)
  await failure(InvalidPassword, () => login('bob'))
  Object.assign(passwords, { bob: 'another long one' })
  assert.ok(await login('bob'))
})

test.run()
