/** Guards of system-config that others stand behind, or that only a zone of workers meets otherwise: each alone. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { UnknownMethod } from '../../actors/krpc.ts'
import { createAccess } from '../../actors/rbac/access.ts'
import { EpochMismatch } from '../../actors/system-config/protocol.ts'
import { zoneDocumentType } from '../../actors/zone-document.ts'
import { InvalidArgument, StartFailed } from '../../runtime/errors.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import {
  denied, failure, peer, rooted, settle, supervisor, take, testZone, type TestZone,
} from './system-config-zone.ts'

const zoneDocument = ({ owner }: TestZone, change: object): Record<string, string> => ({
  BUCKYOS_ZONE_DOC: signDocument(owner, zoneDocumentType, {
    zone: 'z1', owner: 'alice', root: owner.public.jwk, host: 'ood1', epoch: 0, iat: 1, ...change,
  }),
})

test('a zone document of another zone is refused, though the device document is of this one', async () => {
  const zone = testZone()
  assert.match((await failure(StartFailed, () => zone.start(zoneDocument(zone, { zone: 'z2' })))).message, /zone z2/)
})

test('a zone document of another epoch than boot/config is refused, whichever is ahead', async () => {
  const zone = testZone()
  await zone.booted()
  await failure(EpochMismatch, () => zone.start(zoneDocument(zone, { epoch: 1 })))
  await zone.start(zoneDocument(zone, {}))
})

test('boot/config names one key of verify-hub, or two', async () => {
  const { zone, running, kv } = await rooted()
  const { revision } = (await kv.get({ key: 'boot/config' }))!
  for (const verifyHub of [[], [zone.hub, zone.other, zone.device].map((key) => key.public.jwk)]) {
    const value = zone.bootConfig({ verifyHub })
    const error = await failure(InvalidArgument, () => running.as(zone.tokens.root()).execTx({
      actions: { 'boot/config': { action: 'update', value } }, mainKey: { key: 'boot/config', revision },
    }))
    assert.match(error.message, /one key of verify-hub, or two/)
  }
})

test('a boot/config that was damaged behind our back is told of, and what it named stays trusted', async () => {
  const zone = testZone()
  const running = await zone.booted()
  await zone.store.put('kv/boot/config', new Uint8Array([1, 0x7b]))
  await settle()
  assert.ok(running.said.some((line) => line.startsWith('boot/config is damaged; what it named before stays')))
  const { phase, keys } = await running.as(undefined, supervisor).trust({})
  assert.is(phase, 'normal')
  assert.ok(keys.some(({ kid }) => kid === zone.hub.public.kid))
})

test('who may read nothing of a prefix is denied, not shown nothing', async () => {
  const { zone, running } = await rooted()
  const app = running.as(zone.tokens.session('photos', { sub: 'bob', runtime_type: 'user' }))
  assert.is(await denied(() => app.dump({ prefixes: ['devices/'] })), 'rbac/no-rule')
})

test('a role that the policy gives is not made part of another by a line of it', () => {
  const access = createAccess()
  void access.replace({ model: '', policy: 'g, alice, user\ng, user, admin\ng, carol, admin\ng, panel, console' })
  const reads = (sub: string): boolean => access.decide(
    { appid: 'panel', sub, runtimeType: 'user', sudo: false, root: false }, 'read', 'devices/ood1/info').allowed
  assert.equal([reads('alice'), reads('carol')], [false, true])
})

const gateway = peer('gateway', { runtimeType: 'gateway' })

test('a token that is good once is good for one call behind a gateway, whose link carries everybody', async () => {
  const { zone, running } = await rooted()
  const kv = running.as(zone.tokens.root(), gateway)
  await kv.set({ key: 'a', value: '1' })
  assert.is(await denied(() => kv.set({ key: 'a', value: '2' })), 'token/replayed')
})

test('also when two calls bring it at the same time', async () => {
  const { zone, running } = await rooted()
  const kv = running.as(zone.tokens.root(), gateway)
  const outcomes = await Promise.allSettled(['1', '2'].map((value) => kv.set({ key: 'a', value })))
  assert.equal(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
})

test('and the link keeps no verdict of it', async () => {
  const { zone, running } = await rooted()
  const verdictFor = async (from: typeof gateway) =>
    await running.lifecycle.authenticate!(zone.tokens.root(), from, { method: 'get', link: `link of ${from.actor}` })
  assert.is((await verdictFor(gateway)).expires, undefined)
  assert.ok((await verdictFor(peer('cli'))).expires! > zone.now)
})

const lines = 'g, bob, user\ng, photos, app\np, photos, zone/open, read\np, bob, zone/open, read'

async function reader() {
  const { zone, running, kv } = await rooted()
  await kv.execTx({ actions: { 'system/rbac/policy': { action: 'create', value: lines } } })
  const token = zone.tokens.session('photos', { sub: 'bob', runtime_type: 'user' })
  return { zone, kv, app: running.as(token) }
}

test('a watch shows of its scope what its reader may see', async () => {
  const { kv, app } = await reader()
  const { revision } = await kv.set({ key: 'zone/open/hidden', value: '1' })
  await kv.set({ key: 'zone/open', value: '2' })
  const seen = await take(app.watch({ prefix: 'zone/open', after: revision - 1 }), 1)
  assert.equal(seen.map(({ key }) => key), ['zone/open'])
})

test('a watch ends with the token that it was opened by, also when nothing happens', async () => {
  const { zone, kv, app } = await reader()
  const { revision } = await kv.set({ key: 'zone/open', value: '1' })
  let why: unknown
  take(app.watch({ prefix: 'zone/open', after: revision }), 1).catch((error: unknown) => { why = error })
  await settle()
  await zone.elapse(900_000)
  await settle()
  assert.is((why as { details?: Record<string, unknown> } | undefined)?.details?.['reason'], 'token/expired')
})

test('by the methods that read nothing is written', async () => {
  const { kv } = await rooted()
  const params = { key: 'a', value: '1' }
  await failure(UnknownMethod, () => kv.krpcRead({ method: 'sys_config_set', params }))
  await kv.krpc({ method: 'sys_config_set', params })
  assert.equal(await kv.krpcRead({ method: 'sys_config_get', params: { key: 'a' } }),
    { result: { value: '1', version: (await kv.get({ key: 'a' }))!.revision } })
})

test.run()
