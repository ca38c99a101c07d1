/** Real processes of one host, without a zone around them. */
import {
  chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import * as assert from 'uvu/assert'
import { ZonewrightError } from '../runtime/errors.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import type { Platform } from '../runtime/platform/ports.ts'
import { createProcesses, type Processes, type ProcessesOptions } from '../runtime/process/processes.ts'
import type { ProcessStart } from '../runtime/supervision.ts'
import { createTrace, type ActorEvent, type LogEvent } from '../runtime/trace.ts'

export const SH = realpathSync('/bin/sh')
export const RUNTIME = realpathSync(process.execPath)
export const asRoot = process.getuid?.() === 0

export interface Running {
  readonly processes: Processes
  /** Of the working folders. */
  readonly folder: string
  readonly platform: Platform
  readonly events: readonly ActorEvent[]
  readonly logs: readonly LogEvent[]
  states(name: string): string
  state(name: string): string
  log(name: string): string
}

/** An HTTP service: `sick` in its working folder makes its health page answer 500, `slow` makes it late. */
const SERVER = `
import { createServer } from 'node:http'
import { existsSync } from 'node:fs'
const [port] = process.argv.slice(2)
createServer((request, response) => {
  if (existsSync('slow')) return
  response.statusCode = existsSync('sick') ? 500 : 200
  response.end('x'.repeat(100000))
}).listen(Number(port), '127.0.0.1', () => console.log('listening'))
`
let scripts: string | undefined
/** Where everybody may read it. */
export function serverCommand(port: number): string[] {
  if (scripts === undefined) {
    scripts = mkdtempSync(join(tmpdir(), 'zonewright-scripts-'))
    chmodSync(scripts, 0o755)
    writeFileSync(join(scripts, 'server.mjs'), SERVER)
    process.on('exit', () => rmSync(scripts!, { recursive: true, force: true }))
  }
  const flags = 'Deno' in globalThis ? ['run', '-A', '--no-lock', '--no-config'] : []
  return [RUNTIME, ...flags, join(scripts, 'server.mjs'), String(port)]
}

/** Its text is given to sh, with what it needs to find programs. */
export const shell = (script: string, more: Partial<ProcessStart> = {}): ProcessStart =>
  ({ command: [SH, '-c', script], health: null, stopMs: 3_000, ...more })
export const PATH = { PATH: '/usr/bin:/bin' }
export const env = (given: Readonly<Record<string, string>> = PATH) => async () => given

export async function withProcesses(
  run: (running: Running) => Promise<void>,
  more: Partial<ProcessesOptions> & { readonly keep?: string } = {},
): Promise<void> {
  const base = more.keep ?? mkdtempSync(join(tmpdir(), 'zonewright-processes-'))
  const platform = await openPlatform()
  const trace = createTrace()
  const release = platform.host.hold()
  const [events, logs]: [ActorEvent[], LogEvent[]] = [[], []]
  trace.on('actor', (event) => void events.push(event))
  trace.on('log', (event) => void logs.push(event))
  const folder = join(base, 'services')
  const processes = createProcesses({ platform, host: 'h1', trace, allow: [SH, RUNTIME], folder, ...more })
  try {
    await run({
      processes, folder, platform, events, logs,
      states: (name) => events.filter(({ actor }) => actor === name).map(({ state }) => state).join(' '),
      state: (name) => processes.list().find((each) => each.name === name)?.state ?? '',
      log: (name) => logs.filter(({ actor }) => actor === name).map(({ message }) => message).join('\n'),
    })
  } catch (error) {
    throw error instanceof ZonewrightError ? new Error(`${error.code}: ${error.message}`) : error
  } finally {
    await processes.close()
    release()
    if (more.keep === undefined) rmSync(base, { recursive: true, force: true })
  }
}

/** The error that it must end with. */
export async function fault(work: Promise<unknown>): Promise<ZonewrightError> {
  const outcome = await work.then(() => undefined, (error: unknown) => error)
  assert.ok(outcome instanceof ZonewrightError, `not one of ours: ${String(outcome)}`)
  return outcome as ZonewrightError
}

export async function until(reached: () => boolean | Promise<boolean>, what: string, withinMs = 10_000): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await reached())) {
    if (performance.now() > end) assert.unreachable(`not within ${withinMs} ms: ${what}`)
    await pause(20)
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Zombies wait for whoever takes their exit code, and run no more. */
export function isAlive(id: number): boolean {
  try {
    const line = readFileSync(`/proc/${id}/stat`, 'latin1')
    return !'ZX'.includes(line.slice(line.lastIndexOf(')') + 2)[0] ?? 'X')
  } catch {
    return false
  }
}

export const number = (path: string): number => Number(readFileSync(path, 'utf8').trim())
export const has = (path: string): boolean => existsSync(path) && readFileSync(path, 'utf8').trim() !== ''

/** Of a test that failed nothing stays: what the host of this folder started is known by its mark. */
export function endMarked(keep: string): void {
  const path = join(keep, 'services', 'processes.json')
  if (!existsSync(path)) return
  const { mark } = JSON.parse(readFileSync(path, 'utf8')) as { mark: string }
  for (const id of readdirSync('/proc').map(Number).filter((each) => Number.isInteger(each) && isAlive(each))) {
    try {
      if (readFileSync(`/proc/${id}/environ`, 'latin1').includes(`ZONEWRIGHT_RUN=${mark}.`)) process.kill(id, 'SIGKILL')
    } catch {
      // It has ended
    }
  }
}

export const freePort = (): Promise<number> => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address() as { port: number }
    server.close(() => resolve(port))
  })
})

export { chmodSync, existsSync, join, mkdirSync, mkdtempSync, readFileSync, rmSync, tmpdir, writeFileSync }
