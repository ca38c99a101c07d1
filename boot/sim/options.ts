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

export const limitsOfRun = { nodes: 1_000, hours: 168 } as const
const NODES_DRAWN_MAX = 6
const MINUTES_DRAWN = [1, 6] as const

/** @throws Usage for what contradicts itself or cannot be */
export function drawOptions(given: GivenOptions): RunOptions {
  const random = new SeededRandom(`zonewright options ${given.seed}`)
  const nodes = random.fork('nodes').within([0, NODES_DRAWN_MAX])
  const minutes = random.fork('hours').within(MINUTES_DRAWN)
  const faults = faultLevels[random.fork('faults').within([0, faultLevels.length - 1])]!
  const keys = random.fork('keys').within([0, 19]) === 0 ? 'real' : 'cheap'
  const fourth = random.fork('store').within([0, 3]) === 0
  const store = fourth || faultRow(focusOf(given.seed).kind).etcd ? 'etcd' : 'embedded'
  const options: RunOptions = {
    seed: given.seed, oods: given.oods ?? 1, nodes: given.nodes ?? nodes, hours: given.hours ?? minutes / 60,
    faults: given.faults ?? faults, keys: given.keys ?? keys, store: given.store ?? store, only: given.only,
  }
  if (options.oods !== 1) {
    throw new Usage(`A zone has one OOD in this version: ${options.oods} cannot be simulated`, {
      next: 'Leave --oods out, or say --oods 1',
    })
  }
  if (options.only && options.faults === 'none') {
    throw new Usage('--only chooses among the planned faults, but --faults none plans none', {
      next: 'Leave one of them out',
    })
  }
  return options
}

/** The names of what was drawn, with what was drawn, as the run prints them first. */
export function drawn(given: GivenOptions, options: RunOptions): readonly (readonly [string, string])[] {
  const shown = { oods: '', nodes: '', hours: '', faults: '', keys: '', store: '' }
  return (Object.keys(shown) as (keyof typeof shown)[]).map((name) => {
    const value = name === 'hours' ? Number(options.hours.toFixed(4)) : options[name]
    return [name, `${value}${given[name] === undefined ? ' (drawn)' : ''}`]
  })
}

/** The one command that gives this run again. */
export function commandOf(
  invocation: string, { seed, nodes, hours, faults, keys, store, only }: RunOptions,
): string {
  const list = only ? ` --only ${only.join(',')}` : ''
  return `${invocation} sim --seed ${seed} --nodes ${nodes} --hours ${Number(hours.toFixed(4))} --faults ${faults}`
    + ` --keys ${keys} --store ${store}${list}`
}
