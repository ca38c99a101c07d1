/** The hashed password of the originals' clients: only for users whose settings say so. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../../actors/records.ts'
import { compatVerifier, nonceOf } from '../../actors/verify-hub/compat.ts'
import { InvalidPassword, LoginLocked } from '../../actors/verify-hub/protocol.ts'
import { limits } from '../../runtime/limits.ts'
import { krpc, people, type KrpcPair, type People } from './accounts-fixture.ts'
import { countSlowHashes, crypto, denied, failure, service, type Running } from './verify-hub-zone.ts'

/** What the originals' SDK sends for bob at the nonce with which a test zone begins. */
const NONCE = 1_795_000_000_000
const originals = [
  ['correct horse', 'Vr7mRcalpKh9wnvDOqMvzYWMwxsn291P6EOUsJfpH2o=', 'wMvVYeQf/wt/XeaiJ0Kd2w1dqGG/XS0BYsvvLKWBDnY='],
  ['пароль-ён', 'jK5QYbg8+Ku+ocT6EiPikx/8lnQoRq/CuGxFR3jK1sM=', 'Gswb+Z2wdxfXSYA5oA+sAEXsEUOuWJmOMFpDA1hFOh8='],
] as const

const sha256 = (text: string): string => Buffer.from(crypto.hash(new TextEncoder().encode(text))).toString('base64')
const hashed = (password: string, nonce: number): string => sha256(compatVerifier(crypto, 'bob', password) + nonce)
const compat = ({ zone }: People, on = true, state = 'active'): void =>
  zone.put(kv.user('bob'), { name: 'bob', type: 'user', state, ...(on ? { compat_password: true } : {}) })

interface Sent { readonly login_nonce?: number; readonly sequence?: number; readonly username?: string }
const login = async (hub: Running, password: string, { sequence, ...others }: Sent = {}): Promise<KrpcPair> => {
  const params = { type: 'password', username: 'bob', appid: 'console', ...others, password }
  return await krpc(hub, 'login_by_password', params, undefined, sequence === undefined ? {} : { sequence }) as KrpcPair
}
const live = async (hub: Running, { sid }: KrpcPair): Promise<boolean> =>
  (await hub.handlers.verifySession({ sid }, hub.as(service))).active

/** bob, whose settings let the originals' clients in. */
async function withCompat(password = 'correct horse') {
  const users = await people()
  compat(users)
  await krpc(users.hub, 'set_password', { username: 'bob', password }, users.sudo('alice'))
  return { ...users, password }
}

test('the very values that the originals\' clients send log in', async () => {
  for (const [password, verifier, wire] of originals) {
    const { hub } = await withCompat(password)
    assert.is(compatVerifier(crypto, 'bob', password), verifier)
    assert.ok((await login(hub, wire, { login_nonce: NONCE })).sid)
    assert.ok((await login(hub, password)).sid, 'and the password itself')
  }
})

test('without a nonce the number of the envelope is meant, in milliseconds or in microseconds', async () => {
  const { hub, password } = await withCompat()
  assert.ok((await login(hub, hashed(password, NONCE), { sequence: NONCE })).sid)
  assert.ok((await login(hub, hashed(password, NONCE + 1), { sequence: (NONCE + 1) * 1000 + 7 })).sid)
  await failure(InvalidPassword, () => login(hub, hashed(password, NONCE), { sequence: 1 }))
  assert.equal([nonceOf(5, 7), nonceOf(undefined, 1e13), nonceOf(undefined, 1e13 + 1)], [5, 1e13, 1e10])
})

test('a nonce is of now, give or take five minutes, also where the password is right', async () => {
  const { hub, zone, password } = await withCompat()
  const by = (offMs: number) => login(hub, hashed(password, NONCE + offMs), { login_nonce: NONCE + offMs })
  assert.is(limits.compatNonceMs, 300_000)
  for (const offMs of [-limits.compatNonceMs, limits.compatNonceMs]) assert.ok((await by(offMs)).sid)
  for (const offMs of [-limits.compatNonceMs - 1, limits.compatNonceMs + 1]) {
    assert.is(await denied(() => by(offMs)), 'login/nonce')
  }
  await zone.clock.advance(limits.loginAttemptsMs)
  await failure(InvalidPassword, () => login(hub, hashed('wrong', 0), { login_nonce: 0 }))
})

test('a nonce is good once: its second use is refused and ends the session of the first, also elsewhere', async () => {
  for (const again of ['here', 'after a restart', 'at another OOD at the same time'] as const) {
    const users = await withCompat()
    const { hub, zone, password } = users
    const other = again === 'here' ? hub : await zone.start()
    const send = (at: Running, nonce = NONCE) => login(at, hashed(password, nonce), { login_nonce: nonce })
    const [mine, before, first] = [await login(hub, password), await send(hub, NONCE + 1), await send(hub)]
    assert.is(await denied(() => send(other)), 'login/nonce-reused', again)
    assert.equal(await Promise.all([mine, before, first].map((pair) => live(hub, pair))), [true, true, false], again)
    const { session_token: admin } = await users.login('alice')
    const { sessions } = await krpc(hub, 'list_sessions', { user: 'bob' }, admin) as
      { sessions: { sid: string; reason: string }[] }
    assert.is(sessions.find(({ sid }) => sid === first.sid)?.reason, 'login nonce used again')
  }
})

test('of one nonce sent many times at once no session is left', async () => {
  const { hub, password, zone } = await withCompat()
  const send = () => login(hub, hashed(password, NONCE), { login_nonce: NONCE }).catch(() => undefined)
  const pairs = (await Promise.all([send(), send(), send()])).filter((pair) => pair !== undefined)
  assert.ok(pairs.length <= 1)
  for (const pair of pairs) assert.is(await live(hub, pair), false)
  assert.equal((await zone.store.list('live/bob/')).entries, [])
})

test('for all others a hashed password is a wrong password, and no more', async () => {
  const users = await people()
  const { hub, passwords } = users
  const plain = await failure(InvalidPassword, () => login(hub, 'wrong'))
  const right = hashed(passwords.bob, NONCE)
  for (const sent of [{ login_nonce: NONCE }, { sequence: NONCE }, { login_nonce: NONCE, username: 'nobody' }]) {
    const cost = await countSlowHashes(async () => {
      const { message, details } = await failure(InvalidPassword, () => login(hub, right, sent))
      assert.equal([message, details], [plain.message, plain.details])
    })
    assert.is(cost, 1)
  }
  assert.ok((await login(hub, passwords.bob, { login_nonce: NONCE })).sid, 'a password as it is needs no nonce')
})

test('each attempt costs one slow hash in either form, and failures in both count together', async () => {
  const { hub, password } = await withCompat()
  const cost = (run: () => Promise<unknown>) => countSlowHashes(() => run().catch(() => {}))
  assert.is(await cost(() => login(hub, hashed(password, NONCE), { login_nonce: NONCE })), 1)
  assert.is(await cost(() => login(hub, hashed(password, NONCE), { login_nonce: NONCE })), 1, 'used before')
  assert.is(await cost(() => login(hub, hashed(password, 5), { login_nonce: 5 })), 1, 'not of now')
  assert.is(await cost(() => login(hub, hashed('wrong', 5), { login_nonce: 5 })), 1)
  assert.is(await cost(() => login(hub, password)), 1)
  for (let count = 0; count < limits.loginFailures; count++) {
    const wrong = count % 2 === 0 ? 'wrong' : hashed('wrong', NONCE)
    await failure(InvalidPassword, () => login(hub, wrong, { sequence: NONCE }))
  }
  assert.is(await cost(() => failure(LoginLocked, () => login(hub, password))), 0)
})

test('what somebody overheard does not undo wrong passwords', async () => {
  const { hub, zone, password } = await withCompat()
  const overheard = [hashed(password, NONCE), { login_nonce: NONCE }] as const
  await login(hub, ...overheard)
  for (let count = 1; count < limits.loginFailures; count++) {
    await failure(InvalidPassword, () => login(hub, 'wrong'))
    if (count < limits.loginFailures - 1) continue
    await zone.clock.advance(limits.loginAttemptsMs)
    assert.is(await denied(() => login(hub, ...overheard)), 'login/nonce-reused')
  }
  await failure(LoginLocked, () => login(hub, 'wrong'))
})

/** What the vault holds of bob, whatever it keeps of before. */
async function kept({ hub }: People): Promise<{ value: Record<string, unknown>; version: number }> {
  const { vault } = hub.as(service) as unknown as {
    vault: { getSecret(args: { path: string }): Promise<{ value: string; version: number }> }
  }
  const { value, version } = await vault.getSecret({ path: 'verify-hub/passwords/bob' })
  return { value: JSON.parse(value) as Record<string, unknown>, version }
}

test('what is as good as the password is made only while the settings ask for it, and does not stay', async () => {
  const users = await people()
  const { hub, zone, passwords } = users
  const versions = async () => (await zone.vaultStore.list('')).entries.filter(({ key }) =>
    key.includes('versions/verify-hub/passwords/bob')).length
  const send = (nonce: number) => login(hub, hashed(passwords.bob, nonce), { login_nonce: nonce })
  assert.is((await kept(users)).value['compat'], undefined)
  compat(users)
  await failure(InvalidPassword, () => send(NONCE))
  await login(hub, passwords.bob)
  assert.is((await kept(users)).value['compat'], compatVerifier(crypto, 'bob', passwords.bob))
  assert.ok((await send(NONCE)).sid)
  compat(users, false)
  await zone.clock.advance(1)
  assert.equal([(await kept(users)).value['compat'], await versions()], [undefined, 1])
  await failure(InvalidPassword, () => send(NONCE + 1))
  // Nor after the flag is back, until a password has come by
  compat(users)
  await failure(InvalidPassword, () => send(NONCE + 2))
  // A user who is not active has none either
  await login(hub, passwords.bob)
  compat(users, true, 'suspended')
  await zone.clock.advance(1)
  assert.is((await kept(users)).value['compat'], undefined)
})

test('a flag that went off while verify-hub was away is seen when it starts, and at the next login', async () => {
  for (const seen of ['at start', 'at login']) {
    const users = await withCompat()
    const { hub, zone, password } = users
    hub.stop()
    compat(users, false)
    if (seen === 'at login') await login(hub, password)
    else await zone.start()
    await zone.clock.advance(1)
    assert.is((await kept(users)).value['compat'], undefined, seen)
  }
})

test('a verifier that cost too little is made anew by the login that it lets in', async () => {
  const users = await people()
  const { hub, passwords } = users
  const { vault } = hub.as(service) as unknown as {
    vault: { putSecret(args: { path: string; value: string }): Promise<unknown> }
  }
  const { value: { cost, ...oldest } } = await kept(users)
  assert.equal(cost, { logN: 15, r: 8, p: 3 })
  await vault.putSecret({ path: 'verify-hub/passwords/bob', value: JSON.stringify(oldest) })
  assert.is(await countSlowHashes(() => login(hub, passwords.bob)), 2)
  assert.equal((await kept(users)).value['cost'], cost)
  assert.is.not((await kept(users)).value['hash'], oldest['hash'])
  assert.is(await countSlowHashes(() => login(hub, passwords.bob)), 1)
})

test.run()
