import type { Operation } from '../request.ts'
import type { HclValue } from './hcl.ts'
import type { Capability, Parameters, PathRule } from './policy.ts'

/** What the policies of one token allow together. */
export interface Acl {
  /** The policy `root`: everything. */
  readonly root: boolean
  capabilities(path: string): ReadonlySet<Capability>
  /** `isSudo`: the route asks for that capability besides. */
  allows(request: AclRequest): boolean
  /** Whether anything at or below the prefix may be used: what a client may see of a mount. */
  reaches(prefix: string): boolean
}

export interface AclRequest {
  readonly operation: Operation
  readonly path: string
  readonly data: Readonly<Record<string, unknown>>
  readonly isSudo: boolean
}

const NOTHING: ReadonlySet<Capability> = new Set()
const ALL: ReadonlySet<Capability> = new Set(['create', 'read', 'update', 'patch', 'delete', 'list', 'sudo'])

export const rootAcl: Acl = { root: true, capabilities: () => ALL, allows: () => true, reaches: () => true }

interface Pattern {
  readonly rule: PathRule
  /** Without the `*` at its end. */
  readonly text: string
  readonly isPrefix: boolean
  readonly segments: readonly string[]
  readonly hasSegments: boolean
}

/** Rules for the same path are one: what any allows is allowed, and one `deny` denies. */
export function createAcl(rules: readonly PathRule[]): Acl {
  const byPath = new Map<string, PathRule>()
  for (const rule of rules) {
    const before = byPath.get(rule.path)
    byPath.set(rule.path, before ? merged(before, rule) : rule)
  }
  const exact = new Map<string, PathRule>()
  const patterns: Pattern[] = []
  for (const [path, rule] of byPath) {
    const isPrefix = path.endsWith('*')
    const text = isPrefix ? path.slice(0, -1) : path
    const segments = text.split('/')
    const hasSegments = segments.includes('+')
    if (isPrefix || hasSegments) patterns.push({ rule, text, isPrefix, segments, hasSegments })
    else exact.set(path, rule)
  }
  patterns.sort(bySpecificity)
  const ruleFor = (path: string): PathRule | undefined =>
    exact.get(path) ?? patterns.find((pattern) => matches(pattern, path))?.rule
  /** A list is asked for with a slash at the end, and a rule without one counts for it as well. */
  const listRule = (path: string): PathRule | undefined => exact.get(`${path}/`) ?? exact.get(path)
    ?? patterns.find((pattern) => matches(pattern, `${path}/`))?.rule ?? ruleFor(path)

  return {
    root: false,
    capabilities: (path) => (path.endsWith('/') ? listRule(path.slice(0, -1)) : ruleFor(path))?.capabilities ?? NOTHING,
    allows({ operation, path, data, isSudo }) {
      const rule = operation === 'list' ? listRule(path) : ruleFor(path)
      if (rule === undefined || rule.capabilities.has('deny') || !rule.capabilities.has(operation)) return false
      if (isSudo && !rule.capabilities.has('sudo')) return false
      const writes = operation === 'create' || operation === 'update' || operation === 'patch'
      return !writes || parametersAllowed(rule, data)
    },
    reaches: (prefix) => [...byPath.values()].some(({ path, capabilities }) => {
      if (capabilities.has('deny') || capabilities.size === 0) return false
      const fixed = path.slice(0, firstWild(path))
      return fixed.startsWith(prefix) || (fixed !== path && prefix.startsWith(fixed))
    }),
  }
}

function matches({ text, isPrefix, segments, hasSegments }: Pattern, path: string): boolean {
  if (!hasSegments) return path.startsWith(text)
  const given = path.split('/')
  if (isPrefix ? given.length < segments.length : given.length !== segments.length) return false
  return segments.every((segment, index) => {
    const own = given[index]!
    if (segment === '+') return own !== ''
    return isPrefix && index === segments.length - 1 ? own.startsWith(segment) : own === segment
  })
}

/** Where the first `+` segment or the `*` at the end stands; behind the end where there is none. */
function firstWild(path: string): number {
  let at = 0
  for (const segment of path.split('/')) {
    if (segment === '+') return at
    at += segment.length + 1
  }
  return path.endsWith('*') ? path.length - 1 : path.length
}

const plusses = ({ segments }: Pattern): number => segments.filter((segment) => segment === '+').length

/** The order that Vault documents: the first that differs decides, and the more specific comes first. */
function bySpecificity(left: Pattern, right: Pattern): number {
  const wild = firstWild(right.rule.path) - firstWild(left.rule.path)
  if (wild !== 0) return wild
  if (left.isPrefix !== right.isPrefix) return left.isPrefix ? 1 : -1
  const plus = plusses(left) - plusses(right)
  if (plus !== 0) return plus
  const length = right.rule.path.length - left.rule.path.length
  if (length !== 0) return length
  return left.rule.path < right.rule.path ? 1 : -1
}

function merged(left: PathRule, right: PathRule): PathRule {
  const all = new Set([...left.capabilities, ...right.capabilities])
  const both = (name: 'allowed' | 'denied'): { readonly [key: string]: Parameters } => {
    const [one, other] = [left[name], right[name]]
    return one || other ? { [name]: mergedParameters(one ?? {}, other ?? {}) } : {}
  }
  const required = [...left.required ?? [], ...right.required ?? []]
  return {
    path: left.path, capabilities: all.has('deny') ? new Set(['deny']) : all,
    ...both('allowed'), ...both('denied'), ...(required.length > 0 ? { required } : {}),
  }
}

function mergedParameters(left: Parameters, right: Parameters): Parameters {
  const names = new Set([...Object.keys(left), ...Object.keys(right)])
  return Object.fromEntries([...names].map((name) => {
    const [one, other] = [left, right].map((side) => (Object.hasOwn(side, name) ? side[name] : undefined))
    // No value stands for any
    return [name, one?.length === 0 || other?.length === 0 ? [] : [...one ?? [], ...other ?? []]]
  }))
}

function parametersAllowed({ allowed, denied, required }: PathRule, data: Readonly<Record<string, unknown>>): boolean {
  if (!allowed && !denied && !required) return true
  // Names count in any case, as Vault has it
  const given = Object.entries(data).map(([name, value]) => [name.toLowerCase(), value] as const)
  const ofName = (of: Parameters, name: string): readonly HclValue[] | undefined =>
    Object.entries(of).find(([key]) => key.toLowerCase() === name)?.[1]
  if (required?.some((name) => !given.some(([key]) => key === name.toLowerCase()))) return false
  if (denied) {
    if (ofName(denied, '*') && given.length > 0) return false
    if (given.some(([name, value]) => {
      const values = ofName(denied, name)
      return values !== undefined && (values.length === 0 || isOneOf(values, value))
    })) return false
  }
  if (!allowed) return true
  const any = ofName(allowed, '*')
  return given.every(([name, value]) => {
    const values = ofName(allowed, name) ?? any
    return values !== undefined && (values.length === 0 || isOneOf(values, value))
  })
}

const isOneOf = (values: readonly HclValue[], given: unknown): boolean => values.some((value) => {
  if (typeof value !== 'string' || typeof given !== 'string') return JSON.stringify(value) === JSON.stringify(given)
  if (value.length > 1 && value.startsWith('*') && value.endsWith('*')) return given.includes(value.slice(1, -1))
  if (value.startsWith('*')) return given.endsWith(value.slice(1))
  return value.endsWith('*') ? given.startsWith(value.slice(0, -1)) : value === given
})
