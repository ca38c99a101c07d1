/** Whatever may be wrong with a backup or with what is given beside it: a clear error, and nothing is left behind. */
import { createHash, randomInt } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { Encrypter } from 'age-encryption'
import { createTar, parseTar } from 'nanotar'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { makeBackup } from '../boot/backup/create.ts'
import { signatureType, type Manifest } from '../boot/backup/manifest.ts'
import { planRestore } from '../boot/backup/restore.ts'
import { readBackup } from '../boot/backup/read.ts'
import { tarHeader } from '../boot/backup/tar.ts'
import { file } from '../boot/init.ts'
import { up } from '../boot/up.ts'
import { signDocument } from '../runtime/trust/keys.ts'
import {
  bootedFolder, keyIn, keysOf, newFolder, outcomeOf, passphrase, plainly, platform, removeFolders, restoreTo,
} from './boot-fixtures/backup-zone.ts'
import { mountedDisk } from './robustness/small-disk.ts'

const test = suite('backups that are damaged, forged or given wrongly')
let zone = ''
let stranger = ''
let folder = ''
let whole: Uint8Array
let sealed: Uint8Array

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 5_000) yield bytes.subarray(at, at + 5_000)
}
const read = (bytes: Uint8Array, secret?: string) => outcomeOf(() =>
  readBackup(piecesOf(bytes), { platform, ...(secret === undefined ? {} : { passphrase: secret }) }))

/** Fewer rounds than ours, which take a second each: the reader takes what the file says. */
async function encryptedQuickly(bytes: Uint8Array): Promise<Uint8Array> {
  const encrypter = new Encrypter()
  encrypter.setPassphrase(passphrase)
  encrypter.setScryptWorkFactor(4)
  return encrypter.encrypt(bytes)
}

test.before(() => plainly(async () => {
  zone = await bootedFolder()
  writeFileSync(join(zone, file.config), 'host: ood1\n')
  stranger = await bootedFolder()
  folder = newFolder()
  await makeBackup({ platform, folder: zone, file: join(folder, 'whole') })
  whole = new Uint8Array(readFileSync(join(folder, 'whole')))
  sealed = await encryptedQuickly(whole)
}))
test.after(removeFolders)

test('a whole one is read, plain and encrypted, and by tools of others', async () => {
  assert.is(await read(whole), 'it was done')
  assert.is(await read(sealed, passphrase), 'it was done')
  const names = parseTar(whole).map(({ name }) => name)
  assert.equal(names.slice(0, 3), ['manifest.json', 'manifest.jws', 'audit/key.jwk'])
})

test('cut short anywhere it is refused as damaged', async () => {
  const ends = [...Array(80).keys()].map(() => randomInt(whole.length))
  for (const end of [0, 1, 511, 512, whole.length - 1, whole.length - 512, whole.length - 1024, ...ends]) {
    assert.match(await read(whole.slice(0, end)), /^BackupDamaged 26: /, `cut at ${end} of ${whole.length}`)
  }
  for (const end of [30, 150, sealed.length - 1, sealed.length - 4_000, ...ends.slice(0, 20)]) {
    assert.match(await read(sealed.slice(0, end), passphrase), /^BackupDamaged 26: /, `cut at ${end} of the encrypted`)
  }
})

test('with one bit changed anywhere it is refused', async () => {
  const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
    bytes.map((byte, index) => (index === at ? byte ^ (1 << randomInt(8)) : byte))
  const places = [...Array(250).keys()].map(() => randomInt(whole.length))
  for (const at of [...Array(512).keys(), ...places]) {
    assert.match(await read(flipped(whole, at)), /^(BackupDamaged 26|BackupUnsupported 28): /, `byte ${at}`)
  }
  for (const at of [...Array(160).keys(), ...places.slice(0, 60).map((at) => at % sealed.length)]) {
    const found = await read(flipped(sealed, at), passphrase)
    assert.match(found, /^Backup(Damaged 26|Locked 27): /, `byte ${at}, encrypted`)
  }
})

test('a file whose contents are not those of the manifest is refused, also where nothing else would tell', async () => {
  const changed = withEntry(file.config, () => new TextEncoder().encode('host: ood2\n'))
  assert.match(await read(tarOf(changed)), /^BackupDamaged 26: .*zone\.yaml is not what was written/)
})

test('something behind its end is refused', async () => {
  assert.match(await read(Uint8Array.from([...whole, 0])), /^BackupDamaged 26: .*behind the end/)
  assert.match(await read(Uint8Array.from([...whole, ...whole])), /^BackupDamaged 26: .*behind the end/)
})

interface Entry { readonly path: string; readonly bytes: Uint8Array }

const entriesOf = (): Entry[] => parseTar(whole.slice()).map(({ name, data }) =>
  ({ path: name, bytes: new Uint8Array(data ?? new Uint8Array(0)) }))

/** A tar of these, with a manifest that says so, signed by whoever has this key. */
async function forged(
  entries: readonly Entry[], change: (manifest: Manifest) => object = (manifest) => manifest, signer = zone,
): Promise<Uint8Array> {
  const files = entries.filter(({ path }) => !path.startsWith('manifest.'))
  const old = JSON.parse(new TextDecoder().decode(entries[0]!.bytes)) as Manifest
  const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
  const manifest = new TextEncoder().encode(JSON.stringify(change({
    ...old, files: files.map(({ path, bytes }) => ({ path, bytes: bytes.length, sha256: sha(bytes) })),
  })))
  const key = await keyIn(signer, file.deviceKey)
  const signature = signDocument(key, signatureType, { zone: old.zone, host: old.host, manifest: sha(manifest) })
  return tarOf([
    { path: 'manifest.json', bytes: manifest },
    { path: 'manifest.jws', bytes: new TextEncoder().encode(signature) }, ...files,
  ])
}

function tarOf(entries: readonly Entry[]): Uint8Array {
  const padded = (bytes: Uint8Array): number[] => [...bytes, ...Array((512 - bytes.length % 512) % 512).fill(0)]
  const blocks = entries.flatMap(({ path, bytes }) => [...tarHeader(path, bytes.length, 0), ...padded(bytes)])
  return Uint8Array.from([...blocks, ...Array(1024).fill(0)])
}

const withEntry = (path: string, change: (bytes: Uint8Array) => Uint8Array): Entry[] =>
  entriesOf().map((entry) => (entry.path === path ? { path, bytes: change(entry.bytes) } : entry))

test('a forger without the key of the device gets nothing in, and one with it no file outside', async () => {
  assert.is(await read(await forged(entriesOf())), 'it was done')
  assert.match(await read(await forged(entriesOf(), undefined, stranger)), /the signature of its manifest/)
  const evil = new TextEncoder().encode('evil')
  const paths = [
    '../evil', '/etc/evil', 'stores/../../evil', 'stores/x/../../../log.1', './identity.json', 'nodes/../owner.key',
    'owner.key', 'nodes/n1/owner.key', 'restoring.json', 'nodes/n1/stores/x/y/log.1', 'nodes/..', 'lock.1.2',
    'nodes/n1/lock.1.2', 'stores/vault/hold.1', 'a\\..\\b', 'stores/vault/log.1\n', 'nodes//identity.json',
  ]
  for (const path of paths) {
    const found = await read(await forged([...entriesOf(), { path, bytes: evil }]))
    assert.match(found, /^BackupDamaged 26: .*names a file that no backup has/, JSON.stringify(path))
  }
})

test('a tar with links, folders, duplicates, unnamed or missing files is refused', async () => {
  const entries = entriesOf()
  const [manifest, signature, ...files] = entries as [Entry, Entry, ...Entry[]]
  const retyped = (type: string): Uint8Array => {
    const bytes = tarOf(entries)
    const at = 512 + Math.ceil(manifest.bytes.length / 512) * 512 + 512 + Math.ceil(signature.bytes.length / 512) * 512
    bytes[at + 156] = type.charCodeAt(0)
    const sum = bytes.subarray(at, at + 512).reduce((all, byte, index) =>
      all + (index >= 148 && index < 156 ? 32 : byte), 0)
    bytes.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, '0')}\0 `), at + 148)
    return bytes
  }
  assert.match(await read(retyped('2')), /BackupDamaged 26: .*a symbolic link/)
  assert.match(await read(retyped('1')), /BackupDamaged 26: .*a hard link/)
  assert.match(await read(retyped('5')), /BackupDamaged 26: .*a folder/)
  assert.match(await read(retyped('x')), /BackupDamaged 26: /)
  assert.match(await read(tarOf([manifest, signature, files[0]!, ...files])), /BackupDamaged 26: /)
  assert.match(await read(tarOf([...entries, { path: 'evil', bytes: files[0]!.bytes }])), /manifest does not name/)
  assert.match(await read(tarOf(entries.slice(0, -1))), /BackupDamaged 26: .*it has no audit/)
  assert.match(await read(tarOf([manifest, ...files])), /BackupDamaged 26: .*manifest\.jws/)
  assert.match(await read(await forged([...entries, files[0]!])), /BackupDamaged 26: .*a file twice/)
  assert.match(await read(createTar([{ name: '../evil', data: 'evil' }])), /BackupDamaged 26: /)
  assert.match(await read(new TextEncoder().encode('not a backup at all')), /BackupDamaged 26: /)
})

test('declared sizes and versions are judged before anything is read', async () => {
  const huge = Uint8Array.from([...tarHeader('manifest.json', 8 * 1024 ** 3 - 1, 0), ...Array(1024).fill(0)])
  assert.match(await read(huge), /^BackupDamaged 26: .*manifest\.json has 8589934591 bytes/)
  const large = await forged(entriesOf(), (manifest) => ({
    ...manifest, files: manifest.files.map((each) => ({ ...each, bytes: 4 * 1024 ** 3 })),
  }))
  assert.match(await read(large), /^BackupDamaged 26: .*no backup has/)
  const newer = await forged(entriesOf(), (manifest) => ({ ...manifest, version: 3, more: true }))
  assert.match(await read(newer), /^BackupUnsupported 28: .*format 3; this version reads 2/)
  const other = await forged(entriesOf(), (manifest) => ({ ...manifest, format: 'another' }))
  assert.match(await read(other), /^BackupDamaged 26: /)
})

test('stores and documents of another zone do not pass, whoever signed the manifest', async () => {
  const theirs = (path: string): Uint8Array => new Uint8Array(readFileSync(join(stranger, path)))
  const log = entriesOf().find(({ path }) => path.startsWith('stores/system-config/'))!.path
  const foreign = await forged(withEntry(log, () => theirs(log)))
  assert.match(await read(foreign), /^BackupDamaged 26: .*not the store that its manifest says/)
  assert.match(await read(await forged(withEntry(file.identity, () => theirs(file.identity)))), /^BackupDamaged 26: /)
  assert.match(await read(await forged(withEntry(file.booted, () => theirs(file.booted)))), /is not the one that this/)
  assert.match(await read(await forged(withEntry(log, (bytes) => bytes.slice(0, -3)))), /ends in a record that is cut/)
  const mixed = newFolder()
  await cp(zone, mixed, { recursive: true })
  const configs = 'stores/system-config'
  await rm(join(mixed, configs), { recursive: true })
  await cp(join(stranger, configs), join(mixed, configs), { recursive: true })
  const made = () => makeBackup({ platform, folder: mixed, file: join(folder, 'mixed') })
  assert.match(await outcomeOf(made), /^ZoneStoreMismatch 9: /)
  assert.not.ok(existsSync(join(folder, 'mixed')))
})

test('what is given wrongly beside it is refused, and no folder is made', () => plainly(async () => {
  const keys = await keysOf(zone)
  const target = join(newFolder(), 'restored')
  const path = join(folder, 'whole')
  const restore = (more: object) => outcomeOf(() =>
    planRestore({ platform, file: path, folder: target, ...keys, ...more }))
  assert.is(await restore({}), 'it was done')
  assert.match(await restore({ owner: await keyIn(stranger, file.ownerKey) }), /^OwnerKeyNeeded 15: /)
  assert.match(await restore({ deviceKeys: [] }), /^DeviceKeyMissing 8: /)
  assert.match(await restore({ deviceKeys: [await keyIn(stranger, file.deviceKey)] }), /^DeviceKeyMismatch 8: /)
  assert.match(await restore({ unsealKey: undefined }), /^VaultSealed 10: .*no unseal key/)
  assert.match(await restore({ unsealKey: (await keysOf(stranger)).unsealKey }), /^VaultSealed 10: /)
  writeFileSync(join(folder, 'sealed'), sealed)
  assert.match(await restore({ file: join(folder, 'sealed') }), /^BackupLocked 27: The backup is encrypted/)
  const wrong = { file: join(folder, 'sealed'), passphrase: 'wrong' }
  assert.match(await restore(wrong), /^BackupLocked 27: .*does not open/)
  assert.match(await restore({ file: join(folder, 'missing') }), /^Usage 2: .*cannot be read/)
  assert.match(await restore({ folder: stranger }), /^FolderNotEmpty 29: /)
  assert.match(await restore({ folder }), /^FolderNotEmpty 29: /)
  assert.not.ok(existsSync(target))
}))

test('a backup is refused where it would be lost or take the place of another file', async () => {
  const make = (more: object) => outcomeOf(() =>
    makeBackup({ platform, folder: zone, file: join(folder, 'x'), ...more }))
  assert.match(await make({ file: join(zone, 'backup') }), /^Usage 2: /)
  assert.match(await make({ file: join(folder, 'whole') }), /^AlreadyExists 21: /)
  assert.match(await make({ file: join(folder, 'missing/backup') }), /^NotWritable 4: /)
  assert.match(await make({ folder: newFolder() }), /^FolderDamaged 7: There is no zone here/)
  assert.is(await make({ file: join(folder, 'whole'), replace: true }), 'it was done')
  assert.equal(readdirSync(folder).filter((name) => name.endsWith('.tmp')), [])
})

test('on a full disk a backup leaves nothing, and a restore what the next run completes', () => plainly(async () => {
  const disk = mountedDisk(4)
  if (!disk) {
    process.stdout.write('no file system can be mounted here: not tried\n')
    return
  }
  const path = join(disk.path, 'backup')
  disk.fill(8_192)
  const names = readdirSync(disk.path)
  const made = await outcomeOf(() => makeBackup({ platform, folder: zone, file: path }))
  assert.match(made, /^DiskFull 4: /)
  assert.equal(readdirSync(disk.path), names)
  const target = join(disk.path, 'restored')
  const restored = await outcomeOf(() => restoreTo(target, join(folder, 'whole'), zone))
  assert.match(restored, /^DiskFull 4: /)
  const refused = /^(RestoreUnfinished 30|NotWritable 4|DiskFull 4): /
  assert.match(await outcomeOf(() => up({ platform, folder: target })), refused)
  disk.free()
  assert.match(await outcomeOf(() => up({ platform, folder: target })), /^RestoreUnfinished 30: /)
  await restoreTo(target, join(folder, 'whole'), zone)
  assert.not.ok(existsSync(join(target, file.restoring)))
  await rm(target, { recursive: true })
}))

test.run()
