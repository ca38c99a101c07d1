/** The command line as a person or a script uses it: as a process of its own, in an empty folder. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bootSequence } from '../../boot/sequences.ts'
import { openTerminal } from '../../boot/terminal.ts'

const STUBBORN = 'stubborn'
const onDeno = 'Deno' in globalThis
const deno = ['run', '-A', '--unstable-worker-options']
const cli = onDeno ? [...deno, resolve('boot/cli.ts')] : [resolve('dist/boot/cli.js')]
const LINE_MS = 20_000
/** Then it is killed: a test that failed may leave one behind. */
const PROCESS_MS = 30_000

interface Ended { readonly exitCode: number | null; readonly stdout: string; readonly stderr: string }

function start(args: readonly string[], cwd: string) {
  const env = { ...process.env, NO_COLOR: '1' }
  const child = spawn(process.execPath, [...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  let look = (): void => {}
  child.stdout.on('data', (data) => {
    stdout += data
    look()
  })
  child.stderr.on('data', (data) => { stderr += data })
  const late = setTimeout(() => child.kill('SIGKILL'), PROCESS_MS)
  const ended = new Promise<Ended>((settle) => {
    child.on('close', (exitCode) => {
      clearTimeout(late)
      settle({ exitCode, stdout, stderr })
    })
  })
  return {
    ended,
    /** Not child.kill: Deno's sends one signal only. */
    signal: (name: NodeJS.Signals) => void process.kill(child.pid ?? 0, name),
    /** The first match in what it has printed so far or prints later. */
    printed: (pattern: RegExp) => new Promise<RegExpExecArray>((settle, reject) => {
      const late = setTimeout(() => reject(new Error(`Not printed: ${pattern}\n${stdout}${stderr}`)), LINE_MS)
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

const zonewright = (args: readonly string[], cwd = folder): ReturnType<typeof start> => start([...cli, ...args], cwd)
const run = (...args: readonly string[]): Promise<Ended> => zonewright(args).ended

let folder = ''
const made: string[] = []
const newFolder = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'zonewright-test-'))
  made.push(path)
  return path
}
test.before.each(() => { folder = newFolder() })
test.after(() => {
  for (const path of made) rmSync(path, { recursive: true, force: true })
})

/** The one object on stdout. */
const objectOf = ({ stdout }: Ended): Record<string, unknown> => {
  assert.is(stdout.trim().split('\n').length, 1, stdout)
  return JSON.parse(stdout) as Record<string, unknown>
}

interface Booted extends Record<string, unknown> {
  readonly bootMs: number
  readonly steps: readonly { number: number; from: string; to: string; atMs: number; evidence: object }[]
  readonly selfCheck: { passed: number; failed: number }
}

test('up --once --json boots an empty folder, checks it, stops, and prints one object without a secret', async () => {
  const first = await run('up', '--once', '--json')
  assert.is(first.exitCode, 0, first.stderr)
  const { ready, bootMs, steps, secondBoot, selfCheck } = objectOf(first) as Booted
  assert.is(ready, true)
  assert.is(secondBoot, false)
  assert.ok(bootMs > 0)
  const numbers = new Set(steps.map(({ number }) => number))
  assert.equal([...numbers].sort((a, b) => a - b), bootSequence.steps.map(({ number }) => number))
  assert.ok(steps.every((step, index) => step.atMs >= (steps[index - 1]?.atMs ?? 0)))
  assert.ok(steps.every(({ from, to, evidence }) => from !== '' && to !== '' && Object.keys(evidence).length > 0))
  assert.is(selfCheck.failed, 0)
  assert.ok(selfCheck.passed > 10)
  assert.not.match(first.stdout, /password|PRIVATE|eyJ/)
  assert.is(statSync(join(folder, '.zone/owner.key')).mode & 0o777, 0o600)
  assert.not.ok(existsSync(join(folder, '.zone/lock')))
})

test('a zone that serves is found in use, can be proved beside, and stops in reverse order', async () => {
  writeFileSync(join(folder, 'passphrase'), 'correct horse\n')
  const up = zonewright(['up', '--owner-passphrase-file', 'passphrase'])
  const [, address = ''] = await up.printed(/open +(http:\S+)/)
  const [, password = ''] = await up.printed(/log in +as owner with the password (\S+)/)
  assert.ok(password.length >= 16)
  await up.printed(/Ctrl-C stops it/)
  assert.match(readFileSync(join(folder, '.zone/owner.key'), 'utf8'), /BEGIN ENCRYPTED PRIVATE KEY/)
  assert.is((await fetch(new URL('/healthz', address))).status, 200)

  const second = await run('up', '--dir', '.zone')
  assert.is(second.exitCode, 5)
  assert.match(second.stderr, /^error: Another process uses this folder: process \d+ .*\n {2}next: /)

  const proved = await run('prove', '--json')
  assert.is(proved.exitCode, 0, proved.stderr)
  assert.match(proved.stderr, /^note: \.\/\.zone is in use: .* removed afterwards\n$/)
  assert.not.ok(existsSync(/in (\/\S+),/.exec(proved.stderr)?.[1] ?? tmpdir()))
  assert.is((objectOf(proved) as { failed: number }).failed, 0)

  up.signal('SIGINT')
  const { exitCode, stdout, stderr } = await up.ended
  assert.is(exitCode, 0, stderr)
  assert.is(stderr, '')
  const stopped = [...stdout.matchAll(/stopped +(\S+)/g)].map(([, name]) => name)
  // Each before what it needs; what is independent of each other stops at the same time
  const needs = [['gateway', 'verify-hub'], ['verify-hub', 'vault'], ['node-daemon', 'system-config']] as const
  for (const [name, need] of needs) {
    assert.ok(stopped.includes(need) && stopped.indexOf(name) < stopped.indexOf(need), stopped.join(' '))
  }

  // The owner key is not needed again, nor its passphrase
  const again = zonewright(['up'])
  await again.printed(/second boot: boot schedule skipped \(boot\/config at revision \d+\)/)
  await again.printed(/Ctrl-C stops it/)
  again.signal('SIGTERM')
  const ended = await again.ended
  assert.is(ended.exitCode, 0)
  assert.match(ended.stdout, /SIGTERM: stopping/)
  assert.not.match(ended.stdout, /Step 0/)
})

test('a pinned port that is taken is an error, and the folder boots with another', async () => {
  const up = zonewright(['up', '--dir', newFolder()])
  const [, port = ''] = await up.printed(/open +http:\/\/127\.0\.0\.1:(\d+)/)
  const refused = await run('up', '--port', port)
  assert.is(refused.exitCode, 12, refused.stderr)
  assert.match(refused.stderr, new RegExp(`^error: .*${port}.*\\n {2}next: +Give another --port.*\\n$`))
  up.signal('SIGTERM')
  await up.ended
  const free = zonewright(['up', '--port', port])
  await free.printed(new RegExp(`open +http://127\\.0\\.0\\.1:${port}/`))
  free.signal('SIGTERM')
  assert.is((await free.ended).exitCode, 0)
})

test('an invalid config file is one line with its place, and nothing is made', async () => {
  writeFileSync(join(folder, 'mine.yaml'), 'zone: a.b\nprot: 80\n')
  const { exitCode, stdout, stderr } = await run('up', '--config', 'mine.yaml', '--json')
  assert.is(exitCode, 3)
  const [first = '', second = '', ...rest] = stderr.trim().split('\n')
  assert.match(first, /^error: \S+mine\.yaml:2: unknown key: prot$/)
  assert.match(second, /^ {2}next: +\S/)
  assert.is(rest.length, 0)
  assert.equal(Object.keys(JSON.parse(stdout)), ['ready', 'error'])
  assert.equal(readdirSync(folder), ['mine.yaml'])
})

const usage: readonly (readonly [args: readonly string[], exitCode: number, stderr: RegExp])[] = [
  [['prov'], 2, /^error: Unknown command 'prov'\n {2}next: +Did you mean prove\? /],
  [['up', '--onc'], 2, /^error: Unknown option '--onc'\n {2}next: +Did you mean --once\? /],
  [['up', '--port', 'x'], 2, /^error: Option '--port <number>' argument 'x' is invalid\. .*\n {2}next: /],
  [['up', '--config', 'no.yaml'], 3, /^error: The config file cannot be read: \S+no\.yaml \(ENOENT\)\n {2}next: /],
  [['up', '--owner-passphrase-file', '/dev/null'], 2, /^error: The passphrase file is empty: \/dev\/null\n {2}next: /],
  [['up', '--dir', '/dev/null/zone'], 4, /^error: .*\/dev\/null\/zone.*\n {2}next: /],
]

test('what cannot be done is one line, a next step and its own exit code', async () => {
  for (const [args, exitCode, expected] of usage) {
    const ended = await run(...args)
    assert.is(ended.exitCode, exitCode, `${args.join(' ')}: ${ended.stderr}`)
    assert.match(ended.stderr, expected)
    assert.is(ended.stdout, '')
  }
  assert.equal(readdirSync(folder), [])
})

test('help shows examples, and the meaning of every exit code', async () => {
  const up = await run('up', '--help')
  assert.is(up.exitCode, 0)
  assert.match(up.stdout, /Examples:\n {2}\S.* up\n/)
  const codes = await run('help', 'exit-codes')
  assert.is(codes.exitCode, 0)
  assert.match(codes.stdout, / 13 {2}The self-check failed/)
})

test('sim prints the same object for the same seed, and another hash for another', async () => {
  const options = ['--hours', '0.002', '--nodes', '0', '--faults', 'some', '--json']
  const [first, again, other] = await Promise.all([
    run('sim', '--seed', '1', ...options), run('sim', '--seed', '1', ...options), run('sim', '--seed', '2', ...options),
  ])
  assert.is(first.exitCode, 0, first.stderr)
  assert.is(first.stdout, again.stdout)
  assert.equal(Object.keys(objectOf(first)).slice(0, 4), ['seed', 'hash', 'events', 'virtualMs'])
  assert.is.not(objectOf(first)['hash'], objectOf(other)['hash'])
})

test('a second Ctrl-C ends the process at once, but one that arrives twice counts once', async () => {
  const self = onDeno ? [...deno, fileURLToPath(import.meta.url)] : [process.argv[1] ?? '']
  const child = start([...self, STUBBORN], process.cwd())
  await child.printed(/listening/)
  child.signal('SIGINT')
  await child.printed(/SIGINT/)
  child.signal('SIGINT')
  const early = await Promise.race([child.ended, new Promise((settle) => setTimeout(settle, 600, 'alive'))])
  assert.is(early, 'alive')
  child.signal('SIGINT')
  assert.is((await child.ended).exitCode, 130)
})

/** The child of the test above: hears the first signal and goes on. */
async function beStubborn(): Promise<void> {
  const terminal = openTerminal()
  const interrupted = terminal.interrupted()
  terminal.out('listening')
  terminal.out(await interrupted)
}

if (process.argv[2] === STUBBORN) await beStubborn()
else test.run()
