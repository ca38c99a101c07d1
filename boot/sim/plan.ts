import { SeededRandom } from '../../runtime/sim/random.ts'
import { bootSteps, OOD } from './cluster.ts'
import { faultKinds, faultRow, type FaultKind, type PlannedFault } from './faults.ts'
import type { RunOptions } from './options.ts'

const HOUR = 3_600_000
/** How many faults a run plans, by level. A storm plans more where it lasts longer. */
const counts = { none: [0, 0], some: [1, 4], storm: [6, 14] } as const
const STORM_PER_HOUR = 60
const LENGTH_MS = [200, 40_000] as const
/** Half of all strike within a boot, where most is at stake. */
const AT_STEP_OF_TEN = 5
const MILLION = 1_000_000

/**
 * The faults of a run, in the order of their numbers. The first one goes by the seed through every kind at every step,
 * so that so many seeds in a row as there are pairs of them miss none.
 */
export function planFaults(options: RunOptions): readonly PlannedFault[] {
  const { seed, nodes, hours, faults } = options
  if (faults === 'none') return []
  const random = new SeededRandom(`zonewright plan ${seed}`)
  const kinds = faultKinds.filter((kind) => nodes > 0 || !faultRow(kind).nodes)
  const [least, most] = counts[faults]
  const count = random.within([least, most]) + (faults === 'storm' ? Math.floor(hours * STORM_PER_HOUR) : 0)
  const first = kinds[seed % kinds.length]!
  return Array.from({ length: count }, (_, index) => {
    const draws = random.fork(`fault ${index}`)
    // Nodes run during a boot only after the control plane has died alone
    const kind = index === 0 ? first : index === 1 && faultRow(first).nodes ? 'crash-ood' : draw(draws, kinds)
    const atStep = index === 0 ? Math.floor(seed / kinds.length) % bootSteps.length : undefined
    const planned = plannedFault(draws, { index, kind, nodes, hours, atStep })
    return index === 1 && faultRow(first).nodes ? { ...planned, when: { ms: (hours * HOUR) / 2 } } : planned
  })
}

interface Given {
  readonly index: number
  readonly kind: FaultKind
  readonly nodes: number
  readonly hours: number
  readonly atStep: number | undefined
}

function plannedFault(draws: SeededRandom, { index, kind, nodes, hours, atStep }: Given): PlannedFault {
  const drawnStep = bootSteps[draws.within([0, bootSteps.length - 1])]!
  const ms = Math.floor((draws.within([0, MILLION]) / MILLION) * hours * HOUR)
  const inBoot = draws.within([1, 10]) <= AT_STEP_OF_TEN
  const when = atStep !== undefined ? { step: bootSteps[atStep]! } : inBoot ? { step: drawnStep } : { ms }
  const node = (): string => (nodes === 0 ? OOD : `node${draws.within([1, nodes])}`)
  const host = draws.within([0, 1]) === 0 ? OOD : node()
  return {
    index, kind, when, host, other: node(), amount: draws.within([0, MILLION - 1]) / MILLION,
    lengthMs: draws.within(LENGTH_MS),
  }
}

const draw = <T>(draws: SeededRandom, from: readonly T[]): T => from[draws.within([0, from.length - 1])]!

/** One line for a person. */
export function describeFault({ index, kind, when, host, lengthMs }: PlannedFault): string {
  const at = 'step' in when ? `at boot step ${when.step}` : `at ${(when.ms / 1_000).toFixed(1)} s`
  const lasts = (lengthMs / 1_000).toFixed(1)
  return `${String(index).padStart(3)}  ${kind.padEnd(14)} ${host.padEnd(7)} ${at}, for ${lasts} s`
}
