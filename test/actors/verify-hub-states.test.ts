/** Users who are not active, devices and services that are gone: nobody gets in, and who is in is put out. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../../actors/records.ts'
import { ask, krpc, people, type KrpcPair, type People } from './accounts-fixture.ts'
import { InvalidPassword } from '../../actors/verify-hub/protocol.ts'
import { Denied } from '../../runtime/errors.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { documents } from './registration-fixture.ts'
import { crypto as keys } from './system-config-zone.ts'
import { denied, failure, peer, service, type Running, type TestZone } from './verify-hub-zone.ts'

const live = async (hub: Running, sid: string): Promise<boolean> =>
  (await hub.handlers.verifySession({ sid }, hub.as(service))).active
const bobIs = ({ zone }: { zone: TestZone }, state: string, more: object = {}): void =>
  zone.put(kv.user('bob'), { name: 'bob', type: 'user', state, ...more })

/** What a program of bob's brings: a token of the device that runs it. */
const ofBob = { appid: 'bobs', sub: 'bob' }
const bobs = peer('bobs')
function installBobs(zone: TestZone): void {
  const running = { target: 'running', specRevision: 1 }
  zone.put(kv.spec('bobs'), {
    name: 'bobs', appid: 'bobs', owner: 'bob', runtimeType: 'service', kernel: false, audiences: [],
  })
  zone.put(kv.node('ood1'), { host: 'ood1', state: 'running', services: { bobs: running, service: running } })
}

/** Every way in that there is. */
const ways: Readonly<Record<string, (users: People, before: KrpcPair) => Promise<unknown>>> = {
  'a password': ({ login }) => login('bob'),
  'a password by a link': async ({ hub, passwords }) => hub.handlers.loginByPassword(
    { username: 'bob', password: passwords.bob, appid: 'console' }, hub.as(peer('desk'))),
  'a login token of a service of theirs': async ({ hub, zone }) =>
    hub.handlers.loginByJwt({ jwt: zone.login(ofBob) }, hub.as(bobs)),
  'a refresh': ({ hub }, { refresh_token: token }) => krpc(hub, 'refresh_token', { refresh_token: token }),
  sudo: ({ hub, sudo }) => krpc(hub, 'whoami', {}, sudo('bob')),
  'sudo at a service': ({ hub, sudo }) => ask(
    hub, 'burn', { token: sudo('bob', { aud: ['notes'] }), audience: 'notes' }, undefined, peer('notes')),
  'a session': ({ hub }, { session_token: token }) => krpc(hub, 'whoami', {}, token),
  'a new password': ({ hub, passwords }, { session_token: token }) => krpc(
    hub, 'set_password', { username: 'bob', password: 'a new one for bob', old_password: passwords.bob }, token),
}

for (const state of ['suspended', 'pending', 'deleted', 'gone']) {
  test(`a user who is ${state} gets in by no way, and is put out as soon as that is written`, async () => {
    for (const heard of [true, false]) {
      for (const [way, come] of Object.entries(ways)) {
        const users = await people()
        const { hub, zone, login } = users
        installBobs(zone)
        const pair = await login('bob')
        const program = await hub.handlers.loginByJwt({ jwt: zone.login(ofBob) }, hub.as(bobs))
        const other = await login('alice')
        await zone.clock.advance(0)
        // What verify-hub asks when nobody has told it yet, and what it does when it was told
        if (!heard) hub.stop()
        if (state === 'gone') zone.kv.delete(kv.user('bob'))
        else bobIs(users, state)
        await zone.clock.advance(1)
        const gone = heard && (state === 'deleted' || state === 'gone')
        const refused = gone && way.startsWith('a password')
          ? (await failure(InvalidPassword, () => come(users, pair))).code : await denied(() => come(users, pair))
        const ended = heard && ['a refresh', 'a session', 'a new password'].includes(way)
        const reason = ended ? 'token/revoked' : gone && way.startsWith('a password') ? 'InvalidPassword' : 'login/user'
        assert.is(refused, reason, `${way}, ${heard ? 'heard' : 'not heard'}`)
        if (heard) assert.equal([await live(hub, pair.sid), await live(hub, program.sid)], [false, false])
        assert.is(await live(hub, other.sid), true)
        bobIs(users, 'active')
        await zone.clock.advance(1)
        if (!gone) assert.ok(await login('bob'), 'active again')
      }
    }
  })
}

test('whoever is active stays in, whatever else is written of them', async () => {
  const users = await people()
  const { hub, zone, login } = users
  const pair = await login('bob')
  bobIs(users, 'active', { type: 'admin' })
  zone.put('users/bob/profile', 'nothing')
  zone.put('users/bob/apps/settings', '{}')
  await zone.clock.advance(1)
  assert.is(await live(hub, pair.sid), true)
})

test('what was written while verify-hub was away is seen when it starts', async () => {
  const users = await people()
  const { zone, login, hub } = users
  const [bob, alice] = [await login('bob'), await login('alice')]
  const device = await hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service))
  hub.stop()
  bobIs(users, 'suspended')
  await zone.clock.advance(1)
  assert.is(await live(hub, bob.sid), true)
  const next = await zone.start()
  await zone.clock.advance(1)
  assert.equal(await Promise.all([bob, alice, device].map(({ sid }) => live(next, sid))), [false, true, true])
})

test('with a device all sessions of its services end, and with a service all of its own', async () => {
  const { hub, zone, login } = await people()
  installBobs(zone)
  const far = peer('service', { host: 'node1' })
  const jwt = zone.login({ iss: 'node1', sub: 'node1' }, zone.devices.node1)
  const sessions = {
    here: await hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service)),
    there: await hub.handlers.loginByJwt({ jwt }, hub.as(far)),
    program: await hub.handlers.loginByJwt({ jwt: zone.login(ofBob) }, hub.as(bobs)),
    console: await login('bob'),
    bobs: await login('bob', 'bobs'),
  }
  const alive = async (): Promise<string[]> => {
    await zone.clock.advance(1)
    const states = await Promise.all(Object.entries(sessions).map(async ([name, { sid }]) =>
      (await live(hub, sid) ? [name] : [])))
    return states.flat()
  }
  assert.equal(await alive(), ['here', 'there', 'program', 'console', 'bobs'])
  zone.kv.delete(kv.device('node1'))
  assert.equal(await alive(), ['here', 'program', 'console', 'bobs'])
  zone.kv.delete(kv.spec('bobs'))
  assert.equal(await alive(), ['here', 'console'])
  // A document that the owner key did not sign is none
  zone.put(kv.device('ood1'), 'x.y.z')
  assert.equal(await alive(), ['console'])
})

test('a device that joined logs its services in by the document of the enrolment key, until that goes', async () => {
  const { hub, zone } = await people()
  const enrolment = keys.generate(systemRandom)
  const ood = zone.kv.get(kv.device('ood1'))!
  const { enrolled } = documents({ ...zone, device: zone.devices.ood1, env: { BUCKYOS_THIS_DEVICE: ood } }, enrolment)
  const far = peer('service', { host: 'node1' })
  const login = () => {
    const jwt = zone.login({ iss: 'node1', sub: 'node1' }, zone.devices.node1)
    return hub.handlers.loginByJwt({ jwt }, hub.as(far))
  }
  const key = zone.devices.node1.public.jwk
  zone.put(kv.device('node1'), enrolled({ key }, keys.generate(systemRandom)))
  await failure(Denied, login)
  zone.put(kv.device('node1'), enrolled({ key }))
  const { sid } = await login()
  await zone.clock.advance(1)
  assert.is(await live(hub, sid), true)
  zone.kv.delete(kv.device('node1'))
  await zone.clock.advance(1)
  assert.is(await live(hub, sid), false)
  await failure(Denied, login)
})

test('whoever has the name of a deleted user next does not have the password', async () => {
  for (const deleted of [true, false]) {
    const users = await people()
    const { hub, zone, login, passwords, sudo } = users
    await login('bob')
    if (deleted) bobIs(users, 'deleted')
    else zone.kv.delete(kv.user('bob'))
    await zone.clock.advance(0)
    bobIs(users, 'active')
    await zone.clock.advance(0)
    await failure(InvalidPassword, () => login('bob'))
    await krpc(hub, 'set_password', { username: 'bob', password: passwords.bob }, sudo('alice'))
    assert.ok(await login('bob'))
  }
})

/** Does something in the moment before the next session is stored; that session. */
function beforeLogin(zone: TestZone, happens: () => unknown): { readonly sid: string } {
  const { transact } = zone.store
  const created = { sid: '' }
  Object.assign(zone.store, {
    async transact(...args: Parameters<typeof transact>) {
      const session = args[1].find(({ key }) => key.startsWith('sessions/'))
      if (session) {
        created.sid = session.key.slice('sessions/'.length)
        happens()
        Object.assign(zone.store, { transact })
      }
      return transact.apply(zone.store, args)
    },
  })
  return created
}

test('who was suspended between the look and the login has no session left', async () => {
  for (const way of ['a password', 'a login token of a service of theirs']) {
    const users = await people()
    const { hub, zone } = users
    installBobs(zone)
    hub.stop()
    const created = beforeLogin(zone, () => bobIs(users, 'suspended'))
    assert.is(await denied(() => ways[way]!(users, {} as KrpcPair)), 'login/user', way)
    assert.is(await live(hub, created.sid), false)
  }
})

test('what was taken away between the look and the login of a service leaves it no session', async () => {
  const takings: Record<string, (zone: TestZone) => unknown> = {
    'token/unknown-key': (zone) => zone.kv.delete(kv.device('ood1')),
    'login/app': (zone) => zone.kv.delete(kv.spec('service')),
    'login/placement': (zone) => zone.put(kv.node('ood1'), { host: 'ood1', state: 'running', services: {} }),
  }
  for (const [reason, take] of Object.entries(takings)) {
    const { hub, zone } = await people()
    hub.stop()
    const created = beforeLogin(zone, () => take(zone))
    assert.is(await denied(() => hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service))), reason)
    assert.is(await live(hub, created.sid), false)
  }
})

test('a login token that was used by a suspended user\'s service is worth nothing again', async () => {
  const users = await people()
  const { hub, zone } = users
  installBobs(zone)
  const jwt = zone.login(ofBob)
  await hub.handlers.loginByJwt({ jwt }, hub.as(bobs))
  bobIs(users, 'suspended')
  await zone.clock.advance(1)
  bobIs(users, 'active')
  await zone.clock.advance(1)
  assert.is(await denied(() => hub.handlers.loginByJwt({ jwt }, hub.as(bobs))), 'token/revoked')
})

test.run()
