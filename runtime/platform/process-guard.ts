import { spawn, type ChildProcess } from 'node:child_process'
import { StartFailed } from '../errors.ts'

/**
 * Ends the groups that it was told of once its input closes: when this process ends in whatever way, also by SIGKILL.
 * A shell, since nothing smaller is on every system; it reads numbers, and nothing that anybody else wrote.
 */
const SCRIPT = `groups=
while read -r change group; do
  rest=
  for each in $groups; do [ "$each" = "$group" ] || rest="$rest $each"; done
  groups=$rest
  [ "$change" = - ] || groups="$groups $group"
done
for each in $groups; do kill -s KILL -- "-$each"; done 2>/dev/null`

const groups = new Set<number>()
let guard: Promise<ChildProcess> | undefined

/** The guard, ready; what it gives adds a group, and then takes it away again. @throws StartFailed without a guard */
export async function guardGroup(): Promise<(group: number) => () => void> {
  guard ??= startGuard()
  await guard
  return (group) => {
    groups.add(group)
    tell('+', group)
    return () => {
      if (groups.delete(group)) tell('-', group)
    }
  }
}

function tell(change: '+' | '-', group: number): void {
  // One that died is replaced, and the next is told of all
  guard?.then((child) => child.stdin?.write(`${change} ${group}\n`), () => {})
}

function startGuard(): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      guard = undefined
      const code = (error as { code?: string }).code ?? ''
      reject(new StartFailed(`No process can start: the guard that ends them with the zone did not (${code})`, {
        next: 'See that /bin/sh is there, and that this process may start others',
      }))
    }
    try {
      // A group of its own: what a terminal sends to the zone does not reach it
      const child = spawn('/bin/sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, env: {} })
      child.once('error', fail)
      child.stdin.on('error', () => {})
      child.once('exit', () => {
        guard = undefined
        if (groups.size > 0) guard = startGuard()
        guard?.catch(() => {})
      })
      child.unref()
      ;(child.stdin as unknown as { unref?: () => void }).unref?.()
      for (const group of groups) child.stdin.write(`+ ${group}\n`)
      if (child.pid !== undefined) resolve(child)
    } catch (error) {
      fail(error)
    }
  })
}
