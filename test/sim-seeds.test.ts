/** Seeds that once broke something, each with what it was; they are run again for good. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { drawOptions, type GivenOptions } from '../boot/sim/options.ts'
import { runOnce } from '../boot/sim/run.ts'
import type { ActorDefinition } from '../runtime/actor.ts'
import { exitCodes } from '../boot/errors.ts'
import type { ZonewrightError } from '../runtime/errors.ts'
import { pause, simulateWith, thrownBy, utf8 } from './runtime/sim-fixture.ts'

const storm = { faults: 'storm', keys: 'cheap', nodes: 4 } as const

const seeds: readonly (readonly [what: string, options: GivenOptions])[] = [
  ['a disk that failed with EIO ended a start without an error of ours', { ...storm, seed: 17, hours: 0.05 }],
  ['a start ended with HandshakeFailed, which had no exit code', { ...storm, seed: 10, hours: 0.05 }],
  ['a node that came to its start while the zone stopped held up the stop', { ...storm, seed: 205, hours: 0.02 }],
  ['a host whose program was frozen did not come back', { ...storm, seed: 5040, hours: 0.008 }],
  ['a link whose close was lost stayed half open', { ...storm, seed: 20_289, hours: 0.006 }],
  ['a request number outlived its run', { ...storm, seed: 8_001, hours: 0.005 }],
]

for (const [what, options] of seeds) {
  test(`${what}: seed ${options.seed}`, async () => {
    const report = await runOnce(drawOptions(options))
    assert.is(report.failure?.detail, undefined)
    assert.ok(report.struck.length > 0, 'nothing struck')
  })
}

test('what the disk refuses is told by an error with an exit code, and taken when the disk is well', async () => {
  let refused: ZonewrightError | undefined
  await simulateWith(async (world) => {
    const files = await world.openFolder('ood1', '/zone')
    world.setDisk('ood1', 'broken')
    refused = await thrownBy(files.write('a', utf8('first'), { mode: 0o600 })) as ZonewrightError
    assert.is(await files.read('a'), undefined)
    world.setDisk('ood1', 'well')
    await files.write('a', utf8('second'), { mode: 0o600 })
    await pause(world, 1)
    assert.equal(await files.read('a'), utf8('second'))
  })
  assert.is(refused?.code, 'NotWritable')
  assert.ok(exitCodes[refused?.code ?? ''])
  assert.is(refused?.details['reason'], 'EIO')
})

test('a zone that does not come back is told as a stall, with who waits for whom', async () => {
  const never = (name: string, definition: ActorDefinition): ActorDefinition =>
    (name === 'verify-hub' ? { ...definition, start: () => new Promise<never>(() => {}) } : definition)
  const options = drawOptions({ seed: 1, nodes: 0, hours: 0.001, faults: 'none', keys: 'cheap' })
  const { failure } = await runOnce(options, { change: never })
  assert.is(failure?.invariant, 'liveness')
  assert.match(failure?.detail ?? '', /^stalled for 30\d s: boot \d+ /)
  assert.match(failure?.detail ?? '', /verify-hub on ood1 is starting/)
  assert.match(failure?.detail ?? '', /gateway on ood1 is starting, waits for verify-hub/)
})

test('two runs of one seed in one process are one run, on disks and in etcd', async () => {
  for (const store of ['embedded', 'etcd'] as const) {
    const options = drawOptions({ ...storm, seed: 8_001, hours: 0.004, store })
    const [first, second] = [await runOnce(options), await runOnce(options)]
    assert.is(first.hash, second.hash, store)
    assert.is.not(first.hash, '')
  }
})

test.run()
