/** One counter of an actor: `http_requests_total{code="2xx"}`. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

const NAME = /^[a-z][a-z0-9_]{0,127}/
const LABEL = /^([a-z][a-z0-9_]{0,63})="((?:[^"\\\n]|\\[\\"n]){0,256})"(,|(?=\}))/
const LABELS_MAX = 8
/** Ours, or of the format itself. */
const RESERVED = new Set(['host', 'actor', 'le', 'quantile'])

/** By the text format's own rules, lower case only; undefined for what does not keep them. */
export function parseSample(text: string): Sample | undefined {
  const name = NAME.exec(text)?.[0]
  if (name === undefined) return undefined
  let rest = text.slice(name.length)
  if (rest === '') return { name, labels: {} }
  if (!rest.startsWith('{') || !rest.endsWith('}')) return undefined
  const labels = new Map<string, string>()
  for (rest = rest.slice(1); rest !== '}';) {
    const [all, label, value] = LABEL.exec(rest) ?? []
    if (all === undefined || label === undefined || value === undefined) return undefined
    if (RESERVED.has(label) || labels.has(label) || labels.size === LABELS_MAX) return undefined
    labels.set(label, value.replace(/\\([\\"n])/g, (_, escape: string) => (escape === 'n' ? '\n' : escape)))
    rest = rest.slice(all.length)
  }
  return { name, labels: Object.fromEntries(labels) }
}
