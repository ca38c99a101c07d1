import { closeSync, openSync, writeFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import process from 'node:process'
// Bound when this module loads: a simulation has traps in their place
import { setTimeout } from 'node:timers'
import { workersUnrestricted } from '../runtime/platform/worker-deno.ts'
import type { SudoOptions } from './client/sudo.ts'
import { exitCodes } from './errors.ts'
import { askPerson, isRunning, localTime, readInput, timeOf } from './person.ts'

/** The process as the command line sees it: arguments, streams, signals and the few files a person names. */
export interface Terminal {
  readonly args: readonly string[]
  /** The name this program was called by: `zonewright`, `rks` or `rkl`. */
  readonly name: string
  /** What a person types here to call it: `npx zonewright` in a checkout. */
  readonly invocation: string
  /** The same for another program: absolute paths, with what the runtime needs before them. */
  readonly program: readonly string[]
  /** Of `sudo COMMAND`: what signs for its requests. */
  readonly sudo?: SudoOptions
  readonly colours: boolean
  /** Columns of the terminal, undefined when the output goes elsewhere. */
  readonly columns: number | undefined
  out(line: string): void
  error(line: string): void
  /** Settles at the first SIGINT, SIGTERM or SIGHUP; a second one ends the process at once. */
  interrupted(): Promise<string>
  read(path: string): Promise<string>
  /** Permission bits of a file that is there. */
  mode(path: string): Promise<number>
  /** All of stdin. */
  readInput(): Promise<string>
  /** Whether a person can be asked: stdin is a terminal. */
  readonly interactive: boolean
  /** One line that a person types; a secret is not shown. @throws Interrupted at Ctrl-C and at the end of input */
  ask(question: string, options?: { readonly secret?: boolean }): Promise<string>
  /** Without an end of line: what comes from elsewhere byte for byte. */
  write(text: string): void
  /** Settles when stdout takes more: whoever writes without end waits for its reader. */
  drained(): Promise<void>
  /** Aborts when the reader of stdout has gone (`| head`). */
  readonly readerGone: AbortSignal
  /** Milliseconds since the epoch as the local time of day, with the date where that is not today's. */
  localTime(atMs: number): string
  /** Milliseconds since the epoch of a date as HTTP writes it; undefined when it is none. */
  timeOf(httpDate: string): number | undefined
  /** Whether a process of this number runs here. */
  isRunning(processId: number): boolean
  /** Milliseconds since an arbitrary start, during a simulation as well. */
  elapsedMs(): number
  absolute(path: string): string
  /** A file that is not there yet, for this user alone. @throws what the system says */
  newFile(path: string): NewFile
  temporaryFolder(): Promise<string>
  removeFolder(path: string): Promise<void>
  /** On Deno: workers cannot be restricted, and why. Known once a worker was started. */
  workersUnrestricted(): string | undefined
  /** Told of an error that nothing caught; the process ends with the exit code it returns. */
  onUncaught(tell: (error: unknown) => number): void
  /** Lets the process end by itself, with this exit code. */
  close(exitCode: number): void
}

/** Takes text as it comes, without waiting, so that nothing of it gathers in memory. */
export interface NewFile {
  /** Never throws: whoever tells of a simulation has nobody who would catch it. */
  write(text: string): void
  /** @throws what the system said to the first write that it refused */
  close(): void
}

const NAMES = ['zonewright', 'rks', 'rkl']
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** Under npm one Ctrl-C arrives twice: from the terminal and, passed on, from npm (run-script, signal-manager). */
const SAME_PRESS_MS = 500
/** Longest delay of a timer. Nothing else keeps this process alive: timers and workers of the runtime do not. */
const LONGEST_MS = 2_147_483_647
/** After its close the process ends by itself at once, unless something holds it. */
const LINGER_MS = 2_000
/** Characters that are written at once. */
const BLOCK = 65_536
const nowMs = performance.now.bind(performance)
const onDeno = process.versions['deno'] !== undefined
const DENO_ARGS = ['run', '-A', '--unstable-worker-options']

export function openTerminal(): Terminal {
  const { stdout, stderr, env } = process
  const alive = setInterval(() => {}, LONGEST_MS)
  for (const stream of [stdout, stderr]) stream.on('error', ignoreClosedPipe)
  const gone = new AbortController()
  stdout.on('error', () => gone.abort())
  const signals = listenForSignals()
  const called = basename(process.argv[1] ?? '')
  const name = NAMES.includes(called) ? called : 'zonewright'
  return {
    args: process.argv.slice(2),
    name,
    invocation: invocationOf(name, called),
    program: [process.execPath, ...(onDeno ? DENO_ARGS : []), resolve(process.argv[1] ?? '')],
    colours: stdout.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb',
    columns: stdout.isTTY === true ? stdout.columns || 80 : undefined,
    interactive: process.stdin.isTTY === true,
    readerGone: gone.signal,
    out: (line) => void stdout.write(`${line}\n`),
    error: (line) => void stderr.write(`${line}\n`),
    interrupted: signals.interrupted,
    read: (path) => readFile(path, 'utf8'),
    mode: async (path) => (await stat(path)).mode & 0o777,
    readInput,
    ask: askPerson,
    write: (text) => void stdout.write(text),
    drained: () => new Promise((settle) => {
      if (!stdout.writableNeedDrain || gone.signal.aborted) return settle()
      stdout.once('drain', settle)
      gone.signal.addEventListener('abort', () => settle(), { once: true })
    }),
    localTime,
    timeOf,
    isRunning,
    elapsedMs: nowMs,
    absolute: (path) => resolve(path),
    newFile,
    temporaryFolder: () => mkdtemp(join(tmpdir(), 'zonewright-')),
    removeFolder: (path) => rm(path, { recursive: true, force: true }),
    workersUnrestricted: () => (onDeno ? workersUnrestricted() : undefined),
    onUncaught(tell) {
      const end = (error: unknown): never => process.exit(tell(error))
      process.on('uncaughtException', end)
      process.on('unhandledRejection', end)
    },
    close(exitCode) {
      process.exitCode = exitCode
      signals.close()
      clearInterval(alive)
      // Deno cannot end a worker in an endless loop (denoland/deno#35657), and would wait for it for ever. What was
      // written is read first, however slowly
      stdout.write('', () => setTimeout(() => process.exit(exitCode), LINGER_MS).unref())
    },
  }
}

function newFile(path: string): NewFile {
  const file = openSync(path, 'wx', 0o600)
  let block = ''
  let refused: unknown
  const flush = (): void => {
    try {
      if (refused === undefined) writeFileSync(file, block)
    } catch (error) {
      refused = error
    }
    block = ''
  }
  return {
    write(text) {
      block += text
      if (block.length >= BLOCK) flush()
    },
    close() {
      flush()
      closeSync(file)
      if (refused !== undefined) throw refused
      refused = new Error('The file is closed')
    },
  }
}

/** A reader that went away (`| head`) is no reason to leave a zone in the middle. */
function ignoreClosedPipe(error: Error & { code?: string }): void {
  if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
}

function invocationOf(name: string, called: string): string {
  if (onDeno) return `deno task ${name}`
  const onPath = called === name && !process.env['npm_command']
  return onPath ? name : `npx ${name}`
}

function listenForSignals() {
  let listening: Promise<string> | undefined
  let remove = (): void => {}
  return {
    interrupted(): Promise<string> {
      listening ??= new Promise((settle) => {
        let firstMs: number | undefined
        const listener = (signal: string): void => {
          const atMs = nowMs()
          if (firstMs !== undefined && atMs - firstMs >= SAME_PRESS_MS) process.exit(exitCodes['Interrupted'])
          firstMs ??= atMs
          settle(signal)
        }
        for (const signal of SIGNALS) process.on(signal, listener)
        remove = () => SIGNALS.forEach((signal) => process.off(signal, listener))
      })
      return listening
    },
    close: () => remove(),
  }
}
