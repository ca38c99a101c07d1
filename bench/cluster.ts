/**
 * A cluster on one host: how long it takes until an OOD and so many nodes serve, what a node costs in memory, and how
 * soon one that is killed is back. Each size in a process of its own, so that no other's memory counts.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { defaultConfig } from '../boot/config.ts'
import { up } from '../boot/up.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { createTrace } from '../runtime/trace.ts'
import type { Bench, Row } from './report.ts'

const CHILD = '--cluster-child'
const SIZES = [0, 10, 25, 50] as const
const KILLS = 10
const BACK_MS_MAX = 1_000
/** The last nodes may cost so much more than the first ones. */
const LINEAR_MAX = 1.5
const CHILD_MS_MAX = 300_000
const MB = 1024 * 1024
/** Between looks at a host that is away. */
const LOOK_MS = 2

interface Measured {
  readonly nodes: number
  /** Until all nodes serve, from when the OOD serves. */
  readonly nodesMs: number
  readonly bootMs: number
  /** Of the whole process until then: what others do on the machine does not count. */
  readonly cpuMs: number
  readonly rssBytes: number
  readonly backMs: readonly number[]
}

const bench: Bench = async ({ say }) => {
  const all: Measured[] = []
  for (const nodes of SIZES) {
    const measured = await inProcess(nodes)
    all.push(measured)
    say(`${nodes} nodes: boot ${measured.bootMs.toFixed(0)} ms, ${(measured.rssBytes / MB).toFixed(0)} MB`)
  }
  const [none, ...sizes] = all as [Measured, Measured, Measured, Measured]
  const perNodeMs = (one: Measured): number => one.nodesMs / one.nodes
  const perNodeCpuMs = (one: Measured): number => (one.cpuMs - none.cpuMs) / one.nodes
  const perNodeBytes = (one: Measured): number => (one.rssBytes - none.rssBytes) / one.nodes
  const [first, last] = [sizes[0]!, sizes.at(-1)!]
  return [
    ...sizes.flatMap((one): Row[] => [
      { name: `boot, ${one.nodes} nodes`, value: one.bootMs, unit: 'ms' },
      { name: `a node's share of it, of ${one.nodes}`, value: perNodeMs(one), unit: 'ms' },
      { name: `a node's share of the processor time, of ${one.nodes}`, value: perNodeCpuMs(one), unit: 'ms' },
      { name: `a node's share of the memory, of ${one.nodes}`, value: perNodeBytes(one) / MB, unit: 'MB' },
    ]),
    {
      name: `processor time is linear: a node of ${last.nodes}, against one of ${first.nodes}`,
      value: perNodeCpuMs(last), unit: 'ms', ratio: perNodeCpuMs(last) / perNodeCpuMs(first), target: LINEAR_MAX,
      atMost: true,
    },
    {
      name: `memory is linear: a node of ${last.nodes}, against one of ${first.nodes}`,
      value: perNodeBytes(last) / MB, unit: 'MB', ratio: perNodeBytes(last) / perNodeBytes(first), target: LINEAR_MAX,
      atMost: true,
    },
    ...[first, last].map((one): Row => ({
      name: `a killed node of ${one.nodes} is back, median of ${KILLS}, against ${BACK_MS_MAX} ms`,
      value: median(one.backMs), unit: 'ms', ratio: median(one.backMs) / BACK_MS_MAX, target: 1, atMost: true,
    })),
  ]
}
export default bench

/** This module, as a program that measures one size. */
function inProcess(nodes: number): Promise<Measured> {
  const file = fileURLToPath(import.meta.url)
  const flags = 'Deno' in globalThis ? ['run', '-A', '--unstable-worker-options'] : []
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [...flags, file, CHILD, String(nodes)], { timeout: CHILD_MS_MAX }, (error, stdout) => {
      if (error) reject(error)
      else resolve(JSON.parse(stdout) as Measured)
    })
  })
}

async function measure(nodes: number): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-bench-cluster-'))
  const platform = await openPlatform()
  const began = performance.now()
  const trace = createTrace()
  let oodMs = 0
  trace.on('host', ({ host, state }) => {
    if (host === defaultConfig.host && state === 'serving') oodMs = performance.now() - began
  })
  const zone = await up({ platform, folder, nodes, trace })
  const { bootMs } = zone
  const { user, system } = process.cpuUsage()
  // What the boot left for the collector is not what a node costs
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  const rssBytes = process.memoryUsage().rss
  const backMs: number[] = []
  for (let kill = 0; kill < Math.min(KILLS, nodes); kill++) {
    const name = `node${kill + 1}`
    const state = () => zone.hosts().find(({ host }) => host === name)
    const starts = state()?.starts ?? 0
    const killed = performance.now()
    await zone.killHost(name)
    while (state()?.state !== 'serving' || state()?.starts === starts) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
    backMs.push(performance.now() - killed)
  }
  await zone.stop()
  rmSync(folder, { recursive: true, force: true })
  return { nodes, bootMs, nodesMs: Math.max(0, bootMs - oodMs), cpuMs: (user + system) / 1_000, rssBytes, backMs }
}

if (process.argv[2] === CHILD) {
  console.log(JSON.stringify(await measure(Number(process.argv[3]))))
  process.exit(0)
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
