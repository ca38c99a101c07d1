/** Programs of their own for tests that end a zone without warning: the test file runs itself again with arguments. */
import { spawn } from 'node:child_process'
import process from 'node:process'

export interface ChildEnd {
  readonly code: number | null
  readonly signal: string | null
  /** It did not end by itself in time and was killed. */
  readonly late: boolean
  /** JSON values that it printed, one a line. */
  readonly lines: readonly Record<string, unknown>[]
  /** Whatever else it printed, both streams. */
  readonly noise: string
}

const onDeno = 'Deno' in globalThis
const own = onDeno
  ? ['run', '-A', '--unstable-worker-options', process.argv[1] ?? '']
  : ['--enable-source-maps', process.argv[1] ?? '']

/** Runs `program args…`, by default this test file on this runtime. */
export function runChild(
  args: readonly string[],
  { msMax, program = process.execPath, before = own }: {
    msMax: number
    program?: string
    before?: readonly string[]
  },
): Promise<ChildEnd> {
  return new Promise((resolve) => {
    const child = spawn(program, [...before, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    })
    let output = ''
    let late = false
    const keep = (chunk: unknown): void => {
      output += String(chunk)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, msMax)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      const [lines, noise]: [Record<string, unknown>[], string[]] = [[], []]
      for (const line of output.split('\n').filter(Boolean)) {
        if (line.startsWith('{')) lines.push(JSON.parse(line) as Record<string, unknown>)
        else noise.push(line)
      }
      resolve({ code, signal, late, lines, noise: noise.join('\n') })
    })
  })
}

/** Two at a time: the machine has to do for others as well. */
export async function twoAtATime<T>(tasks: readonly T[], run: (task: T) => Promise<void>): Promise<void> {
  const waiting = [...tasks]
  const lane = async (): Promise<void> => {
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) await run(task)
  }
  await Promise.all([lane(), lane()])
}
