import { spawn } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

export const childProgram = new URL('./store-child.ts', import.meta.url)

export interface StoreProcess {
  readonly pid: number
  /** Whole lines that it printed so far. */
  readonly lines: readonly string[]
  /** Settles with its first line. */
  readonly started: Promise<string>
  /** SIGKILL; settles when it is gone and everything it printed has arrived. */
  kill(): Promise<void>
}

const running = new Set<StoreProcess>()

/** Where a test failed before it could. */
export const killAll = async (): Promise<void> => void await Promise.all([...running].map((child) => child.kill()))

/** Runs the child program on this runtime. */
export function startStoreProcess(task: 'hold' | 'write', folder: string): StoreProcess {
  const runtime = 'Deno' in globalThis ? ['run', '-A'] : []
  const child = spawn(process.execPath, [...runtime, fileURLToPath(childProgram), task, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  let rest = ''
  let begin: (line: string) => void
  const started = new Promise<string>((resolve) => { begin = resolve })
  child.stdout.on('data', (chunk: unknown) => {
    const parts = (rest + String(chunk)).split('\n')
    rest = parts.pop() as string
    lines.push(...parts)
    if (lines.length > 0) begin(lines[0] as string)
  })
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()))
  void closed.then(() => begin('ended without a line'))
  const self: StoreProcess = {
    pid: child.pid as number,
    lines,
    started,
    async kill() {
      child.kill('SIGKILL')
      await closed
      running.delete(self)
    },
  }
  running.add(self)
  return self
}
