import { close, constants, fdatasync, fstat, ftruncate, open, stat, write } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { syncFolder } from './sync-folder.ts'

const openFile = promisify(open)
const closeFile = promisify(close)
const truncateFile = promisify(ftruncate)
const syncData = promisify(fdatasync)
const statOf = promisify(stat)
const statOfOpen = promisify(fstat)

const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT
/** A write is on the disk when it returns: one step in place of two. Undefined where the system has no such flag. */
const { O_DSYNC: WRITES_THROUGH } = constants as { readonly O_DSYNC?: number }

export interface AppendOptions {
  readonly mode: number
  readonly durable?: boolean
  readonly held?: boolean
}

interface OpenFile {
  readonly descriptor: number
  readonly durable: boolean
  /** Which file it is, whatever its name is by now. */
  readonly device: number
  readonly inode: number
}

/** Appends to files of one folder. The last one may stay open, since a log is one file for a long time. */
export class Appending {
  #held: OpenFile | undefined

  async append(
    path: string, contents: Uint8Array, { mode, durable = false, held = false }: AppendOptions,
  ): Promise<number> {
    const { file, size } = await this.#open(path, mode, durable)
    try {
      await writeAll(file.descriptor, contents)
      if (durable && WRITES_THROUGH === undefined) await syncData(file.descriptor)
    } catch (error) {
      await truncateFile(file.descriptor, size).catch(() => {})
      await closeFile(file.descriptor)
      throw error
    }
    if (held && this.#held === undefined) this.#held = file
    else await closeFile(file.descriptor)
    // Empty, it may have been made just now
    if (durable && size === 0) await syncFolder(dirname(path))
    return size + contents.length
  }

  /** Nobody else has what was held while it is being written to. */
  async #open(path: string, mode: number, durable: boolean): Promise<{ file: OpenFile; size: number }> {
    const file = this.#held
    this.#held = undefined
    if (file) {
      // The name may stand for another file by now, or for none: what is held would be written to where nobody looks
      const found = await statOf(path).catch(() => undefined)
      const isIt = found?.dev === file.device && found.ino === file.inode
      if (isIt && file.durable === durable) return { file, size: found.size }
      await closeFile(file.descriptor)
    }
    const descriptor = await openFile(path, durable ? FLAGS | (WRITES_THROUGH ?? 0) : FLAGS, mode)
    try {
      const { dev: device, ino: inode, size } = await statOfOpen(descriptor)
      return { file: { descriptor, durable, device, inode }, size }
    } catch (error) {
      await closeFile(descriptor)
      throw error
    }
  }
}

async function writeAll(descriptor: number, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length;) {
    offset += await new Promise<number>((resolve, reject) => {
      write(descriptor, bytes, offset, bytes.length - offset, null, (error, written) =>
        error ? reject(error) : resolve(written))
    })
  }
}
