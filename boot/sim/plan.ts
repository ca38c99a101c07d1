import { SeededRandom } from '../../runtime/sim/random.ts'
import { bootSteps, OOD } from './cluster.ts'
import { faultKinds, faultRow, type FaultKind, type PlannedFault } from './faults.ts'
import { focusOf } from './focus.ts'
import type { RunOptions } from './options.ts'

const HOUR = 3_600_000
/** How many faults a run plans, by level. A storm plans more where it lasts longer. */
const counts = { none: [0, 0], some: [1, 4], storm: [6, 14] } as const
const STORM_PER_HOUR = 60
const LENGTH_MS = { least: 200, most: 40_000 } as const
/** No fault lasts longer than this part of the run: where all of them did, nobody would ever be served. */
const LENGTH_PART = 8
/** Half of all strike within a boot, where most is at stake. */
const AT_STEP_OF_TEN = 5
const MILLION = 1_000_000

/**
 * The faults of a run, in the order of their numbers. The first one goes by the seed through every kind at every step,
 * so that so many seeds in a row as there are pairs of them miss none.
 */
export function planFaults(options: RunOptions): readonly PlannedFault[] {
  const { seed, nodes, hours, faults, store } = options
  if (faults === 'none') return []
  const random = new SeededRandom(`zonewright plan ${seed}`)
  const can = (kind: FaultKind): boolean => {
    const row = faultRow(kind)
    return (nodes > 0 || !row.nodes) && (store === 'etcd' || !row.etcd)
  }
  const kinds = faultKinds.filter(can)
  const focus = can(focusOf(seed).kind) ? focusOf(seed) : { kind: kinds[seed % kinds.length]!, step: 0 }
  const [least, most] = counts[faults]
  const count = random.within([least, most]) + (faults === 'storm' ? Math.floor(hours * STORM_PER_HOUR) : 0)
  return Array.from({ length: count }, (_, index) => {
    const draws = random.fork(`fault ${index}`)
    if (index === 0) return { ...plannedFault(draws, index, focus.kind, options), when: { step: focus.step } }
    if (!faultRow(focus.kind).nodes) return plannedFault(draws, index, draw(draws, kinds), options)
    // Nodes and programs run during a boot only after the control plane has died alone: until then nothing strikes
    const planned = plannedFault(draws, index, index === 1 ? 'crash-ood' : draw(draws, kinds), options)
    const halfMs = (hours * HOUR) / 2
    return { ...planned, when: { ms: halfMs + (index === 1 ? 0 : Math.floor(planned.amount * halfMs)) } }
  })
}

function plannedFault(
  draws: SeededRandom, index: number, kind: FaultKind, { nodes, hours }: RunOptions,
): PlannedFault {
  const step = draw(draws, bootSteps)
  const ms = Math.floor((draws.within([0, MILLION]) / MILLION) * hours * HOUR)
  const when = draws.within([1, 10]) <= AT_STEP_OF_TEN ? { step } : { ms }
  const node = (): string => (nodes === 0 ? OOD : `node${draws.within([1, nodes])}`)
  const host = draws.within([0, 1]) === 0 ? OOD : node()
  return {
    index, kind, when, host, other: node(), amount: draws.within([0, MILLION - 1]) / MILLION,
    lengthMs: draws.within([LENGTH_MS.least, longest(hours)]),
  }
}

const longest = (hours: number): number =>
  Math.max(LENGTH_MS.least, Math.min(LENGTH_MS.most, Math.floor((hours * HOUR) / LENGTH_PART)))

const draw = <T>(draws: SeededRandom, from: readonly T[]): T => from[draws.within([0, from.length - 1])]!

/** One line for a person. */
export function describeFault({ index, kind, when, host, lengthMs }: PlannedFault): string {
  const at = 'step' in when ? `at boot step ${when.step}` : `at ${(when.ms / 1_000).toFixed(1)} s`
  const lasts = (lengthMs / 1_000).toFixed(1)
  return `${String(index).padStart(3)}  ${kind.padEnd(14)} ${host.padEnd(7)} ${at}, for ${lasts} s`
}
