/** What a person sees of a simulation: its options, its figures, its failures, and the one command that repeats it. */
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { drawOptions } from '../boot/sim/options.ts'
import { planFaults } from '../boot/sim/plan.ts'
import { scenarioNamed } from '../boot/sim/scenarios.ts'
import { limits } from '../runtime/limits.ts'
import { type Ended, newFolder, objectOf, removeFolders, start, zonewright } from './boot-fixtures/command-line.ts'

const test = suite('sim')
const cwd = newFolder()
test.after(removeFolders)

const begin = (words: readonly string[]) => start([...zonewright, 'sim', ...words], { cwd })
const sim = (...words: readonly string[]): Promise<Ended> => begin(words).ended

/** A minute of virtual time at most, without nodes: what the command does with it is looked at, not the zone. */
const SHORT = ['--nodes', '0', '--hours', '0.006', '--keys', 'cheap', '--store', 'embedded']
/** A storm with one jump of a clock among its faults, which is enough for `canary-clock` to lose a write. */
async function findStorm() {
  const canary = scenarioNamed('canary-clock')
  for (let seed = 0; seed < 1_000; seed++) {
    const options = drawOptions({ seed, nodes: 0, hours: 0.006, keys: 'cheap', store: 'embedded', faults: 'storm' })
    const plan = planFaults(options)
    const jumps = plan.filter(({ kind }) => kind === 'clock-forward')
    if (jumps.length !== 1 || !('ms' in jumps[0]!.when) || jumps[0]!.when.ms > 8_000) continue
    const { failure } = await canary.run(options, {})
    if (!failure) continue
    const words = ['--seed', String(seed), '--faults', 'storm', ...SHORT]
    return { seed, words, planned: plan.length, jump: jumps[0]!.index }
  }
  throw new Error('No seed has such a storm')
}
// Before any test: who runs the tests would step into the traps of a simulation
const storm = await findStorm()

interface Told {
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
  readonly drawn: readonly string[]
  readonly planned: number
  readonly again: string
  readonly struck: readonly { readonly index: number; readonly kind: string }[]
  readonly failure?: {
    readonly invariant: string; readonly source: string; readonly what: string; readonly detail: string
    readonly virtualMs: number; readonly again: string; readonly lastLines: readonly string[]
    readonly struck: readonly { readonly index: number; readonly kind: string }[]
    readonly shrunk?: { readonly only: readonly number[]; readonly isMinimal: boolean; readonly runs: number }
  }
  readonly error?: { readonly code: string; readonly message: string }
}

const told = (ended: Ended): Told => objectOf(ended) as unknown as Told

/** The words of a printed command behind `sim`. */
const wordsOf = (command: string): readonly string[] => command.replace(/^.* sim /, '').split(' ')

/** The commands in an output; there must be exactly one. */
function againOf(stdout: string): readonly string[] {
  const found = [...stdout.matchAll(/ sim --seed .+$/gm)]
  assert.is(found.length, 1, stdout)
  return wordsOf(found[0]![0])
}

test('says first what was drawn, then what happened, and the command that it prints makes the same run', async () => {
  const { exitCode, stdout, stderr } = await sim('--seed', '5', '--hours', '0.004')
  assert.equal([exitCode, stderr], [0, ''], stderr)
  const lines = stdout.split('\n')
  assert.equal(lines.slice(0, 9).map((line) => line.trim().split(/ +/)[0]), [
    'seed', 'scenario', 'oods', 'nodes', 'hours', 'faults', 'keys', 'store', 'planned',
  ])
  for (const name of ['nodes', 'faults', 'keys', 'store']) {
    assert.match(stdout, new RegExp(`^  ${name} +\\S+ \\(drawn\\)$`, 'm'))
  }
  assert.match(stdout, /^ {2}hours +0\.004$/m)
  const [, hash = ''] = /^ {2}hash +([0-9a-f]{64})$/m.exec(stdout) ?? []
  const again = told(await sim(...againOf(stdout), '--json'))
  assert.equal([again.hash, again.drawn], [hash, ['oods']])
  assert.match(stdout, new RegExp(`events +${again.events}, \\d+/s`))
})

test('a canary is seen: exit code, promise, last events, and no fault that is not needed', async () => {
  const { exitCode, stdout, stderr } = await sim('--scenario', 'canary', ...storm.words)
  assert.is(exitCode, 32, stderr)
  assert.match(stderr, /^error: The run broke acknowledged-write: users\/owner\/sim\/\S+ holds 0; .*\n {2}next: /)
  assert.match(stdout, /broken {2}acknowledged-write\n {2}promised +a write that was acknowledged is there/)
  assert.match(stdout, /where +design §8, durable\n {2}detail +users\/owner\/sim\/\S+ holds 0/)
  assert.match(stdout, /when +\d+\.\d{3} s of virtual time, event \d+, boot \d+/)
  const shrunk = `Shrunk from ${storm.planned} planned faults to 0 in 1 runs; none can be left out\n`
  assert.ok(stdout.includes(`${shrunk}No planned fault struck\n`), stdout)
  const drawing = /^sequenceDiagram\n((?: {2}\S.*\n)+)/m.exec(stdout)?.[1] ?? ''
  assert.ok([...drawing.matchAll(/->>/g)].length >= 5, stdout)
  assert.match(drawing, /participant p_ood1_gateway as ood1\/gateway/)

  const again = await sim(...againOf(stdout), '--json')
  assert.is(again.exitCode, 32)
  const { failure } = told(again)
  assert.ok(stdout.includes(`detail    ${failure?.detail}\n`), failure?.detail)
  assert.ok(stdout.includes(`when      ${((failure?.virtualMs ?? 0) / 1_000).toFixed(3)} s of`), stdout)
})

test('a breakage that one of many faults causes is shrunk to it, and the command fails in the same way', async () => {
  const { words, planned, jump } = storm
  const ended = await sim('--scenario', 'canary-clock', ...words, '--json')
  assert.is(ended.exitCode, 32, ended.stderr)
  const first = told(ended)
  const { failure } = first
  assert.is(first.planned, planned)
  assert.ok(first.struck.length > 1)
  assert.equal(failure?.struck.map(({ index, kind }) => [index, kind]), [[jump, 'clock-forward']])
  assert.equal(failure?.shrunk?.only, [jump])
  assert.is(failure?.shrunk?.isMinimal, true)
  assert.equal([first.error?.code, first.again], ['SimulationBroken', failure?.again])
  assert.match(first.again, / --scenario canary-clock --only \d+$/)

  const again = told(await sim(...wordsOf(first.again), '--json')).failure
  assert.equal(
    [again?.invariant, again?.detail, again?.virtualMs, again?.lastLines],
    [failure?.invariant, failure?.detail, failure?.virtualMs, failure?.lastLines],
  )
  const whole = told(await sim('--scenario', 'canary-clock', ...words, '--json', '--no-shrink'))
  assert.is(whole.failure?.shrunk, undefined)
  assert.equal(whole.failure?.struck, first.struck)
  assert.equal([whole.failure?.virtualMs, whole.events], [first.virtualMs, first.events])
})

test('a fault that is left out of the plan takes its breakage with it', async () => {
  const { words, planned } = storm
  const { exitCode, stdout, stderr } = await sim('--scenario', 'canary-clock', ...words, '--only', 'none')
  assert.is(exitCode, 0, stderr)
  assert.match(stdout, new RegExp(`planned +${planned} faults, of which these may strike: none\n`))
  assert.match(stdout, /No planned fault struck/)
})

test('a run is verified by a second one, and its trace is the file that its hash is of', async () => {
  const words = [...storm.words, '--verify', '--trace', 'trace.txt']
  const { exitCode, stdout, stderr } = await sim(...words)
  assert.is(exitCode, 0, stderr)
  assert.match(stdout, /verified +a second run is the same, line by line/)
  const [, hash = ''] = /hash +([0-9a-f]{64})/.exec(stdout) ?? []
  const path = join(cwd, 'trace.txt')
  assert.is(createHash('sha256').update(readFileSync(path)).digest('hex'), hash)
  assert.is(statSync(path).mode & 0o777, 0o600)

  const refused = await sim(...words)
  assert.is(refused.exitCode, 21)
  assert.match(refused.stderr, /^error: The file is there already: \S+trace\.txt\n {2}next: +Give --trace another path/)
  assert.is(refused.stdout, '')
})

test('the documented steps of the first boot are a diagram', async () => {
  const { exitCode, stdout, stderr } = await sim('--seed', '1', '--faults', 'none', '--diagram', ...SHORT)
  assert.is(exitCode, 0, stderr)
  const drawing = /^sequenceDiagram\n {2}title A zone boots, seed 1\n[^]*$/m.exec(stdout)?.[0] ?? ''
  const numbers = new Set([...drawing.matchAll(/->>\S+: (\d+)\. /g)].map(([, number]) => Number(number)))
  assert.equal([...numbers].sort((a, b) => a - b), Array.from({ length: 15 }, (_, at) => at + 1), stdout)
})

test('many seeds: a line each, a table of faults by boot step, and what never happened', async () => {
  const words = ['--seeds', '3..5', '--faults', 'storm', ...SHORT]
  const { exitCode, stdout, stderr } = await sim(...words)
  assert.is(exitCode, 0, stderr)
  assert.equal([...stdout.matchAll(/^seed (\d+) +nodes 0 .* [0-9a-f]{16}$/gm)].map(([, seed]) => seed), ['3', '4', '5'])
  const steps = Array.from({ length: 16 }, (_, step) => step).join(' +')
  assert.match(stdout, new RegExp(`^fault \\\\ step +${steps}$`, 'm'))
  assert.match(stdout, /^crash-node +0 +0 +- +- +- +0/m)
  assert.match(stdout, /^never struck: .*crash-node/m)
  assert.match(stdout, /^points never hit: /m)
  assert.match(stdout, /runs +3, 0 failed\n$/)

  const data = objectOf(await sim(...words, '--json')) as {
    runs: readonly { seed: number; struck: number }[]; gaps: readonly string[]; events: number; failed: number
    coverage: Readonly<Record<string, Readonly<Record<string, number>>>>
  }
  const cells = Object.values(data.coverage).flatMap((row) => Object.values(row))
  assert.is(cells.reduce((sum, count) => sum + count, 0), data.runs.reduce((sum, { struck }) => sum + struck, 0))
  assert.equal([data.runs.map(({ seed }) => seed), data.failed], [[3, 4, 5], 0])
  assert.ok(data.gaps.includes('crash-node at step 7') && !data.gaps.includes('crash-node at step 3'))
  assert.ok(stdout.includes(`events      ${data.events}, `), stdout)
})

test('of many seeds each that fails is named with its command, and the exit code says it', async () => {
  const words = ['--seeds', '1..2', '--scenario', 'canary', '--faults', 'none']
  const { exitCode, stdout, stderr } = await sim(...words, ...SHORT)
  assert.is(exitCode, 32)
  assert.match(stderr, /^error: 2 of 2 runs broke an invariant\n/)
  assert.is([...stdout.matchAll(/^ {2}broken {2}acknowledged-write: .*\n {2}again .* sim --seed [12] /gm)].length, 2)
})

test('as many seeds as the limit are begun, and Ctrl-C ends them with a summary; one more is refused', async () => {
  const begun = begin(['--seeds', `1..${limits.simulatedSeeds}`, '--faults', 'none', ...SHORT])
  await begun.printed(/^seed 1 /m)
  begun.signal('SIGINT')
  const { exitCode, stdout, stderr } = await begun.ended
  assert.is(exitCode, 130)
  const most = limits.simulatedSeeds
  assert.match(stderr, new RegExp(`^error: Interrupted after \\d+ of ${most} seeds; 0 of them failed\n`))
  assert.match(stdout, /runs +\d+, 0 failed\n$/)
  const refused = await sim('--seeds', `1..${most + 1}`)
  assert.is(refused.exitCode, 2)
  assert.match(refused.stderr, new RegExp(`at most ${most} seeds: ${most + 1}\n {2}next: `))
})

test('many seeds end when nobody reads on', async () => {
  const words = ['sim', '--seeds', `1..${limits.simulatedSeeds}`, '--faults', 'none', ...SHORT]
  const { stdout, stderr } = await start(['sh', '-c', '"$@" | head -1', 'sh', ...zonewright, ...words], { cwd }).ended
  assert.is(stdout.split('\n').length, 2)
  assert.match(stderr, /^error: Interrupted after \d+ of \d+ seeds/)
})

test('its help has examples', async () => {
  const { exitCode, stdout } = await sim('--help')
  assert.is(exitCode, 0)
  for (const option of ['--seeds', '--only', '--trace', '--verify', '--no-shrink', '--scenario']) {
    assert.ok(stdout.includes(option), option)
  }
  assert.match(stdout, /Examples:\n(?: {2}\S.* sim .*\n){5,}/)
})

test.run()
