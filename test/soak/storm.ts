/** Many seeds of faults in the simulator: every invariant holds, and no fault misses a step of the boot. */
import { spawn } from 'node:child_process'
import process from 'node:process'
import { addRun, coverageTable, gapLines, gaps, noTotals, type Totals } from '../../boot/sim/coverage.ts'
import { commandOf, drawOptions, type FaultLevel } from '../../boot/sim/options.ts'
import { runOnce } from '../../boot/sim/run.ts'

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

interface Part {
  readonly totals: Totals
  readonly failures: readonly string[]
  readonly cpuSeconds: number
}

const PROGRESS_MS = 60_000

/** @returns how many runs passed and failed; a cell without a hit is a failure as well */
export async function soakStorm(options: StormOptions): Promise<{ passed: number; failed: number }> {
  const { first, last, jobs, part } = options
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
  const totals = noTotals()
  for (const { totals: each } of parts) {
    addRun(totals, { ...each, coverage: each.cells } as unknown as Parameters<typeof addRun>[1])
    totals.runs += each.runs - 1
  }
  const failures = parts.flatMap((each) => each.failures)
  const cpuSeconds = parts.reduce((sum, each) => sum + each.cpuSeconds, 0)
  for (const line of coverageTable(totals.cells)) console.log(line)
  console.log(`points: ${Object.entries(totals.points).map(([name, hits]) => `${name} ${hits}`).join(', ')}`)
  console.log(`frames: ${Object.entries(totals.wires).map(([name, count]) => `${count} ${name}`).join(', ')}`)
  for (const line of gapLines(totals)) console.log(line)
  for (const failure of failures) console.log(failure)
  const { runs, events, boots } = totals
  const wallSeconds = Math.round((performance.now() - began) / 1000)
  console.log(`${runs} runs, ${boots} boots, ${events} events, ${options.keys} keys: ${wallSeconds} s, `
    + `${Math.round(cpuSeconds)} s of a core, ${Math.round(events / cpuSeconds)} events/s`)
  const missed = gaps(totals).length
  return { passed: runs - failures.length, failed: failures.length + missed }
}

async function runPart({ first, last, nodes, hours, faults, keys }: StormOptions): Promise<Part> {
  const totals = noTotals()
  const failures: string[] = []
  let said = performance.now()
  for (let seed = first; seed <= last; seed++) {
    const run = drawOptions({ seed, nodes, hours, faults, keys })
    const report = await runOnce(run)
    addRun(totals, report)
    if (report.failure) {
      const { invariant, detail, virtualMs } = report.failure
      const again = commandOf('npx zonewright', run)
      failures.push(`seed ${seed} at ${Math.round(virtualMs)} ms: ${invariant}: ${detail}\n  ${again}`)
      console.error(failures.at(-1))
    }
    if (performance.now() - said > PROGRESS_MS) {
      said = performance.now()
      console.error(`seeds ${first}..${seed} of ..${last}: ${failures.length} failed`)
    }
  }
  const { user, system } = process.cpuUsage()
  return { totals, failures, cpuSeconds: (user + system) / 1e6 }
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
