import process from 'node:process'
import { addRun, gaps, noTotals, type Totals } from '../../boot/sim/coverage.ts'
import { focusCount, focusOf } from '../../boot/sim/focus.ts'
import { commandOf, drawOptions, type GivenOptions } from '../../boot/sim/options.ts'
import { runOnce } from '../../boot/sim/run.ts'

export type StormRun = Omit<GivenOptions, 'seed' | 'only'>

/** What many seeds have met. */
export interface StormReport {
  readonly totals: Totals
  /** Each with the command that gives it again. */
  readonly failures: string[]
}

/** How many more seeds with the fault and the step of a gap are tried: what else strikes may keep it from them. */
const TRIES_PER_GAP = 8

export const noReport = (): StormReport => ({ totals: noTotals(), failures: [] })

export async function runSeed(report: StormReport, seed: number, given: StormRun): Promise<void> {
  const options = drawOptions({ ...given, seed })
  const run = await runOnce(options)
  addRun(report.totals, run)
  if (!run.failure) return
  const { invariant, detail, virtualMs } = run.failure
  const again = commandOf('npx zonewright', options)
  report.failures.push(`seed ${seed} at ${Math.round(virtualMs)} ms: ${invariant}: ${detail}\n  ${again}`)
}

/** More seeds for what no run has met yet. @returns what is missing all the same */
export async function closeGaps(report: StormReport, after: number, given: StormRun): Promise<readonly string[]> {
  for (const gap of gaps(report.totals)) {
    const [, kind, step] = /^(\S+) at step (\d+)$/.exec(gap) ?? []
    if (kind === undefined) continue
    let seed = after + 1
    for (let tries = 0; tries < TRIES_PER_GAP && gaps(report.totals).includes(gap); tries++) {
      while (focusOf(seed).kind !== kind || focusOf(seed).step !== Number(step)) seed++
      await runSeed(report, seed, given)
      seed += focusCount - 1
    }
  }
  return gaps(report.totals)
}

/** User and system time of this process. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
