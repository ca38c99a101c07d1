/** Lists of sessions, their ends, and that whoever accepts session tokens is told of them. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openSessions } from '../../actors/verify-hub/sessions.ts'
import { kv } from '../../actors/records.ts'
import { NotFound, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { ask, krpc, people, type KrpcPair } from './accounts-fixture.ts'
import { claimsOf, denied, failure, gateway, peer, service, type Running } from './verify-hub-zone.ts'

interface Listed {
  readonly sessions: readonly Readonly<Record<string, unknown>>[]
  readonly more: boolean
}
const list = async (hub: Running, token: string, params: object = {}): Promise<Listed> =>
  await krpc(hub, 'list_sessions', params, token) as Listed
const active = async (hub: Running, { sid }: KrpcPair): Promise<boolean> =>
  (await hub.handlers.verifySession({ sid }, hub.as(service))).active

test('a user sees their own sessions, those that ended with the reason, and nobody else\'s', async () => {
  const { hub, login, zone } = await people()
  const [first, second] = [await login('bob'), await login('bob', 'gateway')]
  await login('alice')
  await krpc(hub, 'logout', { refresh_token: second.refresh_token })
  const { sessions, more } = await list(hub, first.session_token)
  const of = (sid: string) => sessions.find((one) => one['sid'] === sid)
  assert.equal(of(first.sid), {
    sid: first.sid, sub: 'bob', appid: 'console', runtime_type: 'user', host: null, holder: null,
    created_ms: zone.clock.now(), expires: claimsOf(first.refresh_token).exp, state: 'live', reason: '', current: true,
  })
  assert.equal([of(second.sid)?.['state'], of(second.sid)?.['reason'], of(second.sid)?.['current']],
    ['ended', 'logged out', false])
  assert.equal([sessions.length, more], [2, false])
  for (const user of ['alice', '*', 'ood1', '']) {
    assert.is(await denied(() => list(hub, first.session_token, { user })), 'rbac/no-rule', user)
  }
})

test('an admin sees everybody\'s, page by page, each once, also while some of them end', async () => {
  const { hub, login, zone } = await people()
  const { session_token: token } = await login('alice')
  const store = openSessions(zone.store)
  const template = (await store.find((await login('bob')).sid))!.session
  for (let index = 0; index < 2 * limits.sessionPage; index++) {
    // Beside what a login would leave of one app
    await store.create({ ...template, sid: `s${1_000 + index}`, appid: `app${index}` })
  }
  const seen: string[] = []
  for (let after: string | undefined; ;) {
    const page = await list(hub, token, { user: '*', ...(after === undefined ? {} : { after }) })
    assert.ok(page.sessions.length <= limits.sessionPage)
    seen.push(...page.sessions.map(({ sid }) => String(sid)))
    if (!page.more) break
    after = seen.at(-1)!
    // The one that the next page begins behind, and others on both sides
    for (const sid of [after, 's1003', 's1198']) await store.end(sid, 'meanwhile')
  }
  assert.is(seen.length, new Set(seen).size)
  assert.is(seen.filter((sid) => /^s\d{4}$/.test(sid)).length, 2 * limits.sessionPage)
  await failure(NotFound, () => list(hub, token, { after: 'nothing' }))
})

test('a user ends sessions of their own, an admin those of others', async () => {
  const { hub, login } = await people()
  const [mine, other, alice] = [await login('bob'), await login('bob'), await login('alice')]
  const { sid } = other
  assert.equal(await krpc(hub, 'revoke_session', { sid }, mine.session_token), { sid, ended: true })
  assert.equal(await krpc(hub, 'revoke_session', { sid }, mine.session_token), { sid, ended: false })
  assert.is(await denied(() => krpc(hub, 'revoke_session', { sid: alice.sid }, mine.session_token)), 'rbac/no-rule')
  assert.is(await denied(() => krpc(hub, 'revoke_sessions', { user: 'alice' }, mine.session_token)), 'rbac/no-rule')
  await failure(NotFound, () => krpc(hub, 'revoke_session', { sid: 'nothing' }, mine.session_token))
  assert.is(await active(hub, alice), true)
  assert.equal(await krpc(hub, 'revoke_sessions', { user: 'bob' }, alice.session_token), { ended: 1 })
  assert.is(await denied(() => krpc(hub, 'whoami', {}, mine.session_token)), 'token/revoked')
  assert.is(await denied(() => krpc(hub, 'refresh_token', { refresh_token: mine.refresh_token })), 'token/revoked')
  const { sessions } = await list(hub, alice.session_token, { user: 'bob' })
  assert.is(sessions.find((one) => one['sid'] === mine.sid)?.['reason'], 'revoked: by alice')
})

test('another app may not do for its user what the console may', async () => {
  const { hub, login, zone } = await people()
  zone.put(kv.spec('notes'), {
    name: 'notes', appid: 'notes', owner: 'bob', runtimeType: 'service', kernel: false, audiences: ['verify-hub'],
  })
  const { session_token: token, sid } = await login('bob', 'notes')
  assert.is((await krpc(hub, 'whoami', {}, token) as { sid: string }).sid, sid)
  assert.is(await denied(() => list(hub, token)), 'rbac/no-rule')
  assert.is(await denied(() => krpc(hub, 'revoke_session', { sid }, token)), 'rbac/no-rule')
})

test('a user who is called like a device does not see what the device does, and cannot end it', async () => {
  const { hub, login, zone, passwords, sudo } = await people()
  zone.put(kv.user('ood1'), { name: 'ood1', type: 'user', state: 'active' })
  await krpc(hub, 'set_password', { username: 'ood1', password: passwords.bob }, sudo('alice'))
  const device = await hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service))
  const own = await krpc(hub, 'login_by_password', {
    type: 'password', username: 'ood1', password: passwords.bob, appid: 'console',
  }) as KrpcPair
  // The scheduler gives nothing to a user of this name; a line that somebody wrote does
  const lines = zone.kv.get(kv.policy)!
  assert.is(await denied(() => list(hub, own.session_token)), 'rbac/no-rule')
  zone.put(kv.policy, `g, ood1, user\n${lines}`)
  assert.equal((await list(hub, own.session_token)).sessions.map(({ sid }) => sid), [own.sid])
  assert.is(await denied(() => krpc(hub, 'revoke_session', { sid: device.sid }, own.session_token)), 'rbac/no-rule')
  assert.equal(await krpc(hub, 'revoke_sessions', { user: 'ood1' }, own.session_token), { ended: 1 })
  assert.is((await hub.handlers.verifySession({ sid: device.sid }, hub.as(service))).active, true)
  const { session_token: admin } = await login('alice')
  assert.is((await list(hub, admin, { user: 'ood1' })).sessions.length, 2)
  assert.equal(await krpc(hub, 'revoke_sessions', { user: 'ood1' }, admin), { ended: 1 })
  assert.is((await hub.handlers.verifySession({ sid: device.sid }, hub.as(service))).active, false)
})

test('by a link of its own a caller gets the same answers, in the names of the protocol', async () => {
  const { hub, login } = await people()
  const { session_token: token, sid } = await login('alice')
  const desk = peer('desk')
  assert.is((await ask(hub, 'whoami', {}, token, desk)).userType, 'admin')
  assert.is((await ask(hub, 'listSessions', {}, token, desk)).sessions[0]!.runtimeType, 'user')
  assert.equal(await ask(hub, 'revokeSessions', { user: 'bob' }, token, desk), { ended: 0 })
  assert.equal(await ask(hub, 'revokeSession', { sid }, token, desk), { sid, ended: true })
  for (const [method, args] of [
    ['whoami', {}], ['listSessions', {}], ['revokeSession', { sid }], ['revokeSessions', { user: 'bob' }],
    ['setPassword', { username: 'bob', password: 'x' }], ['unlock', { username: 'bob' }],
  ] as const) {
    assert.is(await denied(() => ask(hub, method, args, undefined, desk)), 'token/absent', method)
    assert.is(await denied(() => ask(hub, method, args, undefined, gateway)), 'token/absent', method)
  }
})

test('whether a session lives is told by kRPC to who has one', async () => {
  const { hub, login } = await people()
  const [one, other] = [await login('bob'), await login('bob')]
  const { exp } = claimsOf(other.refresh_token)
  const state = () => krpc(hub, 'verify_session', { sid: other.sid }, one.session_token)
  assert.equal(await state(), { active: true, expires: exp })
  await krpc(hub, 'logout', { refresh_token: other.refresh_token })
  assert.equal(await state(), { active: false, expires: exp })
  assert.is(await denied(() => krpc(hub, 'verify_session', { sid: one.sid })), 'token/absent')
})

test('what users write under their names hides nobody from the list of users, and adds nobody', async () => {
  const { hub, zone, login } = await people()
  const { session_token: token } = await login('alice')
  zone.put(kv.user('carol'), { name: 'carol', type: 'user', state: 'active' })
  for (const name of ['a', 'x', 'y', 'z']) zone.kv.set(`users/bob/${name}/settings`, '-'.repeat(limits.dumpPage))
  const names: string[] = []
  for (let pages = 0, more = true; more; pages++) {
    assert.ok(pages < 10, 'it comes to an end')
    const after = names.at(-1)
    const page = await krpc(hub, 'list_users', after === undefined ? {} : { after }, token)
    names.push(...(page as { users: string[] }).users)
    ;({ more } = page as { more: boolean })
  }
  assert.equal(names, ['alice', 'bob', 'carol'])
})

/** What system-config was told, and whether it hears. */
async function told() {
  const users = await people()
  const heard: { sid: string; until: number }[] = []
  const ear = { open: true }
  users.zone.kv.revoke = async ({ sessions }) => {
    if (!ear.open) throw new Unavailable('Planted')
    heard.push(...sessions)
  }
  return { ...users, heard, ear, outbox: async () => (await users.zone.store.list('outbox/')).entries.length }
}

test('every end of a session is told before who asked for it has an answer', async () => {
  const { hub, login, heard, outbox, zone } = await told()
  const ends: Record<string, (pair: KrpcPair, admin: string) => Promise<unknown>> = {
    logout: ({ refresh_token: token }) => krpc(hub, 'logout', { refresh_token: token }),
    revoke_session: ({ sid }, admin) => krpc(hub, 'revoke_session', { sid }, admin),
    revoke_sessions: (_, admin) => krpc(hub, 'revoke_sessions', { user: 'bob' }, admin),
    async 'a reused refresh token'({ refresh_token: token }) {
      const next = await krpc(hub, 'refresh_token', { refresh_token: token }) as KrpcPair
      await krpc(hub, 'refresh_token', { refresh_token: next.refresh_token })
      assert.is(await denied(() => krpc(hub, 'refresh_token', { refresh_token: token })), 'refresh/reused')
    },
    async 'a refresh when one is admitted no more'({ refresh_token: token }) {
      zone.put(kv.user('bob'), { name: 'bob', type: 'user', state: 'pending' })
      await denied(() => krpc(hub, 'refresh_token', { refresh_token: token }))
      zone.put(kv.user('bob'), { name: 'bob', type: 'user', state: 'active' })
    },
  }
  const { session_token: admin } = await login('alice')
  for (const [what, end] of Object.entries(ends)) {
    const pair = await login('bob')
    heard.length = 0
    await end(pair, admin)
    const [first] = heard
    assert.equal([first?.sid, await outbox()], [pair.sid, 0], what)
    // As long as any session token of it could be good
    assert.is(first!.until, claimsOf(pair.session_token).exp, what)
  }
  const own = await hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service))
  await denied(() => hub.handlers.refreshToken({ refreshToken: own.refreshToken }, hub.as(peer('notes'))))
  assert.is(heard.at(-1)!.sid, own.sid, 'a holder that is another')
})

test('an end that nobody heard of fails, stands, is told again, and a repeat waits until it was heard', async () => {
  const { hub, login, heard, ear, outbox, zone } = await told()
  const [pair, { session_token: admin }] = [await login('bob'), await login('alice')]
  ear.open = false
  await failure(Unavailable, () => krpc(hub, 'revoke_session', { sid: pair.sid }, admin))
  assert.is(await active(hub, pair), false)
  await failure(Unavailable, () => krpc(hub, 'revoke_session', { sid: pair.sid }, admin))
  await failure(Unavailable, () => krpc(hub, 'logout', { refresh_token: pair.refresh_token }))
  assert.equal([await outbox(), heard.length], [1, 0])
  ear.open = true
  assert.equal(await krpc(hub, 'revoke_session', { sid: pair.sid }, admin), { sid: pair.sid, ended: false })
  assert.equal([await outbox(), heard.map(({ sid }) => sid)], [0, [pair.sid]])
  // And without a repeat by itself
  ear.open = false
  const other = await login('bob')
  await failure(Unavailable, () => krpc(hub, 'revoke_session', { sid: other.sid }, admin))
  ear.open = true
  await zone.clock.advance(2 * limits.convergeRetryMs)
  assert.equal([await outbox(), heard.at(-1)!.sid], [0, other.sid])
})

test('what was left untold by a process that ended is told by the next, in parts', async () => {
  const { zone, heard, outbox, login } = await told()
  const store = openSessions(zone.store)
  const template = (await store.find((await login('bob')).sid))!.session
  const calls: number[] = []
  zone.kv.revoke = async ({ sessions }) => void (calls.push(sessions.length), heard.push(...sessions))
  const sids = Array.from({ length: limits.revocationsAtOnce + 1 }, (_, index) => `s${index}`)
  for (const sid of sids) {
    await store.create({ ...template, sid, appid: sid })
    await store.end(sid, 'the process ended here')
  }
  assert.is(await outbox(), sids.length)
  await zone.start()
  await zone.clock.advance(0)
  assert.equal([await outbox(), new Set(heard.map(({ sid }) => sid)).size], [0, sids.length])
  assert.equal(calls, [limits.revocationsAtOnce, 1])
})

test('a login that ends the oldest of too many has it told, and does not wait for that', async () => {
  const { login: loginNow, heard, ear, zone } = await told()
  // Of one name there are not so many at once
  const login = async (name: 'bob') => {
    await zone.clock.advance(limits.loginAttemptsMs / limits.loginAttemptsPerName)
    return loginNow(name)
  }
  const first = await login('bob')
  for (let count = 1; count < limits.sessionsPerApp; count++) await login('bob')
  assert.is(heard.length, 0)
  ear.open = false
  assert.ok((await login('bob')).sid)
  ear.open = true
  await zone.clock.advance(2 * limits.convergeRetryMs)
  assert.equal(heard.map(({ sid }) => sid), [first.sid])
})

test.run()
