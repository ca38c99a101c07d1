/** Runs a program in a process group of its own, for a limited time, and leaves nothing of it behind. */
import { spawn } from 'node:child_process'
import process from 'node:process'

export interface Ended {
  readonly code: number | null
  readonly signal: string | null
  /** It was ended because its time was over. */
  readonly late: boolean
  /** What it printed, both streams; the end of it when that was much. */
  readonly output: string
}

const outputCharactersMax = 200_000

/** Groups that are running, by the process id of their first process. */
const groups = new Set<number>()
const endGroup = (pid: number): void => {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nothing of it is left.
  }
}

export const execute = (command: readonly string[], secondsMax: number) =>
  new Promise<Ended>(resolve => {
    const [program = '', ...args] = command
    let output = ''
    let late = false
    const child = spawn(program, args, {
      detached: true, // a group of its own, so that what a test leaves behind ends with it
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    })
    const { pid } = child
    const keep = (chunk: unknown): void => {
      output = (output + String(chunk)).slice(-outputCharactersMax)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    if (pid !== undefined) groups.add(pid)
    const timer = setTimeout(() => {
      late = true
      if (pid !== undefined) endGroup(pid)
    }, secondsMax * 1_000)
    child.on('error', error => keep(error.message))
    // Before `close`, which waits for every holder of the pipes.
    child.on('exit', () => pid !== undefined && endGroup(pid))
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (pid !== undefined) groups.delete(pid)
      resolve({ code, signal, late, output })
    })
  })

/** Ends everything that `execute` started and that still runs. */
export const endAll = (): void => groups.forEach(endGroup)
