/** Hosts that join over TLS, and several OODs over one store, in virtual time, with all that happens to them by seed. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { runHosts } from '../boot/sim/hosts.ts'
import { runOods } from '../boot/sim/oods.ts'
import { drawOptions } from '../boot/sim/options.ts'
import { scenarioNamed } from '../boot/sim/scenarios.ts'
import { commitNumber } from './commit.ts'
import { isChild, otherProcesses } from './other-runtimes.ts'

const SOURCE = 'test/hosts-simulated.test.ts'
const SEEDS = 4
const FIRST = (commitNumber() % 1_000_000) * SEEDS
/** Short, with both kinds of keys; of one whose token others have as well. */
const TRACED = 7
const of = (seed: number, keys: 'cheap' | 'real' = 'cheap') => drawOptions({ seed, keys })

const traced = async (): Promise<readonly string[]> => [
  (await runHosts(of(TRACED), {})).hash, (await runOods(drawOptions({ seed: TRACED, keys: 'cheap', oods: 2 }), {})).hash,
]

function defineTests(): void {
  test(`seeds ${FIRST} to ${FIRST + SEEDS - 1}: hosts join once, are back, and are out when they are revoked`, async () => {
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const { failure, hosts, redeemed, acknowledged } = await runHosts(of(seed), {})
      assert.is(failure, undefined, `seed ${seed}: ${failure?.invariant}: ${failure?.detail}`)
      assert.ok(redeemed >= hosts && acknowledged > 10 * hosts, `seed ${seed}: ${redeemed} ${acknowledged}`)
    }
  })

  test(`seeds ${FIRST} and ${FIRST + 1}: one OOD leads, and the zone goes on without it`, async () => {
    for (const seed of [FIRST, FIRST + 1]) {
      const { failure, terms, fenced, acknowledged } = await runOods(of(seed), {})
      assert.is(failure, undefined, `seed ${seed}: ${failure?.invariant}: ${failure?.detail}`)
      assert.ok(terms > 2 && fenced > 10 && acknowledged > 20, `seed ${seed}: ${terms} ${fenced} ${acknowledged}`)
    }
  })

  test('a token that others have as well: who comes first joins, is revoked, and the host joins by the next', async () => {
    const { failure, robbed, redeemed, hosts, joinStrikes } = await runHosts(of(4), {})
    assert.is(failure, undefined, failure?.detail)
    assert.ok(joinStrikes.includes('theft') && robbed > 0 && redeemed > hosts)
  })

  for (const [name, invariant, seed] of [
    ['canary-revoke', 'revoked-out', 4], ['canary-term', 'one-leader', 2], ['canary-fenced', 'no-fenced-write', 2],
  ] as const) {
    test(`${name}: the planted defect is seen, as ${invariant}`, async () => {
      const { failure } = await scenarioNamed(name).run(of(seed), {})
      assert.is(failure?.invariant, invariant, failure?.detail)
    })
  }

  for (const { name, output } of otherProcesses(SOURCE)) {
    test(`the same seed gives the same run in ${name}`, async () => {
      const here = await traced()
      assert.ok(here.every(Boolean))
      assert.equal(JSON.parse(output()), here)
    })
  }
  test.run()
}

if (isChild) console.log(JSON.stringify(await traced()))
else defineTests()
