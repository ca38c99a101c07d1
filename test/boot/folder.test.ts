/** Whose folder this is: the documents, keys and markers that a zone's folder is held to before anything starts. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { deviceDocumentType } from '../../actors/records.ts'
import { zoneDocumentType } from '../../actors/zone-document.ts'
import { bootedMarker, writeBootedMarker } from '../../boot/booted.ts'
import { readConfig } from '../../boot/config.ts'
import { Nodes } from '../../boot/grow.ts'
import { file, init, type Identity } from '../../boot/init.ts'
import { openNode } from '../../boot/nodes.ts'
import { ZonewrightError } from '../../runtime/errors.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { Files, SigningKey } from '../../runtime/platform/ports.ts'
import { signDocument } from '../../runtime/trust/keys.ts'

const platform = await openPlatform()
const newKey = (label: string): SigningKey => platform.keys.generate(platform.random.fork(label))
const folders = mkdtempSync(join(tmpdir(), 'zonewright-folder-'))
test.after(() => rmSync(folders, { recursive: true, force: true }))

const none = readConfig(undefined, 'zone.yaml')
let count = 0

interface Folder {
  readonly files: Files
  readonly identity: Identity
  readonly owner: SigningKey
  open(): Promise<Identity>
}

async function folder(nodes = 0): Promise<Folder> {
  const files = await platform.host.openFolder(join(folders, String(++count)))
  const open = () => init({ platform, files, read: none, nodes })
  const identity = await open()
  const owner = platform.keys.importPem(new TextDecoder().decode(await files.read(file.ownerKey)))
  return { files, identity, owner, open }
}

const write = (files: Files, name: string, text: string): Promise<void> =>
  files.write(name, new TextEncoder().encode(text), { mode: 0o600 })

/** `code: message` of what it ends with; 'nothing' when it does not fail. */
const faultOf = (run: () => Promise<unknown>): Promise<string> => run().then(() => 'nothing', (error: unknown) => {
  if (error instanceof ZonewrightError) return `${error.code}: ${error.message}`
  throw error
})

type Documents = { zoneDocument: string; deviceDocument: string; oodDocument?: string }

async function withDocuments({ files }: Folder, change: Partial<Documents>, name: string = file.identity) {
  const now = JSON.parse(new TextDecoder().decode(await files.read(name))) as Documents
  await write(files, name, JSON.stringify({ ...now, ...change }))
}

const zoneDocument = ({ identity: { zone }, owner }: Folder, change: object, by = owner): string =>
  signDocument(by, zoneDocumentType, { ...zone, ...change })
const deviceDocument = ({ identity: { zone, device }, owner }: Folder, change: object, by = owner): string =>
  signDocument(by, deviceDocumentType, {
    zone: zone.zone, name: zone.host, role: 'ood', key: device.public.jwk, owner: zone.owner, iat: 1, ...change,
  })

test('a folder opens again as what it was made', async () => {
  const made = await folder()
  assert.is(made.identity.created, true)
  const { created, zone, device } = await made.open()
  assert.equal([created, zone.zone, device.public.kid], [false, 'zone.local', made.identity.device.public.kid])
})

test('documents that do not verify, or not belong together, are damage', async () => {
  const stranger = newKey('stranger')
  const cases: readonly [what: RegExp, change: (made: Folder) => Partial<Documents>][] = [
    [/the zone document does not verify/, (made) => ({ zoneDocument: zoneDocument(made, {}, stranger) })],
    [/the device document does not verify/, (made) => ({ deviceDocument: deviceDocument(made, {}, stranger) })],
    [/different zones or hosts/, (made) => ({ deviceDocument: deviceDocument(made, { zone: 'other' }) })],
    [/different zones or hosts/, (made) => ({ deviceDocument: deviceDocument(made, { name: 'ood2' }) })],
    [/not an identity file/, () => ({ zoneDocument: undefined as unknown as string })],
  ]
  for (const [what, change] of cases) {
    const made = await folder()
    await withDocuments(made, change(made))
    const fault = await faultOf(made.open)
    assert.match(fault, /^FolderDamaged/)
    assert.match(fault, what)
  }
})

test('a folder is of the zone that is asked for, and its device key is that of its document', async () => {
  const made = await folder()
  const read = readConfig('zone: other.local\n', 'zone.yaml')
  assert.match(await faultOf(() => init({ platform, files: made.files, read, nodes: 0 })), /^FolderOfAnotherZone/)
  await write(made.files, file.deviceKey, newKey('another device').exportPem())
  assert.match(await faultOf(made.open), /^DeviceKeyMismatch/)
  await made.files.remove(file.deviceKey)
  assert.match(await faultOf(made.open), /^DeviceKeyMissing/)
})

test('what was a zone is not made anew over what is left of it', async () => {
  for (const left of [file.booted, file.stores]) {
    const made = await folder()
    await made.files.remove(file.identity)
    await (left === file.stores ? made.files.makeFolder(left, { mode: 0o700 }) : write(made.files, left, '{}'))
    assert.match(await faultOf(made.open), /^FolderDamaged/)
  }
  const made = await folder()
  await write(made.files, file.restoring, '{}')
  assert.match(await faultOf(made.open), /^RestoreUnfinished/)
})

test('a marker that cannot be read, or is of another zone, is no marker that is missing', async () => {
  const { files } = await folder()
  assert.is(await bootedMarker(files, 'zone.local'), undefined)
  const marker = { zone: 'zone.local', store: 'a', revision: 7 }
  await writeBootedMarker(files, marker)
  assert.equal(await bootedMarker(files, 'zone.local'), marker)
  assert.match(await faultOf(() => bootedMarker(files, 'other.local')), /^FolderOfAnotherZone/)
  await write(files, file.booted, '{"zone":"zone.local"}')
  assert.match(await faultOf(() => bootedMarker(files, 'zone.local')), /^FolderDamaged/)
})

test('the folder of a node holds documents of this zone, of this node, and of its OOD', async () => {
  const stranger = newKey('stranger of a node')
  const path = `${file.nodes}/node1/${file.identity}`
  const open = ({ files, identity }: Folder) => openNode({ platform, files }, 'node1', identity)
  assert.is((await open(await folder(1)))?.name, 'node1')
  const cases: readonly [what: RegExp, change: (made: Folder) => Partial<Documents>][] = [
    [/not that of this zone/, (made) =>
      ({ zoneDocument: zoneDocument(made, { root: stranger.public.jwk }, stranger) })],
    [/not that of this zone/, (made) => ({ zoneDocument: zoneDocument(made, { zone: 'other' }) })],
    [/does not verify/, (made) =>
      ({ deviceDocument: deviceDocument(made, { name: 'node1', role: 'node' }, stranger) })],
    [/its document is of/, (made) => ({ deviceDocument: deviceDocument(made, { name: 'node2', role: 'node' }) })],
    [/its document is of/, (made) => ({ deviceDocument: deviceDocument(made, { name: 'node1' }) })],
    [/names another OOD/, (made) => ({ oodDocument: deviceDocument(made, { key: stranger.public.jwk }) })],
  ]
  for (const [what, change] of cases) {
    const made = await folder(1)
    await withDocuments(made, change(made), path)
    assert.match(await faultOf(() => open(made)), what)
  }
})

test('more nodes are signed for by the owner key of this zone, and by no other', async () => {
  const { files, identity, owner } = await folder()
  const grow = (key: SigningKey) => Nodes.open({
    platform, files, identity, count: 1, ownerKey: { path: 'owner.key', pem: key.exportPem() }, onSigns: () => {},
  })
  assert.match(await faultOf(() => grow(newKey('another owner'))), /^OwnerKeyNeeded: This is not the owner key/)
  assert.equal((await grow(owner)).identities.map(({ name }) => name), ['node1'])
})

test.run()
