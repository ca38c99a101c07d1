import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { actor, type ActorDefinition } from '../../runtime/actor.ts'
import { FolderInUse, StartFailed } from '../../runtime/errors.ts'
import { supervise, worker } from '../../runtime/index.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { call, number, object, protocol, send, string } from '../../runtime/protocol.ts'
import { Nondeterminism } from '../../runtime/sim/simulate.ts'
import { failureOf, pause, simulateWith, thrownBy, utf8 } from './sim-fixture.ts'

const Probe = protocol('probe', {
  read: call(object({}), number()),
  burst: send(object({})),
  keep: call(object({ text: string() }), number()),
})
const probeUrl = new URL('probe.js', 'sim:///')
const probe = (start: Parameters<typeof actor<typeof Probe>>[2]): ReadonlyMap<string, ActorDefinition> =>
  new Map([[probeUrl.href, actor(Probe, {}, start) as unknown as ActorDefinition]])
const superviseProbe = (platform: Platform) =>
  supervise([worker(Probe, probeUrl)], { platform, host: 'ood1', stores: '/stores' })
const neverKeeps = { burst: () => {}, keep: () => 0 }

test('a planted Date.now in an actor fails the run and is named, though its caller swallows the error', async () => {
  const modules = probe(() => ({ ...neverKeeps, read: () => Date.now() }))
  const error = await failureOf(async (world) => {
    const zone = await superviseProbe(world.startProcess('ood1').platform)
    await zone.get(Probe).read({}).catch(() => {})
  }, { modules })
  assert.instance(error, Nondeterminism)
  assert.match(error.message, /^Date\.now .* called at .*sim-workers\.test\.[tj]s:\d+/)
})

test('an actor that throws outside a call ends its worker, and the supervisor starts it again', async () => {
  const modules = probe(({ clock, self }) => ({
    ...neverKeeps, read: () => self.incarnation, burst: () => void clock.after(1, () => { throw new Error('Planted') }),
  }))
  await simulateWith(async (world) => {
    const zone = await superviseProbe(world.startProcess('ood1').platform)
    const reasons: string[] = []
    zone.trace.on('actor', ({ state, reason }) => { if (state === 'died') reasons.push(reason) })
    const incarnation = await zone.get(Probe).read({})
    zone.get(Probe).burst({})
    await pause(world, 2_000)
    assert.equal(reasons, ['Planted'])
    assert.ok(await zone.get(Probe).read({}) > incarnation)
  }, { modules })
})

test('a process killed at any event keeps every write that was answered, and none that was not begun', async () => {
  const modules = probe(({ store }) => ({
    ...neverKeeps, read: () => store.revision(), keep: ({ text: value }) => store.put(value, utf8(value)),
  }))
  const outcomes = new Set<string>()
  for (let killAt = 1; killAt <= 40; killAt++) {
    let [begun, answered, lines] = [0, 0, 0]
    let kill = (): void => {}
    await simulateWith(async (world) => {
      const first = world.startProcess('ood1')
      kill = () => first.kill()
      const writing = async (): Promise<void> => {
        const zone = await superviseProbe(first.platform)
        for (const each of ['a', 'b', 'c', 'd', 'e', 'f']) {
          begun++
          await zone.get(Probe).keep({ text: each })
          answered++
        }
      }
      void writing()
      await pause(world, 1_000)
      first.kill()
      const again = await superviseProbe(world.startProcess('ood1').platform)
      const kept = await again.get(Probe).read({})
      const counts = `killed at event ${killAt}: ${begun} begun, ${kept} kept, ${answered} answered`
      assert.ok(kept >= answered && kept <= begun, counts)
      outcomes.add(`${begun - kept} lost, ${kept - answered} kept without an answer`)
    }, { modules, onLine: () => { if (++lines === killAt) kill() } })
  }
  assert.equal([...outcomes].sort(), [
    '0 lost, 0 kept without an answer', '0 lost, 1 kept without an answer', '1 lost, 0 kept without an answer',
  ])
})

test('a store that one process has open is refused to another', async () => {
  const modules = probe(() => ({ ...neverKeeps, read: () => 1 }))
  await simulateWith(async (world) => {
    await superviseProbe(world.startProcess('ood1').platform)
    const error = await thrownBy(superviseProbe(world.startProcess('ood1').platform))
    assert.instance(error, FolderInUse)
    await superviseProbe(world.startProcess('ood2').platform)
  }, { modules })
})

test('a module that the simulation was not given fails the start, and the worker says which', async () => {
  await simulateWith(async (world) => {
    const error = await thrownBy(superviseProbe(world.startProcess('ood1').platform))
    assert.instance(error, StartFailed)
    assert.match(error?.message ?? '', 'sim:///probe.js')
  })
})

test('a supervisor and its actors live for a simulated day, heartbeats and all', async () => {
  const result = await simulateWith(async (world) => {
    const zone = await superviseProbe(world.startProcess('ood1').platform)
    await pause(world, 86_400_000)
    assert.is(await zone.get(Probe).read({}), 1)
  }, { modules: probe(() => ({ ...neverKeeps, read: () => 1 })), maxEvents: 1_000_000, maxVirtualMs: 90_000_000 })
  assert.ok(result.events > 3 * 86_400, `too few events: ${result.events}`)
})

test.run()
