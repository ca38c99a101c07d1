/** Longer than a test may take. `npm run soak -- kills --minutes 10` */
import process from 'node:process'
import { faultLevels, type FaultLevel } from '../boot/sim/options.ts'
import { chaosHelp, soakChaos } from './soak/chaos.ts'
import { killsHelp, soakKills } from './soak/kills.ts'
import { migrateHelp, soakMigrate } from './soak/migrate.ts'
import { mutationsHelp, soakMutations } from './soak/mutations.ts'
import { seedsHelp, soakSeeds } from './soak/seeds.ts'
import { sdkHelp, soakSdk } from './soak/sdk.ts'
import { soakStorm, stormHelp } from './soak/storm.ts'
import { movesHelp, soakMoves } from './soak/moves.ts'
import { soakStartOrders, startOrdersHelp } from './soak/start-orders.ts'
import { soakYears, yearsHelp } from './soak/years.ts'

const help = `npm run soak -- [what] [options]
  ${seedsHelp}
  ${stormHelp}
  ${killsHelp}
  ${chaosHelp}
  ${migrateHelp}
  ${startOrdersHelp}
  ${movesHelp}
  ${yearsHelp}
  ${mutationsHelp}
  ${sdkHelp}
Without a word, all but the last with their defaults. The last line is "N passed, N failed".`

const fail = (message: string): never => {
  console.error(message)
  process.exit(2)
}

function readArguments(argv: readonly string[]) {
  const options = {
    first: 1, last: undefined as number | undefined, keys: 'cheap' as 'real' | 'cheap',
    minutes: undefined as number | undefined, oods: 3,
    nodes: undefined as number | undefined, seed: 1, cases: [0, Infinity], hours: 0.006, jobs: 2, part: false,
    faults: 'storm' as FaultLevel,
  }
  const rest = [...argv]
  const number = (text: string): number => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : fail(`Not a number: ${text}`))
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const value = rest.shift() ?? fail(`A value is missing: ${word}`)
    if (word === '--seeds') {
      const [, first, last] = /^(\d+)\.\.(\d+)$/.exec(value) ?? fail(`Not a range of seeds: ${value}`)
      options.first = Number(first)
      options.last = Number(last)
    } else if (word === '--cases') {
      const [, first, last] = /^(\d+)\.\.(\d+)$/.exec(value) ?? fail(`Not a range of cases: ${value}`)
      options.cases = [Number(first), Number(last)]
    } else if (word === '--keys' && (value === 'real' || value === 'cheap')) options.keys = value
    else if (word === '--minutes') options.minutes = number(value)
    else if (word === '--oods') options.oods = number(value)
    else if (word === '--nodes') options.nodes = number(value)
    else if (word === '--seed') options.seed = number(value)
    else if (word === '--hours') options.hours = number(value)
    else if (word === '--jobs') options.jobs = number(value)
    else if (word === '--faults' && isLevel(value)) options.faults = value
    else if (word === '--part') options.part = true
    else fail(`Unknown option: ${word} ${value}\n${help}`)
  }
  return options
}

const isLevel = (text: string): text is FaultLevel => (faultLevels as readonly string[]).includes(text)

const argv = process.argv.slice(2)
if (argv.includes('--help')) {
  console.log(help)
  process.exit(0)
}
const [what, folder] = argv
if (what === 'sdk') {
  if (folder === undefined || argv.length > 2) fail(`The folder of the SDK is missing, or is not alone\n${help}`)
  const { passed, failed } = await soakSdk(folder!)
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(failed === 0 ? 0 : 1)
}
const named = what !== undefined && !what.startsWith('-')
const soaks = [
  ['seeds', soakSeeds], ['storm', soakStorm], ['kills', soakKills], ['chaos', soakChaos], ['migrate', soakMigrate],
  ['start-orders', soakStartOrders], ['moves', soakMoves], ['years', soakYears],
  ['mutations', soakMutations],
] as const
const SEEDS = 200
/** The last seed where nobody says it. */
const seedsOf: Readonly<Record<string, number>> = { storm: 10_000, years: 3 }
if (named && !soaks.some(([name]) => name === what)) fail(`There is no such soak: ${what}\n${help}`)
const options = readArguments(named ? argv.slice(1) : argv)
const total = { passed: 0, failed: 0 }
for (const [name, soak] of soaks) {
  if (named && what !== name) continue
  const { passed, failed } = await soak({
    ...options, last: options.last ?? seedsOf[name] ?? SEEDS,
    nodes: options.nodes ?? (name === 'storm' || name === 'chaos' ? 4 : 3),
    minutes: options.minutes ?? (name === 'chaos' ? 5 : 10),
  })
  total.passed += passed
  total.failed += failed
}
if (!options.part) console.log(`${total.passed} passed, ${total.failed} failed`)
process.exit(total.failed === 0 ? 0 : 1)
