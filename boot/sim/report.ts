import { id, text } from '../diagram.ts'
import { printable } from '../printable.ts'
import { pairs, type Style } from '../render.ts'
import { OOD } from './cluster.ts'
import { timeOf, type FaultKind, type PlannedFault } from './faults.ts'
import {
  caseInvariants, deskInvariants, hostInvariants, invariants, runInvariants, yearsInvariants,
} from './invariants.ts'
import type { RunFailure, RunReport } from './run.ts'

export interface Promised {
  readonly name: string
  readonly source: string
  readonly what: string
}

export { timeOf }

/** Every invariant there is, in the order of the documentation. */
export const allInvariants: readonly Promised[] = [
  ...invariants, ...deskInvariants, ...caseInvariants, ...hostInvariants, ...yearsInvariants, ...runInvariants,
]

/** What is promised; an error that nobody expected breaks the last of them, and goes by its own name. */
export function promiseOf(name: string): Promised {
  return allInvariants.find((each) => each.name === name) ?? { ...runInvariants.at(-1)!, name }
}

/** Whether the stack says more than the detail does. */
export const isUnexpected = ({ invariant }: RunFailure): boolean =>
  !allInvariants.some(({ name }) => name === invariant)

/** The failure for a person, but for its diagram. */
export function failureLines(report: RunReport, failure: RunFailure, style: Style): readonly string[] {
  const { source, what } = promiseOf(failure.invariant)
  return [
    `${style.bad('broken')}  ${style.bold(failure.invariant)}`,
    ...pairs([
      ['promised', what], ['where', source], ['detail', printable(failure.detail)],
      ['when', `${timeOf(failure.virtualMs)} of virtual time, event ${report.events}, boot ${report.boots}`],
    ]),
  ]
}

/** Faults that struck, one line each. */
export function struckLines({ struck }: Pick<RunReport, 'struck'>): readonly string[] {
  if (struck.length === 0) return ['No planned fault struck']
  return [
    'Faults that struck: index, what, where, when, at which boot step, for how long',
    ...struck.map(({ fault, atMs, step }) => [
      String(fault.index).padStart(5), fault.kind.padEnd(14), placeOf(fault).padEnd(7), timeOf(atMs).padStart(12),
      `step ${step}`.padEnd(7), `${(fault.lengthMs / 1_000).toFixed(1)} s`.padStart(7),
    ].join('  ')),
  ]
}

/** Some kinds have a place of their own, whatever was drawn. */
const places: Readonly<Partial<Record<FaultKind, string>>> = { 'crash-ood': OOD, 'power-off': 'all', restart: 'all' }
export const placeOf = ({ kind, host, other }: PlannedFault): string =>
  places[kind] ?? (kind === 'crash-node' ? other : host)

const ARROWS_MAX = 20
const DELIVERY = /^(\d+) (\S+) (.+) > (\S+) (\S+)$/
const NOTE = /^(\d+) (.+)$/

/** The last lines of a trace as a mermaid sequenceDiagram: deliveries are arrows, faults and their deeds notes. */
export function traceDiagram(title: string, lines: readonly string[]): string {
  const names = new Set<string>()
  const shown = lines.slice(-ARROWS_MAX).map((line) => statement(line, names))
  // Notes stand over all of them, so there is at least one
  if (names.size === 0) names.add('zone')
  const all = [...names]
  const over = [...new Set([all[0]!, all.at(-1)!])].map(id).join(',')
  return [
    'sequenceDiagram',
    `  title ${text(title)}`,
    ...all.map((name) => `  participant ${id(name)} as ${shownText(name)}`),
    ...shown.map((each) => (each.type === 'arrow' ? each.text : `  Note over ${over}: ${each.text}`)),
  ].join('\n')
}

interface Statement {
  readonly type: 'arrow' | 'note'
  readonly text: string
}

function statement(line: string, names: Set<string>): Statement {
  const [, atUs = '', kind = '', from = '', to = '', digest = ''] = DELIVERY.exec(line) ?? []
  if (kind === '') {
    const [, atUs = '0', what = line] = NOTE.exec(line) ?? []
    return { type: 'note', text: shownText(`${timeOf(Number(atUs) / 1_000)} ${what.replace(/^note /, '')}`) }
  }
  const receiver = actorOf(to)
  const { name, what } = senderOf(from, receiver)
  names.add(name)
  names.add(receiver)
  const shown = [timeOf(Number(atUs) / 1_000), kind, what, digest === '-' ? '' : digest.slice(0, 8)]
  return { type: 'arrow', text: `  ${id(name)}->>${id(receiver)}: ${shownText(shown.filter(Boolean).join(' '))}` }
}

const shownText = (plain: string): string => text(printable(plain))

/** `ood1/2/gateway#21.a` is a link's end in process 2 of ood1: the actor is what one follows. */
const actorOf = (name: string): string => name.replace(/#.*$/, '').replace(/\/\d+(?=\/|$)/, '')

/** Timers come from whoever set them; a disk is that of the receiver's host, and HTTP names its request. */
function senderOf(from: string, receiver: string): { readonly name: string; readonly what: string } {
  if (from === '-') return { name: receiver, what: '' }
  const host = receiver.split('/')[0]!
  if (from.startsWith('/')) return { name: `${host} disk`, what: from }
  const [name = '', ...rest] = from.split(' ')
  return { name: actorOf(name), what: rest.join(' ') }
}
