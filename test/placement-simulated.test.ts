/** Services of a zone of five hosts that are cut off, crash and are drained: each runs where it is placed, and once. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../actors/records.ts'
import { runChecked, type CheckedScene } from '../boot/sim/checked.ts'
import { drawOptions } from '../boot/sim/options.ts'
import { runPlacement } from '../boot/sim/placement.ts'
import { QUIET } from '../boot/sim/programs.ts'
import { scenarioNamed } from '../boot/sim/scenarios.ts'
import { limits } from '../runtime/limits.ts'
import { pause } from '../runtime/within.ts'
import { commitNumber } from './commit.ts'

const SEEDS = 8
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

test('a host whose daemon is given up stops its programs, and they are started elsewhere', async () => {
  const runs = ({ cluster }: CheckedScene): string => cluster.programs.running().map(({ host }) => host).join()
  const { hostLostMs, nodeDownMs, reportMs, restarts } = limits
  const seen: string[] = []
  const report = await runChecked({ seed: 3, keys: 'cheap', nodes: 2, virtualMsMax: 3_600_000 }, {}, async (scene) => {
    const { cluster, desk } = scene
    const { clock } = cluster.world
    cluster.start()
    const { token } = (await desk.until(() => false, () => desk.login()))!
    await pause(clock, 3 * reportMs)
    const value = JSON.stringify({
      name: 'quiet', appid: 'quiet', owner: null, runtimeType: 'service', kernel: false, audiences: [],
      run: { command: [QUIET] },
    })
    await desk.call('system_config', 'sys_config_create', { key: kv.spec('quiet'), value }, token)
    await pause(clock, reportMs)
    const host = runs(scene)
    for (let kill = 0; kill <= restarts; kill++) {
      await desk.call('node-daemon', 'kill', { host, actor: 'node-daemon' }, token)
      await pause(clock, 7_000)
    }
    seen.push(runs(scene))
    await pause(clock, nodeDownMs + hostLostMs + reportMs)
    seen.push(runs(scene) === host ? 'the same host' : 'another host')
  })
  assert.is(report.failure, undefined, `${report.failure?.invariant}: ${report.failure?.detail}`)
  assert.equal(seen, ['', 'another host'])
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
