import { fstatSync, statSync } from 'node:fs'
import { open, readdir, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { StoreDamaged, Unavailable } from '../../errors.ts'
import { scanLog, type LogScan } from './log-scan.ts'

/**
 * A copy of a store that may be written meanwhile, by another process too. It takes no hold and writes nothing. The log
 * only ever grows (save that what a full disk refused is taken back), so the whole records before any of its lengths
 * are the store as it was then, with every write that was acknowledged before. When the log is written anew, an open
 * file keeps the old one whole.
 */
export interface LogCopy {
  /** `log.7` */
  readonly name: string
  /** Of the copy: where it ends. */
  readonly bytes: number
  /** The log's length now. */
  length(): number
  /** False when another log has taken its place, which has all that is written from then on. */
  isNewest(): boolean
  /** From here on this copy ends there. */
  endAt(length: number): void
  /** Reads it all, and ends it behind its last whole record. @throws StoreDamaged */
  check(): Promise<LogScan>
  read(): AsyncGenerator<Uint8Array>
  close(): Promise<void>
}

const pieceBytes = 1024 * 1024
const attemptsMax = 100
const logName = /^log\.(\d+)$/

/**
 * The newest log of a store's folder, or undefined where there is none: a store that was never opened.
 * @throws Unavailable when it is written anew faster than it can be opened
 */
export async function openLogCopy(folder: string): Promise<LogCopy | undefined> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const name = await newestLog(folder)
    if (name === undefined) {
      // A listing may miss a name that is being replaced
      if (await newestLog(folder) === undefined) return undefined
      continue
    }
    const copy = await openLog(folder, name)
    if (copy?.isNewest() && await newestLog(folder) === name) {
      copy.endAt(copy.length())
      return copy
    }
    await copy?.close()
  }
  throw new Unavailable(`The store is written anew faster than it can be read: ${folder}`, { path: folder })
}

async function newestLog(folder: string): Promise<string | undefined> {
  const numbers = (await readdir(folder)).flatMap((name) => logName.exec(name)?.[1] ?? []).map(Number)
  return numbers.length === 0 ? undefined : `log.${Math.max(...numbers)}`
}

async function openLog(folder: string, name: string): Promise<LogCopy | undefined> {
  const path = join(folder, name)
  const file = await open(path, 'r').catch((error: { code?: string }) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return file && new OpenLog(folder, name, file)
}

class OpenLog implements LogCopy {
  readonly name: string
  readonly #folder: string
  readonly #file: FileHandle
  #end = 0

  constructor(folder: string, name: string, file: FileHandle) {
    this.#folder = folder
    this.name = name
    this.#file = file
  }

  get bytes(): number {
    return this.#end
  }

  /** Not awaited, so that the lengths of several stores are those of one moment. */
  length(): number {
    return fstatSync(this.#file.fd).size
  }

  isNewest(): boolean {
    const { ino, dev } = fstatSync(this.#file.fd)
    const named = statSync(join(this.#folder, this.name), { throwIfNoEntry: false })
    return named?.ino === ino && named.dev === dev
  }

  endAt(length: number): void {
    this.#end = length
  }

  async check(): Promise<LogScan> {
    const scan = await scanLog(this.read())
    if ('damagedAt' in scan) {
      throw new StoreDamaged(
        `The store is damaged; restore this folder from a backup: ${this.#folder} `
          + `(${this.name}, byte ${scan.damagedAt})`,
        { folder: this.#folder, file: this.name, byte: scan.damagedAt },
      )
    }
    this.#end = scan.bytes
    return scan
  }

  async *read(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < this.#end;) {
      const piece = new Uint8Array(Math.min(pieceBytes, this.#end - at))
      const { bytesRead } = await this.#file.read(piece, 0, piece.length, at)
      if (bytesRead === 0) {
        throw new Unavailable(`The store took back what a full disk refused: ${this.#folder}`, {
          path: this.#folder, next: 'Make room on that disk, then run it again',
        })
      }
      at += bytesRead
      yield piece.subarray(0, bytesRead)
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

/**
 * Ends all copies at one moment: when no store was written between two looks at all of them, their lengths are a state
 * that all of them had together. Under writes that never pause it takes those of the last look, which are microseconds
 * apart. Whether it was one moment.
 */
export function endTogether(copies: readonly LogCopy[]): boolean {
  const lengths = (): readonly number[] => copies.map((copy) => copy.length())
  for (let attempt = 1; ; attempt++) {
    const first = lengths()
    const second = lengths()
    const isSame = second.every((length, index) => length === first[index]) && copies.every((copy) => copy.isNewest())
    if (!isSame && attempt < attemptsMax) continue
    copies.forEach((copy, index) => copy.endAt(second[index] as number))
    return isSame
  }
}
