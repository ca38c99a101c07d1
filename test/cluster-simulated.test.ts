/** A cluster in virtual time: one seed, one trace on every runtime; and hosts that die there come back. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { catalogue, nodeCatalogue } from '../boot/catalogue.ts'
import { defaultConfig } from '../boot/config.ts'
import { simulateZone } from '../boot/sim/zone.ts'
import { type RunningZone, up } from '../boot/up.ts'
import type { ActorDefinition } from '../runtime/actor.ts'
import { simulate, type World } from '../runtime/sim/simulate.ts'
import { createTrace, type LinkEvent } from '../runtime/trace.ts'
import { hostLines, hostOf, until } from './boot-fixtures/cluster.ts'
import { pause } from './runtime/sim-fixture.ts'
import { isChild, otherProcesses } from './other-runtimes.ts'

const SOURCE = 'test/cluster-simulated.test.ts'
const FOLDER = 'zone'
const NAMES = ['node1', 'node2', 'node3']

interface Traced { readonly hash: string; readonly events: number }
const traced = async (seed: number): Promise<Traced> => {
  const { hash, events } = await simulateZone({ seed, keys: 'real', nodes: 3 })
  return { hash, events }
}

interface Scene {
  readonly world: World
  readonly zone: RunningZone
  readonly links: readonly LinkEvent[]
  /** Virtual milliseconds. */
  readonly until: (what: string, holds: () => boolean) => Promise<number>
}

/** Three nodes in virtual time. */
async function inCluster(seed: number, program: (scene: Scene) => Promise<void>): Promise<void> {
  const specs = [...catalogue(FOLDER, { ...defaultConfig, nodes: 1 }), ...nodeCatalogue(FOLDER)]
  const modules = new Map(await Promise.all(specs.map(async ({ module }) =>
    [module.href, (await import(module.href) as { default: ActorDefinition }).default] as const)))
  const options = { seed, keys: 'cheap', modules, maxEvents: 1_000_000, maxVirtualMs: 3_600_000 } as const
  await simulate(options, async (world) => {
    const { platform } = world.startProcess(defaultConfig.host)
    const trace = createTrace()
    const links: LinkEvent[] = []
    trace.on('link', (event) => void links.push(event))
    const zone = await up({ platform, folder: FOLDER, nodes: 3, trace })
    await program({ world, zone, links, until: (what, holds) => until(platform, what, holds, 60_000) })
    await zone.stop()
  })
}

function defineTests(): void {
  test('three nodes boot twice, by the same seed to the same trace', async () => {
    const [first, second] = [await traced(3), await traced(3)]
    assert.equal(first, second)
    assert.is.not((await traced(4)).hash, first.hash)
  })

  for (const { name, output } of otherProcesses(SOURCE)) {
    test(`three nodes give the same trace in ${name}`, async () => {
      assert.equal(JSON.parse(output()), await traced(3))
    })
  }

  test('a node that is killed is back within a second of virtual time', async () => {
    const took: number[] = []
    await inCluster(5, async ({ zone, until }) => {
      for (const name of NAMES) {
        await zone.killHost(name)
        took.push(await until(`${name} serves`, () => hostOf(zone, name)!.state === 'serving'))
      }
      if (hostLines(zone).join() !== 'ood1 serving 1,node1 serving 2,node2 serving 2,node3 serving 2') {
        throw new Error(hostLines(zone).join())
      }
    })
    assert.ok(took.length === 3 && took.every((ms) => ms < 1_000), took.join())
  })

  test('a host that is killed again and again stays down, and no other host with it', async () => {
    let lines: string[] = []
    await inCluster(6, async ({ world, zone, until }) => {
      for (let kills = 0; kills < 6; kills++) {
        await until('node1 serves', () => hostOf(zone, 'node1')!.state === 'serving')
        await zone.killHost('node1')
      }
      await pause(world, 20_000)
      lines = hostLines(zone)
    })
    assert.equal(lines, ['ood1 serving 1', 'node1 failed 6', 'node2 serving 1', 'node3 serving 1'])
  })

  test('the OOD is killed while a node starts: both come to serve', async () => {
    let lines: string[] = []
    await inCluster(7, async ({ zone, until }) => {
      await zone.killHost('node2')
      await zone.killHost('ood1')
      await until('both serve', () => zone.hosts().every(({ state }) => state === 'serving'))
      lines = hostLines(zone)
    })
    assert.equal(lines, ['ood1 serving 2', 'node1 serving 1', 'node2 serving 2', 'node3 serving 1'])
  })

  test('after each death of the OOD every node is linked to it once, to both of what it needs', async () => {
    let open: string[] = []
    await inCluster(8, async ({ world, zone, links, until }) => {
      for (let kills = 0; kills < 3; kills++) {
        await zone.killHost('ood1')
        await until('the OOD serves', () => hostOf(zone, 'ood1')!.state === 'serving')
        await pause(world, 5_000)
      }
      const counts = new Map<string, number>()
      for (const { host, protocol, role, state } of links) {
        if (role !== 'initiator' || !NAMES.includes(host) || !/^(system-config|verify-hub)$/.test(protocol)) continue
        const name = `${host} to ${protocol}`
        counts.set(name, (counts.get(name) ?? 0) + (state === 'open' ? 1 : -1))
      }
      open = [...counts].map(([name, count]) => `${name}: ${count}`).sort()
    })
    assert.equal(open, NAMES.flatMap((name) => [`${name} to system-config: 1`, `${name} to verify-hub: 1`]))
  })

  test.run()
}

if (isChild) console.log(JSON.stringify(await traced(3)))
else defineTests()
