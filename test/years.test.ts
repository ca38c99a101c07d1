/** Certificates, keys and audit of a zone through virtual months: what the whole years are made of, cheap to repeat. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { runYears, type YearsReport } from '../boot/sim/years.ts'
import { commitNumber } from './commit.ts'
import { isChild, otherProcesses } from './other-runtimes.ts'

const SOURCE = 'test/years.test.ts'
/** For a moment only: who looks now and then may miss it. */
const OVERLAP = 'root active, intermediate active, intermediate active'
const seed = 1 + commitNumber() % 1_000_000

function demandHeld({ failure, counts }: YearsReport): void {
  assert.is(failure && `${failure.invariant}: ${failure.detail}`, undefined, JSON.stringify(counts))
}

/** What every process and runtime must have in common. */
const hashes = async (): Promise<readonly string[]> => [
  (await runYears({ seed: 7, keys: 'cheap' }, {}, { years: 0.06, nodes: 1 })).hash,
  (await runYears({ seed: 7, keys: 'real' }, {}, { years: 0.02, nodes: 1 })).hash,
]

if (isChild) console.log(JSON.stringify(await hashes()))
else {
  test(`a season with all that goes wrong in ten years, seed ${seed}: every promise holds`, async () => {
    const report = await runYears({ seed, keys: 'cheap' }, {}, { years: 0.25 })
    demandHeld(report)
    const { counts } = report
    for (const [what, least] of Object.entries({
      judged: 1_000, renewals: 100, revoked: 5, refused: 20, cuts: 2, points: 1, hostCuts: 10, clockSteps: 10,
      clocksAside: 2, terms: 2, hubKeys: 2, surveyed: 20, starts: 4, records: 1_000,
    })) assert.ok(counts[what]! >= least, `${what}: ${counts[what]}`)
  })

  test('an authority is followed at half of its life, by a root set and lists that all have heard of', async () => {
    const seen = new Set<string>()
    const onSurvey = (state: string): void => void seen.add(state)
    demandHeld(await runYears({ seed: 3, keys: 'cheap' }, {}, { years: 1.25, nodes: 0, onSurvey }))
    assert.equal([...seen].filter((state) => state !== OVERLAP), [
      'root active, intermediate active', 'root active, intermediate active, intermediate next',
      'root active, intermediate tainted, intermediate active',
      'root active, intermediate revoked, intermediate active',
    ])
  })

  for (const { name, output } of otherProcesses(SOURCE)) {
    test(`a seed gives the same months in ${name}`, async () => {
      const here = await hashes()
      assert.ok(here.every((hash) => /^[0-9a-f]{64}$/.test(hash)))
      assert.equal(JSON.parse(output()), here)
    })
  }

  test.run()
}
