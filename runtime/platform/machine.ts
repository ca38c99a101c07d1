import { chmod, chown, lstat, readdir, readFile, realpath, stat, statfs } from 'node:fs/promises'
import { cpus, freemem, loadavg, networkInterfaces, totalmem } from 'node:os'
import { dirname } from 'node:path'
import process from 'node:process'
import type { Machine } from './process-ports.ts'
import { endProcesses, usersRunning } from './process-table.ts'

const ANY_MAY_EXECUTE = 0o111
const OTHERS_MAY_EXECUTE = 0o001
/** Users that systemd has given to services for as long as they run (systemd.exec(5), DynamicUser=). */
const DYNAMIC_USERS = '/run/systemd/dynamic-uid'

export const machine: Machine = {
  // Asked for when it is wanted: a Deno worker has no right to know
  get user() {
    return process.getuid?.()
  },
  async condition(folder) {
    const { blocks, bavail, bsize } = await statfs(folder)
    const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
      .filter(({ internal, scopeid }) => !internal && !scopeid).map(({ address }) => address.toLowerCase())
    return {
      processors: cpus().length, load: Math.round((loadavg()[0] ?? 0) * 100),
      memoryBytes: totalmem(), memoryFreeBytes: freemem(),
      diskBytes: blocks * bsize, diskFreeBytes: bavail * bsize, addresses: [...new Set(addresses)].sort(),
    }
  },
  async program(path) {
    const resolved = await realpath(path).catch(() => undefined)
    if (resolved === undefined) return undefined
    const info = await stat(resolved)
    const executable = info.isFile() && (info.mode & ANY_MAY_EXECUTE) !== 0
    return { path: resolved, executable, closed: await closedAt(resolved) }
  },
  async usersTaken({ from, to }) {
    const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '')
    const people = passwd.split('\n').map((line) => Number(line.split(':')[2]))
    const dynamic = (await readdir(DYNAMIC_USERS).catch(() => [])).map(Number)
    const all = [...people, ...dynamic, ...await usersRunning()]
    return new Set(all.filter((user): user is number => user !== undefined && user >= from && user <= to))
  },
  async giveFolder(path, { uid, gid }) {
    if (!(await lstat(path)).isDirectory()) throw new Error(`It is not a folder: ${path}`)
    await chown(path, uid, gid)
    await chmod(path, 0o700)
  },
  endMarked: (mark) => endProcesses({ mark }),
}

/** The first of the path, from above, that is closed to others. */
async function closedAt(path: string): Promise<string | undefined> {
  const parent = dirname(path)
  const above = parent === path ? undefined : await closedAt(parent)
  if (above !== undefined) return above
  return ((await stat(path)).mode & OTHERS_MAY_EXECUTE) === 0 ? path : undefined
}
