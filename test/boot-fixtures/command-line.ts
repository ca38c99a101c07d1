/** The command line as a person or a script uses it: each command a process of its own, in an empty folder. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import * as assert from 'uvu/assert'

const onDeno = 'Deno' in globalThis
export const runtimeArgs: readonly string[] = onDeno ? ['run', '-A', '--unstable-worker-options'] : []
/** Program and first arguments that are `zonewright` on this runtime. */
export const zonewright: readonly string[] =
  [process.execPath, ...runtimeArgs, resolve(onDeno ? 'boot/cli.ts' : 'dist/boot/cli.js')]

const LINE_MS = 20_000
/** Then it is killed: a test that failed may leave one behind. */
const PROCESS_MS = 50_000
/** A zone serves for as long as its file may run, which `suites.ts` says. */
const ZONE_MS = 300_000

export interface Ended { readonly exitCode: number | null; readonly stdout: string; readonly stderr: string }

export interface Started {
  readonly ended: Promise<Ended>
  readonly pid: number
  signal(name: NodeJS.Signals): void
  /** The first match in what it has printed so far, or prints within that time. */
  printed(pattern: RegExp, msMax?: number): Promise<RegExpExecArray>
  type(text: string): void
}

export interface Place {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** What stdin holds; without it nothing, and with `open` what `type` writes. */
  readonly input?: string | 'open'
  /** Milliseconds that it may run. */
  readonly msMax?: number
}

export function start(command: readonly string[], { cwd, env = {}, input, msMax = PROCESS_MS }: Place): Started {
  const [program = '', ...args] = command
  const child = spawn(program, args, {
    cwd, env: { ...process.env, NO_COLOR: '1', XDG_STATE_HOME: join(cwd, 'state'), ...env }, stdio: 'pipe',
  })
  let stdout = ''
  let stderr = ''
  let look = (): void => {}
  child.stdin.on('error', () => {})
  if (input !== 'open') child.stdin.end(input ?? '')
  child.stdout.on('data', (data) => {
    stdout += data
    look()
  })
  child.stderr.on('data', (data) => { stderr += data })
  const late = setTimeout(() => child.kill('SIGKILL'), msMax)
  const ended = new Promise<Ended>((settle) => {
    child.on('close', (exitCode) => {
      clearTimeout(late)
      look()
      settle({ exitCode, stdout, stderr })
    })
  })
  return {
    ended,
    pid: child.pid ?? 0,
    // Not child.kill: Deno's sends one signal only
    signal(name) {
      const ended = child.exitCode ?? child.signalCode
      if (ended !== null) throw new Error(`It has ended: ${ended}\n${stdout}${stderr}`)
      process.kill(child.pid ?? 0, name)
    },
    type: (text) => void child.stdin.write(text),
    printed: (pattern, msMax = LINE_MS) => new Promise((settle, reject) => {
      const late = setTimeout(() => reject(new Error(`Not printed: ${pattern}\n${stdout}${stderr}`)), msMax)
      look = () => {
        const match = pattern.exec(stdout)
        if (!match) return
        clearTimeout(late)
        settle(match)
      }
      look()
    }),
  }
}

const folders: string[] = []

export function newFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'zonewright-test-'))
  folders.push(path)
  return path
}

export const removeFolders = (): void => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true })
}

/** A zone that serves, from `.zone` in a folder of its own, and commands to it. */
export interface LiveCommandLine {
  readonly cwd: string
  readonly up: Started
  readonly password: string
  readonly passwordFile: string
  /** Runs a command; `json` is its one line of stdout. */
  run(...args: readonly string[]): Promise<Ended>
  /** The one object that it prints; it must have ended well. */
  json(...args: readonly string[]): Promise<Record<string, unknown>>
  /** A command that must fail with this exit code. @returns what it says of the failure */
  fails(exitCode: number, ...args: readonly string[]): Promise<Failure>
  begin(args: readonly string[], input?: string | 'open'): Started
  stop(): Promise<Ended>
}

export interface Failure {
  readonly code: string
  readonly message: string
  readonly next?: string
  readonly reason?: string
  readonly denial?: string
  readonly stderr: string
}

/** Boots, and logs in as the owner unless told otherwise. */
export async function liveZone(
  { args = [], login = true, cwd = newFolder() }:
    { readonly args?: readonly string[]; readonly login?: boolean; readonly cwd?: string } = {},
): Promise<LiveCommandLine> {
  const begin = (words: readonly string[], input?: string): Started =>
    start([...zonewright, ...words], { cwd, ...(input === undefined ? {} : { input }) })
  const run = (...words: readonly string[]): Promise<Ended> => begin(words).ended
  const up = start([...zonewright, 'up', ...args], { cwd, msMax: ZONE_MS })
  await up.printed(/Ctrl-C stops it/)
  const [, password = ''] = await up.printed(/(?:with the password (\S+)|Ctrl-C stops it)/)
  const passwordFile = join(cwd, 'password')
  if (password !== '') writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 })
  const zone: LiveCommandLine = {
    cwd, up, password, passwordFile, run, begin,
    async json(...words) {
      const ended = await run(...words, '--json')
      assert.is(ended.exitCode, 0, `${words.join(' ')}: ${ended.stderr}`)
      return objectOf(ended)
    },
    async fails(exitCode, ...words) {
      const ended = await run(...words, '--json')
      assert.is(ended.exitCode, exitCode, `${words.join(' ')}: ${ended.stdout}${ended.stderr}`)
      return { ...(objectOf(ended)['error'] as Failure), stderr: ended.stderr }
    },
    async stop() {
      up.signal('SIGTERM')
      return await up.ended
    },
  }
  if (login) await zone.json('login', '--password-file', passwordFile)
  return zone
}

/** The one object on stdout. */
export function objectOf({ stdout }: Pick<Ended, 'stdout'>): Record<string, unknown> {
  assert.is(stdout.trim().split('\n').length, 1, stdout)
  return JSON.parse(stdout) as Record<string, unknown>
}

/** The owner signs what the command says, unasked. */
export const OWNER = ['--owner-key', '.zone/owner.key', '--yes'] as const
/** Bob's own login, beside the owner's. */
export const BOB = ['--session', 'bob.json'] as const

/** A zone whose owner has a sudo key. */
export async function liveZoneWithSudo(): Promise<LiveCommandLine> {
  const zone = await liveZone()
  await zone.json('users', 'key', 'owner', ...OWNER)
  return zone
}

/** The same with a user bob, whose password is in the file `first`. */
export async function liveZoneWithBob(): Promise<LiveCommandLine> {
  const zone = await liveZoneWithSudo()
  writeFileSync(join(zone.cwd, 'first'), 'a first password of his\n', { mode: 0o600 })
  await zone.json('sudo', 'users', 'add', 'bob', '--password-file', 'first')
  return zone
}
