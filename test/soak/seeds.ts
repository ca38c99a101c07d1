/** Boots the simulated zone with many seeds, each twice, and compares the hashes. */
import { simulateZone } from '../../boot/sim/zone.ts'

export const seedsHelp = `seeds [--seeds 1..200] [--keys cheap|real]
    boots the simulated zone with each seed twice and compares the hashes`

export interface SeedsOptions {
  readonly first: number
  readonly last: number
  readonly keys: 'real' | 'cheap'
}

/** @returns how many passed and failed */
export async function soakSeeds({ first, last, keys }: SeedsOptions): Promise<{ passed: number; failed: number }> {
  const began = performance.now()
  let events = 0
  let failed = 0
  for (let seed = first; seed <= last; seed++) {
    try {
      const [one, two] = [await simulateZone({ seed, keys }), await simulateZone({ seed, keys })]
      events += one.events + two.events
      if (one.hash !== two.hash) throw new Error(`two runs differ: ${one.hash} ${two.hash}`)
    } catch (error) {
      failed++
      console.log(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`)
      console.log(`  again: npm run soak -- seeds --seeds ${seed}..${seed} --keys ${keys}`)
    }
    if (seed % 50 === 0 || seed === last) {
      const seconds = (performance.now() - began) / 1000
      console.log(
        `seeds ${first}..${seed}: ${seconds.toFixed(0)} s, ${Math.round(events / seconds)} events/s, ${failed} failed`,
      )
    }
  }
  return { passed: last - first + 1 - failed, failed }
}
