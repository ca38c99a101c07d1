import { InvalidArgument } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'

/**
 * The access policy as text, one line each:
 *
 *     p, <role or name>, <path pattern>, <read | write | read|write>
 *     g, <name or role>, <role>
 *
 * In a pattern `*` is one segment, or as the last segment everything below; `{anything}` is one segment that must be
 * the caller's own name. (casbin's keyMatch3 lets a `*` in the middle span segments; one that does not cannot
 * over-match.) There is no deny line: what no line allows is denied. A trailing `allow` is accepted, as casbin writes
 * it.
 */
export type Operation = 'read' | 'write'

export interface Permission {
  readonly segments: readonly string[]
  readonly operations: ReadonlySet<Operation>
  /** The line, for the chain of a decision. */
  readonly line: string
}

export interface Policy {
  /** By role or name. */
  readonly permissions: ReadonlyMap<string, readonly Permission[]>
  /** Roles given to a name or to a role. */
  readonly groups: ReadonlyMap<string, readonly string[]>
  /** All roles that are given. */
  readonly roles: ReadonlySet<string>
}

const NAME = /^[A-Za-z0-9._~@:+=-]{1,128}$/
const PATTERN_SEGMENT = /^(?!\.{1,2}$)([A-Za-z0-9._~@:+=-]+|\*|\{[A-Za-z0-9_-]+\})$/
const OPERATIONS: Readonly<Record<string, readonly Operation[]>> = {
  'read': ['read'], 'write': ['write'], 'read|write': ['read', 'write'],
}

/** @throws InvalidArgument, with the number of the first line that is not a policy line */
export function parsePolicy(text: string): Policy {
  const permissions = new Map<string, Permission[]>()
  const groups = new Map<string, string[]>()
  const lines = text.split('\n')
  if (lines.length > limits.policyLines) {
    throw new InvalidArgument(`A policy has at most ${limits.policyLines} lines: ${lines.length}`)
  }
  lines.forEach((raw, index) => {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) return
    const fields = line.split(',').map((field) => field.trim())
    if (fields[0] === 'p') append(permissions, ...parsePermission(fields, line, index + 1))
    else if (fields[0] === 'g') append(groups, ...parseGroup(fields, index + 1))
    else throw fault(index + 1, 'it is neither a p nor a g line')
  })
  return { permissions, groups, roles: new Set([...groups.values()].flat()) }
}

function parsePermission(fields: readonly string[], line: string, number: number): [string, Permission] {
  const [, role, path, operations, effect] = fields
  if (fields.length < 4 || fields.length > 5) throw fault(number, 'a p line has a role, a path and operations')
  if (effect !== undefined && effect !== 'allow') throw fault(number, 'the only effect is allow')
  if (!NAME.test(role!)) throw fault(number, 'the role is not a name')
  if (!Object.hasOwn(OPERATIONS, operations!)) throw fault(number, 'the operations are read, write or read|write')
  const segments = (path!.startsWith('kv://') ? path!.slice(5) : path!).split('/')
  if (!segments.every((segment) => PATTERN_SEGMENT.test(segment))) throw fault(number, 'the path is not a pattern')
  return [role!, { segments, operations: new Set(OPERATIONS[operations!]), line }]
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

/**
 * `path` is a key split at its slashes, or a folder, which ends with an empty segment and matches only what allows
 * everything below it.
 */
export function matches(pattern: readonly string[], path: readonly string[], caller: string): boolean {
  const last = pattern.length - 1
  for (let index = 0; index <= last; index++) {
    const want = pattern[index]!
    const segment = path[index]
    if (segment === undefined) return false
    if (want === '*') {
      if (index === last) return true
      if (segment === '') return false
    } else if (segment !== (want.startsWith('{') ? caller : want)) {
      return false
    }
  }
  return path.length === pattern.length
}
