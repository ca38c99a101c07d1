import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LimitExceeded } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { describe, divergence, type Lines } from '../../runtime/sim/divergence.ts'
import { SimulationFailed, type World } from '../../runtime/sim/simulate.ts'
import { pause, simulateWith, thrownBy } from './sim-fixture.ts'

/** More than one block of them, and part of another. */
const MANY = 10_000
const count = (lines: number): string[] => Array.from({ length: lines }, (_, index) => `line ${index + 1}`)
const changed = (lines: readonly string[], at: number, line: string): readonly string[] =>
  lines.map((each, index) => (index === at - 1 ? line : each))

test('runs with the same lines do not part, whatever is in the lines', async () => {
  const odd = ['', 'two\nin one', '\ud800', '"quoted" \\ é 語', ...count(5_000)]
  for (const lines of [[], ['one'], count(4_096), count(MANY), odd]) {
    assert.is(await divergence(lines, [...lines]), undefined)
  }
})

test('the first line that differs is found wherever it is, with both lines and those before', async () => {
  const first = count(MANY)
  for (const line of [1, 2, 11, 4_096, 4_097, 8_192, 8_193, MANY]) {
    const second = changed(changed(first, line, 'another'), Math.min(MANY, line + 7), 'another')
    const found = await divergence(first, second)
    assert.equal(found, {
      line, first: `line ${line}`, second: 'another', before: first.slice(Math.max(0, line - 11), line - 1),
    })
  }
})

test('a line too many or too few, and a run that ends sooner, are found', async () => {
  const lines = count(MANY)
  const without = [...lines.slice(0, 4_999), ...lines.slice(5_000)]
  const at = async (first: Lines, second: Lines): Promise<unknown> => {
    const found = await divergence(first, second)
    return found && [found.line, found.first, found.second]
  }
  assert.equal(await at(lines, without), [5_000, 'line 5000', 'line 5001'])
  assert.equal(await at(without, lines), [5_000, 'line 5001', 'line 5000'])
  assert.equal(await at(lines, count(MANY - 1)), [MANY, `line ${MANY}`, undefined])
  assert.equal(await at(count(4_096), lines), [4_097, undefined, 'line 4097'])
  assert.equal(await at([], ['one']), [1, undefined, 'one'])
})

const chatter = (lines: number, odd: (index: number) => string) => async (world: World): Promise<void> => {
  for (let index = 1; index <= lines; index++) {
    world.note(`said ${odd(index)}`)
    await pause(world, 1)
  }
}
const simulated = (program: (world: World) => Promise<void>) => (onLine: (line: string) => void) =>
  simulateWith(program, { onLine })

test('a simulation is compared as it runs, with another run of it or with the file of an earlier one', async () => {
  const lines: string[] = []
  const program = chatter(1_500, String)
  await simulated(program)((line) => void lines.push(line))
  assert.ok(lines.length >= 3_000, `too few lines: ${lines.length}`)
  assert.is(await divergence(simulated(program), simulated(program)), undefined)
  const folder = mkdtempSync(join(tmpdir(), 'divergence-'))
  try {
    const file = join(folder, 'trace')
    writeFileSync(file, lines.join('\n'))
    const recorded = readFileSync(file, 'utf8').split('\n')
    assert.is(await divergence(recorded, simulated(program)), undefined)
    const changedProgram = chatter(1_500, (index) => (index === 700 ? 'else' : `${index}`))
    const other = await divergence(recorded, simulated(changedProgram))
    assert.match(other?.first ?? '', /note said 700$/)
    assert.match(other?.second ?? '', /note said else$/)
    assert.is(recorded[other!.line - 1], other?.first)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a planted fault that no seed repeats is told with the lines of both runs', async () => {
  let planted = 0
  const program = chatter(100, (index) => (index === 50 ? `planted ${++planted}` : `${index}`))
  const found = await divergence(simulated(program), simulated(program))
  assert.ok(found)
  const text = describe(found).split('\n')
  assert.is(text[0], `The runs part at line ${found.line}`)
  assert.is(text.length, 13)
  assert.match(text.at(-3) ?? '', /^ {2}\d+ timer /)
  assert.match(text.at(-2) ?? '', /^- \d+ note said planted 1$/)
  assert.match(text.at(-1) ?? '', /^\+ \d+ note said planted 2$/)
  assert.match(describe({ line: 1, first: 'one', second: undefined, before: [] }), /\n\+ \(it has ended\)$/)
})

test('a run that fails has lines too; a failure that comes each time is the outcome', async () => {
  const fails = (after: number) => async (world: World): Promise<void> => {
    await chatter(after, String)(world)
    throw new Error('Planted')
  }
  const found = await divergence(simulated(chatter(60, String)), simulated(fails(50)))
  assert.match(found?.first ?? '', /note said 51$/)
  assert.is(found?.second, undefined)
  const failed = await thrownBy(divergence(simulated(fails(50)), simulated(fails(50))))
  assert.instance(failed, SimulationFailed)
  assert.match(failed?.message ?? '', /Planted/)
})

test('as many lines as the limit are recorded, and a run with more is the same that far or fails', async () => {
  const lines = (length: number, last: string): Lines => async (onLine) => {
    for (let line = 1; line < length; line++) onLine('same')
    onLine(last)
  }
  const most = limits.recordedLines
  assert.equal((await divergence(lines(most, 'one'), lines(most, 'another')))?.line, most)
  assert.instance(await thrownBy(divergence(lines(most + 1, 'one'), lines(most + 1, 'another'))), LimitExceeded)
})

test.run()
