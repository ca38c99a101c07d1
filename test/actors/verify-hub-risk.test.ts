/** The risk monitor: what it counts, what follows, and who says so. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../../actors/records.ts'
import { LoginLocked } from '../../actors/verify-hub/protocol.ts'
import { readRiskRules, riskRules, type RiskRule } from '../../actors/verify-hub/risk-rules.ts'
import { openTallies } from '../../actors/verify-hub/tallies.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import { krpc, people, type KrpcPair, type People } from './accounts-fixture.ts'
import { denied, failure, loggedIn, manualClock, peer, service, type TestZone } from './verify-hub-zone.ts'

const settings = kv.settings('verify-hub')
const rule = (changes: Partial<RiskRule> = {}): RiskRule => ({
  id: 'one', event: 'refresh-reused', per: 'user', count: 2, withinMs: 60_000, action: 'end-sessions', ...changes,
})
async function withRules(zone: TestZone, ...rules: RiskRule[]): Promise<void> {
  zone.put(settings, { riskRules: rules })
  await zone.clock.advance(1)
}
const live = async ({ hub }: Pick<People, 'hub'>, { sid }: { sid: string }): Promise<boolean> =>
  (await hub.handlers.verifySession({ sid }, hub.as(service))).active

/** A copy of a refresh token is used when the successor was. */
async function reuse({ hub, login }: People): Promise<void> {
  const { refresh_token: token } = await login('bob')
  const next = await krpc(hub, 'refresh_token', { refresh_token: token }) as KrpcPair
  await krpc(hub, 'refresh_token', { refresh_token: next.refresh_token })
  assert.is(await denied(() => krpc(hub, 'refresh_token', { refresh_token: token })), 'refresh/reused')
}

test('by its own rules it ends all sessions of a user whose tokens are copied again and again', async () => {
  const users = await people()
  const { hub, login } = users
  const [bob, alice] = [await login('bob'), await login('alice')]
  const { count } = riskRules.find(({ id }) => id === 'refresh-theft')!
  for (let times = 1; times < count; times++) await reuse(users)
  assert.is(await live(users, bob), true)
  await reuse(users)
  assert.equal([await live(users, bob), await live(users, alice)], [false, true])
  const { sessions } = await krpc(hub, 'list_sessions', { user: 'bob' }, alice.session_token) as
    { sessions: { sid: string; reason: string }[] }
  assert.is(sessions.find(({ sid }) => sid === bob.sid)?.reason, 'risk: refresh-theft')
  assert.ok(hub.said.some((line) => line.includes('refresh-theft') && line.includes('bob')))
  assert.equal(hub.counted['verify_hub_risk_total{rule="refresh-theft"}'], 1)
  assert.equal(hub.counted['verify_hub_risk_events_total{event="refresh-reused"}'], count)
  assert.ok(await login('bob'), 'and no lock')
})

test('what it has counted outlives a restart, is shared by all OODs of a store, and is over in time', async () => {
  const users = await people()
  const { zone, login } = users
  await withRules(zone, rule({ count: 3 }))
  const bob = await login('bob')
  await reuse(users)
  await reuse({ ...users, hub: await zone.start() })
  assert.is(await live(users, bob), true)
  await zone.clock.advance(60_000)
  await reuse(users)
  assert.is(await live(users, bob), true, 'the first two are long ago')
  const next = await zone.start()
  await zone.clock.advance(1)
  await reuse({ ...users, hub: next })
  await reuse(users)
  assert.is(await live(users, bob), false)
})

test('the settings replace its rules; rules that are wrong are refused whole, and the old ones stay', async () => {
  const users = await people()
  const { zone, login, hub } = users
  await withRules(zone, rule({ count: 1 }))
  for (const wrong of [
    'nonsense', JSON.stringify({ riskRules: 7 }), JSON.stringify({ riskRules: [rule({ count: 100 }), { id: 'x' }] }),
  ]) {
    zone.put(settings, wrong)
    await zone.clock.advance(1)
  }
  assert.is(hub.said.filter((line) => line.includes('The risk rules stay as they were')).length, 3)
  let bob = await login('bob')
  await reuse(users)
  assert.is(await live(users, bob), false, 'once is enough by the rules of before')
  // Without settings there are the built-in ones again
  zone.kv.delete(settings)
  await zone.clock.advance(1)
  bob = await login('bob')
  await reuse(users)
  assert.is(await live(users, bob), true)
  await withRules(zone)
  for (let times = 0; times < 3; times++) await reuse(users)
  assert.is(await live(users, bob), true, 'none at all, if that is what they say')
})

test('a rule may lock the name of a user, and a device may lose its sessions', async () => {
  const users = await people()
  const { zone, passwords, hub, login } = users
  const forMs = 10 * 60_000
  await withRules(zone, rule({ event: 'password-failed', action: 'lock', forMs }))
  const wrong = { type: 'password', username: 'bob', password: 'wrong', appid: 'console' }
  for (let times = 0; times < 2; times++) await krpc(hub, 'login_by_password', wrong).catch(() => {})
  const right = () => krpc(hub, 'login_by_password', { ...wrong, password: passwords.bob })
  assert.is((await failure(LoginLocked, right)).details['retryMs'], forMs)
  await zone.clock.advance(forMs)
  assert.ok(await right())

  await withRules(zone, rule({ event: 'login-replayed', per: 'device', count: 1 }))
  const jwt = zone.login()
  const device = await hub.handlers.loginByJwt({ jwt }, hub.as(service))
  const there = await hub.handlers.loginByJwt(
    { jwt: zone.login({ iss: 'node1', sub: 'node1' }, zone.devices.node1) }, hub.as(peer('service', { host: 'node1' })))
  assert.is(await denied(() => hub.handlers.loginByJwt({ jwt }, hub.as(peer('service', { kid: 'other' })))),
    'token/replayed')
  assert.equal([await live(users, device), await live(users, there)], [false, true])
  assert.is(await live(users, await login('bob')), true)
})

test('sudo tokens that are shown again count against their user; what no user signed counts for nobody', async () => {
  const users = await people()
  const { zone, hub, sudo, login } = users
  await withRules(
    zone, rule({ id: 'again', event: 'sudo-replayed' }), rule({ id: 'other', event: 'sudo-failed', count: 3 }))
  const fails = (token: string): Promise<unknown> => denied(() => krpc(hub, 'whoami', {}, token))
  let bob = await login('bob')
  const forged = sudo('alice', { iss: 'bob', sub: 'bob' })
  for (let times = 0; times < 5; times++) await fails(forged)
  assert.is(await live(users, bob), true)
  const token = sudo('bob')
  await krpc(hub, 'whoami', {}, token)
  for (let times = 0; times < 2; times++) await fails(token)
  assert.is(await live(users, bob), false)
  bob = await login('bob')
  for (let times = 0; times < 3; times++) await fails(sudo('bob', { aud: ['system-config'] }))
  assert.is(await live(users, bob), false)
})

test('a holder that is another counts for user, device and session, each by a rule of its own', async () => {
  const { zone, hub } = await loggedIn()
  await withRules(zone, rule({ event: 'holder-mismatch', per: 'device', count: 1 }))
  const [one, two] = await Promise.all([zone.login(), zone.login()].map((jwt) =>
    hub.handlers.loginByJwt({ jwt }, hub.as(service))))
  await denied(() => hub.handlers.refreshToken({ refreshToken: one!.refreshToken }, hub.as(peer('thief'))))
  assert.is(await live({ hub }, two!), false)
})

test('rules are data: each that makes no sense is refused, and says why', () => {
  const refused = (rules: unknown): string => {
    try {
      readRiskRules(JSON.stringify({ riskRules: rules }))
    } catch (error) {
      if (error instanceof InvalidArgument) return error.message
      throw error
    }
    return ''
  }
  assert.equal(readRiskRules('{}'), undefined)
  assert.equal(readRiskRules(JSON.stringify({ riskRules })), riskRules)
  for (const [what, rules] of [
    [/count/, [rule({ count: 0 })]], [/count/, [rule({ count: limits.riskCount + 1 })]],
    [/count/, [rule({ count: 1.5 })]], [/withinMs/, [rule({ withinMs: limits.riskMs + 1 })]],
    [/id/, [rule({ id: 'Not a name' })]], [/event/, [{ ...rule(), event: 'rain' }]], [/0/, [{ ...rule(), more: 1 }]],
    [/length/, Array.from({ length: limits.riskRules + 1 }, (_, index) => rule({ id: `r${index}` }))],
    [/one id/, [rule(), rule()]], [/says nothing of a device/, [rule({ event: 'password-failed', per: 'device' })]],
    [/nothing that befalls/, [rule({ per: 'session' })]], [/forMs/, [rule({ action: 'lock' })]],
    [/forMs/, [rule({ forMs: 5 })]], [/names no session/, [rule({ event: 'sudo-failed', action: 'end-session' })]],
  ] as const) assert.match(refused(rules), what)
  assert.is(refused([rule({ count: limits.riskCount, withinMs: limits.riskMs })]), '')
})

test('of what is counted the oldest gives way when there is too much, and what is over is swept away', async () => {
  const clock = manualClock()
  const store = createMemoryStore({ clock, random: systemRandom })
  const most = 3
  const tallies = openTallies<number>(store, 'x', most)
  const count = (name: string, untilMs: number) => tallies.update(name, (value = 0) => ({ value: value + 1, untilMs }))
  for (const [index, name] of ['c', 'a', 'b'].entries()) await count(name, (index + 10) * 1000)
  assert.is(await count('c', 50_000), 2)
  await count('d', 40_000)
  const known = async () => (await Promise.all(['a', 'b', 'c', 'd'].map((name) => tallies.get(name))))
  assert.equal(await known(), [undefined, 1, 2, 1])
  assert.equal([await tallies.sweep(12_000), await known()], [1, [undefined, undefined, 2, 1]])
  assert.is((await store.list('')).entries.length, 4)
  await tallies.update('c', () => undefined)
  for (const name of ['e', 'f']) await count(name, 60_000)
  assert.equal((await store.list('x/of/')).entries.map(({ key }) => key), ['d', 'e', 'f'].map((name) => `x/of/${name}`))
})

test.run()
