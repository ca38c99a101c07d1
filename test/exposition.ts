/** A strict reader of the Prometheus text exposition format, version 0.0.4, for tests: it refuses what is not in it. */
type Labels = Readonly<Record<string, string>>

interface Row {
  readonly name: string
  readonly labels: Labels
  readonly value: number
}

export interface Exposition {
  readonly names: readonly string[]
  value(name: string, labels?: Labels): number | undefined
  type(name: string): string | undefined
  labelsOf(name: string): readonly Labels[]
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"/
const VALUE = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|NaN|[+-]?Inf)$/
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped']

const fault = (line: string, what: string): never => { throw new Error(`${what}: ${line}`) }

/** @throws Error with the line */
export function parseExposition(text: string): Exposition {
  if (!text.endsWith('\n')) fault(text.slice(-40), 'no line feed at the end')
  const rows: Row[] = []
  const types = new Map<string, string>()
  const seen = new Set<string>()
  /** Metrics whose group has ended. */
  const over = new Set<string>()
  let current: string | undefined
  const enter = (name: string, line: string): void => {
    if (name === current) return
    if (over.has(name)) fault(line, 'lines of one metric are apart')
    if (current !== undefined) over.add(current)
    current = name
  }
  for (const line of text.split('\n').slice(0, -1)) {
    if (line === '') continue
    if (line.startsWith('#')) {
      const comment = /^# (HELP|TYPE) (\S+)(?: (.*))?$/.exec(line) ?? fault(line, 'a comment of no kind')
      const [, keyword, name = '', rest] = comment
      if (NAME.exec(name)?.[0] !== name) fault(line, 'a bad name')
      enter(name, line)
      if (keyword === 'HELP') continue
      if (types.has(name)) fault(line, 'a second type')
      if (!TYPES.includes(rest ?? '')) fault(line, 'a type that there is not')
      if (rows.some((row) => row.name === name)) fault(line, 'a type after its samples')
      types.set(name, rest!)
      continue
    }
    const row = parseRow(line)
    enter(familyOf(row.name, types), line)
    const key = JSON.stringify([row.name, Object.entries(row.labels).sort()])
    if (seen.has(key)) fault(line, 'a series twice')
    seen.add(key)
    if (types.get(row.name) === 'counter' && !(row.value >= 0)) fault(line, 'a counter below zero')
    rows.push(row)
  }
  for (const [name, type] of types) if (type === 'histogram') checkHistogram(name, rows)
  const matches = (row: Row, name: string, labels: Labels): boolean => row.name === name
    && Object.keys(row.labels).length === Object.keys(labels).length
    && Object.entries(labels).every(([label, value]) => row.labels[label] === value)
  return {
    names: [...new Set(rows.map(({ name }) => name))],
    value: (name, labels = {}) => rows.find((row) => matches(row, name, labels))?.value,
    type: (name) => types.get(name),
    labelsOf: (name) => rows.filter((row) => row.name === name).map(({ labels }) => labels),
  }
}

function familyOf(name: string, types: ReadonlyMap<string, string>): string {
  const base = name.replace(/_(?:bucket|sum|count)$/, '')
  return types.get(base) === 'histogram' ? base : name
}

function parseRow(line: string): Row {
  const name = NAME.exec(line)?.[0] ?? fault(line, 'no name')
  let rest = line.slice(name.length)
  const labels: Record<string, string> = {}
  if (rest.startsWith('{')) {
    rest = rest.slice(1)
    while (!rest.startsWith('}')) {
      const [all, label, value] = LABEL.exec(rest) ?? fault(line, 'a bad label')
      if (Object.hasOwn(labels, label!)) fault(line, 'a label twice')
      labels[label!] = value!.replace(/\\(.)/g, (_, escape: string) => (escape === 'n' ? '\n' : escape))
      rest = rest.slice(all!.length)
      if (rest.startsWith(',')) rest = rest.slice(1)
      else if (!rest.startsWith('}')) fault(line, 'no comma between labels')
    }
    rest = rest.slice(1)
  }
  const value = rest.trim()
  if (!/^[ \t]/.test(rest) || !VALUE.test(value)) fault(line, 'no value')
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) }
}

/** Buckets grow, the last is +Inf and equals the count. */
function checkHistogram(name: string, rows: readonly Row[]): void {
  const groups = new Map<string, Row[]>()
  for (const row of rows.filter((each) => each.name === `${name}_bucket`)) {
    const { le, ...others } = row.labels
    if (le === undefined) fault(name, 'a bucket without le')
    const key = JSON.stringify(Object.entries(others).sort())
    groups.set(key, [...(groups.get(key) ?? []), row])
  }
  for (const [key, buckets] of groups) {
    const last = buckets.at(-1)!
    if (last.labels['le'] !== '+Inf') fault(key, 'no bucket +Inf')
    const shrinks = buckets.some(({ value }, index) => index > 0 && value < buckets[index - 1]!.value)
    if (shrinks) fault(key, 'buckets that shrink')
    const of = (suffix: string): Row | undefined => rows.find((row) =>
      row.name === `${name}_${suffix}` && JSON.stringify(Object.entries(row.labels).sort()) === key)
    if (of('count')?.value !== last.value || of('sum') === undefined) fault(key, 'a count that is not the last bucket')
  }
}
