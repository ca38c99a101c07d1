import { evidenceText, GAP, type StepRow } from './render.ts'
import type { Sequence } from './sequences.ts'

/** A mermaid sequenceDiagram of the steps as they happened. */
export function diagram(title: string, rows: readonly StepRow[]): string {
  const names = [...new Set(rows.flatMap(({ from, to }) => [from, to]))]
  return [
    'sequenceDiagram',
    `  title ${text(title)}`,
    ...names.map((name) => `  participant ${id(name)} as ${text(name)}`),
    ...rows.map(message),
  ].join('\n')
}

/** A sequence as it is documented, before anything has happened. */
export const documented = ({ title, steps }: Sequence): string =>
  diagram(title, steps.map((step) => ({ ...step, evidence: {}, atMs: 0 })))

function message({ number, from, to, what, evidence }: StepRow): string {
  const shown = evidenceText(evidence).replaceAll(GAP, ', ')
  return `  ${id(from)}->>${id(to)}: ${number}. ${text(what)}${shown === '' ? '' : `<br/>${text(shown)}`}`
}

/** `end` alone is a keyword of mermaid, and a hyphen may begin an arrow. */
export const id = (name: string): string => `p_${name.replace(/[^A-Za-z0-9]/g, '_')}`

const escapes: Readonly<Record<string, string>> = { '#': '#35;', ';': '#59;', '<': '#60;', '>': '#62;' }
/** A semicolon ends a statement, a hash begins an escape, and the rest would be read as HTML. */
export const text = (plain: string): string =>
  plain.replace(/[#;<>]/g, (letter) => escapes[letter]!).replace(/\s+/g, ' ')
