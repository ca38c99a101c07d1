import type { StepEvent } from '../runtime/trace.ts'
import type { DocumentedStep, Sequence } from './sequences.ts'
import { bootSequence, initSequence, joinSequence } from './sequences.ts'

/** One documented step as it happened: a row of the terminal's table and of `--json`. */
export interface StepRow {
  readonly number: number
  readonly from: string
  readonly to: string
  readonly what: string
  readonly evidence: StepEvent['evidence']
  /** Milliseconds since the command began. */
  readonly atMs: number
}

export interface Style {
  bold(text: string): string
  dim(text: string): string
  good(text: string): string
  bad(text: string): string
}

const paint = (code: number) => (text: string): string => text && `\u001b[${code}m${text}\u001b[0m`
const plain = (text: string): string => text

/** ECMA-48 SGR, or nothing at all. */
export const styleOf = (colours: boolean): Style => (colours
  ? { bold: paint(1), dim: paint(2), good: paint(32), bad: paint(31) }
  : { bold: plain, dim: plain, good: plain, bad: plain })

export const sequences: Readonly<Record<string, Sequence>> = {
  [bootSequence.name]: bootSequence, [initSequence.name]: initSequence, [joinSequence.name]: joinSequence,
}

const ANY_SERVICE = 'service'

/** Undefined for a step that no sequence documents. */
export function stepRow(event: StepEvent, beganMs: number): StepRow | undefined {
  const documented = sequences[event.sequence]?.steps.find(({ number }) => number === event.number)
  if (!documented) return undefined
  return {
    number: event.number, from: party(documented, documented.from, event), to: party(documented, documented.to, event),
    what: documented.what, evidence: event.evidence, atMs: Math.max(0, Math.round(event.at - beganMs)),
  }
}

/** A step that happens for each service is documented of "service"; the evidence says which one it was. */
const party = ({ each }: DocumentedStep, name: string, { evidence }: StepEvent): string =>
  each && name === ANY_SERVICE ? String(evidence['appid'] ?? name) : name

/** Between two columns, and between two pieces of evidence. */
export const GAP = '  '
/** Identifiers are random: their beginning is enough to compare by eye. */
const IDENTIFIERS = new Set([
  'kid', 'jti', 'sid', 'serial', 'root', 'etcd', 'server', 'client', 'vaultId', 'store', 'cluster', 'member', 'digest',
  'csr', 'device',
])
const IDENTIFIER_LENGTH = 8
/** What a narrow terminal shows of the evidence. */
const FIRST = ['revision', 'kid', 'jti', 'sid']

const short = (identifier: string): string => identifier.slice(0, IDENTIFIER_LENGTH)

/** `revision 14  kid 3fA9x1Qz`. The service of a step stands in from → to already. */
export function evidenceText(evidence: StepEvent['evidence'], shorten = short): string {
  const names = Object.keys(evidence)
  const ordered = [...FIRST.filter((name) => names.includes(name)), ...names.filter((name) => !FIRST.includes(name))]
  return ordered
    .map((name) => [name, evidence[name]!] as const)
    .filter(([name, value]) => name !== 'appid' && value !== '')
    .map(([name, value]) =>
      (value === true ? name : `${name} ${IDENTIFIERS.has(name) ? shorten(String(value)) : value}`))
    .join(GAP)
}

/** Of a line of log: there `server` is an address, and what is looked up by an identifier needs the whole of it. */
export const fieldsText = (fields: StepEvent['evidence']): string => evidenceText(fields, (value) => value)

/** How rows are laid out: on one line where it is wide enough, else on two. */
export interface Layout {
  readonly columns: number | undefined
  readonly partiesWidth: number
  readonly whatWidth: number
}

const NUMBER_WIDTH = 3
const TIME_WIDTH = 8
const EVIDENCE_WIDTH_LEAST = 36

const parties = ({ from, to }: { readonly from: string; readonly to: string }): string => `${from} → ${to}`
const widest = (texts: readonly string[]): number => Math.max(...texts.map(({ length }) => length))

export function layoutOf(sequence: Sequence, columns: number | undefined): Layout {
  const partiesWidth = widest(sequence.steps.map(parties))
  const whatWidth = widest(sequence.steps.map(({ what }) => what))
  return { columns, partiesWidth, whatWidth }
}

const fitsOneLine = ({ columns, partiesWidth, whatWidth }: Layout): boolean => columns === undefined
  || columns >= NUMBER_WIDTH + partiesWidth + whatWidth + EVIDENCE_WIDTH_LEAST + TIME_WIDTH + 4 * GAP.length

const cut = (text: string, width: number): string =>
  (text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`)

const milliseconds = (atMs: number): string => `${atMs} ms`.padStart(TIME_WIDTH)

export function tableHead(layout: Layout, style: Style): readonly string[] {
  const number = '#'.padStart(NUMBER_WIDTH)
  const time = 'after'.padStart(TIME_WIDTH)
  if (!fitsOneLine(layout)) return []
  const cells = [number, time, 'from → to'.padEnd(layout.partiesWidth), 'what'.padEnd(layout.whatWidth), 'evidence']
  return [style.dim(cells.join(GAP))]
}

/** The row's line, or two lines in a narrow terminal. */
export function tableRow(row: StepRow, layout: Layout, style: Style): readonly string[] {
  const number = style.bold(String(row.number).padStart(NUMBER_WIDTH))
  const time = milliseconds(row.atMs)
  const who = parties(row).padEnd(layout.partiesWidth)
  const evidence = evidenceText(row.evidence)
  if (fitsOneLine(layout)) {
    const used = NUMBER_WIDTH + TIME_WIDTH + layout.partiesWidth + layout.whatWidth + 4 * GAP.length
    const shown = layout.columns === undefined ? evidence : cut(evidence, layout.columns - used)
    return [[number, time, who, row.what.padEnd(layout.whatWidth), style.dim(shown)].join(GAP).trimEnd()]
  }
  const columns = layout.columns ?? Infinity
  const left = NUMBER_WIDTH + GAP.length
  const whatWidth = Math.min(layout.whatWidth, columns - left - TIME_WIDTH - GAP.length)
  return [
    [number, cut(row.what, whatWidth).padEnd(whatWidth), time].join(GAP),
    `${' '.repeat(left)}${who}${GAP}${style.dim(cut(evidence, columns - left - who.length - GAP.length))}`.trimEnd(),
  ]
}

/** Two columns, the first one as wide as its longest entry. */
export function pairs(rows: readonly (readonly [string, string])[], indent = GAP): readonly string[] {
  const width = widest(rows.map(([name]) => name))
  return rows.map(([name, value]) => `${indent}${name.padEnd(width)}${GAP}${value}`.trimEnd())
}
