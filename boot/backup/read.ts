import { scanLog } from '../../runtime/store/embedded/log-scan.ts'
import { ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import type { StoreState } from '../../runtime/store/state.ts'
import { verifyDocument } from '../../runtime/trust/keys.ts'
import { BackupDamaged } from '../errors.ts'
import { file } from '../init.ts'
import { opened } from './age.ts'
import { sha256 } from './disk.ts'
import {
  decodeManifest, isLog, isSegment, manifestPath, Signature, signaturePath, signatureType, storeOf,
  type Manifest, type ManifestFile,
} from './manifest.ts'
import { readTar, shown, type TarEntry } from './tar.ts'
import { assertOneZone, configStore, readBooted, readDocuments, type Booted, type Documents } from './zone.ts'

interface SourceOptions {
  readonly passphrase?: string
  /** Told of each piece, and of how many bytes there are. */
  readonly onBytes?: (bytes: number, of: number) => void
}

export interface ReadOptions extends SourceOptions {
  readonly platform: Platform
  /** Told of each store that was opened, while it is in memory. */
  readonly onStore?: (path: string, state: StoreState, files: WholeBackup['files']) => Promise<void>
}

/** A backup that is whole, and what it was made of. */
export interface WholeBackup {
  readonly manifest: Manifest
  readonly manifestSha256: string
  readonly encrypted: boolean
  readonly documents: Documents
  readonly booted: Booted
  /** The files that are no stores, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>
}

/**
 * Reads a backup to its end: every sum, every record of every store, and that all of it is of one zone. The device of
 * the zone's first host signed the manifest, and the owner key that device: a changed backup cannot pass for another.
 * @throws BackupDamaged, BackupLocked, BackupUnsupported
 */
export async function readBackup(source: AsyncIterable<Uint8Array>, options: ReadOptions): Promise<WholeBackup> {
  const { platform } = options
  return fromSource(source, options, async (entries, encrypted) => {
    const { manifest, manifestSha256, signature } = await readManifest(entries)
    const kept: Kept = { files: new Map(), booted: undefined }
    await readFiles(entries, manifest, options, async (each, body) => {
      if (isLog(each.path)) await readStore(each, body, manifest, kept, options)
      // As large as they may be, none is kept: whether their chain is whole is for `audit verify` to say
      else if (isSegment(each.path)) for await (const piece of body) void piece
      else kept.files.set(each.path, await collected(body, each.bytes))
    })
    const documents = readDocuments(platform, kept.files.get(file.identity))
    verifySignature(platform, signature, manifestSha256, documents)
    const { booted, files } = kept
    if (!booted) throw damaged('it has no store of system-config')
    await assertOneZone(platform, documents, booted, files.get(file.booted))
    return { manifest, manifestSha256, encrypted, documents, booted, files }
  })
}

export interface ExtractOptions extends SourceOptions {
  /** SHA-256 of the manifest of the backup that was read before. */
  readonly expected: string
  /** Given each file; has to read it to its end, and to forget it when this throws afterwards. */
  readonly take: (file: ManifestFile, body: AsyncIterable<Uint8Array>) => Promise<void>
}

/** Reads a backup again, that `readBackup` has found whole. @throws BackupDamaged when it changed meanwhile */
export async function extractBackup(source: AsyncIterable<Uint8Array>, options: ExtractOptions): Promise<void> {
  await fromSource(source, options, async (entries) => {
    const { manifest, manifestSha256 } = await readManifest(entries)
    if (manifestSha256 !== options.expected) throw damaged('it was changed since it was verified')
    await readFiles(entries, manifest, options, options.take)
  })
}

type Entries = AsyncGenerator<TarEntry>

async function fromSource<T>(
  source: AsyncIterable<Uint8Array>, { passphrase }: SourceOptions,
  read: (entries: Entries, encrypted: boolean) => Promise<T>,
): Promise<T> {
  const { encrypted, pieces } = await opened(source, passphrase)
  try {
    return await read(readTar(pieces), encrypted)
  } catch (error) {
    throw asDamage(error)
  } finally {
    await pieces.return(undefined)
  }
}

async function readManifest(entries: Entries) {
  const bytes = await whole(await nextOf(entries, manifestPath), limits.backupManifestBytes)
  const manifest = decodeManifest(bytes)
  const digest = sha256()
  digest.update(bytes)
  const signature = new TextDecoder().decode(await whole(await nextOf(entries, signaturePath), limits.document))
  return { manifest, manifestSha256: digest.hex(), signature }
}

async function nextOf(entries: Entries, path: string): Promise<TarEntry> {
  const { value, done } = await entries.next()
  if (done) throw damaged(`it has no ${path}`)
  if (value.path !== path) throw damaged(`it has ${shown(value.path)} where ${path} should be`)
  return value
}

async function readFiles(
  entries: Entries, manifest: Manifest, { onBytes }: SourceOptions, take: ExtractOptions['take'],
): Promise<void> {
  const of = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0)
  for (const each of manifest.files) {
    const { path, bytes } = each
    const entry = await nextOf(entries, path)
    if (entry.bytes !== bytes) throw damaged(`${path} has ${entry.bytes} bytes, and should have ${bytes}`)
    const digest = sha256()
    await take(each, (async function* () {
      for await (const piece of entry.body) {
        digest.update(piece)
        onBytes?.(piece.length, of)
        yield piece
      }
    })())
    if (digest.hex() !== each.sha256) throw damaged(`${path} is not what was written`)
  }
  if (!(await entries.next()).done) throw damaged('it has files that its manifest does not name')
}

interface Kept {
  readonly files: Map<string, Uint8Array>
  booted: Booted | undefined
}

async function readStore(
  { path, bytes }: ManifestFile, body: AsyncIterable<Uint8Array>, manifest: Manifest, kept: Kept,
  { platform, onStore }: ReadOptions,
): Promise<void> {
  const scan = await scanLog(body)
  if ('damagedAt' in scan) throw damaged(`${path} is no log of a store (byte ${scan.damagedAt})`)
  if (scan.bytes !== bytes) throw damaged(`${path} ends in a record that is cut (byte ${scan.bytes})`)
  const { state } = scan
  const said = manifest.stores.find((store) => store.path === path)
  if (said?.id !== state.id || said.revision !== state.revision || said.records !== scan.records) {
    throw damaged(`${path} is not the store that its manifest says`)
  }
  if (storeOf(path) === configStore) kept.booted = await readBooted(platform, state)
  await onStore?.(storeOf(path), state, kept.files)
}

function verifySignature({ keys }: Platform, text: string, manifest: string, { device }: Documents): void {
  const verdict = verifyDocument(keys, text, { typ: signatureType, schema: Signature, key: device.key })
  if (!verdict.accepted) throw damaged(`the signature of its manifest does not verify: ${verdict.denial.reason}`)
  const { zone, host, manifest: signed } = verdict.payload
  if (signed !== manifest || zone !== device.zone || host !== device.name) {
    throw damaged('its manifest is not the one that was signed')
  }
}

async function whole(entry: TarEntry, bytesMax: number): Promise<Uint8Array> {
  if (entry.bytes > bytesMax) throw damaged(`${entry.path} has ${entry.bytes} bytes, at most ${bytesMax}`)
  return collected(entry.body, entry.bytes)
}

async function collected(body: AsyncIterable<Uint8Array>, bytes: number): Promise<Uint8Array> {
  const all = new Uint8Array(bytes)
  let at = 0
  for await (const piece of body) {
    all.set(piece, at)
    at += piece.length
  }
  return all
}

/** What is wrong with a zone's folder, found in a backup, is wrong with the backup. */
const ofContents = new Set(['FolderDamaged', 'ZoneStoreMismatch', 'RecordInvalid', 'FolderOfAnotherZone'])

const asDamage = (error: unknown): unknown =>
  (error instanceof ZonewrightError && ofContents.has(error.code) ? damaged(error.message) : error)

const damaged = (what: string): Error =>
  new BackupDamaged(`The backup is damaged: ${what}`, { next: 'Take another copy of it, or another backup' })
