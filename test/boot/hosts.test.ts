/** Hosts of one process, with runs that do as a test says. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { HostLife, Hosts, type HostRun } from '../../boot/hosts.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { Unavailable, storeAway } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { createTrace } from '../../runtime/trace.ts'
import { within } from '../../runtime/within.ts'
import { manualClock } from '../actors/manual-clock.ts'

const platform = await openPlatform()

interface Parts {
  readonly platform?: Platform
  readonly run?: () => Promise<void>
  readonly crash?: () => Promise<void>
  readonly stopAll?: () => Promise<void>
}

const nothing = async (): Promise<void> => {}

const lifeOf = (
  name: string, { crash = nothing, stopAll = nothing, run = nothing, platform: on = platform }: Parts,
): HostLife => new HostLife({
  name, role: 'node', platform: on, trace: createTrace(),
  make: () => ({
    run, supervisor: () => ({ crash, stopAll, list: () => [] }), processes: { list: () => [], close: nothing },
    managed: () => true, versions: new Map(),
  }) as unknown as HostRun,
})

const broken = async (): Promise<never> => {
  throw new Error('It cannot be put away')
}
const messageOf = (work: Promise<unknown>): Promise<string> =>
  within(platform.clock, 2_000, work.then(() => 'done'), () => new Error('It does not settle'))
    .catch((error: Error) => error.message)

test('one host that cannot be stopped does not keep the others', async () => {
  const stopped: string[] = []
  const hosts = new Hosts()
  const quiet = (name: string): Parts => ({ stopAll: async () => void stopped.push(name) })
  const parts = { first: quiet('first'), second: { stopAll: broken }, third: quiet('third') }
  for (const [name, part] of Object.entries(parts)) await hosts.add(lifeOf(name, part)).start()
  assert.is(await messageOf(hosts.stop()), 'It cannot be put away')
  assert.equal(stopped, ['third', 'first'])
})

test('a host that comes when they stop is refused: nobody would stop it', async () => {
  const hosts = new Hosts()
  await hosts.stop()
  assert.throws(() => hosts.add(lifeOf('late', {})), /The zone stops/)
})

test('who kills a host is told when it is gone, whatever came of it', async () => {
  const life = lifeOf('host', { crash: broken })
  await life.start()
  assert.is(await messageOf(life.kill()), 'done')
  assert.is(await messageOf(life.stop()), 'It cannot be put away')
})

test('a host that starts again waits for a store that is away, and for nothing else', async () => {
  const away = storeAway(new Unavailable('away'))
  for (const [error, state] of [[away, 'restarting'], [new Error('broken'), 'failed']] as const) {
    const clock = manualClock()
    let healthy = true
    const run = async (): Promise<void> => { if (!healthy) throw error }
    const life = lifeOf('host', { platform: { ...platform, clock }, run })
    await life.start()
    healthy = false
    await life.kill()
    await clock.advance(2 * limits.restartWindowMs)
    assert.is(life.state, state)
    assert.ok(life.starts > limits.restarts)
    healthy = true
    await clock.advance(limits.storeAwayMsMax)
    assert.is(life.state, state === 'failed' ? 'failed' : 'serving')
    await life.stop()
  }
})

test.run()
