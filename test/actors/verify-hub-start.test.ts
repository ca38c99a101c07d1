import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bootStep } from '../../actors/boot-steps.ts'
import { kv } from '../../actors/records.ts'
import { VerifyHubKeyMismatch } from '../../actors/verify-hub/protocol.ts'
import { Denied } from '../../runtime/errors.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { signToken } from '../../runtime/trust/token.ts'
import {
  check, claimsOf, crypto, denied, failure, loggedIn, nextKey, refreshAs, seconds, service, testZone,
} from './verify-hub-zone.ts'

test('verify-hub refuses to start when boot/config names a key beside its own that the vault lacks', async () => {
  const zone = await testZone()
  zone.boot({ verifyHub: [crypto.generate(systemRandom).public.jwk, zone.hubKey.public.jwk] })
  const { message } = await failure(VerifyHubKeyMismatch, () => zone.start())
  assert.match(message, 'the vault lacks')
})

test('verify-hub refuses to start with a key that boot/config does not name, or without one', async () => {
  const zone = await testZone()
  zone.boot({ verifyHub: [crypto.generate(systemRandom).public.jwk] })
  await failure(VerifyHubKeyMismatch, () => zone.start())
  zone.unchecked = true
  await failure(VerifyHubKeyMismatch, () => zone.start())
  zone.kv.delete(kv.bootConfig)
  await failure(VerifyHubKeyMismatch, () => zone.start())
  const without = await testZone()
  for (const { key } of (await without.vaultStore.list('')).entries) {
    if (key.includes('keys/verify-hub') && !key.includes('grants')) await without.vaultStore.delete(key)
  }
  await failure(VerifyHubKeyMismatch, () => without.start())
})

test('verify-hub stops serving logins as soon as boot/config names another key', async () => {
  const { zone, hub, pair } = await loggedIn()
  zone.boot({ verifyHub: [crypto.generate(systemRandom).public.jwk] })
  await failure(VerifyHubKeyMismatch, () => hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service)))
  await failure(VerifyHubKeyMismatch, () => refreshAs(hub, pair.refreshToken))
})

test('verify-hub answers for no session by what boot/config said before', async () => {
  const { zone, hub, pair } = await loggedIn()
  zone.boot({ epoch: 1 })
  await failure(VerifyHubKeyMismatch, () => check(hub, pair.sessionToken))
  zone.boot({ verifyHub: [crypto.generate(systemRandom).public.jwk] })
  await failure(VerifyHubKeyMismatch, () => check(hub, pair.sessionToken))
  const another = await nextKey(zone)
  zone.boot({ verifyHub: [zone.hubKey.public.jwk, another.public.jwk] })
  const token = signToken(another, { ...claimsOf(pair.sessionToken) })
  assert.is((await check(hub, token)).sid, pair.sid, 'the other key of a rotation counts at once')
  zone.boot()
  assert.is(await denied(() => check(hub, token)), 'token/unknown-key')
})

test('an answer about boot/config that was overtaken by a newer one changes nothing', async () => {
  const { zone, hub, pair } = await loggedIn()
  const another = crypto.generate(systemRandom)
  const token = signToken(another, claimsOf(pair.sessionToken))
  const both = JSON.stringify({
    ...JSON.parse(zone.kv.get(kv.bootConfig)!), verifyHub: [zone.hubKey.public.jwk, another.public.jwk],
  })
  const late = { get: async () => ({ value: both, revision: 0 }) }
  const cx = { ...hub.as(service) as object, systemConfig: late } as never
  const ask = () => hub.handlers.verifyToken({ sessionToken: token, audience: 'service' }, cx)
  assert.is(await denied(ask), 'token/unknown-key')
})

test('verify-hub goes on when its clock is set back', async () => {
  const { zone, hub, pair } = await loggedIn()
  zone.clock.set(zone.clock.now() - 3_600_000)
  const next = await hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service))
  assert.is((await check(hub, next.sessionToken)).sub, 'ood1')
  const own = zone.reads.at(-1)!
  assert.ok(own.exp <= seconds(zone) + 900, 'its own session is of now')
  assert.is(await denied(() => check(hub, pair.sessionToken)), 'token/not-yet-valid')
})

test('documented steps are told once for each service, with their evidence and without a token', async () => {
  const { zone, hub, pair } = await loggedIn()
  const next = await refreshAs(hub, pair.refreshToken)
  await refreshAs(hub, next.refreshToken)
  await hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service))
  const { verifyHubKeyLoaded, loginReceived, refreshReceived } = bootStep
  assert.equal(hub.steps.map(({ number }) => number), [verifyHubKeyLoaded, loginReceived, refreshReceived])
  assert.is(hub.steps[0]!.evidence['kid'], zone.hubKey.public.kid)
  assert.equal(hub.steps[2]!.evidence, { appid: 'service', sub: 'ood1', sid: pair.sid })
  const evidence = JSON.stringify(hub.steps)
  for (const { sessionToken, refreshToken } of [pair, next]) {
    assert.not.ok(evidence.includes(sessionToken) || evidence.includes(refreshToken))
  }
})

test('a denial tells the caller a code and a reason, and its detail stays in the log', async () => {
  const { zone, hub } = await loggedIn()
  const jwt = zone.login({ sub: 'node1' })
  const error = await failure(Denied, () => hub.handlers.loginByJwt({ jwt }, hub.as(service)))
  assert.match(String(error.details['denial']), /^D-[0-9a-f]{8}$/)
  assert.not.match(error.message, /node1/)
  assert.match(hub.said.join(), /sub node1/)
  const { chain } = JSON.parse(hub.said.at(-1)!)
  assert.equal(chain.map((entry: { layer: string; verdict: string }) => `${entry.layer} ${entry.verdict}`), [
    'link allowed', 'token denied',
  ])
})

test('a peer of another zone or an unknown host is not admitted', async () => {
  const { hub } = await loggedIn()
  const admit = hub.lifecycle.admit!
  assert.is(admit(service, 'mac'), true)
  assert.is(admit({ ...service, zone: 'z2' }, 'mac'), false)
  assert.is(admit({ ...service, host: 'stranger' }, 'sealed'), false)
  assert.equal(hub.said.slice(-2).map((line) => JSON.parse(line).reason), ['link/zone', 'link/unknown-host'])
})

test.run()
