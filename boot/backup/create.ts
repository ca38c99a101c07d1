import { AlreadyExists, StoreMoved, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import type { MovedTo } from '../../runtime/store/change.ts'
import { endTogether, openLogCopy, type LogCopy } from '../../runtime/store/embedded/log-copy.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { segmentsOf } from '../audit/chain-files.ts'
import { FolderDamaged, Usage } from '../errors.ts'
import { file } from '../init.ts'
import { encrypted } from './age.ts'
import { contentsOf, type Contents } from './contents.ts'
import { absolute, createOutput, fileBytes, readPieces, readSmallFile, sha256, unreadable, within } from './disk.ts'
import {
  encodeManifest, manifestPath, newManifest, signaturePath, signatureType, type Manifest, type ManifestFile,
} from './manifest.ts'
import { readBackup } from './read.ts'
import { tarEnd, tarHeader, tarPadding } from './tar.ts'
import { assertOneZone, configStore, deviceKeyIn, readBooted, readDocuments, type Booted } from './zone.ts'

export interface BackupOptions {
  readonly platform: Platform
  /** The zone's, running or not. */
  readonly folder: string
  readonly file: string
  /** With it the whole backup is encrypted, and holds the key files. */
  readonly passphrase?: string
  /** A file of that name is replaced. */
  readonly replace?: boolean
  readonly onProgress?: (progress: BackupProgress) => void
  /** Aborted, it stops at the next piece and leaves nothing. */
  readonly signal?: AbortSignal
}

export interface BackupProgress {
  readonly phase: 'reading' | 'writing' | 'verifying' | 'restoring'
  readonly bytes: number
  readonly of: number
}

export interface MadeBackup {
  readonly path: string
  readonly bytes: number
  readonly manifest: Manifest
  readonly leftOut: readonly string[]
}

interface Part {
  readonly file: ManifestFile
  readonly pieces: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/**
 * Copies a zone that may run meanwhile, without its lock and without a word to it: every write that was acknowledged
 * before the call is in the copy. The file is read back and verified before it gets its name.
 * @throws FolderDamaged, StoreDamaged, ZoneStoreMismatch when the zone is not whole; AlreadyExists, NotWritable
 */
export async function makeBackup(options: BackupOptions): Promise<MadeBackup> {
  return backUp(options).catch((error: unknown) => {
    throw unreadable(error, absolute(options.folder))
  })
}

async function backUp(options: BackupOptions): Promise<MadeBackup> {
  const { platform, passphrase } = options
  const folder = absolute(options.folder)
  await refusePlace(folder, options)
  const contents = await contentsOf(folder, { keys: passphrase !== undefined })
  const documents = readDocuments(platform, fileIn(contents, file.identity))
  const { device } = documents
  const key = deviceKeyIn(platform, device, await readSmallFile(`${folder}/${file.deviceKey}`, limits.backupFileBytes))
  const sign = (manifest: string): string =>
    signDocument(key, signatureType, { zone: device.zone, host: device.name, manifest })
  const logs = await openLogs(folder, contents.stores)
  try {
    const { booted, stores } = await checkLogs(platform, logs, options)
    if (!booted) throw new FolderDamaged(`There is no store of system-config: ${folder}/${configStore}`)
    await assertOneZone(platform, documents, booted, fileIn(contents, file.booted))
    const parts = [
      ...contents.files.map(partOf), ...await Promise.all(logs.copies.map(logPart)),
      ...await segmentParts(folder),
    ]
    const manifest = newManifest({
      zone: documents.zone.zone, host: documents.zone.host, epoch: booted.config.epoch,
      madeAtMs: platform.clock.now(), keys: passphrase !== undefined, oneMoment: logs.oneMoment,
      files: parts.map((part) => part.file), stores,
    })
    if (parts.length > limits.backupFiles) throw new FolderDamaged(`There are too many files: ${parts.length}`)
    const bytes = await write(options, archive(platform, manifest, sign, parts), manifest)
    return { path: absolute(options.file), bytes, manifest, leftOut: contents.leftOut }
  } finally {
    await closeAll(logs.copies)
  }
}

async function refusePlace(folder: string, { file: path, replace }: BackupOptions): Promise<void> {
  if (within(folder, path)) {
    throw new Usage(`A backup inside the zone's folder is lost with it: ${absolute(path)}`, {
      next: 'Give a path elsewhere, best on another disk',
    })
  }
  if (replace || await fileBytes(path) === undefined) return
  throw new AlreadyExists(`The file is there already: ${absolute(path)}`, {
    path: absolute(path), next: 'Give another name, or --force to replace it',
  })
}

const fileIn = ({ files }: Contents, path: string): Uint8Array | undefined =>
  files.find((each) => each.path === path)?.bytes

interface Logs {
  readonly copies: readonly { readonly store: string; readonly copy: LogCopy }[]
  readonly oneMoment: boolean
}

const attemptsMax = 20

/** All stores as they are now. When a log was written anew meanwhile all are opened again, for them to fit together. */
async function openLogs(folder: string, stores: readonly string[]): Promise<Logs> {
  for (let attempt = 1; ; attempt++) {
    const copies: { store: string; copy: LogCopy }[] = []
    try {
      for (const store of stores) {
        const copy = await openLogCopy(`${folder}/${store}`)
        if (copy) copies.push({ store, copy })
      }
      const oneMoment = endTogether(copies.map(({ copy }) => copy))
      if (oneMoment || attempt === attemptsMax) return { copies, oneMoment }
    } catch (error) {
      await closeAll(copies)
      throw error
    }
    await closeAll(copies)
  }
}

const closeAll = async (copies: Logs['copies']): Promise<void> => {
  for (const { copy } of copies) await copy.close()
}

async function checkLogs(platform: Platform, { copies }: Logs, { onProgress, signal }: BackupOptions) {
  let booted: Booted | undefined
  let bytes = 0
  const of = copies.reduce((sum, { copy }) => sum + copy.bytes, 0)
  const stores: Manifest['stores'][number][] = []
  for (const { store, copy } of copies) {
    signal?.throwIfAborted()
    const { state, records } = await copy.check()
    if (state.moved) throw inEtcd(store, state.moved)
    stores.push({ path: `${store}/${copy.name}`, id: state.id, revision: state.revision, records })
    if (store === configStore) booted = await readBooted(platform, state)
    bytes += copy.bytes
    onProgress?.({ phase: 'reading', bytes, of })
  }
  return { booted, stores }
}

/** What is left of it here is nothing that a zone could go on from. */
const inEtcd = (store: string, { place }: MovedTo): Error => new StoreMoved(`${store} was moved to ${place}`, {
  place, next: 'Back up etcd, by `etcdctl snapshot save`, and the folder as it is',
})

function partOf({ path, bytes }: Contents['files'][number]): Part {
  const digest = sha256()
  digest.update(bytes)
  return { file: { path, bytes: bytes.length, sha256: digest.hex() }, pieces: () => [bytes] }
}

async function logPart({ store, copy }: Logs['copies'][number]): Promise<Part> {
  const digest = sha256()
  for await (const piece of copy.read()) digest.update(piece)
  const path = `${store}/${copy.name}`
  return { file: { path, bytes: copy.bytes, sha256: digest.hex() }, pieces: () => copy.read() }
}

/**
 * The audit as it is now, behind the stores: what these know of it is in it. It only ever grows, by lines; of the last
 * one so much is taken as is whole lines.
 */
async function segmentParts(folder: string): Promise<readonly Part[]> {
  const parts: Part[] = []
  for (const { path, name } of await segmentsOf(`${folder}/${file.audit}`)) {
    const digest = sha256()
    let bytes = 0
    let open: Uint8Array[] = []
    for await (const piece of readPieces(path)) {
      const end = piece.lastIndexOf(NEWLINE) + 1
      if (end > 0) {
        for (const each of [...open, piece.subarray(0, end)]) {
          digest.update(each)
          bytes += each.length
        }
        open = []
      }
      open.push(piece.subarray(end))
    }
    if (bytes > 0) {
      const segment = { path: `${file.audit}/${name}`, bytes, sha256: digest.hex() }
      parts.push({ file: segment, pieces: () => first(path, bytes) })
    }
  }
  return parts
}

const NEWLINE = 0x0a

/** @throws Unavailable when the file has become shorter */
async function* first(path: string, bytes: number): AsyncGenerator<Uint8Array> {
  let left = bytes
  for await (const piece of readPieces(path)) {
    if (left === 0) return
    const taken = piece.subarray(0, left)
    left -= taken.length
    yield taken
  }
  if (left > 0) throw new Unavailable(`The audit took back what a full disk refused: ${path}`, { path })
}

async function* archive(
  { clock }: Platform, manifest: Manifest, sign: (sha: string) => string, parts: readonly Part[],
): AsyncGenerator<Uint8Array> {
  const mtime = Math.floor(clock.now() / 1000)
  const encoded = encodeManifest(manifest)
  const head = partOf({ path: manifestPath, bytes: encoded })
  const signature = new TextEncoder().encode(sign(head.file.sha256))
  for (const { file: { path, bytes }, pieces } of [head, partOf({ path: signaturePath, bytes: signature }), ...parts]) {
    yield tarHeader(path, bytes, mtime)
    yield* pieces()
    yield tarPadding(bytes)
  }
  yield tarEnd()
}

/** @returns bytes of the file */
async function write(options: BackupOptions, pieces: AsyncIterable<Uint8Array>, manifest: Manifest): Promise<number> {
  const { platform, passphrase, replace = false, onProgress, signal } = options
  const of = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0)
  const output = await createOutput(options.file)
  try {
    let bytes = 0
    for await (const piece of passphrase === undefined ? pieces : encrypted(pieces, passphrase)) {
      signal?.throwIfAborted()
      await output.write(piece)
      bytes += piece.length
      onProgress?.({ phase: 'writing', bytes: Math.min(bytes, of), of })
    }
    await output.finish()
    let verified = 0
    await readBackup(readPieces(output.temporary), {
      platform, ...(passphrase === undefined ? {} : { passphrase }),
      onBytes(count) {
        signal?.throwIfAborted()
        onProgress?.({ phase: 'verifying', bytes: verified += count, of })
      },
    })
    await output.place({ replace })
    return bytes
  } finally {
    await output.discard()
  }
}
