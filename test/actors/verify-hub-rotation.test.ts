import { test as uvuTest } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../../actors/records.ts'
import { VerifyHubKeyMismatch } from '../../actors/verify-hub/protocol.ts'
import { SWITCH_MS } from '../../actors/verify-hub/signing-keys.ts'
import { Denied, Unavailable, ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { fromBase64url } from '../../runtime/trust/base64url.ts'
import {
  check, crypto, denied, failure, loggedIn, nextKey, peer, refreshAs, seconds, service, testZone,
  type Running, type TestZone,
} from './verify-hub-zone.ts'
import { krpc, people } from './accounts-fixture.ts'

const test = (title: string, run: () => Promise<void>) => uvuTest(title, () => run().catch((error: unknown) => {
  // uvu takes `details` for text: of one of our errors it would print nothing
  throw error instanceof ZonewrightError ? new Error(`${error.code}: ${error.message}`) : error
}))

const kidOf = (token: string): string =>
  (JSON.parse(new TextDecoder().decode(fromBase64url(token.split('.')[0]!))) as { kid: string }).kid
const asHub = peer('verify-hub', { runtimeType: 'kernel-service', incarnation: 0, kid: 'test-asks' })
const versions = async ({ vault }: TestZone): Promise<string[]> =>
  (await vault.keyVersions({ name: 'verify-hub' }, { peer: asHub } as never)).map(({ kid }) => kid)

const name = (zone: TestZone, ...keys: SigningKey[]): void =>
  zone.boot({ verifyHub: keys.map((key) => key.public.jwk) })
const login = async (zone: TestZone, hub: Running) =>
  hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service))
/** With which key it signs a login now. */
const signer = async (zone: TestZone, hub: Running): Promise<string> => kidOf((await login(zone, hub)).sessionToken)
/** The timer, and what follows from it. */
const switched = async (zone: TestZone): Promise<void> => {
  await zone.clock.advance(SWITCH_MS)
  await zone.clock.advance(1)
}

async function announced() {
  const found = await loggedIn()
  const { zone, hub } = found
  const [old, next] = [zone.hubKey, await nextKey(zone)]
  name(zone, old, next)
  const [oldKid, newKid] = [old.public.kid, next.public.kid]
  return { ...found, zone, hub, old, next, oldKid, newKid }
}

test('the new key signs once every enforcer must know it, in between both are accepted', async () => {
  const { zone, hub, pair, oldKid, newKid } = await announced()
  assert.is(await signer(zone, hub), oldKid)
  await zone.clock.advance(2 * limits.enforcerLeaseMs - 1)
  assert.is(await signer(zone, hub), oldKid)
  await zone.clock.advance(2)
  const next = await login(zone, hub)
  assert.equal([kidOf(next.sessionToken), kidOf(next.refreshToken)], [newKid, newKid])
  for (const { sessionToken } of [pair, next]) assert.is((await check(hub, sessionToken)).sub, 'ood1')
  assert.ok(hub.said.some((line) => line.startsWith('verify-hub signs with another key')))
})

test('a refresh goes over to the new key, and the session survives the end of the old one', async () => {
  const { zone, hub, pair, next, newKid } = await announced()
  const late = await login(zone, hub)
  await switched(zone)
  const refreshed = await refreshAs(hub, pair.refreshToken)
  assert.equal([kidOf(refreshed.refreshToken), refreshed.sid], [newKid, pair.sid])
  name(zone, next)
  assert.is((await check(hub, refreshed.sessionToken)).sid, pair.sid)
  assert.is((await refreshAs(hub, refreshed.refreshToken)).sid, pair.sid)
  assert.is(await denied(() => check(hub, late.sessionToken)), 'token/unknown-key')
  assert.is(await denied(() => refreshAs(hub, late.refreshToken)), 'token/unknown-key')
})

test('a lost reply is given again byte for byte, although another key signs meanwhile', async () => {
  const { zone, hub, next } = await announced()
  const jwt = zone.login()
  const ask = async () => hub.handlers.loginByJwt({ jwt }, hub.as(service))
  const first = await ask()
  await switched(zone)
  assert.equal(await ask(), first)
  name(zone, next)
  const again = await ask()
  assert.equal([again.sid, kidOf(again.sessionToken)], [first.sid, next.public.kid], 'the old one signs no more')
})

test('when boot/config names the new key alone, the old one is destroyed in the vault', async () => {
  const { zone, hub, next, oldKid, newKid } = await announced()
  await login(zone, hub)
  assert.equal(await versions(zone), [oldKid, newKid])
  await switched(zone)
  assert.equal(await versions(zone), [oldKid, newKid], 'as long as its tokens are good it stays')
  name(zone, next)
  assert.is(await signer(zone, hub), newKid)
  await zone.clock.advance(1)
  assert.equal(await versions(zone), [newKid])
})

test('a key that was prepared and that boot/config does not name is never read and never signs', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  await zone.vault.rotateKey({ name: 'verify-hub', after: zone.hubKey.public.kid }, { peer: asHub } as never)
  assert.is(await signer(zone, hub), zone.hubKey.public.kid)
  await switched(zone)
  assert.is(await signer(zone, hub), zone.hubKey.public.kid)
  assert.is(await signer(zone, await zone.start()), zone.hubKey.public.kid)
  assert.is((await versions(zone)).length, 2)
})

test('the owner takes a new key back: the old one signs on, and the new one waits anew when it is named', async () => {
  const { zone, hub, old, next, oldKid, newKid } = await announced()
  await login(zone, hub)
  await switched(zone)
  assert.is(await signer(zone, hub), newKid)
  const pair = await login(zone, hub)
  name(zone, old)
  assert.is(await denied(() => check(hub, pair.sessionToken)), 'token/unknown-key')
  assert.is(await signer(zone, hub), oldKid)
  assert.equal(await versions(zone), [oldKid, newKid], 'nothing is destroyed')
  name(zone, old, next)
  assert.is(await signer(zone, hub), oldKid)
  await switched(zone)
  assert.is(await signer(zone, hub), newKid)
})

test('a key that is taken back while it waits does not sign, and its wait does not shorten the next one', async () => {
  const { zone, hub, old, next, oldKid, newKid } = await announced()
  await login(zone, hub)
  await zone.clock.advance(SWITCH_MS - 1_000)
  name(zone, old)
  await login(zone, hub)
  name(zone, old, next)
  await login(zone, hub)
  await zone.clock.advance(2_000)
  assert.is(await signer(zone, hub), oldKid)
  await switched(zone)
  assert.is(await signer(zone, hub), newKid)
})

test('verify-hub that starts at any stage goes on from there', async () => {
  const { zone, hub, old, next, pair, oldKid, newKid } = await announced()
  const restart = async () => zone.start()
  assert.is(await signer(zone, await restart()), oldKid, 'nobody has seen it yet')
  assert.is(await signer(zone, hub), oldKid)
  await switched(zone)
  assert.is(await signer(zone, hub), newKid)
  hub.stop()
  const second = await restart()
  assert.is(await signer(zone, second), newKid, 'everybody knew it before')
  assert.is((await check(second, pair.sessionToken)).sid, pair.sid)
  second.stop()
  name(zone, next)
  const third = await restart()
  assert.is(await signer(zone, third), newKid, 'the old one is in the vault still, and nobody trusts it')
  await zone.clock.advance(1)
  assert.equal(await versions(zone), [newKid])
  assert.is(await denied(() => check(third, pair.sessionToken)), 'token/unknown-key')
  third.stop()
  const last = await restart()
  assert.is(await signer(zone, last), newKid)
  name(zone, old)
  await failure(VerifyHubKeyMismatch, () => login(zone, last))
  await failure(VerifyHubKeyMismatch, restart)
})

test('verify-hub that slept through a whole rotation serves with the new key', async () => {
  const zone = await testZone()
  const [sleeper, other] = [await zone.start(), await zone.start()]
  assert.is(await signer(zone, sleeper), zone.hubKey.public.kid)
  const next = await nextKey(zone)
  name(zone, zone.hubKey, next)
  await login(zone, other)
  await switched(zone)
  name(zone, next)
  await login(zone, other)
  await zone.clock.advance(1)
  assert.equal(await versions(zone), [next.public.kid])
  const signers = await Promise.all(Array.from({ length: 5 }, () => signer(zone, sleeper)))
  assert.equal(new Set(signers), new Set([next.public.kid]))
})

test('many calls that meet a new key at once read it once', async () => {
  const { zone, hub, oldKid } = await announced()
  const signers = await Promise.all(Array.from({ length: 6 }, () => signer(zone, hub)))
  assert.equal(new Set(signers), new Set([oldKid]))
  await switched(zone)
  const pairs = await Promise.all(Array.from({ length: 6 }, () => login(zone, hub)))
  for (const { sessionToken } of pairs) await check(hub, sessionToken)
})

test('a new key that the vault lacks is refused: verify-hub serves nobody while boot/config names it', async () => {
  const { zone, hub, pair } = await loggedIn()
  name(zone, zone.hubKey, crypto.generate(systemRandom))
  await failure(VerifyHubKeyMismatch, () => login(zone, hub))
  await failure(VerifyHubKeyMismatch, () => check(hub, pair.sessionToken))
  await failure(VerifyHubKeyMismatch, () => zone.start())
  name(zone, zone.hubKey)
  assert.is((await check(hub, pair.sessionToken)).sid, pair.sid)
})

test('its own session with system-config goes over to the new key too', async () => {
  const { zone, hub, next } = await announced()
  await login(zone, hub)
  await switched(zone)
  name(zone, next)
  const before = zone.reads.length
  await login(zone, hub)
  assert.ok(zone.reads.length > before)
  assert.ok(zone.reads.at(-1)!.exp > seconds(zone))
})

test('an administrator prepares a key, the same at each call, and sees the stage of each', async () => {
  const { zone, hub, sudo, login: loginAs } = await people()
  type Prepared = { kid: string; jwk: object; state: string }
  const prepare = async () => await krpc(hub, 'prepare_key', {}, sudo('alice')) as Prepared
  let { session_token: token } = await loginAs('alice')
  const [first, again] = [await prepare(), await prepare()]
  assert.equal(again, first)
  assert.is(first.state, 'prepared')
  zone.boot({ verifyHub: [zone.hubKey.public.jwk, first.jwk] })
  assert.equal(await prepare(), { ...first, state: 'announced' })
  const stages = async () => {
    const { keys, ...rest } = await krpc(hub, 'list_keys', {}, token) as { keys: Record<string, unknown>[] }
    return { keys: keys.map(({ kid, named, signs }) => [kid, named, signs]), ...rest }
  }
  const [oldKid, newKid] = [zone.hubKey.public.kid, first.kid]
  assert.equal(await stages(), {
    keys: [[oldKid, true, true], [newKid, true, false]], signs_since_ms: null, retire_after: null,
  })
  await zone.clock.advance(SWITCH_MS)
  const since = zone.clock.now()
  await zone.clock.advance(1)
  const { retire_after: after, ...told } = await stages() as Record<string, unknown>
  assert.equal(told, { keys: [[oldKid, true, false], [newKid, true, true]], signs_since_ms: since })
  assert.ok(Number(after) >= since / 1000 + 7 * 86_400 + SWITCH_MS / 1000 && Number(after) < since / 1000 + 605_000)
  token = (await loginAs('alice')).session_token
  zone.boot({ verifyHub: [first.jwk] })
  assert.equal(await stages(), { keys: [[newKid, true, true]], signs_since_ms: null, retire_after: null })
  const second = await prepare()
  assert.ok(second.kid !== newKid && second.state === 'prepared', 'the next rotation')
})

test('nobody else prepares a key: without a token, as a service, as an ordinary user, after a suspension', async () => {
  const { zone, hub, sudo, login: loginAs } = await people()
  const { sessionToken: serviceToken } = await hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service))
  const [alice, bob] = [await loginAs('alice'), await loginAs('bob')]
  const ask = (method: string, token?: string) => denied(() => krpc(hub, method, {}, token))
  for (const method of ['prepare_key', 'list_keys']) {
    assert.is(await ask(method), 'token/absent')
    assert.is(await ask(method, serviceToken), 'token/audience')
    assert.is(await ask(method, bob.session_token), 'rbac/no-rule')
    assert.is(await ask(method, sudo('bob')), 'sudo/no-rule')
  }
  zone.put(kv.user('alice'), { name: 'alice', type: 'admin', state: 'suspended' })
  assert.is(await ask('prepare_key', sudo('alice')), 'login/user')
  assert.ok(['login/user', 'token/revoked'].includes(String(await ask('prepare_key', alice.session_token))))
  assert.is((await versions(zone)).length, 1)
})

test('a vault that is away when a new key is named delays the calls that meet it, and no others after it', async () => {
  const { zone, hub, oldKid } = await announced()
  zone.vaultAway = true
  const error = await login(zone, hub).then(() => undefined, (thrown: unknown) => thrown)
  assert.instance(error, Unavailable)
  zone.vaultAway = false
  assert.is(await signer(zone, hub), oldKid)
})

test('a key whose answer was lost is given to the next incarnation: this one ends', async () => {
  const { zone, hub, newKid, oldKid } = await announced()
  await zone.vault.readKey({ name: 'verify-hub', kid: newKid }, { peer: hub.self } as never)
  await failure(Unavailable, () => login(zone, hub))
  await zone.clock.advance(1)
  assert.equal(hub.ended.map((error) => error instanceof Denied), [true])
  assert.is(await signer(zone, await zone.start()), oldKid)
})

uvuTest.run()
