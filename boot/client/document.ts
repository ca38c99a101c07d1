import { safeParse, type GenericIssue, type GenericSchema } from 'valibot'
import { isMap, isSeq, LineCounter, parseDocument, type Document } from 'yaml'
import type { Infer } from '../../runtime/protocol.ts'
import { ConfigInvalid } from '../errors.ts'
import { printable } from '../printable.ts'

/** A file that a person wrote, YAML or JSON (which is YAML). @throws ConfigInvalid: `FILE:LINE: field: what` */
export function readDocument<S extends GenericSchema>(text: string, path: string, schema: S, next: string): Infer<S> {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, strict: true, logLevel: 'error' })
  const invalid = (line: number, what: string): Error =>
    new ConfigInvalid(`${path}:${line}: ${printable(what)}`, { path, line, next })
  const [fault] = document.errors
  if (fault) throw invalid(fault.linePos?.[0].line ?? 1, firstLine(fault.message))
  if (!isMap(document.contents)) throw invalid(1, 'it is not a mapping of fields to values')
  const value = valueOf(document, invalid)
  const parsed = safeParse(schema, value)
  if (parsed.success) return parsed.output
  const { keys, what } = faultOf(parsed.issues[0] as GenericIssue)
  throw invalid(lineOf(document, keys, lines), keys.length === 0 ? what : `${keys.join('.')}: ${what}`)
}

const firstLine = (message: string): string => {
  const [first = ''] = message.split('\n')
  const plain = first.replace(/ at line \d+, column \d+:?$/, '')
  return plain.charAt(0).toLowerCase() + plain.slice(1)
}

/** Aliases of aliases may stand for so much that yaml refuses to expand them. */
function valueOf(document: Document, invalid: (line: number, what: string) => Error): unknown {
  try {
    return document.toJS()
  } catch {
    throw invalid(1, 'its aliases stand for nothing, or for too much')
  }
}

function faultOf({ type, expected, received, message, path }: GenericIssue): { keys: string[]; what: string } {
  const keys = (path ?? []).map(({ key }) => String(key))
  if (type === 'strict_object' && expected === 'never') return { keys, what: 'there is no such field' }
  if (type === 'strict_object' && received === 'undefined') return { keys, what: 'this field is missing' }
  if (received === 'undefined') return { keys, what: 'it has no value' }
  if (type === 'regex') return { keys, what: `it is not written as it must be: ${received}` }
  if (expected === null) return { keys, what: message }
  return { keys, what: `expected ${expected}, found ${received}` }
}

/** The line of the deepest of these fields that the file has. */
function lineOf(document: Document, keys: readonly string[], lines: LineCounter): number {
  let node: unknown = document.contents
  let offset = document.contents?.range?.[0] ?? 0
  for (const key of keys) {
    if (isSeq(node)) {
      node = node.items[Number(key)]
      offset = (node as { range?: [number, number, number] } | undefined)?.range?.[0] ?? offset
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
