/** The parts of the simulator's report, without a run where none is needed. */
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { simCommand, givenOf, type SimOptions } from '../boot/commands/sim.ts'
import { progress } from '../boot/commands/sim-progress.ts'
import { bootSteps } from '../boot/sim/cluster.ts'
import { addRun, coverageTable, gapLines, gaps, noTotals } from '../boot/sim/coverage.ts'
import { faultKinds, faultRow, faultRows } from '../boot/sim/faults.ts'
import { commandOf, drawOptions, faultLevels } from '../boot/sim/options.ts'
import { allInvariants, promiseOf, traceDiagram } from '../boot/sim/report.ts'
import type { RunReport } from '../boot/sim/run.ts'
import { scenarios } from '../boot/sim/scenarios.ts'
import { shrink } from '../boot/sim/shrink.ts'
import { emptyCoverage, pointsOfZone } from '../boot/sim/strikes.ts'
import type { Terminal } from '../boot/terminal.ts'
import { limits } from '../runtime/limits.ts'
import { crashPoints, faultPoints } from '../runtime/fault-points.ts'

const test = suite('report of a simulation')

const fault = (index: number) => ({
  index, kind: 'net-loss', when: { ms: 1 }, host: 'ood1', other: 'ood1', amount: 0, lengthMs: 1,
} as const)

/** A run of a plan in which these faults come to strike. */
function runOf(only: readonly number[], invariant: string | undefined, struck = only): RunReport {
  const options = { ...drawOptions({ seed: 1, faults: 'storm' }), only }
  return {
    options, plan: only.map(fault), struck: struck.map((index) => ({ fault: fault(index), atMs: 1, step: 1 })),
    coverage: emptyCoverage(), points: noTotals().points, wires: noTotals().wires, work: undefined, boots: 1, steps: [],
    hash: '', events: 1, virtualMs: 1,
    failure: invariant === undefined ? undefined
      : { invariant, detail: only.join(), virtualMs: 1, lastLines: [], stack: '' },
  }
}

const twenty = Array.from({ length: 20 }, (_, index) => index)

test('the shortest schedule of faults is found, be it of none, of one or of several', async () => {
  for (const needed of [[], [7], [0, 19], [3, 11, 12], twenty]) {
    const breaks = (only: readonly number[]) => needed.every((index) => only.includes(index))
    const run = async (only: readonly number[]) => runOf(only, breaks(only) ? 'matrix' : undefined)
    const { only, isMinimal, runs, report } = await shrink(runOf(twenty, 'matrix'), run)
    // All of twenty take more runs than there may be
    assert.equal(only, needed)
    assert.is(isMinimal, needed.length < twenty.length || runs < limits.shrinkRuns)
    assert.is(report.failure?.detail, needed.join())
  }
})

test('a run with fewer faults that breaks something else does not count', async () => {
  const run = async (only: readonly number[]) => runOf(only, only.includes(4) ? 'matrix' : 'liveness')
  assert.equal((await shrink(runOf(twenty, 'matrix'), run)).only, [4])
})

test('faults that did not come to strike are left out first', async () => {
  const tried: number[] = []
  const run = async (only: readonly number[]) => {
    tried.push(only.length)
    return runOf(only, only.includes(2) && only.includes(5) ? 'matrix' : undefined)
  }
  const { only } = await shrink(runOf(twenty, 'matrix', [5, 2, 9]), run)
  assert.equal([only, tried.slice(0, 2)], [[2, 5], [0, 3]])
})

test('the search ends at its limit of runs, or when a person has had enough, with the shortest so far', async () => {
  const many = Array.from({ length: 200 }, (_, index) => index)
  const needed = many.filter((index) => index % 2 === 1)
  const odd = (only: readonly number[]) => needed.every((index) => only.includes(index))
  let runs = 0
  const run = async (only: readonly number[]) => {
    runs++
    return runOf(only, odd(only) ? 'matrix' : undefined)
  }
  const cut = await shrink(runOf(many, 'matrix'), run)
  assert.equal([cut.runs, runs, cut.isMinimal], [limits.shrinkRuns, limits.shrinkRuns, false])
  assert.ok(cut.only.length < 200 || odd(cut.only))
  const tries: number[] = []
  const over = await shrink(runOf(many, 'matrix'), run, {
    isOver: () => tries.length === 3, onTry: ({ run: number }) => void tries.push(number),
  })
  assert.equal([over.runs, tries, over.isMinimal], [3, [1, 2, 3], false])
})

test('coverage adds up runs, and says what never happened but for what cannot', () => {
  const totals = noTotals()
  const run = runOf([1], undefined)
  run.coverage['net-loss'][3] = 2
  run.points['link/closes'] = 4
  addRun(totals, run)
  addRun(totals, run)
  assert.equal([totals.cells['net-loss'][3], totals.points['link/closes'], totals.runs, totals.events], [4, 8, 2, 2])
  const missing = gaps(totals)
  // Steps 2 to 4 belong to a first boot, and no node runs in one
  const ofNodes = faultKinds.filter((kind) => faultRow(kind).nodes).length
  assert.is(missing.length, faultKinds.length * bootSteps.length - 3 * ofNodes - 1 + pointsOfZone.length - 1)
  assert.not(missing.includes('net-loss at step 3'))
  assert.not(missing.includes('point link/closes'))
  assert.ok(missing.includes('net-loss at step 2') && missing.includes('point store/overrun'))
  const [head = '', ...rows] = coverageTable(totals.cells)
  assert.equal(rows.map((row) => row.split(' ')[0]), faultKinds)
  assert.is(rows[faultKinds.indexOf('net-loss')]?.slice(0, head.indexOf(' 3 ') + 2).endsWith(' 4'), true)
  assert.match(gapLines(totals).join('\n'), /^never struck: net-loss at step 0\.\.2, 4\.\.15$/m)

  for (const kind of faultKinds) for (const step of bootSteps) totals.cells[kind][step]!++
  for (const name of pointsOfZone) totals.points[name]++
  assert.equal([gaps(totals), gapLines(totals)], [[], []])
})

test('the command that is printed says every option, and is read back as the same run', async () => {
  for (let seed = 0; seed < 200; seed++) {
    const drawn = drawOptions({ seed })
    const only = drawn.faults === 'none' ? undefined : seed % 3 === 0 ? [] : [0, 4]
    const run = { ...drawn, only }
    const words = commandOf('x', run, { name: seed % 2 === 0 ? 'canary' : 'zone' }).split(' ').slice(2)
    let read: SimOptions | undefined
    const command = simCommand(openNothing).action((options: SimOptions) => void (read = options))
    await command.parseAsync(words, { from: 'user' })
    assert.equal(drawOptions(givenOf(read!)), run)
    assert.is(read!.scenario, seed % 2 === 0 ? 'canary' : 'zone')
  }
})

/** Nothing is asked of it. */
const openNothing = { invocation: 'x' } as Terminal

test('the last lines of a trace are a diagram of who sent what to whom, and of what went wrong', () => {
  const lines = [
    '1000 frame ood1/2/gateway#21.a > ood1/2/system-config#21.b 5f176e396aaa1eff',
    '1500 note fault 3 disk-full ood1', '1600 timer - > desk/1 -',
    '2000 commit /zone/stores/vault > ood1/2/vault 99fe595d127c88d4',
    '2500 http-200 http POST /kapi/verify-hub > desk/1 2526b6b72e274040', '2600 point link/closes ood1/2/<end>;#',
  ]
  assert.is(traceDiagram('matrix, seed 7', lines), [
    'sequenceDiagram', '  title matrix, seed 7',
    '  participant p_ood1_gateway as ood1/gateway', '  participant p_ood1_system_config as ood1/system-config',
    '  participant p_desk as desk', '  participant p_ood1_disk as ood1 disk',
    '  participant p_ood1_vault as ood1/vault', '  participant p_http as http',
    '  p_ood1_gateway->>p_ood1_system_config: 0.001 s frame 5f176e39',
    '  Note over p_ood1_gateway,p_http: 0.002 s fault 3 disk-full ood1',
    '  p_desk->>p_desk: 0.002 s timer', '  p_ood1_disk->>p_ood1_vault: 0.002 s commit /zone/stores/vault 99fe595d',
    '  p_http->>p_desk: 0.003 s http-200 POST /kapi/verify-hub 2526b6b7',
    '  Note over p_ood1_gateway,p_http: 0.003 s point link/closes ood1/2/#60;end#62;#59;#35;',
  ].join('\n'))
  const many = Array.from({ length: 100 }, (_, at) => `${at} frame a/1/x > a/1/y 00`)
  assert.is([...traceDiagram('t', many).matchAll(/->>/g)].length, 20)
  assert.match(traceDiagram('t', []), /participant p_zone as zone$/)
})

test('an error that nobody expected goes by its name, and says what was promised', () => {
  assert.equal(promiseOf('TypeError'), { ...promiseOf('error'), name: 'TypeError' })
  assert.is(new Set(allInvariants.map(({ name }) => name)).size, allInvariants.length)
})

test('progress is told on a terminal as often as the limit says, and nowhere else', () => {
  for (const [columns, json, expected] of [[80, undefined, 3], [undefined, undefined, 0], [80, true, 0]] as const) {
    let ms = 0
    const said: string[] = []
    const terminal = {
      ...openTerminalParts, columns, elapsedMs: () => ms, error: (line: string) => void said.push(line),
    } as unknown as Terminal
    const tick = progress(terminal, json ? { json } : {}, (seconds) => `${seconds} s`)
    const ticks = (): void => Array.from({ length: 256 }).forEach(() => tick())
    for (let round = 0; round < 3; round++) {
      ms += limits.simulationProgressMs - 1
      ticks()
      ms += 1
      ticks()
    }
    assert.is(said.length, expected)
  }
})

const openTerminalParts: Pick<Terminal, 'interrupted'> = { interrupted: () => new Promise(() => {}) }

test('SIMULATION.md names every invariant, fault, point, level and scenario as the code has it', () => {
  const text = readFileSync('SIMULATION.md', 'utf8')
  const rows = (section: string): readonly (readonly string[])[] => {
    const body = text.split(`\n### ${section}\n`)[1]?.split(/\n##/)[0] ?? ''
    return body.split('\n').filter((line) => /^\| `/.test(line))
      .map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim().replace(/^`(.*)`$/, '$1')))
  }
  assert.equal(rows('Invariants'), allInvariants.map(({ name, source, what }) => [name, what, source]))
  assert.equal(rows('Faults'), Object.entries(faultRows).map(([kind, { what }]) => [kind, what]))
  assert.equal(rows('Fault points'), Object.entries({ ...faultPoints, ...crashPoints }))
  assert.equal(rows('Scenarios'), scenarios.map(({ name, what }) => [name, what]))
  for (const level of faultLevels) assert.ok(text.includes(`\`--faults ${level}\``), level)
})

test.run()
