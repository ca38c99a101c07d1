import {
  closeSync, existsSync, fstatSync, ftruncateSync, openSync, readdirSync, readFileSync, writeSync,
} from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { FolderInUse } from '../../errors.ts'

/**
 * One holder of a folder at a time, without a file lock (Node has none). Whoever opens the folder creates `hold.N+1`,
 * which only one can, and so fences the holder of N: that one looks after every write, before it acknowledges it,
 * whether it was fenced. What it acknowledged before is in the log that the new holder reads afterwards.
 *
 * So no two holders can ever both acknowledge, whatever is believed about processes. That the holder of N still lives
 * (process id and start time) only decides whether the folder is refused as in use. A holder in the same process is
 * always fenced: it is a worker that was terminated, or will be.
 */
export interface Hold {
  readonly generation: number
  /** @throws FolderInUse when someone else has the folder now */
  assertHeld(): void
  release(): void
}

interface Holder {
  readonly pid: number
  readonly started: string
  readonly boot: string
}

const attemptsMax = 10
const heldHere = new Set<string>()
const holdName = /^hold\.(\d+)$/

/** @throws FolderInUse with the process id of the holder */
export function holdFolder(folder: string): Hold {
  if (heldHere.has(folder)) throw inUse(folder, process.pid)
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const generation = newestHold(folder) + 1
    const holder = readHolder(folder, generation - 1)
    if (holder && holder.pid !== process.pid && lives(holder)) throw inUse(folder, holder.pid)
    const file = claim(holdPath(folder, generation))
    if (file === undefined) continue
    if (newestHold(folder) === generation) return held(folder, generation, file)
    closeSync(file)
  }
  throw new FolderInUse(`Several processes compete for the folder: ${folder}`, { folder })
}

export const holdPath = (folder: string, generation: number): string => join(folder, `hold.${generation}`)

/** Generations of the hold files, oldest first. */
export const holdsOf = (folder: string): readonly number[] =>
  readdirSync(folder).flatMap((name) => holdName.exec(name)?.[1] ?? []).map(Number).sort((left, right) => left - right)

const newestHold = (folder: string): number => holdsOf(folder).at(-1) ?? 0

/** Undefined when another was faster. */
function claim(path: string): number | undefined {
  let file: number
  try {
    file = openSync(path, 'wx', 0o600)
  } catch (error) {
    if ((error as { code?: string }).code === 'EEXIST') return undefined
    throw error
  }
  const self: Holder = { pid: process.pid, started: startOf(process.pid) ?? '', boot: bootId() }
  writeSync(file, JSON.stringify(self))
  return file
}

function held(folder: string, generation: number, file: number): Hold {
  heldHere.add(folder)
  return {
    generation,
    assertHeld() {
      // In this order: holds are removed oldest first, so when the next one is gone already, so is this one
      if (!existsSync(holdPath(folder, generation + 1)) && fstatSync(file).nlink > 0) return
      throw inUse(folder, readHolder(folder, newestHold(folder))?.pid)
    },
    release() {
      if (!heldHere.delete(folder)) return
      // Empty, not removed: a removed number could be claimed twice
      ftruncateSync(file, 0)
      closeSync(file)
    },
  }
}

function readHolder(folder: string, generation: number): Holder | undefined {
  try {
    return JSON.parse(readFileSync(holdPath(folder, generation), 'utf8')) as Holder
  } catch {
    // Absent, released, or its process died before it wrote
    return undefined
  }
}

function lives({ pid, started, boot }: Holder): boolean {
  return boot === bootId() && startOf(pid) === started
}

/**
 * When a living process started (proc(5): state is field 3, start time field 22), where that can be read; else only
 * that it lives; undefined when it does not, or when this worker may not ask.
 */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return process.platform !== 'linux' && answers(pid) ? 'alive' : undefined
  }
}

function answers(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

const inUse = (folder: string, pid: number | undefined): Error =>
  new FolderInUse(`Another process uses this folder: process ${pid ?? 'unknown'} (${folder})`, { folder, pid })
