/** Longer than a test may take. `npm run soak -- kills --minutes 10` */
import process from 'node:process'
import { killsHelp, soakKills } from './soak/kills.ts'
import { mutationsHelp, soakMutations } from './soak/mutations.ts'
import { seedsHelp, soakSeeds } from './soak/seeds.ts'
import { soakStartOrders, startOrdersHelp } from './soak/start-orders.ts'

const help = `npm run soak -- [what] [options]
  ${seedsHelp}
  ${killsHelp}
  ${startOrdersHelp}
  ${mutationsHelp}
Without a word, all with their defaults. The last line is "N passed, N failed".`

const fail = (message: string): never => {
  console.error(message)
  process.exit(2)
}

function readArguments(argv: readonly string[]) {
  const options = {
    first: 1, last: 200, keys: 'cheap' as 'real' | 'cheap', minutes: 10, nodes: 3, seed: 1, cases: [0, Infinity],
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
    else if (word === '--nodes') options.nodes = number(value)
    else if (word === '--seed') options.seed = number(value)
    else fail(`Unknown option: ${word} ${value}\n${help}`)
  }
  return options
}

const argv = process.argv.slice(2)
if (argv.includes('--help')) {
  console.log(help)
  process.exit(0)
}
const [what] = argv
const named = what !== undefined && !what.startsWith('-')
const soaks = [
  ['seeds', soakSeeds], ['kills', soakKills], ['start-orders', soakStartOrders], ['mutations', soakMutations],
] as const
if (named && !soaks.some(([name]) => name === what)) fail(`There is no such soak: ${what}\n${help}`)
const options = readArguments(named ? argv.slice(1) : argv)
const total = { passed: 0, failed: 0 }
for (const [name, soak] of soaks) {
  if (named && what !== name) continue
  const { passed, failed } = await soak(options)
  total.passed += passed
  total.failed += failed
}
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exit(total.failed === 0 ? 0 : 1)
