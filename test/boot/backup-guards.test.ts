/** What a backup is held to, each guard alone: no backup is made for it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { contentsOf } from '../../boot/backup/contents.ts'
import { decodeManifest, encodeManifest, newManifest, type Manifest } from '../../boot/backup/manifest.ts'
import { assertOneZone, deviceKeyIn, type Booted, type Documents } from '../../boot/backup/zone.ts'
import { ZonewrightError } from '../../runtime/errors.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'

const platform = await openPlatform()
const newKey = (label: string): SigningKey => platform.keys.generate(platform.random.fork(label))
const [owner, device, stranger] = ['owner', 'device', 'stranger'].map(newKey) as [SigningKey, SigningKey, SigningKey]

const faultOf = async (run: () => unknown): Promise<string> => {
  try {
    await run()
    return 'nothing'
  } catch (error) {
    if (error instanceof ZonewrightError) return `${error.code}: ${error.message}`
    throw error
  }
}

const documents: Documents = {
  zone: { zone: 'z1', owner: 'alice', root: owner.public.jwk, host: 'ood1', epoch: 0, iat: 1 }, zoneDocument: '',
  device: { zone: 'z1', name: 'ood1', role: 'ood', key: device.public.jwk, owner: 'alice', iat: 1 }, deviceDocument: '',
}
const booted: Booted = {
  store: { id: 'a', revision: 9 },
  config: { zone: 'z1', root: owner.public.jwk, verifyHub: [device.public.jwk], epoch: 0 },
}
const marker = new TextEncoder().encode(JSON.stringify({ zone: 'z1', store: 'a', revision: 7 }))

test('all of a backup is of one zone, of one owner key, of one host and of the store that was booted', async () => {
  const fault = (of: Partial<Documents>, store: Partial<Booted> = {}, mark: Uint8Array | undefined = marker) =>
    faultOf(() => assertOneZone(platform, { ...documents, ...of }, { ...booted, ...store }, mark))
  assert.is(await fault({}), 'nothing')
  const { config } = booted
  assert.match(await fault({}, { config: { ...config, zone: 'z2' } }), /^ZoneStoreMismatch.*another zone/)
  assert.match(await fault({}, { config: { ...config, root: stranger.public.jwk } }), /another owner key/)
  assert.match(await fault({ device: { ...documents.device, name: 'ood2' } }), /different hosts/)
  assert.match(await fault({}, { store: { id: 'b', revision: 9 } }), /not the one that this host has booted/)
})

test('the device key is the one that the device document names', async () => {
  const pem = (key: SigningKey): Uint8Array => new TextEncoder().encode(key.exportPem())
  assert.is(deviceKeyIn(platform, documents.device, pem(device)).public.kid, device.public.kid)
  assert.match(await faultOf(() => deviceKeyIn(platform, documents.device, pem(stranger))), /^DeviceKeyMismatch/)
  assert.match(await faultOf(() => deviceKeyIn(platform, documents.device, undefined)), /^DeviceKeyMissing/)
})

test('a manifest has one log of each store', async () => {
  const log = (path: string): Pick<Manifest, 'files' | 'stores'> => ({
    files: [{ path, bytes: 1, sha256: '0'.repeat(64) }], stores: [{ path, id: 'a', revision: 1, records: 1 }],
  })
  const manifestOf = (...logs: ReturnType<typeof log>[]): Uint8Array => encodeManifest(newManifest({
    zone: 'z1', host: 'ood1', epoch: 0, madeAtMs: 0, keys: false, oneMoment: true,
    files: logs.flatMap(({ files }) => files), stores: logs.flatMap(({ stores }) => stores),
  }))
  assert.is(decodeManifest(manifestOf(log('stores/vault/log.1'))).files.length, 1)
  const two = manifestOf(log('stores/vault/log.1'), log('stores/vault/log.2'))
  assert.match(await faultOf(() => decodeManifest(two)), /two logs of one store/)
})

test('a folder whose zone has not booted is not backed up', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-backup-'))
  try {
    writeFileSync(join(folder, 'identity.json'), '{}')
    assert.match(await faultOf(() => contentsOf(folder, { keys: false })), /has not booted yet/)
    writeFileSync(join(folder, 'booted.json'), '{}')
    assert.equal((await contentsOf(folder, { keys: false })).files.map(({ path }) => path).sort(),
      ['booted.json', 'identity.json'])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test.run()
