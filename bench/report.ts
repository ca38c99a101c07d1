/** What a benchmark found: an aligned table, or with `--json` one object, last. */

export interface Row {
  /** What was measured, and against what: 'mac calls, 200 B, against unsigned Comlink'. */
  readonly name: string
  readonly inFlight?: number
  readonly value: number
  /** 'calls/s', 'ms', 'µs' */
  readonly unit: string
  /** Against the peer or limit that the name says. */
  readonly ratio?: number
  /** What the ratio is held to: at least, or with `atMost` at most. */
  readonly target?: number
  readonly atMost?: boolean
}

export interface BenchOptions {
  /** How long one row is measured. */
  readonly seconds: number
  /** Progress for a person; never part of the result. */
  readonly say: (line: string) => void
}

/** A suite's default export. */
export type Bench = (options: BenchOptions) => Promise<readonly Row[]>

/** Three significant digits, with thin groups: 12 300, 4.56, 0.0789. */
export const figure = (value: number): string => {
  if (!Number.isFinite(value)) return String(value)
  const rounded = Number(value.toPrecision(3))
  const [whole = '0', fraction] = String(rounded).split('.')
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ' ')
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}

export const meets = ({ ratio, target, atMost }: Row): boolean | undefined => {
  if (ratio === undefined || target === undefined) return undefined
  return atMost === true ? ratio <= target : ratio >= target
}

const verdictOf = (row: Row): string => {
  if (row.target === undefined) return ''
  const bound = row.atMost === true ? 'at most' : 'at least'
  return `${bound} ${figure(row.target)} ×  ${meets(row) === true ? 'ok' : 'MISSED'}`
}

export const table = (rows: readonly Row[]): string => {
  const cells = rows.map(row => [
    row.name,
    row.inFlight === undefined ? '' : `${row.inFlight} in flight`,
    `${figure(row.value)} ${row.unit}`,
    row.ratio === undefined ? '' : `${figure(row.ratio)} ×`,
    verdictOf(row),
  ])
  const widths = [0, 1, 2, 3, 4].map(column => Math.max(0, ...cells.map(line => line[column]?.length ?? 0)))
  const pad = (cell: string, column: number): string =>
    column === 0 || column === 4 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)
  return cells.map(line => line.map(pad).join('  ').trimEnd()).join('\n')
}

export const object = (suite: string, runtime: string, rows: readonly Row[]): string =>
  JSON.stringify({ suite, runtime, rows })
