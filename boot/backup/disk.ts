import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, link, lstat, mkdir, open, readdir, readFile, rename, rm, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import process from 'node:process'
import { AlreadyExists, NotWritable, ZonewrightError } from '../../runtime/errors.ts'
import { codeOf, diskFull, isDiskFull } from '../../runtime/platform/disk-full.ts'
import { syncFolder } from '../../runtime/platform/sync-folder.ts'
import { Usage } from '../errors.ts'

/** Files as streams, and without the traces that opening a folder leaves: a backup only reads. */

const pieceBytes = 1024 * 1024
/** What the reading of a zone's folder met, in words. */
export function unreadable(error: unknown, folder: string): unknown {
  if (!['EACCES', 'EPERM'].includes(codeOf(error))) return error
  return new Usage(`The zone's folder cannot be read: ${folder} (${codeOf(error)})`, {
    path: folder, next: 'Run it as the user who owns the folder',
  })
}

const isAbsent = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(codeOf(error))

export interface Sha256 {
  update(piece: Uint8Array): void
  hex(): string
}

export function sha256(): Sha256 {
  const hash = createHash('sha256')
  return { update: (piece) => void hash.update(piece), hex: () => hash.digest('hex') }
}

export interface FolderEntry {
  readonly name: string
  readonly kind: 'file' | 'folder' | 'other'
}

/** Undefined where there is no such folder. A symbolic link is neither a file nor a folder. */
export async function listFolder(path: string): Promise<readonly FolderEntry[] | undefined> {
  const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
    if (isAbsent(error)) return undefined
    throw error
  })
  return entries?.map((entry): FolderEntry => ({
    name: entry.name, kind: entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : 'other',
  })).sort((left, right) => (left.name < right.name ? -1 : 1))
}

/** Undefined where there is no such file; more than `bytesMax` is cut there. */
export async function readSmallFile(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
  try {
    const { size } = await lstat(path)
    return size > bytesMax ? new Uint8Array(bytesMax + 1) : new Uint8Array(await readFile(path))
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

export const absolute = (path: string): string => resolve(path)
export const within = (folder: string, path: string): boolean => {
  const way = relative(resolve(folder), resolve(path))
  return way === '' || !(way === '..' || way.startsWith(`..${sep}`))
}

export async function fileBytes(path: string): Promise<number | undefined> {
  return lstat(path).then((info) => (info.isFile() ? info.size : undefined), () => undefined)
}

/** @throws Usage */
export async function* readPieces(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw new Usage(`The backup cannot be read: ${path} (${codeOf(error)})`, { path })
  })
  try {
    for (;;) {
      const piece = new Uint8Array(pieceBytes)
      const { bytesRead } = await file.read(piece, 0, pieceBytes)
      if (bytesRead === 0) return
      yield piece.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

/** A file that appears under its name when it is complete, or not at all. */
export interface Output {
  /** Where it is meanwhile. */
  readonly temporary: string
  write(piece: Uint8Array): Promise<void>
  /** On the disk when it settles. */
  finish(): Promise<void>
  /** @throws AlreadyExists unless it may replace */
  place(options: { readonly replace: boolean }): Promise<void>
  /** Leaves nothing behind. */
  discard(): Promise<void>
}

/** @throws NotWritable, DiskFull */
export async function createOutput(path: string): Promise<Output> {
  const target = resolve(path)
  const temporary = `${target}.${process.pid}.tmp`
  return writing(target, async () => {
    await removeAbandoned(target)
    const file = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
    return new OpenOutput(target, temporary, file)
  })
}

class OpenOutput implements Output {
  readonly temporary: string
  readonly #target: string
  readonly #file: FileHandle
  #open = true

  constructor(target: string, temporary: string, file: FileHandle) {
    this.#target = target
    this.temporary = temporary
    this.#file = file
  }

  write(piece: Uint8Array): Promise<void> {
    return writing(this.#target, () => writeAll(this.#file, piece))
  }

  finish(): Promise<void> {
    return writing(this.#target, async () => {
      await this.#file.sync()
      await this.#close()
    })
  }

  place({ replace }: { readonly replace: boolean }): Promise<void> {
    return writing(this.#target, async () => {
      await (replace ? rename(this.temporary, this.#target) : placeNew(this.temporary, this.#target))
      await rm(this.temporary, { force: true })
      await syncFolder(dirname(this.#target))
    })
  }

  async discard(): Promise<void> {
    await this.#close().catch(() => {})
    await rm(this.temporary, { force: true })
  }

  async #close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.#file.close()
  }
}

/** A hard link refuses a name that was taken meanwhile; on a file system without any, as of a USB stick, we look. */
async function placeNew(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(codeOf(error))) throw error
    if (await fileBytes(to) !== undefined) throw new AlreadyExists(`The file is there already: ${to}`, { path: to })
    await rename(from, to)
  }
}

/** One file of a folder that is being restored, with the folders above it. @throws NotWritable, DiskFull */
export async function restoreFile(root: string, path: string, body: AsyncIterable<Uint8Array>): Promise<void> {
  const target = join(root, path)
  await writing(target, async () => {
    await mkdir(dirname(target), { recursive: true, mode: 0o700 })
    const file = await open(target, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
    try {
      for await (const piece of body) await writeAll(file, piece)
      await file.sync()
    } finally {
      await file.close()
    }
  })
}

/** Every folder below and itself, so that names are as durable as contents. */
export async function syncFolders(root: string): Promise<void> {
  for (const { name, kind } of await listFolder(root) ?? []) {
    if (kind === 'folder') await syncFolders(join(root, name))
  }
  await chmod(root, 0o700)
  await syncFolder(root)
}

async function writeAll(file: FileHandle, piece: Uint8Array): Promise<void> {
  for (let at = 0; at < piece.length;) at += (await file.write(piece, at, piece.length - at)).bytesWritten
}

/** What a killed process left beside the target. */
async function removeAbandoned(target: string): Promise<void> {
  for (const { name } of await listFolder(dirname(target)) ?? []) {
    const pid = name.startsWith(`${basename(target)}.`)
      ? /^\.(\d+)\.tmp$/.exec(name.slice(basename(target).length))?.[1] : undefined
    if (pid !== undefined && !lives(Number(pid))) await rm(join(dirname(target), name), { force: true })
  }
}

function lives(pid: number): boolean {
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'its folder does not exist', EACCES: 'no permission', EROFS: 'the file system is read-only',
}

async function writing<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof ZonewrightError) throw error
    if (isDiskFull(error)) throw diskFull(path, error)
    const code = codeOf(error)
    if (!/^E[A-Z0-9]+$/.test(code)) throw error
    if (code === 'EEXIST') throw new AlreadyExists(`The file is there already: ${path}`, { path })
    throw new NotWritable(`The file cannot be written: ${path} (${reasons[code] ?? code})`, { path, reason: code })
  }
}
