/** Whatever happens to programs and to those who watch them: seeds choose what, and when. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Programs } from '../../runtime/sim/programs.ts'
import { simulate, type World } from '../../runtime/sim/simulate.ts'
import { readyPrograms } from '../boot-fixtures/programs.ts'
import { bootPrograms, type ProgramZone, zoneModules } from '../boot-fixtures/simulated-programs.ts'
import { pause } from './sim-fixture.ts'

const test = suite('programs under faults')
const SEEDS = 6
const STEPS = 25
const HOST = 'ood1'
const specs: readonly (readonly [name: string, command: string, run: object])[] = [
  ['web', '/opt/web 8000 200', { health: { http: { port: 8_000, path: '/' }, startMs: 3_000 }, stopMs: 600 }],
  ['notes', '/opt/family', { stopMs: 300 }],
  ['crash', '/opt/exits 5000 3', {}],
  ['flood', '/opt/flood 15', {}],
]

const modules = await zoneModules()

/** Services of which two starts ran on one host at the same time. */
function doubled(programs: Programs): readonly string[] {
  const runs = new Map<string, Set<string>>()
  for (const { env } of programs.running()) {
    const name = `${env['ZONEWRIGHT_SERVICE']} on ${env['ZONEWRIGHT_HOST']}`
    runs.set(name, (runs.get(name) ?? new Set()).add(env['ZONEWRIGHT_RUN']!))
  }
  return [...runs].filter(([, marks]) => marks.size > 1).map(([name]) => name)
}

async function watched(world: World, programs: Programs, until: { over: boolean }): Promise<readonly string[]> {
  const found = new Set<string>()
  while (!until.over) {
    for (const name of doubled(programs)) found.add(name)
    await pause(world, 7)
  }
  return [...found]
}

async function suffer(live: ProgramZone, world: World, programs: Programs, generation: () => number): Promise<void> {
  const random = world.random.fork(`${generation()}`)
  const below = (count: number): number => random.bytes(1)[0]! % count
  const all = programs.running()
  const one = all[below(Math.max(1, all.length))]
  const [name, command, run] = specs[below(specs.length)]!
  const hosts = live.zone.hosts().filter(({ state }) => state === 'serving').map(({ host }) => host)
  switch (below(8)) {
    case 0: if (one) programs.kill(one.processId); break
    case 1: if (one) programs.kill(one.processId, 'SIGTERM'); break
    case 2: if (one) programs.freeze(one.processId); break
    case 3: if (one) programs.thaw(one.processId); break
    case 4: programs.failStarts(HOST, below(2) === 0 ? 'EAGAIN' : undefined); break
    // It may race with a host that is down: then it was not installed
    case 5: await live.install(name, command, run, { generation: generation() }).catch(() => {}); break
    case 6: await live.install(name, command, run, { state: 'stopped' }).catch(() => {}); break
    default: if (hosts.length > 1) await live.zone.killHost(hosts.at(-1)!).catch(() => {})
  }
  await pause(world, below(40) * 50)
}

async function run(seed: number): Promise<{ doubled: readonly string[]; left: number; served: boolean }> {
  const programs = new Programs(readyPrograms)
  let result = { doubled: [] as readonly string[], left: -1, served: false }
  const bounds = { maxEvents: 3_000_000, maxVirtualMs: 3_600_000 }
  await simulate({ seed, keys: 'cheap', modules, programs, ...bounds }, async (world) => {
    let generation = 0
    const watch = { over: false }
    const watching = watched(world, programs, watch)
    let live = await bootPrograms(world, programs, { nodes: 1 })
    for (const [name, command, run] of specs) await live.install(name, command, run)
    for (let step = 0; step < STEPS; step++) await suffer(live, world, programs, () => ++generation)
    // The zone is killed as it is, and starts again
    live.process.kill()
    await pause(world, 100)
    programs.failStarts(HOST, undefined)
    live = await bootPrograms(world, programs, { nodes: 1 })
    for (const [name, command, run] of specs) await live.install(name, command, run, { generation: ++generation })
    const steady = ['web', 'notes', 'flood']
    await live.until('all serve', () => steady.every((name) => live.serving(name).length === 1))
    await live.zone.stop()
    watch.over = true
    result = { doubled: await watching, left: programs.running().length, served: true }
  })
  return result
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`seed ${seed}: one start of a service at a time, all serve in the end, and none is left`, async () => {
    assert.equal(await run(seed), { doubled: [], left: 0, served: true })
  })
}

test.run()
