import { InvalidArgument } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'

/** What decides: a casbin model, and the lines that the policy adds to the built-in ones. */
export interface Rules {
  /** Text of a casbin model; empty for the built-in one. */
  readonly model: string
  readonly policy: string
}

/**
 * The model of every zone that brings none of its own (`system/rbac/model`). `r.sub` is asked once as the app that
 * calls and once as whom it speaks for; `zonePath` is in `path.ts`.
 */
export const builtInModel = `
[request_definition]
r = sub, obj, act

[policy_definition]
p = sub, obj, act, eft

[role_definition]
g = _, _

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = g(r.sub, p.sub) && zonePath(r.obj, p.obj, r.sub, p.eft) && regexMatch(r.act, p.act)
`

const sections = {
  request_definition: 'r', policy_definition: 'p', role_definition: 'g', policy_effect: 'e', matchers: 'm',
} as const
type Key = (typeof sections)[keyof typeof sections]

export interface Model {
  readonly builtIn: boolean
  /** Fields of its lines, in order. */
  readonly fields: readonly Field[]
  /** Patterns that the functions of its matcher are given: those of lines, by field, and those of itself. */
  readonly calls: readonly Call[]
  /** As casbin reads it. `g` is absent where the matcher asks for no role. */
  readonly definitions: Readonly<Partial<Record<Key, string>>>
}

export type Field = 'sub' | 'obj' | 'act' | 'eft'
export interface Call {
  readonly name: string
  /** A field of the lines, or the pattern itself. */
  readonly pattern: { readonly field: Field } | { readonly text: string }
}

/**
 * The functions that a matcher may call. casbin's `ipMatch` is left out (it has no addresses to match, and prints), and
 * so is `eval`, which would make code of policy lines.
 */
const functions: ReadonlySet<string> = new Set([
  'zonePath', 'regexMatch', 'globMatch', 'keyMatch', 'keyMatch2', 'keyMatch3', 'keyMatch4', 'keyMatch5', 'keyGet',
  'keyGet2',
])

/** Of casbin's, those under which nothing is allowed that no line mentions, and whose order is that of the lines. */
const effects: ReadonlyMap<string, string> = new Map([
  'some(where (p.eft == allow))', 'some(where (p.eft == allow)) && !some(where (p.eft == deny))',
  'priority(p.eft) || deny',
].map((effect) => [squeezed(effect), effect]))

const REQUEST = 'sub,obj,act'

/**
 * casbin takes what it does not know for nothing, and evaluates what it is given; so a model is read strictly here, and
 * its matcher is made of nothing but names, texts, comparisons and the functions above.
 *
 * @throws InvalidArgument
 */
export function parseModel(text: string): Model {
  if (text.trim() === '') return parseModel(builtInModel)
  if (text.length > limits.modelCharacters) {
    throw fault(`it has more than ${limits.modelCharacters} characters: ${text.length}`)
  }
  const definitions = definitionsOf(text)
  for (const key of ['r', 'p', 'e', 'm'] as const) if (!definitions[key]) throw fault(`it has no ${key}`)
  const { r, p, g, e, m } = definitions as Record<Key, string>
  if (squeezed(r) !== REQUEST) throw fault('a request is r = sub, obj, act')
  if (g !== undefined && squeezed(g) !== '_,_') throw fault('roles are g = _, _')
  const fields = squeezed(p).split(',') as Field[]
  const isOf = (wanted: readonly string[]): boolean => fields.join() === wanted.join()
  if (!isOf(['sub', 'obj', 'act', 'eft']) && !isOf(['sub', 'obj', 'act'])) {
    throw fault('a line is p = sub, obj, act, eft, or without its eft')
  }
  const effect = effects.get(squeezed(e))
  if (effect === undefined) throw fault(`its effect is none of: ${[...effects.values()].join('; ')}`)
  const tokens = tokensOf(m)
  const calls = checkMatcher(tokens, fields, g !== undefined)
  const matcher = tokens.join(' ')
  const own = builtIn ??= normal(definitionsOf(builtInModel))
  return {
    builtIn: normal(definitions) === own, fields, calls,
    definitions: { r, p: fields.join(', '), e: effect, m: matcher, ...(g === undefined ? {} : { g }) },
  }
}

let builtIn: string | undefined
const normal = ({ r, p, g, e, m }: Readonly<Partial<Record<Key, string>>>): string =>
  [r, p, g, e].map((value) => squeezed(value ?? '')).concat(tokensOf(m ?? '').join(' ')).join('\n')

function squeezed(text: string): string {
  return text.replace(/\s+/g, '')
}

/** Sections and their one definition each; a line that ends with a backslash goes on with the next one. */
function definitionsOf(text: string): Readonly<Partial<Record<Key, string>>> {
  const definitions: Partial<Record<Key, string>> = {}
  let section: Key | undefined
  for (const raw of text.replace(/\\\r?\n/g, ' ').split('\n')) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    const name = /^\[([a-z_]+)\]$/.exec(line)?.[1]
    if (name !== undefined) {
      if (!Object.hasOwn(sections, name)) throw fault(`there is no section ${name}`)
      section = sections[name as keyof typeof sections]
      continue
    }
    const [, key, value] = /^([a-z0-9]+)\s*=\s*(.+)$/.exec(line) ?? []
    if (key === undefined || key !== section) throw fault(`a line does not belong to its section: ${line.slice(0, 80)}`)
    if (definitions[section] !== undefined) throw fault(`${key} is defined twice`)
    definitions[section] = value!.trim()
  }
  return definitions
}

const TOKEN = /\s*("[^"\\]*"|'[^'\\]*'|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?|&&|\|\||[!=]=|[!(),])/y
const TEXT = /^["']/

/** @throws InvalidArgument */
function tokensOf(matcher: string): readonly string[] {
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  for (let at = 0; at < matcher.length; at = TOKEN.lastIndex) {
    const found = TOKEN.exec(matcher)
    if (!found) throw fault(`its matcher has something that is not read: ${matcher.slice(at, at + 40)}`)
    tokens.push(found[1]!)
  }
  return tokens
}

function checkMatcher(tokens: readonly string[], fields: readonly Field[], hasRoles: boolean): readonly Call[] {
  const values = new Set(['r.sub', 'r.obj', 'r.act', ...fields.map((field) => `p.${field}`)])
  const calls: Call[] = []
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index]!
    if (!/^[A-Za-z_]/.test(token) || values.has(token) || token === 'true' || token === 'false') continue
    const isRole = token === 'g' && hasRoles
    if (!isRole && !functions.has(token)) throw fault(`its matcher names something that it may not: ${token}`)
    const end = tokens.indexOf(')', index)
    const given = tokens.slice(index + 2, end)
    const isList = given.every((one, place) => (place % 2 === 1 ? one === ',' : values.has(one) || TEXT.test(one)))
    if (tokens[index + 1] !== '(' || end < 0 || !isList || given.length < 3) {
      throw fault(`it calls ${token} with something else than names and texts`)
    }
    if (!isRole) calls.push(callOf(token, given[2]!))
    index = end
  }
  // Else casbin asks the matcher once, without any line
  if (!tokens.some((token) => token.startsWith('p.'))) throw fault('its matcher looks at no line')
  return calls
}

/** The second value is the pattern: were it the caller's, so would be how long it takes to read it. */
function callOf(name: string, second: string): Call {
  if (TEXT.test(second)) return { name, pattern: { text: second.slice(1, -1) } }
  if (second.startsWith('r.')) throw fault(`the pattern of ${name}, its second value, comes of the request`)
  return { name, pattern: { field: second.slice(2) as Field } }
}

const fault = (what: string): Error => new InvalidArgument(`The access model is not accepted: ${what}`)
