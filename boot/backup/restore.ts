import { safeParse } from 'valibot'
import { DeviceDocument, deviceDocumentType } from '../../actors/records.ts'
import { VaultSealed } from '../../actors/vault/protocol.ts'
import type { Files, Platform, SigningKey } from '../../runtime/platform/ports.ts'
import { thumbprint, verifyDocument } from '../../runtime/trust/keys.ts'
import { DeviceKeyMismatch, DeviceKeyMissing, FolderNotEmpty, OwnerKeyNeeded } from '../errors.ts'
import { file, IdentityFile } from '../init.ts'
import { parseJson } from '../parse-json.ts'
import type { BackupProgress } from './create.ts'
import { absolute, listFolder, readPieces, restoreFile, syncFolders } from './disk.ts'
import { raiseEpoch, signZoneDocument, withZoneDocument } from './raise-epoch.ts'
import { extractBackup, readBackup, type WholeBackup } from './read.ts'
import { assertUnseals, deviceKeyIn, vaultStore, type Documents } from './zone.ts'

export interface RestoreOptions {
  readonly platform: Platform
  readonly file: string
  /** Empty or missing. */
  readonly folder: string
  readonly passphrase?: string
  readonly owner: SigningKey
  /** Instead of those in the backup, or because it has none. */
  readonly unsealKey?: string
  readonly deviceKeys: readonly SigningKey[]
  /** The least that the new epoch is. Default: one more than that of the backup. */
  readonly epoch?: number
  readonly onProgress?: (progress: BackupProgress) => void
  readonly signal?: AbortSignal
}

/** Everything was verified, and nothing was written yet. */
export interface RestorePlan {
  readonly backup: WholeBackup
  readonly epoch: number
  /** Nodes whose device key is neither in the backup nor given. */
  readonly keyless: readonly string[]
  /** An earlier restore into this folder was not finished. */
  readonly again: boolean
  /** Writes the zone. Killed anywhere, the same restore completes it. @throws NotWritable, FolderInUse */
  run(): Promise<void>
}

/**
 * @throws BackupDamaged, BackupLocked, BackupUnsupported
 * @throws OwnerKeyNeeded, DeviceKeyMissing, DeviceKeyMismatch, VaultSealed, FolderNotEmpty
 */
export async function planRestore(options: RestoreOptions): Promise<RestorePlan> {
  const { platform, passphrase, owner, onProgress, signal } = options
  const again = await isUnfinished(absolute(options.folder))
  let bytes = 0
  const found: { unsealed: boolean } = { unsealed: false }
  const backup = await readBackup(readPieces(options.file), {
    platform, ...(passphrase === undefined ? {} : { passphrase }),
    onBytes(count, of) {
      signal?.throwIfAborted()
      onProgress?.({ phase: 'verifying', bytes: bytes += count, of })
    },
    async onStore(path, state, files) {
      if (path !== vaultStore) return
      await assertUnseals(platform, state, unsealKeyOf(options, files))
      found.unsealed = true
    },
  })
  const { documents, booted } = backup
  if (!found.unsealed) throw new VaultSealed('The backup has no store of the vault')
  assertOwner(platform, owner, documents)
  const epoch = Math.max(booted.config.epoch + 1, documents.zone.epoch + 1, options.epoch ?? 0)
  const keys = deviceKeysOf(options, backup)
  return {
    backup, epoch, again, keyless: keys.keyless,
    run: () => run(options, backup, epoch, keys),
  }
}

/** @throws FolderNotEmpty */
async function isUnfinished(folder: string): Promise<boolean> {
  const names = (await listFolder(folder) ?? []).map(({ name }) => name).filter((name) => !isFleeting(name))
  if (names.includes(file.restoring)) return true
  if (names.length === 0) return false
  throw new FolderNotEmpty(`The folder is not empty: ${folder}`, {
    path: folder,
    next: names.includes(file.identity)
      ? 'There is a zone in it. Give another folder with --dir: a restore never writes over one'
      : 'Give an empty or a missing folder with --dir',
  })
}

const isFleeting = (name: string): boolean => name.startsWith(`${file.lock}.`) || name.endsWith('.tmp')

function unsealKeyOf({ unsealKey }: RestoreOptions, files: ReadonlyMap<string, Uint8Array>): string {
  const stored = files.get(file.unsealKey)
  if (unsealKey !== undefined) return unsealKey
  if (stored) return new TextDecoder().decode(stored).trim()
  throw new VaultSealed('The backup has no unseal key, and none was given', {
    next: 'Give the zone’s unseal.key with --unseal-key',
  })
}

/** @throws OwnerKeyNeeded */
export function assertOwner({ keys }: Platform, owner: SigningKey, { zone }: Documents): void {
  if (owner.public.kid === thumbprint(keys, zone.root)) return
  throw new OwnerKeyNeeded(`The owner key given is not the one of zone ${zone.zone}: ${owner.public.kid}`, {
    next: `Give the key whose kid is ${thumbprint(keys, zone.root)}`,
  })
}

interface DeviceKeys {
  readonly own: SigningKey
  /** Key files to write beside those of the backup. */
  readonly given: ReadonlyMap<string, SigningKey>
  readonly keyless: readonly string[]
  readonly keylessFolders: readonly string[]
}

/** Each key given is of one host of the zone. @throws DeviceKeyMissing, DeviceKeyMismatch */
function deviceKeysOf({ platform, deviceKeys }: RestoreOptions, { documents, files }: WholeBackup): DeviceKeys {
  const given = new Map<string, SigningKey>()
  const keyless: string[] = []
  const keylessFolders: string[] = []
  const hosts = [{ folder: '', device: documents.device }, ...nodesOf(platform, documents, files)]
  for (const { folder, device } of hosts) {
    const path = folder + file.deviceKey
    const key = deviceKeys.find((each) => each.public.jwk.x === device.key.x)
    if (key) given.set(path, key)
    else if (!files.has(path)) {
      keyless.push(device.name)
      keylessFolders.push(folder)
    }
  }
  const stranger = deviceKeys.find((key) => ![...given.values()].includes(key))
  if (stranger) {
    throw new DeviceKeyMismatch(`A device key given is of no host of this zone: ${stranger.public.kid}`, {
      next: 'Give the device.key of the host that the backup was made on',
    })
  }
  if (keyless[0] === documents.device.name) {
    throw new DeviceKeyMissing(`The backup has no device key of ${documents.device.name}, and none was given`, {
      next: 'Give the host’s device.key with --device-key, or restore an encrypted backup: it holds the keys',
    })
  }
  const { device } = documents
  const own = given.get(file.deviceKey) ?? deviceKeyIn(platform, device, files.get(file.deviceKey))
  return { own, given, keyless, keylessFolders }
}

/** Hosts of a cluster on one host, whose documents the owner signed. */
function nodesOf({ keys }: Platform, { zone }: Documents, files: WholeBackup['files']) {
  return [...files.keys()].flatMap((path) => {
    if (!path.startsWith(`${file.nodes}/`) || !path.endsWith(`/${file.identity}`)) return []
    const identity = safeParse(IdentityFile, parseJson(files.get(path) as Uint8Array))
    if (!identity.success) return []
    const rule = { typ: deviceDocumentType, schema: DeviceDocument, key: zone.root }
    const document = verifyDocument(keys, identity.output.deviceDocument, rule)
    return document.accepted ? [{ folder: path.slice(0, -file.identity.length), device: document.payload }] : []
  })
}

const ours = [file.identity, file.booted, file.config, file.deviceKey, file.unsealKey, file.stores, file.nodes,
  file.audit, file.pems]

async function run(options: RestoreOptions, backup: WholeBackup, epoch: number, keys: DeviceKeys): Promise<void> {
  const { platform, owner } = options
  const { manifest, manifestSha256, documents, booted, files: stored } = backup
  const files = await platform.host.openFolder(options.folder)
  const unlock = await files.lock(file.lock)
  try {
    await isUnfinished(files.path('.'))
    await writeText(files, file.restoring, JSON.stringify({
      zone: manifest.zone, host: manifest.host, backup: manifestSha256, epoch,
    }))
    for (const name of ours) await files.remove(name)
    await extract(options, backup, files.path('.'))
    for (const [path, key] of keys.given) await writeText(files, path, key.exportPem())
    const unsealKey = unsealKeyOf(options, stored)
    await writeText(files, file.unsealKey, unsealKey)
    await syncFolders(files.path('.'))
    await raiseEpoch({
      platform, stores: files.path(file.stores), documents, booted, owner, device: keys.own, unsealKey, epoch,
    })
    await writeDocuments(options, files, backup, epoch, keys)
    await files.remove(file.restoring)
    await syncFolders(files.path('.'))
  } finally {
    await unlock()
  }
}

const writeText = (files: Files, name: string, text: string): Promise<void> =>
  files.write(name, new TextEncoder().encode(text.endsWith('\n') ? text : `${text}\n`), { mode: 0o600 })

/** All but the identities: where there is one, there is a zone. */
async function extract(options: RestoreOptions, backup: WholeBackup, root: string): Promise<void> {
  const { passphrase, onProgress, signal } = options
  const of = backup.manifest.files.reduce((sum, { bytes }) => sum + bytes, 0)
  let bytes = 0
  await extractBackup(readPieces(options.file), {
    ...(passphrase === undefined ? {} : { passphrase }), expected: backup.manifestSha256,
    onBytes(count) {
      signal?.throwIfAborted()
      onProgress?.({ phase: 'restoring', bytes: bytes += count, of })
    },
    async take({ path }, body) {
      if (path.endsWith(file.identity)) for await (const piece of body) void piece
      else await restoreFile(root, path, body)
    },
  })
}

/** The identity of the first host comes last. */
async function writeDocuments(
  { platform, owner }: RestoreOptions, files: Files, { documents, files: stored }: WholeBackup, epoch: number,
  keys: DeviceKeys,
): Promise<void> {
  const zoneDocument = signZoneDocument(owner, documents.zone, epoch, platform.clock.now())
  const paths = [...stored.keys()].filter((path) => path.endsWith(file.identity))
  for (const path of paths.sort((left, right) => right.length - left.length)) {
    // Without its key it would not start: without its documents `up` signs it anew
    if (keys.keylessFolders.some((folder) => path === folder + file.identity)) continue
    await writeText(files, path, withZoneDocument(platform, owner, stored.get(path) as Uint8Array, zoneDocument))
  }
}
