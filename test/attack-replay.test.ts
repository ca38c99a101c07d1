/** A token that was used is used everywhere that shares its store; and who signs for somebody else gets nowhere. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../actors/records.ts'
import type { SigningKey } from '../runtime/platform/ports.ts'
import { systemRandom } from '../runtime/platform/random.ts'
import { Denied } from '../runtime/errors.ts'
import { fromBase64url, toBase64url } from '../runtime/trust/base64url.ts'
import type { TokenClaims } from '../runtime/trust/token.ts'
import { encode, smallOrder } from './attack-parts.ts'
import { crypto, denied, peer, testZone, type Running, type TestZone } from './actors/system-config-zone.ts'
import { plain } from './plain.ts'
import { gateway, peer as caller, service, testZone as hubZone } from './actors/verify-hub-zone.ts'

const replays = suite('used once')

const reads = (running: Running, token: string, link?: string) =>
  running.as(token, peer('test'), link).get({ key: 'boot/config' })

/** `Denied` by reason, everything else as it is. */
const outcomes = async (calls: readonly Promise<unknown>[]): Promise<string[]> =>
  (await Promise.allSettled(calls)).map((one) => {
    if (one.status === 'fulfilled') return 'let in'
    if (one.reason instanceof Denied) return String(one.reason.details['reason'])
    throw one.reason
  }).sort()

/** A zone in which alice and bob have keys of their own. */
async function withPeople(): Promise<{ zone: TestZone; running: Running; alice: SigningKey; bob: SigningKey }> {
  const [zone, alice, bob] = [testZone(), crypto.generate(systemRandom), crypto.generate(systemRandom)]
  const person = (name: string, key: SigningKey) => ({
    [kv.userDocument(name)]: JSON.stringify({ name, key: key.public.jwk, iat: 1 }),
    [kv.user(name)]: JSON.stringify({ name, type: 'user', state: 'active' }),
  })
  const policy = 'g, console, console\ng, alice, user\ng, bob, user\n'
  const more = { ...person('alice', alice), ...person('bob', bob), 'system/rbac/policy': policy }
  return { zone, running: await zone.booted(more), alice, bob }
}

const sudoOf = (zone: TestZone, by: SigningKey, changes: Partial<TokenClaims> = {}): string => {
  const iat = Math.floor(zone.now / 1000)
  return zone.tokens.session('console', {
    iss: 'alice', sub: 'alice', aud: ['system-config'], token_use: 'sudo', runtime_type: 'user', iat, exp: iat + 180,
    ...changes,
  }, by)
}

replays('a root or sudo token is used at every system-config on that store, and after a restart', plain(async () => {
  const { zone, running, alice } = await withPeople()
  const second = await zone.start()
  for (const token of [zone.tokens.root(), sudoOf(zone, alice)]) {
    await reads(running, token)
    assert.is(await denied(() => reads(second, token)), 'token/replayed', 'the other one')
    assert.is(await denied(() => reads(running, token)), 'token/replayed', 'another link of the first')
    running.stop()
    const restarted = await zone.start()
    assert.is(await denied(() => reads(restarted, token)), 'token/replayed', 'after a restart')
    restarted.stop()
  }
  second.stop()
}))

replays('of many that bring one root or sudo token to two system-configs at once, one gets in', plain(async () => {
  const { zone, running, alice } = await withPeople()
  const second = await zone.start()
  for (const token of [zone.tokens.root(), sudoOf(zone, alice)]) {
    const calls = Array.from({ length: 20 }, (_, at) => reads(at % 2 === 0 ? running : second, token))
    assert.equal(await outcomes(calls), ['let in', ...Array.from({ length: 19 }, () => 'token/replayed')])
  }
  running.stop()
  second.stop()
}))

replays('the same jti under another key is another token', plain(async () => {
  const { zone, running, alice, bob } = await withPeople()
  const jti = 'one-jti-for-all'
  await reads(running, sudoOf(zone, alice, { jti }))
  await reads(running, sudoOf(zone, bob, { jti, iss: 'bob', sub: 'bob' }))
  assert.is(await denied(() => reads(running, sudoOf(zone, alice, { jti }))), 'token/replayed')
  running.stop()
}))

replays('a clock that is set back by ten minutes makes no used token new', plain(async () => {
  const { zone, running } = await withPeople()
  const token = zone.tokens.root({ exp: Math.floor(zone.now / 1000) + 300 })
  await reads(running, token)
  zone.now += 4 * 60_000
  assert.is(await denied(() => reads(running, token)), 'token/replayed')
  zone.now -= 10 * 60_000
  assert.match(String(await denied(() => reads(running, token))), /^token\/(replayed|not-yet-valid)$/)
  running.stop()
}))

replays('a login token that one verify-hub took gives nothing at another on its store', plain(async () => {
  const zone = await hubZone()
  const [first, second] = [await zone.start(), await zone.start()]
  const jwt = zone.login()
  const own = await first.handlers.loginByJwt({ jwt }, first.as(service))
  const thief = { ...service, kid: 'thief' }
  assert.is(await denied(() => second.handlers.loginByJwt({ jwt }, second.as(thief))), 'token/replayed')
  const again = await second.handlers.loginByJwt({ jwt }, second.as(service))
  assert.equal(again, own, 'who made it may not have had the answer')
  const byHttp = { method: 'login_by_jwt', params: { jwt } }
  assert.is(await denied(() => second.handlers.krpc(byHttp, second.as(gateway))), 'token/replayed')
  const raced = zone.login()
  const seen = await outcomes(Array.from({ length: 12 }, (_, at) => {
    const hub = at % 2 === 0 ? first : second
    return Promise.resolve(hub.handlers.loginByJwt({ jwt: raced }, hub.as({ ...service, kid: `racer-${at}` })))
  }))
  assert.equal(seen, ['let in', ...Array.from({ length: 11 }, () => 'token/replayed')])
  first.stop()
  second.stop()
}))

const forgeries = suite('for somebody else')

forgeries('a user key speaks for its user alone: not for another, not for su_ names, not for root', plain(async () => {
  const { zone, running, alice } = await withPeople()
  const ask = (changes: Partial<TokenClaims>) => denied(() => reads(running, sudoOf(zone, alice, changes)))
  assert.is(await ask({ sub: 'bob' }), 'token/subject')
  assert.is(await ask({ sub: 'su_alice' }), 'token/subject')
  assert.is(await ask({ sub: 'root' }), 'token/subject')
  assert.is(await ask({ sub: 'ood1' }), 'token/subject')
  assert.is(await ask({ sub: 'ALICE' }), 'token/subject')
  for (const iss of ['bob', 'su_alice', 'root', 'verify-hub', 'ood1', 'nobody', '__proto__', '../alice', 'alice/doc']) {
    assert.is(await ask({ iss, sub: iss }), 'token/unknown-key', iss)
    assert.is(await ask({ iss, sub: 'alice' }), 'token/unknown-key', iss)
  }
  for (const type of ['ood', 'kernel-service', 'service', 'node', 'client-device', 'gateway']) {
    assert.is(await ask({ runtime_type: type }), 'token/runtime-type', type)
  }
  assert.is(await ask({ aud: ['system-config', 'verify-hub'] }), 'token/audience')
  assert.is(await ask({ exp: Math.floor(zone.now / 1000) + 181 }), 'token/lifetime')
  assert.ok(await reads(running, sudoOf(zone, alice)), 'and it does speak for its user')
  running.stop()
}))

forgeries('a user key signs sudo tokens alone', plain(async () => {
  const { zone, running, alice } = await withPeople()
  const uses: readonly (readonly [TokenClaims['token_use'], string])[] = [
    ['session', 'token/key-reason'], ['root', 'token/key-reason'], ['refresh', 'token/use'], ['login', 'token/use'],
    ['boot', 'token/use'],
  ]
  for (const [token_use, reason] of uses) {
    assert.is(await denied(() => reads(running, sudoOf(zone, alice, { token_use, sid: 's' }))), reason, token_use)
  }
  running.stop()
}))

forgeries('who is not active has no sudo, and a document that names another is nobody\'s key', plain(async () => {
  for (const state of ['suspended', 'pending', 'deleted']) {
    const [zone, alice] = [testZone(), crypto.generate(systemRandom)]
    const running = await zone.booted({
      [kv.userDocument('alice')]: JSON.stringify({ name: 'alice', key: alice.public.jwk, iat: 1 }),
      [kv.user('alice')]: JSON.stringify({ name: 'alice', type: 'admin', state }),
    })
    assert.is(await denied(() => reads(running, sudoOf(zone, alice))), 'login/user', state)
    running.stop()
  }
  const [zone, alice] = [testZone(), crypto.generate(systemRandom)]
  const running = await zone.booted({
    [kv.user('alice')]: JSON.stringify({ name: 'alice', type: 'admin', state: 'active' }),
  })
  // Behind the back of system-config, which takes no such document
  await zone.store.put(`kv/${kv.userDocument('alice')}`, new TextEncoder().encode(
    `\u0001${JSON.stringify({ name: 'bob', key: alice.public.jwk, iat: 1 })}`,
  ))
  assert.is(await denied(() => reads(running, sudoOf(zone, alice))), 'token/unknown-key')
  running.stop()
}))

forgeries('under a user key of small order, for which anybody signs, nobody gets in', plain(async () => {
  const { zone, running, alice } = await withPeople()
  const x = toBase64url(smallOrder[0]!)
  const kid = toBase64url(crypto.hash(new TextEncoder().encode(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`)))
  await zone.store.put(`kv/${kv.userDocument('alice')}`, new TextEncoder().encode(
    `\u0001${JSON.stringify({ name: 'alice', key: { kty: 'OKP', crv: 'Ed25519', x }, iat: 1 })}`,
  ))
  const [header, payload] = sudoOf(zone, alice).split('.') as [string, string]
  const weak = encode(JSON.stringify({
    ...JSON.parse(new TextDecoder().decode(fromBase64url(header))) as object, kid,
  }))
  // R the point of order one and S zero: of every message under that key
  const signature = toBase64url(Uint8Array.of(...smallOrder[0]!, ...new Uint8Array(32)))
  const seen = await reads(running, `${weak}.${payload}.${signature}`)
    .then(() => 'let in', (error: Error) => error.name)
  assert.is(seen, 'InvalidArgument')
  running.stop()
}))

forgeries('a device signs for itself alone, at system-config and at verify-hub', plain(async () => {
  const zone = testZone()
  const running = await zone.booted()
  const session = (changes: Partial<TokenClaims>, by = zone.device) =>
    denied(() => reads(running, zone.tokens.device(changes, by)))
  assert.is(await session({ sub: 'node1' }), 'token/subject')
  assert.is(await session({ sub: 'alice' }), 'token/subject')
  assert.is(await session({ sub: 'root' }), 'token/subject')
  assert.is(await session({ sub: 'kernel' }), 'token/subject')
  assert.is(await session({ iss: 'node1', sub: 'node1' }), 'token/issuer')
  assert.is(await session({ runtime_type: 'kernel-service' }), 'token/runtime-type')
  assert.is(await session({}, zone.other), 'token/unknown-key')
  running.stop()
  const hubs = await hubZone()
  const hub = await hubs.start()
  const login = (changes: Partial<TokenClaims>, by: SigningKey = hubs.devices.node1) =>
    denied(() => hub.handlers.loginByJwt({ jwt: hubs.login(changes, by) }, hub.as(caller('service', { host: 'ood1' }))))
  assert.is(await login({}), 'token/unknown-key', 'node1 signs as ood1')
  assert.is(await login({ iss: 'node1' }), 'login/presenter', 'a token of node1 on ood1')
  assert.is(await login({ iss: 'alice', sub: 'alice' }), 'token/unknown-key')
  assert.is(await login({ sub: 'root' }, hubs.devices.ood1), 'token/subject')
  assert.is(await login({ sub: 'su_alice' }, hubs.devices.ood1), 'token/subject')
  assert.is(await login({ sub: 'alice' }, hubs.devices.ood1), 'login/subject')
  hub.stop()
}))

const clocks = suite('clocks')

clocks('ten minutes of skew are told as such for every use, ahead and behind', plain(async () => {
  const { zone, running, alice } = await withPeople()
  const now = Math.floor(zone.now / 1000)
  const makes: Readonly<Record<string, (times: Pick<TokenClaims, 'iat' | 'exp'>) => string>> = {
    root: (times) => zone.tokens.root(times),
    sudo: (times) => sudoOf(zone, alice, times),
    device: (times) => zone.tokens.device(times),
    session: (times) => zone.tokens.session('console', times),
  }
  for (const [name, make] of Object.entries(makes)) {
    const details = async (iat: number, exp: number) => {
      const error = await reads(running, make({ iat, exp })).then(() => undefined, (thrown: unknown) => thrown)
      assert.instance(error, Denied, name)
      const { details } = error as InstanceType<typeof Denied>
      return ['reason', 'skewSeconds', 'issuedAgoSeconds', 'expiredAgoSeconds'].map((member) => details[member])
    }
    assert.equal(await details(now + 600, now + 700), ['token/not-yet-valid', 600, undefined, undefined], name)
    assert.equal(await details(now - 600, now - 500), ['token/expired', undefined, 600, 500], name)
  }
  // Within what two hosts may differ by
  assert.ok(await reads(running, zone.tokens.device({ iat: now + 60 })))
  running.stop()
}))

replays.run()
forgeries.run()
clocks.run()
