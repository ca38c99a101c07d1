/** Ten virtual years of authorities, certificates, keys and audit, for each seed. */
import process from 'node:process'
import { runYears } from '../../boot/sim/years.ts'

export const yearsHelp = `years [--seeds 1..N] [--keys cheap|real]
    ten virtual years of certificates and keys, with power cuts, wrong clocks and lost keys`

export interface YearsOptions {
  readonly first: number
  readonly last: number
  readonly keys: 'real' | 'cheap'
}

/** @returns how many passed and failed */
export async function soakYears(
  { first, last, keys }: YearsOptions,
): Promise<{ passed: number; failed: number }> {
  let failed = 0
  for (let seed = first; seed <= last; seed++) {
    const before = process.cpuUsage()
    const { failure, counts, events, hash } = await runYears({ seed, keys })
    const { user, system } = process.cpuUsage(before)
    const told = Object.entries(counts).map(([name, count]) => `${name} ${count}`).join(', ')
    const seconds = ((user + system) / 1e6).toFixed(0)
    console.log(`seed ${seed}: ${seconds} s of one core, ${events} events, ${hash}\n  ${told}`)
    if (!failure) continue
    failed++
    console.log(`  ${failure.invariant}: ${failure.detail}`)
    console.log(`  again: npm run soak -- years --seeds ${seed}..${seed} --keys ${keys}`)
  }
  return { passed: last - first + 1 - failed, failed }
}
