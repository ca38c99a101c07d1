import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { InvalidArgument, RevisionMismatch } from '../../runtime/errors.ts'
import { denied, failure, settle, supervisor, testZone } from './system-config-zone.ts'

test('what boot/config says holds when its writer is answered', async () => {
  const zone = testZone()
  const running = await zone.start({}, { deaf: true })
  await zone.boot(running)
  const root = running.as(zone.tokens.root())
  const { revision } = (await root.get({ key: 'boot/config' }))!
  const value = zone.bootConfig({ verifyHub: [zone.other.public.jwk] })
  await root.execTx({
    actions: { 'boot/config': { action: 'update', value } }, mainKey: { key: 'boot/config', revision },
  })
  assert.is((await running.as(zone.tokens.verifyHub({}, zone.other)).get({ key: 'boot/config' }))!.value, value)
  // Trust has changed since root's token was burned, and root is still on the link that it came by
  assert.is((await root.get({ key: 'boot/config' }))!.value, value)
})

test('when boot/config vanishes from a running zone, boot phase does not come back', async () => {
  const zone = testZone()
  const running = await zone.booted()
  await zone.store.delete('kv/boot/config')
  await settle()
  assert.is((await running.as(undefined, supervisor).trust({})).phase, 'normal')
  assert.is(await denied(() => zone.boot(running)), 'token/use')
  assert.ok(running.said.some((line) => line.includes('boot/config is gone')))
})

test('boot/config is changed by root alone, with itself as the main key, and trust follows at once', async () => {
  const zone = testZone()
  const running = await zone.booted()
  const device = running.as(zone.tokens.device())
  const { revision } = (await device.get({ key: 'boot/config' }))!
  const next = zone.bootConfig({ verifyHub: [zone.hub.public.jwk, zone.other.public.jwk] })
  const update = { 'boot/config': { action: 'update' as const, value: next } }
  const mainKey = { key: 'boot/config', revision }
  const root = () => running.as(zone.tokens.root())

  assert.is(await denied(() => device.execTx({ actions: update, mainKey })), 'rbac/root-only')
  const scheduler = running.as(zone.tokens.session('scheduler'))
  assert.is(await denied(() => scheduler.execTx({ actions: update, mainKey })), 'rbac/root-only')
  assert.is(await denied(() => root().execTx({ actions: update })), 'rbac/compare')
  const elsewhere = { key: 'nodes/x', revision: 0 }
  assert.is(await denied(() => root().execTx({ actions: update, mainKey: elsewhere })), 'rbac/compare')
  assert.is(await denied(() => root().set({ key: 'boot/config', value: next })), 'rbac/signed-only')
  assert.is(await denied(() => root().delete({ key: 'boot/config' })), 'rbac/signed-only')
  const removal = { 'boot/config': { action: 'remove' as const } }
  await failure(InvalidArgument, () => root().execTx({ actions: removal, mainKey }))
  const wrong = { ...mainKey, revision: revision + 5 }
  const stale = await failure(RevisionMismatch, () => root().execTx({ actions: update, mainKey: wrong }))
  assert.is(stale.message, `Revision mismatch for key boot/config: expected ${revision + 5}, actual ${revision}`)

  const newHub = () => running.as(zone.tokens.verifyHub({}, zone.other)).get({ key: 'boot/config' })
  assert.is(await denied(newHub), 'token/unknown-key')
  const written = await root().execTx({ actions: update, mainKey })
  assert.ok(written.revision > revision)
  assert.equal(await newHub(), { value: next, revision: written.revision })
})

test('the zone epoch never goes back, since tokens from before a restore would be good again', async () => {
  const zone = testZone()
  const running = await zone.booted()
  let root = running.as(zone.tokens.root())
  const update = async (epoch: number) => {
    const { revision } = (await root.get({ key: 'boot/config' }))!
    const actions = { 'boot/config': { action: 'update' as const, value: zone.bootConfig({ epoch }) } }
    return root.execTx({ actions, mainKey: { key: 'boot/config', revision } })
  }
  await update(2)
  assert.is(await denied(() => root.get({ key: 'boot/config' })), 'token/epoch')
  root = running.as(zone.tokens.root({ epoch: 2 }))
  assert.match((await failure(InvalidArgument, () => update(1))).message, /never goes back: 1, it is at 2/)
  await update(2)
})

test('a key that is taken out of boot/config is not trusted for one more call, not even on an open link', async () => {
  const zone = testZone()
  const running = await zone.booted()
  const session = running.as(zone.tokens.session('scheduler'))
  const { revision } = (await session.get({ key: 'boot/config' }))!
  const value = zone.bootConfig({ verifyHub: [zone.other.public.jwk] })
  await running.as(zone.tokens.root()).execTx({
    actions: { 'boot/config': { action: 'update', value } }, mainKey: { key: 'boot/config', revision },
  })
  assert.is(await denied(() => session.get({ key: 'boot/config' })), 'token/unknown-key')
})

test.run()
