/** Hosts with addresses of their own, killed and cut off at random while the zone is in use. */
import { removeFolders } from '../boot-fixtures/command-line.ts'
import { chaos } from '../chaos/run.ts'

export const chaosHelp = `chaos [--seed 1] [--minutes 5] [--nodes 4] [--oods 3]
    as root: three OODs over a real etcd of three members, nodes and client devices, each in a network namespace; they
    are killed, cut off and lose packets while writers write and services are called. With one OOD there is no etcd`

export interface ChaosSoakOptions {
  readonly minutes: number
  readonly nodes: number
  readonly oods: number
  readonly seed: number
}

/** @returns how many passed and failed */
export async function soakChaos(options: ChaosSoakOptions): Promise<{ passed: number; failed: number }> {
  const { minutes, nodes, oods, seed } = options
  const began = performance.now()
  const say = (line: string): void =>
    console.log(`${String(Math.round((performance.now() - began) / 1_000)).padStart(4)} s  ${line}`)
  const report = await chaos({ seed, lastsMs: minutes * 60_000, oods, nodes, say })
  const { faults, strikes, acknowledged, calls, callsFailed, unanswered, failures, settledMs, silences } = report
  if (faults.length === 0) removeFolders()
  else console.log(`the folders of all hosts: ${report.folder}`)
  for (const fault of faults) console.log(`broken: ${fault}`)
  for (const [what, count] of failures) console.log(`  writes that failed: ${count} by ${what}`)
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
  for (const { fromMs, forMs } of silences) console.log(`  no write for ${seconds(forMs)} from ${seconds(fromMs)} on`)
  console.log(`${strikes} strikes; ${acknowledged} writes acknowledged, ${unanswered} without an answer; `
    + `${calls - callsFailed} of ${calls} calls answered; ${report.endedByItself} programs ended by themselves; `
    + `${settledMs === undefined ? 'it did not settle' : `all was well after ${seconds(settledMs)}`}, seed ${seed}`)
  return { passed: faults.length === 0 ? 1 : 0, failed: faults.length }
}
