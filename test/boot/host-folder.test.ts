/** The folder of a host that joined: read strictly, each document checked, and each damage told with what to do. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join as path } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { deviceDocumentType } from '../../actors/records.ts'
import { zoneDocumentType } from '../../actors/zone-document.ts'
import { HOST_FILE, openHost, refuseZoneFolder, writeHostFile, type HostFile } from '../../boot/host/folder.ts'
import { file, keyFile } from '../../boot/init.ts'
import { limits } from '../../runtime/limits.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { newFolder, removeFolders } from '../boot-fixtures/command-line.ts'

const platform = await openPlatform()
const { keys, random } = platform
const make = (label: string): SigningKey => keys.generate(random.fork(label))
const [owner, ood, device, stranger] = ['owner', 'ood', 'device', 'stranger'].map(make) as
  [SigningKey, SigningKey, SigningKey, SigningKey]
const ROOT = '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n'

const document = (by: SigningKey, name: string, role: string, of: SigningKey, zone = 'a.zone'): string =>
  signDocument(by, deviceDocumentType, { zone, name, role, key: of.public.jwk, owner: 'alice', iat: 1 })
const zoneDocument = (by: SigningKey, zone = 'a.zone'): string =>
  signDocument(by, zoneDocumentType, { zone, owner: 'alice', root: by.public.jwk, host: 'ood1', epoch: 0, iat: 1 })
const whole: HostFile = {
  format: 1, zone: 'a.zone', host: 'node1', role: 'node', servers: ['10.0.0.1:50051', '[::1]:443'], roots: [ROOT],
  anchors: [], rootsVersion: 1, zoneDocument: zoneDocument(owner),
  deviceDocument: document(owner, 'node1', 'node', device), oodDocuments: [document(owner, 'ood1', 'ood', ood)],
}

const folderWith = async (contents: HostFile | undefined, key: SigningKey | undefined = device) => {
  const files = await platform.host.openFolder(newFolder())
  if (key) await keyFile(files, file.deviceKey, () => key.exportPem())
  if (contents) await writeHostFile(files, contents)
  return files
}

test.after(removeFolders)

test('what was written is read back, and neither file is for others', async () => {
  const files = await folderWith(whole)
  const host = await openHost(platform, files)
  assert.equal(host.file, whole)
  assert.is(host.device.public.kid, device.public.kid)
  assert.equal([host.zone.zone, host.document.name, host.oods.map(({ name }) => name)], ['a.zone', 'node1', ['ood1']])
  assert.equal([await files.mode(HOST_FILE), await files.mode(file.deviceKey)], [0o600, 0o600])
})

const refused = async (files: Awaited<ReturnType<typeof folderWith>>, code: string, what: RegExp): Promise<void> => {
  try {
    await openHost(platform, files)
  } catch (error) {
    const { code: found, message, details } = error as { code?: string; message: string; details: { next?: string } }
    assert.is(found, code, message)
    assert.match(message, what)
    assert.ok(details.next, 'it says what to do')
    return
  }
  assert.unreachable(`it was read: ${what}`)
}

test('a folder from which nobody has joined is named as such', async () => {
  await refused(await folderWith(undefined), 'NotJoined', /No host has joined/)
})

test('the key of the device must be there, and be that of the document', async () => {
  const files = await folderWith(whole)
  await files.remove(file.deviceKey)
  await refused(files, 'DeviceKeyMissing', /missing/)
  await refused(await folderWith(whole, stranger), 'DeviceKeyMismatch', /not the key/)
  const other = await folderWith(whole)
  writeFileSync(other.path(file.deviceKey), 'no key')
  await refused(other, 'DeviceKeyMismatch', /not a private key/)
})

const damages: readonly (readonly [what: string, change: object, said: RegExp])[] = [
  ['another format', { format: 2 }, /format/],
  ['no servers', { servers: [] }, /servers/],
  ['a server that is no address', { servers: ['http://10.0.0.1'] }, /servers/],
  ['a host with a name that none can have', { host: '../x' }, /host/],
  ['no role of a node', { role: 'ood' }, /role/],
  ['no roots', { roots: [] }, /roots/],
  ['a root that is no certificate', { roots: ['x'] }, /root certificate/],
  ['an anchor that is no key', { anchors: [{ kty: 'OKP' }] }, /anchors/],
  ['a version that is no number', { rootsVersion: '1' }, /rootsVersion/],
  ['a zone document that is none', { zoneDocument: 'x' }, /zone document/],
  ['a zone document of another zone', { zoneDocument: zoneDocument(owner, 'b.zone') }, /of b\.zone/],
  ['a zone document by another key', { zoneDocument: zoneDocument(stranger) }, /control plane/],
  ['a control plane host by another key', { oodDocuments: [document(stranger, 'ood1', 'ood', ood)] }, /control plane/],
  ['a control plane host of another zone', { oodDocuments: [document(owner, 'ood1', 'ood', ood, 'b.zone')] },
    /control plane/],
  ['a node in the place of one', { oodDocuments: [document(owner, 'ood1', 'node', ood)] }, /control plane/],
  ['no control plane host', { oodDocuments: [] }, /oodDocuments/],
  ['a document of its own by another key', { deviceDocument: document(stranger, 'node1', 'node', device) },
    /document of this host/],
  ['a document of another host', { deviceDocument: document(owner, 'node2', 'node', device) }, /node2/],
  ['a document that makes it a control plane host', { deviceDocument: document(owner, 'node1', 'ood', device) },
    /ood node1/],
]
for (const [what, change, said] of damages) {
  test(`${what} is refused`, async () => {
    await refused(await folderWith({ ...whole, ...change } as HostFile), 'FolderDamaged', said)
  })
}

test('more servers, or roots, than the limits are refused', async () => {
  const many = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one)
  const withMany = (servers: number, roots: number) =>
    folderWith({ ...whole, servers: many(servers, '10.0.0.1:1'), roots: many(roots, ROOT) })
  await openHost(platform, await withMany(limits.uplinkServers, limits.hostRoots))
  await refused(await withMany(limits.uplinkServers + 1, 1), 'FolderDamaged', /servers/)
  await refused(await withMany(1, limits.hostRoots + 1), 'FolderDamaged', /roots/)
})

test('a file that is cut anywhere, or no JSON, is refused', async () => {
  const files = await folderWith(whole)
  const place = path(files.path('.'), HOST_FILE)
  const text = readFileSync(place, 'utf8')
  for (let length = 0; length < text.length - 2; length += 97) {
    writeFileSync(place, text.slice(0, length))
    await refused(files, 'FolderDamaged', /not the file of a host/)
  }
})

test('in the folder of a zone no host joins', async () => {
  const files = await folderWith(undefined)
  await refuseZoneFolder(files)
  writeFileSync(files.path(file.identity), '{}')
  try {
    await refuseZoneFolder(files)
    assert.unreachable()
  } catch (error) {
    assert.is((error as { code?: string }).code, 'FolderOfAnotherZone')
  }
})

test.run()
