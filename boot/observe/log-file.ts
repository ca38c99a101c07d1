import { messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock, Files } from '../../runtime/platform/ports.ts'
import { pause, within } from '../../runtime/within.ts'

export interface LogFile {
  /** Never waits and never throws: what the disk does not take is dropped and counted. */
  write(line: string): void
  /** Lines that were not written. */
  readonly dropped: number
  /** Settles when all is written, or after `limits.logCloseMs`. */
  close(): Promise<void>
}

export interface LogFileOptions {
  readonly files: Files
  readonly clock: Clock
  /** Relative to `files`; made if it is missing. */
  readonly folder: string
  /** The disk does not take lines. Told once, until it is back. */
  onFailed(reason: string): void
  /** It takes them again; so many were dropped meanwhile. */
  onBack(dropped: number): void
}

const NAME = 'zone.jsonl'
const NEWLINE = 0x0a

/**
 * Lines of JSON in files that are put aside when they are full: `zone.jsonl`, then `zone.jsonl.1`, the older the
 * higher. Each step of that is one rename, so killed anywhere nothing is lost, and the next process goes on.
 */
export function createLogFile({ files, clock, folder, onFailed, onBack }: LogFileOptions): LogFile {
  const path = `${folder}/${NAME}`
  const closing = new AbortController()
  let waiting: Uint8Array[] = []
  let waitingBytes = 0
  let writing: Promise<void> | undefined
  /** Of the file; undefined until it was looked at. */
  let size: number | undefined
  let dropped = 0
  let untold = 0
  let failed = false

  const open = async (): Promise<number> => {
    await files.makeFolder(folder, { mode: 0o700 })
    const found = await files.read(path)
    // A power cut may have left half a line: it must not swallow the next one
    const torn = found !== undefined && found.length > 0 && found.at(-1) !== NEWLINE
    return torn ? files.append(path, Uint8Array.of(NEWLINE), { mode: 0o600 }) : found?.length ?? 0
  }
  const rotate = async (): Promise<void> => {
    const taken = new Set((await files.list(folder)).map(({ name }) => name))
    let free = 1
    while (free < limits.logFiles - 1 && taken.has(`${NAME}.${free}`)) free++
    for (; free > 1; free--) await files.rename(`${path}.${free - 1}`, `${path}.${free}`)
    await files.rename(path, `${path}.1`)
  }
  const writeAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting
      try {
        size ??= await open()
        if (size > 0 && size + batch[0]!.length > limits.logFileBytes) {
          await rotate()
          size = 0
        }
        const taken = takeUpTo(batch, limits.logFileBytes - size)
        size = await files.append(path, joined(batch.slice(0, taken)), { mode: 0o600 })
        waiting = waiting.slice(taken)
        waitingBytes = waiting.reduce((sum, { length }) => sum + length, 0)
      } catch (error) {
        size = undefined
        if (!failed) onFailed(messageOf(error))
        failed = true
        if (closing.signal.aborted) return
        await pause(clock, limits.logRetryMs, closing.signal)
        continue
      }
      if (untold === 0 && !failed) continue
      const told = untold
      untold = 0
      failed = false
      onBack(told)
    }
  }
  const run = (): void => {
    writing ??= new Promise<void>((resolve) => clock.soon(resolve)).then(writeAll).finally(() => {
      writing = undefined
      if (waiting.length > 0 && !closing.signal.aborted) run()
    })
  }
  return {
    write(line) {
      const bytes = new TextEncoder().encode(`${line}\n`)
      if (waitingBytes + bytes.length > limits.logPendingBytes || closing.signal.aborted) {
        dropped++
        untold++
        return
      }
      waiting.push(bytes)
      waitingBytes += bytes.length
      run()
    },
    get dropped() {
      return dropped
    },
    async close() {
      closing.abort()
      await within(clock, limits.logCloseMs, writing ?? Promise.resolve(), () => new Error('late')).catch(() => {})
      dropped += waiting.length
      waiting = []
    },
  }
}

/** How many of them fit; at least one, so that none is stuck. */
function takeUpTo(lines: readonly Uint8Array[], bytes: number): number {
  let count = 0
  for (let used = 0; count < lines.length; count++) {
    used += lines[count]!.length
    if (used > bytes && count > 0) break
  }
  return count
}

function joined(lines: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(lines.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const line of lines) {
    all.set(line, offset)
    offset += line.length
  }
  return all
}
