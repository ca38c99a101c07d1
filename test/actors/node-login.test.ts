/** The daemon of a node logs in at verify-hub: for its own registered device, and as nothing else. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../../actors/records.ts'
import { NODE_SEQUENCE } from '../../actors/node-steps.ts'
import type { TokenClaims } from '../../runtime/trust/token.ts'
import { claimsOf, denied, peer, testZone, type Running, type TestZone } from './verify-hub-zone.ts'

const daemon = (host: string) => peer('node-daemon', { host, runtimeType: 'node', kid: `${host}-link` })
const login = async (
  zone: TestZone, hub: Running, host: 'node1' | 'ood1', claims: Partial<TokenClaims> = {}, from = daemon(host),
) => hub.handlers.loginByJwt({
  jwt: zone.login({
    iss: host, sub: host, appid: 'node-daemon', runtime_type: 'node', ...claims,
  }, zone.devices[host]),
  audiences: ['system-config'],
}, hub.as(from))

test('a registered node gets a session of type node, good at system-config, bound to the key of its link', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const pair = await login(zone, hub, 'node1')
  const { sub, appid, runtime_type, aud, cnf } = claimsOf(pair.sessionToken) as Partial<TokenClaims>
  assert.equal([sub, appid, runtime_type, aud, cnf], [
    'node1', 'node-daemon', 'node', ['node-daemon', 'system-config'], { jkt: 'node1-link' },
  ])
  assert.ok(await hub.handlers.refreshToken({ refreshToken: pair.refreshToken }, hub.as(daemon('node1'))))
})

test('what the token says of its type changes nothing, and no other audience is given', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const pair = await login(zone, hub, 'node1', { runtime_type: 'ood' })
  assert.is(claimsOf(pair.sessionToken).runtime_type, 'node')
  const jwt = zone.login({ iss: 'node1', sub: 'node1', appid: 'node-daemon' }, zone.devices.node1)
  const more = () => hub.handlers.loginByJwt({ jwt, audiences: ['vault'] }, hub.as(daemon('node1')))
  assert.is(await denied(more), 'login/audience')
})

test('a spec by the name of the daemon gives it nothing', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  zone.put(kv.spec('node-daemon'), {
    name: 'node-daemon', appid: 'node-daemon', owner: null, runtimeType: 'ood', kernel: false, audiences: ['vault'],
  })
  assert.is(claimsOf((await login(zone, hub, 'node1')).sessionToken).runtime_type, 'node')
})

test('an OOD, another subject, another link and a host without a document are refused', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  assert.is(await denied(() => login(zone, hub, 'ood1')), 'login/role')
  assert.is(await denied(() => login(zone, hub, 'node1', { sub: 'ood1' })), 'login/subject')
  assert.is(await denied(() => login(zone, hub, 'node1', { sub: 'owner' })), 'login/subject')
  assert.is(await denied(() => login(zone, hub, 'node1', {}, daemon('ood1'))), 'login/presenter')
  assert.is(await denied(() => login(zone, hub, 'node1', {}, peer('service', { host: 'node1' }))), 'login/presenter')
  zone.kv.delete(kv.device('node1'))
  assert.is(await denied(() => login(zone, hub, 'node1')), 'token/unknown-key')
})

test('a session of a node whose document is gone is not refreshed', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const { refreshToken } = await login(zone, hub, 'node1')
  zone.kv.delete(kv.device('node1'))
  const refresh = () => hub.handlers.refreshToken({ refreshToken }, hub.as(daemon('node1')))
  assert.is(await denied(refresh), 'token/unknown-key')
  assert.is(await denied(refresh), 'token/revoked')
})

test('its steps are those of a node, not of the boot', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const told: string[] = []
  hub.steps.length = 0
  await login(zone, hub, 'node1')
  await login(zone, hub, 'node1')
  for (const { evidence, number } of hub.steps) told.push(`${number} ${String(evidence['sub'])}`)
  assert.equal(told, ['2 node1'])
  assert.is(NODE_SEQUENCE, 'node')
})

test.run()
