/** A few hundred seeds of faults, others with each commit: no invariant breaks, no fault misses a step of the boot. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { coverageTable } from '../boot/sim/coverage.ts'
import { focusCount } from '../boot/sim/focus.ts'
import { commitNumber } from './commit.ts'
import { closeGaps, noReport, runSeed } from './soak/storm-seeds.ts'

const SEEDS = 72
const FIRST = (commitNumber() % 1_000_000) * focusCount
const LAST = FIRST + SEEDS - 1
const GIVEN = { nodes: 4, hours: 0.006, faults: 'storm', keys: 'cheap' } as const
/** Of so many seeds one also runs with real keys. */
const REAL_EVERY = 36

const report = noReport()

test(`seeds ${FIRST} to ${LAST} under a storm: an OOD and four nodes, every invariant at every step`, async () => {
  for (let seed = FIRST; seed <= LAST; seed++) await runSeed(report, seed, GIVEN)
  assert.equal(report.failures, [])
  assert.is(report.totals.runs, SEEDS)
})

test('every fault struck at every step of the boot, and every fault point was hit', async () => {
  const missing = await closeGaps(report, LAST, GIVEN)
  for (const line of coverageTable(report.totals.cells)) console.log(line)
  assert.equal(missing, [])
  assert.equal(report.failures, [])
})

test(`one seed in ${REAL_EVERY} of them with real keys`, async () => {
  const real = noReport()
  for (let seed = FIRST; seed <= LAST; seed += REAL_EVERY) await runSeed(real, seed, { ...GIVEN, keys: 'real' })
  assert.equal(real.failures, [])
  assert.is(real.totals.runs, Math.ceil(SEEDS / REAL_EVERY))
})

test.run()
