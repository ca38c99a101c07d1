import type { BaseIssue } from 'valibot'
import { isMap, isNode, isSeq, LineCounter, parseDocument, visit, type Document } from 'yaml'
import { ConfigInvalid } from './errors.ts'

/** What a message says is expected, for each key that there is. */
export type Expected = Readonly<Record<string, string>>

const syntaxHint = 'It is YAML: `key: value` lines, indented by spaces'
const PRINTABLE = /^[ -~]+$/
/** Values that no message may show. */
const SECRET = /(^|\.)password$/

/** A text of YAML, and what is said of its faults: `FILE:LINE: what`. @throws ConfigInvalid */
export class ConfigText {
  readonly #path: string
  readonly #lines = new LineCounter()
  readonly #document: Document

  constructor(text: string, path: string) {
    this.#path = path
    this.#document = parse(text, path, this.#lines)
  }

  value(): unknown {
    return valueOf(this.#document, this.#path) ?? {}
  }

  /** The error of a key, at its line. */
  invalid(keys: readonly string[], what: string, next: string): Error {
    return invalid(this.#path, lineOf(this.#document, keys, this.#lines), what, next)
  }

  /** The error of what a schema refused. */
  refused(issue: BaseIssue<unknown>, expected: Expected, next: string): Error {
    const { keys, what } = schemaFault(issue, expected)
    return this.invalid(keys, what, next)
  }
}

function parse(text: string, path: string, lineCounter: LineCounter): Document {
  const document = parseDocument(text, { lineCounter, uniqueKeys: true, strict: true, logLevel: 'error' })
  const [fault] = document.errors
  if (fault) {
    const { what, next } = syntaxFault(fault, text)
    throw invalid(path, fault.linePos?.[0].line ?? 1, what, next)
  }
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document)) return
      const { line } = lineCounter.linePos(alias.range?.[0] ?? 0)
      throw invalid(path, line, `an alias of nothing: *${alias.source}`, syntaxHint)
    },
  })
  return document
}

/** yaml's message goes on with the place and an excerpt; the place is said already. */
function syntaxFault({ code, message, pos: [from] }: Document['errors'][number], text: string) {
  if (code === 'DUPLICATE_KEY') {
    return { what: `duplicate key: ${/^[^\s:]*/.exec(text.slice(from))?.[0] ?? ''}`, next: 'Keep one of them' }
  }
  if (code === 'TAB_AS_INDENT') return { what: 'a tab indents this line', next: 'Indent it by spaces' }
  if (code === 'MULTIPLE_DOCS') return { what: 'a second document begins', next: 'Keep one of them' }
  const [what = ''] = message.split('\n')
  const plain = what.replace(/ at line \d+, column \d+:?$/, '')
  return { what: plain.charAt(0).toLowerCase() + plain.slice(1), next: syntaxHint }
}

function schemaFault(issue: BaseIssue<unknown>, expected: Expected): { keys: readonly string[]; what: string } {
  const { type, input } = issue
  const path = issue.path ?? []
  const keys = path.map(({ key }) => String(key))
  const parent = path.at(-1)?.input
  const unknown = type === 'strict_object' && issue.expected === 'never'
  // A list is read as an object of numbered keys
  if (unknown && Array.isArray(parent)) {
    return { keys: keys.slice(0, -1), what: mismatch(keys.slice(0, -1), parent, expected) }
  }
  const name = keys.join('.')
  if (unknown) return { keys, what: `unknown key: ${PRINTABLE.test(name) ? name : JSON.stringify(name)}` }
  return { keys, what: mismatch(keys, input, expected) }
}

function mismatch(keys: readonly string[], found: unknown, expected: Expected): string {
  const name = keys.join('.')
  const wanted = expected[name] ?? expected[name.replace(/[^.]+$/, '*')] ?? 'another value'
  return `${name || 'the file'}: expected ${wanted}, found ${SECRET.test(name) ? 'something else' : shown(found)}`
}

/** Aliases of aliases may stand for so much that yaml refuses to expand them. */
function valueOf(document: Document, path: string): unknown {
  try {
    return document.toJS()
  } catch {
    throw invalid(path, 1, 'its aliases stand for too much', 'Write the values out')
  }
}

const SHOWN_MAX = 40

function shown(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  const text = JSON.stringify(value) ?? String(value)
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text
}

function invalid(path: string, line: number, what: string, next: string): Error {
  return new ConfigInvalid(`${path}:${line}: ${what}`, { path, line, next })
}

function lineOf(document: Document, keys: readonly string[], lines: LineCounter): number {
  let node: unknown = document.contents
  let offset = isMap(node) ? 0 : (document.contents?.range?.[0] ?? 0)
  for (const key of keys) {
    if (isSeq(node)) {
      const item: unknown = node.items[Number(key)]
      if (!isNode(item)) break
      offset = item.range?.[0] ?? offset
      node = item
      continue
    }
    if (!isMap(node)) break
    const pair = node.items.find((item) => String((item.key as { value?: unknown } | null)?.value ?? '') === key)
    const range = (pair?.key as { range?: [number, number, number] } | undefined)?.range
    if (!pair || !range) break
    offset = range[0]
    node = pair.value
  }
  return Math.max(1, lines.linePos(offset).line)
}
