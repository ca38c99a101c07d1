import type { WireCounts } from '../../runtime/sim/wires.ts'
import { bootSequence } from '../sequences.ts'
import { bootSteps } from './cluster.ts'
import { faultKinds, faultRow, type FaultKind } from './faults.ts'
import type { RunReport } from './run.ts'
import { emptyCoverage, pointNames, pointsOfZone, type Coverage, type PointHits } from './strikes.ts'

/** What many runs have met, together. */
export interface Totals {
  readonly cells: Coverage
  readonly points: PointHits
  readonly wires: WireCounts
  runs: number
  events: number
  boots: number
}

export const noTotals = (): Totals => ({
  cells: emptyCoverage(),
  points: Object.fromEntries(pointNames.map((name) => [name, 0])) as PointHits,
  wires: { lost: 0, twice: 0, late: 0, changed: 0, held: 0 },
  runs: 0, events: 0, boots: 0,
})

export function addRun(totals: Totals, { coverage, points, wires, events, boots }: RunReport): void {
  for (const kind of faultKinds) for (const step of bootSteps) totals.cells[kind][step]! += coverage[kind][step]!
  for (const name of pointNames) totals.points[name] += points[name]
  for (const name of Object.keys(wires) as (keyof WireCounts)[]) totals.wires[name] += wires[name]
  totals.runs++
  totals.events += events
  totals.boots += boots
}

const firstBootOnly = new Set(bootSequence.steps.filter((step) => step.firstBootOnly).map(({ number }) => number))

/** A node runs only where the zone has booted before, and what a first boot alone does is over by then. */
export const isPossible = (kind: FaultKind, step: number): boolean => !faultRow(kind).nodes || !firstBootOnly.has(step)

/** What has not happened and can: `crash-node at step 7`, `point link/closes`. A soak that has any has missed it. */
export const gaps = ({ cells, points }: Pick<Totals, 'cells' | 'points'>): readonly string[] => [
  ...faultKinds.flatMap((kind) => bootSteps
    .filter((step) => cells[kind][step] === 0 && isPossible(kind, step)).map((step) => `${kind} at step ${step}`)),
  ...pointsOfZone.filter((name) => points[name] === 0).map((name) => `point ${name}`),
]

const IMPOSSIBLE = '-'
const LEAST_WIDTH = 3

/** Faults that struck, by kind and boot step; `-` where that cannot be. */
export function coverageTable(cells: Coverage): readonly string[] {
  const rows = [
    ['fault \\ step', ...bootSteps.map(String)],
    ...faultKinds.map((kind) =>
      [kind, ...bootSteps.map((step) => (isPossible(kind, step) ? String(cells[kind][step]) : IMPOSSIBLE))]),
  ]
  const widths = rows[0]!.map((_, column) => Math.max(LEAST_WIDTH, ...rows.map((row) => row[column]!.length)))
  return rows.map((row) => row
    .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join(' '))
}

/** The table's zeros in words: kinds that never struck, then each other one with its steps, then points. */
export function gapLines({ cells, points }: Pick<Totals, 'cells' | 'points'>): readonly string[] {
  const never = faultKinds.filter((kind) => bootSteps.every((step) => cells[kind][step] === 0))
  const missed = pointsOfZone.filter((name) => points[name] === 0)
  return [
    ...(never.length === 0 ? [] : [`never struck: ${never.join(', ')}`]),
    ...faultKinds.filter((kind) => !never.includes(kind)).flatMap((kind) => {
      const steps = bootSteps.filter((step) => cells[kind][step] === 0 && isPossible(kind, step))
      return steps.length === 0 ? [] : [`never struck: ${kind} at step ${rangesText(steps)}`]
    }),
    ...(missed.length === 0 ? [] : [`points never hit: ${missed.join(', ')}`]),
  ]
}

/** `0, 2..5` */
function rangesText(numbers: readonly number[]): string {
  const ranges: [first: number, last: number][] = []
  for (const number of numbers) {
    const range = ranges.at(-1)
    if (range && range[1] === number - 1) range[1] = number
    else ranges.push([number, number])
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}..${last}`)).join(', ')
}
