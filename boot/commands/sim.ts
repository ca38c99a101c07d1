import { InvalidArgumentError, Option, type Command } from 'commander'
import type { KeyKind } from '../../runtime/sim/keys.ts'
import { Usage } from '../errors.ts'
import {
  DEFAULT_SCENARIO, drawOptions, faultLevels, NONE, storeKinds, type FaultLevel, type GivenOptions, type StoreKind,
} from '../sim/options.ts'
import type { Terminal } from '../terminal.ts'
import { command, wholeNumber } from './command.ts'

export interface SimOptions {
  readonly seed?: number
  readonly seeds?: SeedRange
  readonly oods?: number
  readonly nodes?: number
  readonly hours?: number
  readonly faults?: FaultLevel
  readonly keys?: KeyKind
  readonly store?: StoreKind
  readonly scenario: string
  readonly only?: readonly number[]
  readonly diagram?: true
  readonly trace?: string
  readonly verify?: true
  readonly shrink: boolean
  readonly json?: true
  readonly debug?: true
}

export interface SeedRange {
  readonly first: number
  readonly last: number
}

const DEFAULT_SEED = 1
const SEED_MAX = 4_294_967_295
/** Larger than any limit: what is too much is told in words by whoever knows why. */
const COUNT_MAX = 1_000_000_000

export function simCommand(terminal: Terminal): Command {
  return command(terminal, 'sim', {
    description: 'Run a zone in the simulator: virtual time, faults, invariants, all of it decided by the seed',
    examples: [
      'sim --seed 7', 'sim --seed 7 --faults storm --nodes 3 --hours 0.5', 'sim --seed 7 --verify --trace ./trace.txt',
      'sim --seed 1 --faults none --diagram', 'sim --seeds 1..200 --faults storm', 'sim --seed 7 --only 3,7 --json',
      'sim --oods 3', 'sim --scenario hosts --seed 7', 'sim --scenario canary', 'sim --scenario years --seed 3',
      'sim --scenario migrate --seed 120 --verify',
    ],
  })
    .option('--seed <number>', 'decides everything that is not said otherwise; 1 without it', wholeNumber(0, SEED_MAX))
    .option('--seeds <range>', 'one run for each seed: 1..200', seedRange)
    .option('--oods <number>', 'control planes over one store: 2 to 5 of them are `oods`', wholeNumber(0, COUNT_MAX))
    .option('--nodes <number>', 'hosts beside the first one', wholeNumber(0, COUNT_MAX))
    .option('--hours <number>', 'virtual hours under faults; what comes after is not counted', decimal)
    .addOption(new Option('--faults <level>', 'how much goes wrong').choices(faultLevels))
    .addOption(new Option('--keys <kind>', 'Ed25519, or a keyed hash in its place').choices(['real', 'cheap']))
    .addOption(new Option('--store <kind>', 'where the stores lie: on each disk, or in etcd').choices(storeKinds))
    .addOption(new Option('--scenario <name>', 'what is simulated').default(DEFAULT_SCENARIO))
    .option('--only <indices>', `of the planned faults only these strike: 3,7; or ${NONE}`, indices)
    .option('--diagram', 'print the steps of the first boot as a mermaid sequence diagram')
    .option('--trace <file>', 'write each line of the trace into a new file as it happens')
    .option('--verify', 'run it twice, and name the first line in which the two differ')
    .option('--no-shrink', 'leave the schedule of faults of a failure as it is')
    .action((options: SimOptions) => runSim(terminal, options))
}

function seedRange(text: string): SeedRange {
  const [, first, last] = /^(\d+)\.\.(\d+)$/.exec(text) ?? []
  const range = { first: Number(first), last: Number(last) }
  if (first === undefined || range.last > SEED_MAX) {
    throw new InvalidArgumentError(`It is a range of seeds from 0 to ${SEED_MAX}, such as 1..200.`)
  }
  if (range.first > range.last) {
    throw new InvalidArgumentError(`It ends before it begins: ${range.last}..${range.first}?`)
  }
  return range
}

function decimal(text: string): number {
  if (!/^\d+(\.\d+)?(e-\d+)?$/.test(text)) throw new InvalidArgumentError('It is a number, such as 0.5.')
  return Number(text)
}

function indices(text: string): readonly number[] {
  if (text === NONE) return []
  if (!/^\d+(,\d+)*$/.test(text)) {
    throw new InvalidArgumentError(`It is a list of indices of the plan, such as 3,7, or ${NONE}.`)
  }
  return [...new Set(text.split(',').map(Number))].sort((a, b) => a - b)
}

/** What is about one run. */
const ofOneRun = ['only', 'trace', 'diagram', 'verify'] as const

async function runSim(terminal: Terminal, options: SimOptions): Promise<void> {
  const { seeds } = options
  if (!seeds) {
    const { runOne } = await import('./sim-one.ts')
    return runOne(terminal, options)
  }
  if (options.seed !== undefined) {
    throw new Usage('--seed names one run, and --seeds many', { next: 'Leave one of them out' })
  }
  for (const name of ofOneRun) {
    if (options[name] === undefined) continue
    const next = `Say --seed N in place of --seeds, or leave --${name} out`
    throw new Usage(`--${name} is about one run, and --seeds makes many`, { next })
  }
  const { runSeeds } = await import('./sim-seeds.ts')
  return runSeeds(terminal, options, seeds)
}

/** What was given of the run with this seed. */
export function givenOf(options: SimOptions, seed = options.seed ?? DEFAULT_SEED): GivenOptions {
  const { oods, nodes, hours, faults, keys, store, only } = options
  const said = Object.entries({ oods, nodes, hours, faults, keys, store, only })
  return { ...Object.fromEntries(said.filter(([, value]) => value !== undefined)), seed }
}

/** @throws Usage */
export const optionsOf = (options: SimOptions, seed?: number): ReturnType<typeof drawOptions> =>
  drawOptions(givenOf(options, seed))
