/**
 * Longer than a test may take: boots the simulated zone with many seeds, each twice, and compares the hashes.
 * `npm run soak -- --seeds 1..500 --keys cheap`
 */
import process from 'node:process'
import { simulateZone } from '../boot/sim/zone.ts'

const fail = (message: string): never => {
  console.error(message)
  process.exit(2)
}

function readArguments(argv: readonly string[]): { first: number; last: number; keys: 'real' | 'cheap' } {
  const options = { first: 1, last: 200, keys: 'cheap' as 'real' | 'cheap' }
  const rest = [...argv]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const value = rest.shift() ?? fail(`A value is missing: ${word}`)
    if (word === '--seeds') {
      const [, first, last] = /^(\d+)\.\.(\d+)$/.exec(value) ?? fail(`Not a range of seeds: ${value}`)
      options.first = Number(first)
      options.last = Number(last)
    } else if (word === '--keys' && (value === 'real' || value === 'cheap')) options.keys = value
    else fail(`Unknown option: ${word} ${value}`)
  }
  return options
}

const { first, last, keys } = readArguments(process.argv.slice(2))
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
    console.log(`  again: npx zonewright sim --seed ${seed} --keys ${keys}`)
  }
  if (seed % 50 === 0 || seed === last) {
    const seconds = (performance.now() - began) / 1000
    console.log(
      `seeds ${first}..${seed}: ${seconds.toFixed(0)} s, ${Math.round(events / seconds)} events/s, ${failed} failed`,
    )
  }
}
const seeds = last - first + 1
console.log(`${seeds - failed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
