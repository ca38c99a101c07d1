/** `npm run bench -- link`: finds the suite in bench/, runs it and reports. */
import { readdirSync } from 'node:fs'
import process from 'node:process'
import { type Bench, meets, object, table } from './report.ts'

const notSuites = ['run', 'report']
const suites = readdirSync('bench')
  .filter(name => name.endsWith('.ts'))
  .map(name => name.slice(0, -'.ts'.length))
  .filter(name => !notSuites.includes(name))
  .sort()

const help = `Usage: npm run bench -- <suite> [--seconds N] [--json]
  suites: ${suites.join(', ')}
  --seconds N   how long each row is measured (default 2)
  --json        one JSON object last: {"suite","runtime","rows"}`

const fail = (message: string): never => {
  console.error(message)
  process.exit(2)
}

const readArguments = (argv: readonly string[]) => {
  const rest = [...argv]
  const options = { suite: '', seconds: 2, json: false }
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--json') options.json = true
    else if (word === '--seconds') {
      const value = rest.shift()
      options.seconds = Number(value)
      if (!(options.seconds > 0)) fail(`Not a number of seconds: ${value}`)
    } else if (word === '--help') {
      console.log(help)
      process.exit(0)
    } else if (!word.startsWith('-') && options.suite === '') options.suite = word
    else fail(`Unknown option: ${word}\n${help}`)
  }
  if (!suites.includes(options.suite)) {
    fail(options.suite === '' ? help : `No such suite: ${options.suite}\n${help}`)
  }
  return options
}

const { deno } = process.versions
const runtime = deno === undefined ? `node ${process.versions.node}` : `deno ${deno}`

const { suite, seconds, json } = readArguments(process.argv.slice(2))
// With --json the object is alone on stdout.
const say = (line: string): void => (json ? console.error(line) : console.log(line))
const own = import.meta.url
const module = await import(new URL(`./${suite}${own.endsWith('.ts') ? '.ts' : '.js'}`, own).href) as { default: Bench }
say(`${suite} on ${runtime}`)
const rows = await module.default({ seconds, say })
console.log(json ? object(suite, runtime, rows) : table(rows))
const missed = rows.filter(row => meets(row) === false).length
if (missed > 0) say(`targets missed: ${missed}`)
process.exit(missed === 0 ? 0 : 1)
