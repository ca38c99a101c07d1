/** Many seeds of faults in the simulator: every invariant holds, and no fault misses a step of the boot. */
import { spawn } from 'node:child_process'
import process from 'node:process'
import { coverageTable, gapLines, type Totals } from '../../boot/sim/coverage.ts'
import { faultKinds } from '../../boot/sim/faults.ts'
import type { FaultLevel } from '../../boot/sim/options.ts'
import { closeGaps, cpuSeconds, noReport, runSeed, type StormReport } from './storm-seeds.ts'

export const stormHelp = `storm [--seeds 1..10000] [--faults storm] [--nodes 4] [--hours 0.006] [--keys cheap]
      [--jobs 2]
    simulates a zone under faults with each seed; a broken invariant, or a fault that no run had at a step, fails`

export interface StormOptions {
  readonly first: number
  readonly last: number
  readonly nodes: number
  readonly hours: number
  readonly faults: FaultLevel
  readonly keys: 'real' | 'cheap'
  readonly jobs: number
  /** One of several processes: its last line is what it found. */
  readonly part: boolean
}

interface Part extends StormReport { readonly cpuSeconds: number }

const PROGRESS_MS = 60_000

/** @returns how many runs passed and failed; what no run has met is a failure as well */
export async function soakStorm(options: StormOptions): Promise<{ passed: number; failed: number }> {
  const { first, last, jobs, part, nodes, hours, faults, keys } = options
  if (part) {
    console.log(JSON.stringify(await runPart(options)))
    return { passed: 0, failed: 0 }
  }
  const began = performance.now()
  const share = Math.ceil((last - first + 1) / jobs)
  const parts = await Promise.all(Array.from({ length: jobs }, (_, job) => {
    const from = first + job * share
    return inProcess({ ...options, first: from, last: Math.min(last, from + share - 1) })
  }))
  const report = noReport()
  for (const each of parts) add(report, each)
  const missed = faults === 'storm' ? await closeGaps(report, last, { nodes, hours, faults, keys }) : []
  const { totals, failures } = report
  for (const line of [...coverageTable(totals.cells), ...gapLines(totals), ...failures]) console.log(line)
  console.log(`points: ${counted(totals.points)}`)
  console.log(`frames: ${counted(totals.wires)}`)
  const { runs, events, boots } = totals
  const seconds = parts.reduce((sum, each) => sum + each.cpuSeconds, cpuSeconds())
  console.log(`${runs} runs, ${boots} boots, ${events} events, ${keys} keys: `
    + `${Math.round((performance.now() - began) / 1000)} s, ${Math.round(seconds)} s of a core, `
    + `${Math.round(events / seconds)} events/s`)
  return { passed: runs - failures.length, failed: failures.length + missed.length }
}

const counted = (counts: object): string =>
  Object.entries(counts).map(([name, count]) => `${name} ${count}`).join(', ')

function add({ totals, failures }: StormReport, part: Part): void {
  const sum = (own: Record<string, number>, theirs: Record<string, number>): void => {
    for (const name of Object.keys(own)) own[name]! += theirs[name]!
  }
  for (const kind of faultKinds) sum(totals.cells[kind], part.totals.cells[kind])
  sum(totals.points, part.totals.points)
  sum(totals.wires as unknown as Record<string, number>, part.totals.wires as unknown as Record<string, number>)
  for (const name of ['runs', 'events', 'boots'] as const satisfies (keyof Totals)[]) totals[name] += part.totals[name]
  failures.push(...part.failures)
}

async function runPart({ first, last, nodes, hours, faults, keys }: StormOptions): Promise<Part> {
  const report = noReport()
  let said = performance.now()
  for (let seed = first; seed <= last; seed++) {
    const before = report.failures.length
    await runSeed(report, seed, { nodes, hours, faults, keys })
    if (report.failures.length > before) console.error(report.failures.at(-1))
    if (performance.now() - said < PROGRESS_MS) continue
    said = performance.now()
    console.error(`seeds ${first}..${seed} of ..${last}: ${report.failures.length} failed`)
  }
  return { ...report, cpuSeconds: cpuSeconds() }
}

/** This program again, for some of the seeds. */
function inProcess({ first, last, nodes, hours, faults, keys }: StormOptions): Promise<Part> {
  const flags = 'Deno' in globalThis ? ['run', '-A', '--unstable-worker-options'] : ['--enable-source-maps']
  const words = [
    'storm', '--seeds', `${first}..${last}`, '--nodes', nodes, '--hours', hours, '--faults', faults, '--keys', keys,
    '--part', 'yes',
  ].map(String)
  return new Promise((resolve, reject) => {
    const args = [...flags, process.argv[1]!, ...words]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk: Uint8Array) => { output += String(chunk) })
    child.on('error', reject)
    child.on('close', (code) => {
      const found = output.split('\n').find((line) => line.startsWith('{'))
      if (code === 0 && found !== undefined) resolve(JSON.parse(found) as Part)
      else reject(new Error(`Seeds ${first}..${last} ended with exit code ${code}`))
    })
  })
}
