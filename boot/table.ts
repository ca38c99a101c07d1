import { cutTo, padTo, printable, widthOf } from './printable.ts'
import { GAP, type Style } from './render.ts'

export interface Column {
  readonly head: string
  readonly align?: 'right'
  /** Cut where the terminal is too narrow, before others are; the last column is when none says so. */
  readonly shrinks?: true
}

export interface Cell {
  readonly text: string
  readonly paint?: (text: string) => string
}

const LEAST = 6

/** Lines of a table that fits the terminal. Cells are made safe here: what they hold comes from elsewhere. */
export function table(
  columns: readonly Column[], rows: readonly (readonly Cell[])[], columnsMax: number | undefined, style: Style,
): readonly string[] {
  const texts = rows.map((row) => row.map(({ text }) => printable(text)))
  const widths = columns.map(({ head }, index) =>
    Math.max(widthOf(head), ...texts.map((row) => widthOf(row[index] ?? ''))))
  if (columnsMax !== undefined) shrink(columns, widths, columnsMax)
  const line = (cells: readonly string[], paint: (text: string, index: number) => string): string =>
    cells.map((text, index) => {
      const shown = cutTo(text, widths[index]!)
      const padding = ' '.repeat(Math.max(0, widths[index]! - widthOf(shown)))
      const isLast = index === cells.length - 1
      if (columns[index]!.align === 'right') return padding + paint(shown, index)
      return paint(shown, index) + (isLast ? '' : padding)
    }).join(GAP).trimEnd()
  return [
    line(columns.map(({ head }) => head), (text) => style.dim(text)),
    ...rows.map((row, at) => line(texts[at]!, (text, index) => row[index]?.paint?.(text) ?? text)),
  ]
}

function shrink(columns: readonly Column[], widths: number[], columnsMax: number): void {
  const marked = columns.flatMap(({ shrinks }, index) => (shrinks ? [index] : []))
  const order = [...marked, columns.length - 1]
  let excess = widths.reduce((sum, width) => sum + width, 0) + (widths.length - 1) * GAP.length - columnsMax
  for (const index of order) {
    if (excess <= 0) return
    const least = Math.min(widths[index]!, LEAST)
    const taken = Math.min(excess, widths[index]! - least)
    widths[index]! -= taken
    excess -= taken
  }
}

/** `name  value` rows, aligned; values are made safe. */
export function fields(rows: readonly (readonly [string, string])[], indent = ''): readonly string[] {
  const width = Math.max(0, ...rows.map(([name]) => widthOf(name)))
  return rows.map(([name, value]) => `${indent}${padTo(name, width)}${GAP}${printable(value)}`.trimEnd())
}

const UNITS = [['d', 86_400], ['h', 3_600], ['min', 60], ['s', 1]] as const

/** The two largest units: `3 h 12 min`. */
export function duration(ms: number): string {
  let seconds = Math.floor(ms / 1000)
  const parts: string[] = []
  for (const [unit, size] of UNITS) {
    const count = Math.floor(seconds / size)
    seconds -= count * size
    if (count > 0 || parts.length > 0 || unit === 's') parts.push(`${count} ${unit}`)
    if (parts.length === 2) break
  }
  return parts.join(' ')
}
