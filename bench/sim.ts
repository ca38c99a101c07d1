/**
 * The simulator: events a second of processor time, in an idle zone, in one that is used, and under a storm, with
 * cheap and real keys; and what a simulated host costs as the zone grows to a thousand of them.
 */
import { execFile } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { SimulatedCluster } from '../boot/sim/cluster.ts'
import { drawOptions, type FaultLevel } from '../boot/sim/options.ts'
import { createPrograms } from '../boot/sim/programs.ts'
import { loadActors, runOnce } from '../boot/sim/run.ts'
import type { KeyKind } from '../runtime/sim/keys.ts'
import { simulate, type World } from '../runtime/sim/simulate.ts'
import { pause } from '../runtime/within.ts'
import type { Bench, Row } from './report.ts'

const CHILD = '--sim-child'
/** Taken now: within a run the name is a trap. */
const { memoryUsage } = process
const EVENTS_MIN = 100_000
const SIZES = [0, 50, 200, 1_000] as const
/** A host of a large zone may cost so much more than one of a small zone. */
const LINEAR_MAX = 1.5
const CHILD_MS_MAX = 600_000
const KB = 1024
const HOUR = 3_600_000
const ROUNDS = 3
const STORM_SEEDS = 20

const bench: Bench = async ({ say }) => {
  const rows: Row[] = []
  for (const keys of ['cheap', 'real'] as const) {
    const quiet = await medianOf(() => idle(keys))
    const busy = await medianOf(() => used(keys, 'none', [5], 0.5))
    const seeds = Array.from({ length: STORM_SEEDS }, (_, index) => index + 1)
    const storm = await medianOf(() => used(keys, 'storm', seeds, 0.02))
    say(`${keys} keys: ${Math.round(quiet)} idle, ${Math.round(busy)} in use, ${Math.round(storm)} in a storm`)
    rows.push(
      {
        name: `an idle zone of five hosts, ${keys} keys, against ${EVENTS_MIN}`, value: quiet, unit: 'events/s',
        ratio: quiet / EVENTS_MIN, ...(keys === 'cheap' ? { target: 1 } : {}),
      },
      {
        name: `the same in use, by requests over HTTP, ${keys} keys`, value: busy, unit: 'events/s',
        ratio: busy / EVENTS_MIN,
      },
      {
        name: `the same under a storm, every boot counted, ${keys} keys`, value: storm, unit: 'events/s',
        ratio: storm / EVENTS_MIN,
      },
    )
  }
  return [...rows, ...await growth(say)]
}
export default bench

async function medianOf(measure: () => Promise<number>): Promise<number> {
  // The first one finds nothing compiled
  await measure()
  const samples: number[] = []
  for (let round = 0; round < ROUNDS; round++) samples.push(await measure())
  return samples.sort((a, b) => a - b)[Math.floor(samples.length / 2)]!
}

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

async function simulated(
  keys: KeyKind, nodes: number, play: (world: World, cluster: SimulatedCluster) => Promise<void>,
): Promise<number> {
  const { modules } = await loadActors(undefined)
  const programs = createPrograms()
  const bounds = { maxEvents: Infinity, maxVirtualMs: 1e12, stackFrames: 0 }
  const { events } = await simulate({ seed: 1, keys, modules, programs, ...bounds }, async (world) => {
    const cluster = new SimulatedCluster(world, nodes, programs)
    cluster.start()
    await play(world, cluster)
    await cluster.stop()
  })
  return events
}

/** Nobody asks anything: heartbeats, refreshes, rounds, over a virtual hour, with the boot. */
async function idle(keys: KeyKind): Promise<number> {
  const began = cpuSeconds()
  const events = await simulated(keys, 4, ({ clock }) => pause(clock, HOUR))
  return events / (cpuSeconds() - began)
}

/** The desk works, every invariant is checked. */
async function used(keys: KeyKind, faults: FaultLevel, seeds: readonly number[], hours: number): Promise<number> {
  const began = cpuSeconds()
  let events = 0
  for (const seed of seeds) {
    const report = await runOnce(drawOptions({ seed, nodes: 4, hours, faults, keys }))
    if (report.failure) throw new Error(`Seed ${seed}: ${report.failure.invariant}: ${report.failure.detail}`)
    events += report.events
  }
  return events / (cpuSeconds() - began)
}

interface Size {
  readonly nodes: number
  readonly cpuSeconds: number
  readonly rssBytes: number
}

async function growth(say: (line: string) => void): Promise<readonly Row[]> {
  const sizes: Size[] = []
  for (const nodes of SIZES) {
    sizes.push(await inProcess(nodes))
    const { cpuSeconds: seconds, rssBytes } = sizes.at(-1)!
    say(`${nodes} nodes: ${seconds.toFixed(1)} s, ${Math.round(rssBytes / KB / KB)} MB`)
  }
  const [none, ...grown] = sizes as [Size, Size, Size, Size]
  const cpuMs = (one: Size): number => ((one.cpuSeconds - none.cpuSeconds) / one.nodes) * 1_000
  const [first, last] = [grown[0]!, grown.at(-1)!]
  return [
    ...grown.flatMap((one): Row[] => [
      { name: `a simulated host's boot and stop, of ${one.nodes}`, value: cpuMs(one), unit: 'ms' },
      {
        name: `a simulated host's memory, of ${one.nodes}`, value: (one.rssBytes - none.rssBytes) / one.nodes / KB,
        unit: 'KB',
      },
    ]),
    {
      name: `a host of ${last.nodes} costs, against one of ${first.nodes}`, value: cpuMs(last), unit: 'ms',
      ratio: cpuMs(last) / cpuMs(first), target: LINEAR_MAX, atMost: true,
    },
  ]
}

/** This module, as a program that measures one size. */
function inProcess(nodes: number): Promise<Size> {
  const file = fileURLToPath(import.meta.url)
  const flags = 'Deno' in globalThis ? ['run', '-A', '--unstable-worker-options'] : []
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [...flags, file, CHILD, String(nodes)], { timeout: CHILD_MS_MAX }, (error, stdout) => {
      if (error) reject(error)
      else resolve(JSON.parse(stdout) as Size)
    })
  })
}

async function measure(nodes: number): Promise<Size> {
  let rssBytes = 0
  await simulated('cheap', nodes, async ({ clock }, cluster) => {
    while (!cluster.zone) await pause(clock, 100)
    rssBytes = memoryUsage().rss
  })
  return { nodes, cpuSeconds: cpuSeconds(), rssBytes }
}

if (process.argv[2] === CHILD) {
  console.log(JSON.stringify(await measure(Number(process.argv[3]))))
  process.exit(0)
}
