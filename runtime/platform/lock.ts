import { randomInt } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { FolderInUse } from '../errors.ts'

/** A process that holds the lock, or wants it. Start time and boot tell it from another that was given its number. */
interface Claim {
  readonly pid: number
  readonly started: string
}

const ATTEMPTS_MAX = 20
const PAUSE_MS_MAX = 50
/** Contents of a claim whose process holds the lock; before that it is empty. */
const HELD = 'held'

/**
 * A lock without flock, which Node does not have. Whoever wants it puts a claim of its own beside the others, and then
 * looks for theirs: of two that come together at least one sees the other and steps back, so never do both hold it.
 * Nobody touches a living claim; a dead one can only be removed, since its name cannot come again.
 *
 * It holds among processes of one machine that see each other in /proc: not across containers that share a folder.
 *
 * @throws FolderInUse with the holder's process id
 */
export async function takeLock(path: string): Promise<() => Promise<void>> {
  const self: Claim = { pid: process.pid, started: (await startOf(process.pid)) ?? '' }
  const own = `${path}.${self.pid}.${self.started}`
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    await writeFile(own, '', { flag: 'wx', mode: 0o600 }).catch((error: { code?: string }) => {
      throw error.code === 'EEXIST' ? inUse(path, self.pid) : error
    })
    try {
      const other = await livingClaim(path, own)
      if (!other) {
        await writeFile(own, HELD)
        return releaseOnce(own)
      }
      if (other.held) throw inUse(path, other.pid)
    } catch (error) {
      await rm(own, { force: true })
      throw error
    }
    await rm(own, { force: true })
    await new Promise((resolve) => setTimeout(resolve, randomInt(PAUSE_MS_MAX)))
  }
  throw new FolderInUse(`Several processes compete for this folder: ${path}`, { path })
}

function releaseOnce(own: string): () => Promise<void> {
  let held = true
  return async () => {
    // The same process may have taken it again meanwhile
    if (held) await rm(own, { force: true })
    held = false
  }
}

/** One that holds it rather than one that only wants it. */
async function livingClaim(path: string, own: string): Promise<{ pid: number; held: boolean } | undefined> {
  const folder = dirname(path)
  let wanting: { pid: number; held: boolean } | undefined
  for (const name of await readdir(folder)) {
    const claim = parseClaim(basename(path), name)
    const file = join(folder, name)
    if (!claim || file === own) continue
    if ((await startOf(claim.pid)) !== claim.started) await rm(file, { force: true })
    else if (await readFile(file, 'utf8').catch(() => '') === HELD) return { pid: claim.pid, held: true }
    else wanting = { pid: claim.pid, held: false }
  }
  return wanting
}

function parseClaim(lock: string, name: string): Claim | undefined {
  if (!name.startsWith(`${lock}.`)) return undefined
  const [, pid, started] = /^(\d+)\.(.+)$/.exec(name.slice(lock.length + 1)) ?? []
  return pid === undefined || started === undefined ? undefined : { pid: Number(pid), started }
}

const inUse = (path: string, pid: number): Error =>
  new FolderInUse(`Another process uses this folder: process ${pid} (${path})`, { pid, path })

/** When a living process started (proc(5), field 22) and in which boot, where /proc tells; else only that it lives. */
async function startOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (text !== undefined) {
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')
    return fields[0] === 'Z' ? undefined : `${fields[19]}-${boot.trim()}`
  }
  try {
    process.kill(pid, 0)
    return 'alive'
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM' ? 'alive' : undefined
  }
}
