import { close, constants, fdatasync, ftruncate, open, unlink, write } from 'node:fs'
import { open as openHandle, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { StoreDamaged } from '../../errors.ts'
import { limits } from '../../limits.ts'
import { diskFull, isDiskFull } from '../../platform/disk-full.ts'
import { syncFolder } from '../../platform/sync-folder.ts'
import type { Change } from '../change.ts'
import type { StoreState } from '../state.ts'
import { holdPath, holdsOf, type Hold } from './folder-hold.ts'
import { decodeLog, encodeChange, encodeState } from './log-contents.ts'

const chunkBytes = 1024 * 1024
const logName = /^log\.(\d+)(\.new)?$/

const openFile = promisify(open)
const closeFile = promisify(close)
const unlinkFile = promisify(unlink)
const truncateFile = promisify(ftruncate)
const syncData = promisify(fdatasync)

/** A write to it is on the disk when it returns, in one step instead of a write and a sync. */
const durableAppend = constants.O_WRONLY | constants.O_APPEND | (constants.O_DSYNC ?? constants.O_SYNC)

/**
 * The state of the newest log, or undefined in a new folder.
 * @throws StoreDamaged
 */
export async function readNewestLog(folder: string): Promise<StoreState | undefined> {
  const newest = (await logsOf(folder)).filter(({ whole }) => whole).at(-1)
  if (!newest) return undefined
  const state = decodeLog(await readFile(join(folder, newest.name)))
  if (!('damagedAt' in state)) return state
  throw new StoreDamaged(
    `The store is damaged; restore this folder from a backup: ${folder} ` +
      `(${newest.name}, byte ${state.damagedAt})`,
    { folder, file: newest.name, byte: state.damagedAt },
  )
}

/** The log of one holder: begins with the whole state, then takes each change. */
export class LogFile {
  readonly #folder: string
  readonly #hold: Hold
  readonly #state: StoreState
  #file = -1
  #begunWith = 0
  #appended = 0
  /** What may be appended before the log is written anew. */
  #appendedMax = 0

  private constructor(folder: string, hold: Hold, state: StoreState) {
    this.#folder = folder
    this.#hold = hold
    this.#state = state
  }

  /** Older logs and holds are removed once this one is complete on the disk. */
  static async begin(folder: string, hold: Hold, state: StoreState): Promise<LogFile> {
    const log = new LogFile(folder, hold, state)
    try {
      await log.#begin()
      hold.assertHeld()
      await removeOlder(folder, hold.generation)
      return log
    } catch (error) {
      await log.close()
      throw error
    }
  }

  /** Durable when it settles. @throws DiskFull when nothing of it was kept, and the log can still be written */
  async append(changes: readonly Change[]): Promise<void> {
    if (this.#appended > this.#appendedMax) await this.#beginAnew()
    const records = changes.map(encodeChange)
    const bytes = records.length === 1 ? records[0] as Uint8Array : concatenated(records)
    try {
      await writeAll(this.#file, bytes)
    } catch (error) {
      if (!isDiskFull(error)) throw error
      await this.#takeBack()
      throw diskFull(this.#folder, error)
    }
    this.#appended += bytes.length
    this.#hold.assertHeld()
  }

  /** What a full disk took of a write goes: a record that was refused must not be found by the next opening. */
  async #takeBack(): Promise<void> {
    await truncateFile(this.#file, this.#begunWith + this.#appended)
    await syncData(this.#file)
  }

  /** Where there is no room for a second log, the first one goes on for another while. */
  async #beginAnew(): Promise<void> {
    try {
      await this.#begin()
    } catch (error) {
      if (!isDiskFull(error)) throw error
      this.#appendedMax = this.#appended + limits.storeLogBytes
    }
  }

  async close(): Promise<void> {
    if (this.#file >= 0) await closeFile(this.#file)
  }

  /** Under another name until it is complete, so a file with the name of a log was whole once. */
  async #begin(): Promise<void> {
    const path = join(this.#folder, `log.${this.#hold.generation}`)
    const fresh = await openHandle(`${path}.new`, 'w', 0o600)
    let written = 0
    try {
      for (const chunk of chunks(encodeState(this.#state))) {
        await fresh.writeFile(chunk)
        written += chunk.length
      }
      await fresh.sync()
    } catch (error) {
      await rm(`${path}.new`, { force: true })
      throw error
    } finally {
      await fresh.close()
    }
    await rename(`${path}.new`, path)
    await syncFolder(this.#folder)
    const file = await openFile(path, durableAppend)
    if (this.#file >= 0) await closeFile(this.#file)
    this.#file = file
    this.#begunWith = written
    this.#appended = 0
    this.#appendedMax = limits.storeLogBytes + written
  }
}

async function removeOlder(folder: string, than: number): Promise<void> {
  for (const { name, generation } of await logsOf(folder)) {
    if (generation < than) await unlinkFile(join(folder, name))
  }
  // Oldest first, as `assertHeld` needs it
  for (const generation of holdsOf(folder)) {
    if (generation < than) await unlinkFile(holdPath(folder, generation))
  }
}

async function logsOf(folder: string): Promise<{ name: string; generation: number; whole: boolean }[]> {
  return (await readdir(folder)).flatMap((name) => {
    const found = logName.exec(name)
    return found ? [{ name, generation: Number(found[1]), whole: found[2] === undefined }] : []
  }).sort((left, right) => left.generation - right.generation)
}

async function writeAll(file: number, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length;) {
    offset += await new Promise<number>((resolve, reject) => {
      write(file, bytes, offset, bytes.length - offset, null, (error, written) =>
        error ? reject(error) : resolve(written))
    })
  }
}

function* chunks(records: Iterable<Uint8Array>): Generator<Uint8Array> {
  let waiting: Uint8Array[] = []
  let length = 0
  for (const record of records) {
    waiting.push(record)
    length += record.length
    if (length < chunkBytes) continue
    yield concatenated(waiting)
    waiting = []
    length = 0
  }
  yield concatenated(waiting)
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}
