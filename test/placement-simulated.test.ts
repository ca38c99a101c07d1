/** Services of a zone of five hosts that are cut off, crash and are drained: each runs where it is placed, and once. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { drawOptions } from '../boot/sim/options.ts'
import { runPlacement } from '../boot/sim/placement.ts'
import { scenarioNamed } from '../boot/sim/scenarios.ts'
import { commitNumber } from './commit.ts'

const SEEDS = 12
const FIRST = (commitNumber() % 1_000_000) * SEEDS

test(`seeds ${FIRST} to ${FIRST + SEEDS - 1}: what is placed runs, and once, whatever hosts meet`, async () => {
  let moves = 0
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const report = await runPlacement(drawOptions({ seed, keys: 'cheap' }), {})
    assert.is(report.failure, undefined, `seed ${seed}: ${report.failure?.invariant}: ${report.failure?.detail}`)
    moves += report.moves
  }
  assert.ok(moves > 2 * SEEDS, `${moves} services were moved: it tried little`)
})

test('the same seed gives the same run', async () => {
  const options = drawOptions({ seed: FIRST, keys: 'cheap' })
  const [first, second] = [await runPlacement(options, {}), await runPlacement(options, {})]
  assert.ok(first.hash)
  assert.is(second.hash, first.hash)
})

for (const [name, invariant] of [['canary-fence', 'placed-once'], ['canary-crowd', 'placed-fits']] as const) {
  test(`${name}: the planted defect is seen, as ${invariant}`, async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const { failure } = await scenarioNamed(name).run(drawOptions({ seed, keys: 'cheap' }), {})
      assert.is(failure?.invariant, invariant, `seed ${seed}`)
    }
  })
}

test.run()
