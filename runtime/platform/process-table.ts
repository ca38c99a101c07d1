import { readdir, readFile, stat } from 'node:fs/promises'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { limits } from '../limits.ts'

/** What to end: whatever one of these is true of. */
interface Sought {
  readonly group?: number
  /** How an entry of its environment begins. */
  readonly mark: string
  readonly user?: number
}

const ROUND_MS = 20

/** To all of a group; nothing where none of it is left. */
export function signalGroup(group: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-group, name)
  } catch {
    // ESRCH: gone. EPERM: what is left of it took another user, by a right that the zone does not have
  }
}

/** SIGKILL until none is found: what it started meanwhile is found by the next look. */
export async function endProcesses(sought: Sought, graceMs = 0): Promise<{ ended: number; left: number }> {
  const ended = new Set<number>()
  const began = performance.now()
  for (;;) {
    const passedMs = performance.now() - began
    const kills = passedMs >= graceMs
    if (kills && sought.group !== undefined) signalGroup(sought.group, 'SIGKILL')
    const found = await processesOf(sought)
    const isLate = passedMs >= graceMs + limits.processEndMs
    if (found.length === 0 || isLate) return { ended: ended.size, left: found.length }
    if (kills) for (const id of found) kill(id, ended)
    await sleep(ROUND_MS)
  }
}

function kill(id: number, ended: Set<number>): void {
  ended.add(id)
  try {
    process.kill(id, 'SIGKILL')
  } catch {
    // It ended by itself
  }
}

async function processesOf(sought: Sought): Promise<readonly number[]> {
  const ids = await processIds()
  if (ids.length === 0) return sought.group !== undefined && groupIsThere(sought.group) ? [sought.group] : []
  const matches = await Promise.all(ids.map((id) => isSought(id, sought)))
  return ids.filter((_, index) => matches[index])
}

/** From /proc (proc(5)); none where the system has no such folder. */
async function processIds(): Promise<readonly number[]> {
  const names = await readdir('/proc').catch(() => [])
  return names.map(Number).filter((id) => Number.isInteger(id) && id !== process.pid)
}

async function isSought(id: number, { group, mark, user }: Sought): Promise<boolean> {
  const itsGroup = await groupOf(id)
  if (itsGroup === undefined) return false
  if (group !== undefined && itsGroup === group) return true
  if (user !== undefined && await ownerOf(id) === user) return true
  const entries = await readFile(`/proc/${id}/environ`, 'latin1').catch(() => '')
  return entries.split('\0').some((entry) => entry.startsWith(mark))
}

/** Undefined once it has ended, also where it still waits for somebody to take its exit code. */
async function groupOf(id: number): Promise<number | undefined> {
  const line = await readFile(`/proc/${id}/stat`, 'latin1').catch(() => undefined)
  // After the name, which may hold anything: state, parent, group
  const [state = 'X', , group] = line?.slice(line.lastIndexOf(')') + 2).split(' ') ?? []
  return 'ZX'.includes(state) ? undefined : Number(group)
}

const ownerOf = (id: number): Promise<number | undefined> => stat(`/proc/${id}`).then(({ uid }) => uid, () => undefined)

/** Of all that run. */
export async function usersRunning(): Promise<readonly (number | undefined)[]> {
  return Promise.all((await processIds()).map(async (id) =>
    await groupOf(id) === undefined ? undefined : ownerOf(id)))
}

/** Where there is no /proc. */
function groupIsThere(group: number): boolean {
  try {
    process.kill(-group, 0)
    return true
  } catch {
    return false
  }
}
