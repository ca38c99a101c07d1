/** Hosts that join over TLS, and several OODs over one store, in virtual time, and what they meet by their seed. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { runHosts } from '../boot/sim/hosts.ts'
import { HostPromises } from '../boot/sim/hosts/promises.ts'
import { runOods } from '../boot/sim/oods.ts'
import { drawOptions } from '../boot/sim/options.ts'
import { scenarioNamed } from '../boot/sim/scenarios.ts'
import { commitNumber } from './commit.ts'
import { isChild, otherProcesses } from './other-runtimes.ts'

const SOURCE = 'test/hosts-simulated.test.ts'
const SEEDS = 2
const FIRST = (commitNumber() % 1_000_000) * SEEDS
const TRACED = 7
const of = (seed: number) => drawOptions({ seed, keys: 'cheap' })

const traced = async (): Promise<readonly string[]> => [
  (await runHosts(of(TRACED), {})).hash,
  (await runOods(drawOptions({ seed: TRACED, keys: 'cheap', oods: 2 }), {})).hash,
]

function defineTests(): void {
  test(`seeds ${FIRST} to ${FIRST + SEEDS - 1}: hosts join once, are back, and are out when revoked`, async () => {
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const { failure, hosts, redeemed, acknowledged } = await runHosts(of(seed), {})
      assert.is(failure, undefined, `seed ${seed}: ${failure?.invariant}: ${failure?.detail}`)
      assert.ok(redeemed >= hosts && acknowledged > 10 * hosts, `seed ${seed}: ${redeemed} ${acknowledged}`)
    }
  })

  test(`seed ${FIRST}: one OOD leads, and the zone goes on without it`, async () => {
    const { failure, terms, fenced, acknowledged } = await runOods(of(FIRST), {})
    assert.is(failure, undefined, `${failure?.invariant}: ${failure?.detail}`)
    assert.ok(terms > 2 && fenced > 10 && acknowledged > 20, `${terms} ${fenced} ${acknowledged}`)
  })

  test('of a token that others have as well who comes first joins, until the host has another', async () => {
    const { failure, robbed, redeemed, hosts, joinStrikes } = await runHosts(of(4), {})
    assert.is(failure, undefined, failure?.detail)
    assert.ok(joinStrikes.includes('theft') && robbed > 0 && redeemed > hosts)
  })

  test('two devices by one token, and a host that its own token refuses, break the promise of a token', () => {
    const broken: string[] = []
    const promises = new HostPromises((promise) => void broken.push(promise))
    promises.redeemed('t1', 'a')
    promises.redeemed('t1', 'a')
    promises.redeemed('t2', 'b')
    assert.equal(broken, [])
    promises.redeemed('t1', 'b')
    promises.refused('host1')
    assert.equal(broken, ['token-once', 'token-once'])
  })

  for (const [name, invariant, seed] of [
    ['canary-revoke', 'revoked-out', 4], ['canary-term', 'one-leader', 2], ['canary-fenced', 'no-fenced-write', 2],
  ] as const) {
    test(`${name}: the planted defect is seen, as ${invariant}`, async () => {
      const { failure } = await scenarioNamed(name).run(of(seed), {})
      assert.is(failure?.invariant, invariant, failure?.detail)
    })
  }

  let here: Promise<readonly string[]> | undefined
  for (const { name, output } of otherProcesses(SOURCE)) {
    test(`the same seed gives the same run in ${name}`, async () => {
      const hashes = await (here ??= traced())
      assert.ok(hashes.every(Boolean))
      assert.equal(JSON.parse(output()), hashes)
    })
  }
  test.run()
}

if (isChild) console.log(JSON.stringify(await traced()))
else defineTests()
