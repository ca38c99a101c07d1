/** Faults strike what they name, for as long as they say, and count only where there was something to strike. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { OOD, SimulatedCluster } from '../boot/sim/cluster.ts'
import type { FaultKind, PlannedFault } from '../boot/sim/faults.ts'
import { planFaults } from '../boot/sim/plan.ts'
import { drawOptions } from '../boot/sim/options.ts'
import { createPrograms } from '../boot/sim/programs.ts'
import { loadActors } from '../boot/sim/run.ts'
import { Strikes } from '../boot/sim/strikes.ts'
import { simulate } from '../runtime/sim/simulate.ts'
import { pause } from '../runtime/within.ts'

type When = PlannedFault['when']

const planned = (index: number, kind: FaultKind, when: When, lengthMs = 1_000): PlannedFault =>
  ({ index, kind, when, host: OOD, other: OOD, amount: 0.5, lengthMs })

/** A zone of one host under these faults. */
async function runZone(plan: readonly PlannedFault[], ms: number, before?: (cluster: SimulatedCluster) => void) {
  const { modules } = await loadActors(undefined)
  const programs = createPrograms()
  const lines: string[] = []
  let found: { readonly boots: number; readonly struck: readonly string[]; readonly serves: boolean } | undefined
  await simulate({
    seed: 1, keys: 'cheap', modules, programs, maxEvents: 1_000_000, maxVirtualMs: 600_000,
    onLine: (line) => void lines.push(line),
  }, async (world) => {
    const cluster = new SimulatedCluster(world, 0, programs)
    const strikes = new Strikes(cluster, plan)
    before?.(cluster)
    cluster.start()
    await pause(world.clock, ms)
    strikes.end()
    found = {
      boots: cluster.boots.length, struck: strikes.struck.map(({ fault, step }) => `${fault.kind} at ${step}`),
      serves: cluster.zone !== undefined,
    }
    await cluster.stop()
  })
  const notes = lines.filter((line) => /^\d+ (disk|pause|resume) /.test(line)).map((line) => line.split(' '))
  return { ...found!, notes: notes.map(([atUs, ...what]) => `${Math.round(Number(atUs) / 1_000)} ${what.join(' ')}`) }
}

test('a fault that another one overlaps lasts until its own time is over', async () => {
  const { notes } = await runZone([
    planned(0, 'disk-full', { ms: 5_000 }, 2_000), planned(1, 'disk-broken', { ms: 6_000 }, 4_000),
    planned(2, 'disk-full', { ms: 8_000 }, 500),
  ], 12_000)
  assert.equal(notes, [
    '5000 disk ood1 full', '6000 disk ood1 broken', '7000 disk ood1 well', '7000 disk ood1 broken',
    '8000 disk ood1 full', '8500 disk ood1 well', '8500 disk ood1 broken', '10000 disk ood1 well',
  ])
})

test('a host that two faults pause stands still until both are over', async () => {
  const { notes } = await runZone([
    planned(0, 'pause', { ms: 5_000 }, 1_000), planned(1, 'pause', { ms: 5_500 }, 2_000),
  ], 9_000)
  assert.equal(notes, [
    '5000 pause ood1', '5500 pause ood1', '6000 resume ood1', '6000 pause ood1', '7500 resume ood1',
  ])
})

test('a restart strikes a zone that boots as well as one that serves', async () => {
  for (const when of [{ step: 0 }, { step: 3 }, { step: 9 }, { ms: 5_000 }]) {
    const { boots, struck, serves } = await runZone([planned(0, 'restart', when)], 15_000)
    assert.is(boots, 2, JSON.stringify(when))
    assert.is(struck.length, 1)
    assert.ok(serves)
  }
})

test('what finds nothing to strike is not counted', async () => {
  const nothing = (['power-off', 'torn-write', 'restart', 'crash-ood', 'kill-actor'] as const)
    .map((kind, index) => planned(index, kind, { ms: 5_100 + index }))
  const { struck, boots } = await runZone(nothing, 5_300, (cluster) => {
    // For half a second at least nothing of it runs
    cluster.world.clock.after(5_000, () => void cluster.powerOff())
  })
  assert.equal([boots, struck], [1, []])
})

test('no fault of a short run lasts for most of it', () => {
  for (let seed = 0; seed < 200; seed++) {
    const options = drawOptions({ seed, hours: 0.006, faults: 'storm' })
    assert.ok(planFaults(options).every(({ lengthMs }) => lengthMs >= 200 && lengthMs <= 0.006 * 3_600_000 / 8))
  }
  const long = planFaults(drawOptions({ seed: 1, hours: 10, faults: 'storm' })).map(({ lengthMs }) => lengthMs)
  assert.ok(Math.max(...long) <= 40_000 && Math.max(...long) > 30_000)
})

test.run()
