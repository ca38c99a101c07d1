import { InvalidArgument } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { segmentsOf } from './path.ts'

/**
 * The access policy as text, one line each:
 *
 *     p, <role or name>, <path pattern>, <read | write | read|write> [, allow | deny]
 *     g, <name or role>, <role>
 *
 * What no line allows is denied, and a line that denies wins over all that allow. casbin takes the operations for a
 * regular expression that may match anywhere: there are two operations, so three spellings say all that can be said,
 * and none of them allows more than it shows.
 */
export type Operation = 'read' | 'write'
export const operations: readonly Operation[] = ['read', 'write']

export interface Line {
  readonly role: string
  /** As it was written. */
  readonly object: string
  /** `*` for every line of a model whose operations are its own affair. */
  readonly act: string
  readonly effect: 'allow' | 'deny'
  readonly segments: readonly string[]
  /** The line, for the chain of a decision. */
  readonly text: string
  /** From 1, in its text. */
  readonly number: number
}

export interface Policy {
  readonly lines: readonly Line[]
  /** Roles given to a name or to a role. */
  readonly groups: ReadonlyMap<string, readonly string[]>
  /** All roles that are given. */
  readonly roles: ReadonlySet<string>
}

const NAME = /^[A-Za-z0-9._~@:+=-]{1,128}$/
const PATTERN_SEGMENT = /^(?!\.{1,2}$)([A-Za-z0-9._~@:+=-]+|\*|\{[A-Za-z0-9_-]+\})$/
const SCHEME = /^[a-z][a-z0-9+.-]*:\/\/$/
const operationsOf: Readonly<Record<string, readonly Operation[]>> = {
  'read': ['read'], 'write': ['write'], 'read|write': ['read', 'write'],
}

export const isFor = ({ act }: Line, operation: Operation): boolean => operationsOf[act]?.includes(operation) ?? false

/**
 * `free`: for a model other than the built-in one, which has its own patterns of paths and operations.
 *
 * @throws InvalidArgument, with the number of the first line that is not a policy line
 */
export function parsePolicy(text: string, free = false): Policy {
  const found: Line[] = []
  const groups = new Map<string, string[]>()
  const lines = text.split('\n')
  if (lines.length > limits.policyLines) {
    throw new InvalidArgument(`A policy has at most ${limits.policyLines} lines: ${lines.length}`)
  }
  lines.forEach((raw, index) => {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) return
    const fields = line.split(',').map((field) => field.trim())
    if (fields[0] === 'p') found.push(parseLine(fields, line, index + 1, free))
    else if (fields[0] === 'g') append(groups, ...parseGroup(fields, index + 1))
    else throw fault(index + 1, 'it is neither a p nor a g line')
  })
  return { lines: found, groups, roles: new Set([...groups.values()].flat()) }
}

function parseLine(fields: readonly string[], text: string, number: number, free: boolean): Line {
  const [, role, object, act, effect = 'allow'] = fields
  if (fields.length < 4 || fields.length > 5) throw fault(number, 'a p line has a role, a path and operations')
  if (effect !== 'allow' && effect !== 'deny') throw fault(number, 'the effect is allow or deny')
  if (!NAME.test(role!)) throw fault(number, 'the role is not a name')
  const segments = segmentsOf(object!)
  if (free) {
    if (object === '' || act === '' || text.includes('"')) throw fault(number, 'a field is empty, or has a quote')
  } else {
    if (!Object.hasOwn(operationsOf, act!)) throw fault(number, 'the operations are read, write or read|write')
    const isPattern = segments.every((segment, index) =>
      PATTERN_SEGMENT.test(segment) || (index === 0 && segments.length > 1 && SCHEME.test(segment)))
    if (!isPattern) throw fault(number, 'the path is not a pattern')
  }
  return { role: role!, object: object!, act: act!, effect, segments, text, number }
}

function parseGroup(fields: readonly string[], number: number): [string, string] {
  const [, name, role] = fields
  if (fields.length !== 3 || !NAME.test(name!) || !NAME.test(role!)) {
    throw fault(number, 'a g line has a name and a role')
  }
  return [name!, role!]
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const values = map.get(key)
  if (values) values.push(value)
  else map.set(key, [value])
}

const fault = (number: number, what: string): Error =>
  new InvalidArgument(`Line ${number} of the policy is wrong: ${what}`)
