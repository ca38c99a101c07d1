import type { KeyKind } from '../../runtime/sim/keys.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import { Usage } from '../errors.ts'
import { faultRow } from './faults.ts'
import { focusOf } from './focus.ts'

export const faultLevels = ['none', 'some', 'storm'] as const
export type FaultLevel = (typeof faultLevels)[number]

export const storeKinds = ['embedded', 'etcd'] as const
export type StoreKind = (typeof storeKinds)[number]

/** What a person may say of a run; what is not said is drawn from the seed. */
export interface GivenOptions {
  readonly seed: number
  readonly oods?: number
  readonly nodes?: number
  readonly hours?: number
  readonly faults?: FaultLevel
  readonly keys?: KeyKind
  readonly store?: StoreKind
  /** Only these of the planned faults strike. */
  readonly only?: readonly number[]
}

export interface RunOptions {
  readonly seed: number
  readonly oods: number
  readonly nodes: number
  /** Of the first phase, virtual. */
  readonly hours: number
  readonly faults: FaultLevel
  readonly keys: KeyKind
  readonly store: StoreKind
  readonly only: readonly number[] | undefined
}

export const limitsOfRun = { oods: 5, nodes: 1_000, hours: 168 } as const
const NODES_DRAWN_MAX = 6
const MINUTES_DRAWN = [1, 6] as const
/** Digits of drawn hours after the point: a command that says them gives the same run. */
const HOURS_DIGITS = 4

/** @throws Usage for what contradicts itself or cannot be */
export function drawOptions(given: GivenOptions): RunOptions {
  const random = new SeededRandom(`zonewright options ${given.seed}`)
  const nodes = random.fork('nodes').within([0, NODES_DRAWN_MAX])
  const minutes = random.fork('hours').within(MINUTES_DRAWN)
  const faults = faultLevels[random.fork('faults').within([0, faultLevels.length - 1])]!
  const keys = random.fork('keys').within([0, 19]) === 0 ? 'real' : 'cheap'
  const fourth = random.fork('store').within([0, 3]) === 0
  const store = fourth || faultRow(focusOf(given.seed).kind).etcd ? 'etcd' : 'embedded'
  const hours = Number((minutes / 60).toFixed(HOURS_DIGITS))
  const options: RunOptions = {
    seed: given.seed, oods: given.oods ?? 1, nodes: given.nodes ?? nodes, hours: given.hours ?? hours,
    faults: given.faults ?? faults, keys: given.keys ?? keys, store: given.store ?? store, only: given.only,
  }
  for (const [isWrong, message, next] of faultsOf(options)) if (isWrong) throw new Usage(message, { next })
  return options
}

type Check = readonly [isWrong: boolean, message: string, next: string]

const faultsOf = ({ oods, nodes, hours, faults, only }: RunOptions): readonly Check[] => [
  [
    !Number.isInteger(oods) || oods < 1 || oods > limitsOfRun.oods,
    `A simulated zone has at most ${limitsOfRun.oods} OODs: ${oods}`, `Say --oods 1 to ${limitsOfRun.oods}`,
  ],
  [
    !Number.isInteger(nodes) || nodes < 0 || nodes > limitsOfRun.nodes,
    `A simulated zone has at most ${limitsOfRun.nodes} nodes: ${nodes}`, `Say --nodes 0 to ${limitsOfRun.nodes}`,
  ],
  [
    !(hours > 0 && hours <= limitsOfRun.hours),
    `A run lasts more than 0 hours, and at most ${limitsOfRun.hours}: ${hours}`, 'Say --hours 0.05 for three minutes',
  ],
  [
    only !== undefined && faults === 'none', '--only chooses among the planned faults, but --faults none plans none',
    'Leave one of them out, or say --faults some or --faults storm: --only belongs to a plan',
  ],
]

/** The names of what decides a run, each with its value, and whether it was drawn, as the run prints them first. */
export function drawn(given: GivenOptions, options: RunOptions): readonly (readonly [string, string])[] {
  return decided.map((name) => [name, `${options[name]}${given[name] === undefined ? ' (drawn)' : ''}`])
}

const decided = ['oods', 'nodes', 'hours', 'faults', 'keys', 'store'] as const

/** Those that the seed decides. */
export const drawnNames = (given: GivenOptions): readonly string[] =>
  decided.filter((name) => given[name] === undefined)

export const DEFAULT_SCENARIO = 'zone'
/** Of a scenario, what a command says. */
interface Named {
  readonly name: string
  readonly isCase?: true
  readonly takes?: readonly 'oods'[]
}
/** What a person says for no fault at all, where the fault points still strike. */
export const NONE = 'none'

/** The one command that gives this run again. */
export function commandOf(
  invocation: string, { seed, oods, nodes, hours, faults, keys, store, only }: RunOptions,
  { name, isCase, takes }: Named = { name: DEFAULT_SCENARIO },
): string {
  const what = name === DEFAULT_SCENARIO ? '' : ` --scenario ${name}`
  const hosts = takes?.includes('oods') && oods > 1 ? ` --oods ${oods}` : ''
  if (isCase) return `${invocation} sim --seed ${seed} --keys ${keys}${what}${hosts}`
  const list = only ? ` --only ${only.length === 0 ? NONE : only.join(',')}` : ''
  return `${invocation} sim --seed ${seed} --nodes ${nodes} --hours ${hours} --faults ${faults} --keys ${keys}`
    + ` --store ${store}${what}${list}`
}
