import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bootStep } from '../../actors/boot-steps.ts'
import { KeyNotFound, ZoneStoreMismatch } from '../../actors/system-config/protocol.ts'
import { InvalidArgument, RevisionMismatch, StartFailed } from '../../runtime/errors.ts'
import { deviceDocumentType, RecordInvalid } from '../../actors/records.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { denied, failure, peer, settle, supervisor, testZone } from './system-config-zone.ts'

const stepsOf = (running: { steps: { number: number }[] }): number[] => running.steps.map(({ number }) => number)
const guarded = { key: 'boot/config', revision: 0 }

test('with an empty store it starts in boot phase and trusts the device key of its ENV and nothing else', async () => {
  const zone = testZone()
  const running = await zone.start()
  const { phase, keys, booted } = await running.as(undefined, supervisor).trust({})
  assert.is(phase, 'boot')
  assert.is(booted, false)
  assert.equal(keys, [{ kid: zone.device.public.kid, reason: 'env', issuer: 'ood1' }])
  assert.equal(running.steps, [
    { number: bootStep.trustKeyReceived, evidence: { kid: zone.device.public.kid, device: 'ood1', reason: 'env' } },
  ])
})

test('the boot transaction ends boot phase: device, owner and verify-hub are trusted, each for a reason', async () => {
  const zone = testZone()
  const running = await zone.start()
  const { revision } = await zone.boot(running, { 'nodes/ood1/config': '{}', 'system/rbac/policy': 'g, alice, user' })
  const { phase, keys } = await running.as(undefined, supervisor).trust({})
  assert.is(phase, 'normal')
  assert.equal(keys, [
    { kid: zone.device.public.kid, reason: 'env', issuer: 'ood1' },
    { kid: zone.owner.public.kid, reason: 'boot-config.root', issuer: 'root' },
    { kid: zone.hub.public.kid, reason: 'boot-config.verify-hub', issuer: 'verify-hub' },
  ])
  assert.equal(stepsOf(running), [bootStep.trustKeyReceived, bootStep.firstWrite, bootStep.normalPhase])
  const { jti, ...evidence } = running.steps[1]!.evidence
  assert.type(jti, 'string')
  assert.equal(evidence, { kid: zone.device.public.kid, sub: 'scheduler', revision, keys: 3 })
  assert.is(running.steps[2]!.evidence['revision'], revision)
  const item = await running.as(zone.tokens.device()).get({ key: 'boot/config' })
  assert.equal(item, { value: zone.bootConfig(), revision })
})

test('of many boot transactions at once one wins, and nothing of the others is written', async () => {
  const zone = testZone()
  const running = await zone.start({}, { deaf: true })
  const attempt = async (index: number): Promise<void> => {
    await zone.boot(running, { [`system/scheduler/attempt${index}`]: 'mine' })
    // The winner is answered in normal phase, while the others are still on their way
    assert.is((await running.as(undefined, supervisor).trust({})).phase, 'normal')
  }
  const results = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => attempt(index)))
  const won = results.flatMap((result, index) => result.status === 'fulfilled' ? [index] : [])
  assert.is(won.length, 1)
  for (const result of results) {
    if (result.status === 'rejected') assert.instance(result.reason, RevisionMismatch)
  }
  assert.equal(await running.as(zone.tokens.root()).list({ key: 'system/scheduler' }), [`attempt${won[0]}`])
  await settle()
  assert.equal(stepsOf(running), [bootStep.trustKeyReceived, bootStep.firstWrite, bootStep.normalPhase])
})

test('two processes on one store that boot at once agree on one boot/config and both leave boot phase', async () => {
  const zone = testZone()
  const [one, two] = [await zone.start(), await zone.start()]
  const results = await Promise.allSettled([zone.boot(one), zone.boot(two)])
  assert.equal(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  await settle()
  for (const running of [one, two]) assert.is((await running.as(undefined, supervisor).trust({})).phase, 'normal')
  assert.is([...one.steps, ...two.steps].filter(({ number }) => number === bootStep.firstWrite).length, 1)
})

test('who loses the race for boot/config has left boot phase when the answer comes', async () => {
  const zone = testZone()
  const [one, two] = [await zone.start({}, { deaf: true }), await zone.start({}, { deaf: true })]
  await zone.boot(one)
  await failure(RevisionMismatch, () => zone.boot(two))
  for (const running of [one, two]) assert.is((await running.as(undefined, supervisor).trust({})).phase, 'normal')
})

test('the first write is told before the end of boot phase, however late the store answers', async () => {
  const zone = testZone()
  const running = await zone.start({}, { slow: true })
  await zone.boot(running)
  assert.equal(stepsOf(running), [bootStep.trustKeyReceived, bootStep.firstWrite, bootStep.normalPhase])
})

test('after the boot transaction a boot token is good for nothing, even on the link that booted', async () => {
  const zone = testZone()
  const running = await zone.start()
  const scheduler = running.as(zone.tokens.boot(), peer('boot-scheduler'))
  assert.is(await scheduler.get({ key: 'boot/config' }), null)
  await zone.boot(running)
  assert.is(await denied(() => scheduler.get({ key: 'boot/config' })), 'token/use')
  assert.is(await denied(() => zone.boot(running)), 'token/use')
})

test('in boot phase nothing but the boot transaction is written', async () => {
  const zone = testZone()
  const running = await zone.start()
  const scheduler = running.as(zone.tokens.boot(), peer('boot-scheduler'))
  const device = running.as(zone.tokens.device())
  const key = 'nodes/ood1/config'
  const create = (value: string) => ({ action: 'create' as const, value })
  const config = { 'boot/config': create(zone.bootConfig()) }
  const attempts: (() => Promise<unknown>)[] = [
    () => scheduler.set({ key, value: 'x' }),
    () => scheduler.create({ key: 'boot/config', value: zone.bootConfig() }),
    () => scheduler.append({ key, value: 'x' }),
    () => scheduler.delete({ key }),
    () => scheduler.setByJsonPath({ key, path: '/a', value: '1' }),
    () => scheduler.execTx({ actions: config }),
    () => scheduler.execTx({ actions: config, mainKey: { key, revision: 0 } }),
    () => scheduler.execTx({ actions: config, mainKey: { key: 'boot/config', revision: 1 } }),
    () => scheduler.execTx({ actions: { [key]: create('x') }, mainKey: guarded }),
    () => scheduler.execTx({
      actions: { 'boot/config': { action: 'update', value: zone.bootConfig() } }, mainKey: guarded,
    }),
    () => scheduler.execTx({ actions: { ...config, [key]: { action: 'remove' } }, mainKey: guarded }),
    () => device.execTx({ actions: config, mainKey: guarded }),
    () => device.set({ key: 'devices/ood1/info', value: 'x' }),
  ]
  for (const attempt of attempts) assert.is(await denied(attempt), 'rbac/boot-phase', attempt.toString())
  assert.is(await zone.store.revision(), 0)
  await zone.boot(running)
})

test('the boot transaction must name this zone, the owner key of the ENV, and one key of verify-hub', async () => {
  const zone = testZone()
  const running = await zone.start()
  const scheduler = running.as(zone.tokens.boot(), peer('boot-scheduler'))
  type Creations = Record<string, { action: 'create'; value: string }>
  const attempt = (value: string, more: Creations = {}) => () => scheduler.execTx({
    actions: { 'boot/config': { action: 'create', value }, ...more }, mainKey: guarded,
  })
  const { owner, device, hub, other } = zone
  const jwk = (key: typeof owner) => key.public.jwk
  for (const changes of [
    { zone: 'z2' }, { root: jwk(other) }, { verifyHub: [] }, { verifyHub: [jwk(hub), jwk(other)] },
    { verifyHub: [jwk(owner)] }, { verifyHub: [jwk(device)] }, { verifyHub: [{ ...jwk(hub), x: 'AAAA' }] },
  ]) {
    await failure(InvalidArgument, attempt(zone.bootConfig(changes)))
  }
  for (const value of ['', 'no JSON', '[]', zone.bootConfig({ epoch: -1 }), zone.bootConfig({ more: 1 })]) {
    await failure(RecordInvalid, attempt(value))
  }
  const policy = { 'system/rbac/policy': { action: 'create' as const, value: 'p, user' } }
  await failure(InvalidArgument, attempt(zone.bootConfig(), policy))
  assert.is(await zone.store.revision(), 0)
})

test('in boot phase only the key of the ENV counts: no other device, owner or verify-hub gets in', async () => {
  const zone = testZone()
  const running = await zone.start()
  const { tokens, other } = zone
  const refused: [string, string][] = [
    ['token/unknown-key', tokens.boot({}, other)],
    ['token/unknown-key', tokens.device({}, other)],
    ['token/use', tokens.root()],
    ['token/unknown-key', tokens.verifyHub()],
    ['token/unknown-key', tokens.session('service')],
    ['token/subject', tokens.boot({ sub: 'root' })],
    ['token/subject', tokens.boot({ sub: 'ood1' })],
    ['token/subject', tokens.device({ sub: 'alice' })],
    ['token/issuer', tokens.boot({ iss: 'ood2' })],
    ['token/audience', tokens.boot({ aud: ['vault'] })],
    ['token/lifetime', tokens.boot({ exp: Math.floor(zone.now / 1000) + 901 })],
    ['token/expired', tokens.boot({ iat: 1, exp: 100 })],
    ['token/malformed', 'not a token'],
  ]
  for (const [reason, token] of refused) {
    assert.is(await denied(() => running.as(token).get({ key: 'boot/config' })), reason)
  }
  assert.is(await denied(() => running.as(undefined).get({ key: 'boot/config' })), 'token/absent')
})

test('a second start on the same store skips boot phase and says so', async () => {
  const zone = testZone()
  const first = await zone.booted()
  first.stop()
  const second = await zone.start({ ZONEWRIGHT_BOOTED: '1' })
  assert.is((await second.as(undefined, supervisor).trust({})).phase, 'normal')
  assert.equal(stepsOf(second), [bootStep.trustKeyReceived, bootStep.normalPhase])
  assert.is(second.steps[1]!.evidence['firstBoot'], false)
  assert.is(await denied(() => zone.boot(second)), 'token/use')
})

test('an emptied store behind a booted host, one without boot/config and one of another zone are refused', async () => {
  const empty = testZone()
  await failure(ZoneStoreMismatch, () => empty.start({ ZONEWRIGHT_BOOTED: '1' }))

  const stray = testZone()
  const running = await stray.booted({ 'nodes/ood1/config': '{}' })
  running.stop()
  await stray.store.delete('kv/boot/config')
  await failure(ZoneStoreMismatch, () => stray.start())

  const foreign = testZone()
  const record = new TextEncoder().encode(foreign.bootConfig({ zone: 'z2' }))
  await foreign.store.put('kv/boot/config', new Uint8Array([1, ...record]))
  await failure(ZoneStoreMismatch, () => foreign.start())
})

test('the store of a zone of the same name and another owner is refused, and its root is never trusted', async () => {
  const [mine, other] = [testZone(), testZone()]
  const running = await other.booted()
  running.stop()
  const { value } = (await other.store.get('kv/boot/config'))!
  await mine.store.put('kv/boot/config', value)
  assert.match((await failure(ZoneStoreMismatch, () => mine.start())).message, /another owner key/)
})

test('a store in which anything is left of a zone is not empty', async () => {
  const zone = testZone()
  await zone.store.put('jti/used/k:1', new Uint8Array([1]))
  await failure(ZoneStoreMismatch, () => zone.start())
})

test('without ENV documents that fit each other, the zone and the host it does not start', async () => {
  const zone = testZone()
  const { owner, device, other } = zone
  const document = (changes: object, by = owner) => signDocument(by, deviceDocumentType, {
    zone: 'z1', name: 'ood1', role: 'ood', key: device.public.jwk, owner: 'alice', iat: 1, ...changes,
  })
  for (const BUCKYOS_THIS_DEVICE of [
    '', 'nothing', document({}, other),
    document({ zone: 'z2' }), document({ name: 'ood2' }), document({ role: 'node' }),
    document({ key: owner.public.jwk }), zone.env['BUCKYOS_ZONE_DOC']!,
  ]) {
    await failure(StartFailed, () => zone.start({ BUCKYOS_THIS_DEVICE }))
  }
  for (const BUCKYOS_ZONE_DOC of ['', 'nothing', zone.env['BUCKYOS_THIS_DEVICE']!]) {
    await failure(StartFailed, () => zone.start({ BUCKYOS_ZONE_DOC }))
  }
})

test('each documented step is told once, by the call that it is about', async () => {
  const zone = testZone()
  const running = await zone.start()
  const device = running.as(zone.tokens.device())
  await device.get({ key: 'nodes/ood1/config' })
  await zone.boot(running, { 'nodes/ood1/config': '{}', 'nodes/ood2/config': '{}' })
  await device.get({ key: 'nodes/ood2/config' })
  assert.is(running.steps.length, 3)
  for (let time = 0; time < 2; time++) {
    await device.get({ key: 'nodes/ood1/config' })
    await running.as(zone.tokens.verifyHub()).get({ key: 'boot/config' })
    await running.as(zone.tokens.session('scheduler')).get({ key: 'boot/config' })
    await running.as(zone.tokens.session('gateway', { runtime_type: 'gateway' })).get({ key: 'boot/config' })
  }
  assert.is(await denied(() => running.as(zone.tokens.session('mallory')).get({ key: 'boot/config' })), 'rbac/no-rule')
  assert.equal(stepsOf(running).slice(3), [
    bootStep.deviceSession, bootStep.verifyHubSession, bootStep.serviceSession, bootStep.serviceSession,
  ])
  assert.equal(running.steps.slice(5).map(({ evidence }) => evidence['appid']), ['scheduler', 'gateway'])
  await failure(KeyNotFound, () => running.as(zone.tokens.root()).delete({ key: 'nodes/none' }))
})

test.run()
