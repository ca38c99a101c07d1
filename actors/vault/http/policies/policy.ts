import { limits } from '../../../../runtime/limits.ts'
import { badRequest } from '../answer.ts'
import { readHcl, type HclValue } from './hcl.ts'

export const capabilities = ['create', 'read', 'update', 'patch', 'delete', 'list', 'sudo', 'deny'] as const
export type Capability = (typeof capabilities)[number]

/** What one `path "…"` of a policy says. */
export interface PathRule {
  readonly path: string
  readonly capabilities: ReadonlySet<Capability>
  /** Values that a parameter may have, none for any; `*` stands for every parameter. */
  readonly allowed?: Parameters
  readonly denied?: Parameters
  readonly required?: readonly string[]
}
export type Parameters = Readonly<Record<string, readonly HclValue[]>>

/** Words of Vault's first releases. */
const legacy: Readonly<Record<string, readonly Capability[]>> = {
  deny: ['deny'], read: ['read', 'list'], write: ['create', 'read', 'update', 'delete', 'list'],
  sudo: ['create', 'read', 'update', 'delete', 'list', 'sudo'],
}
const KEYS = ['capabilities', 'policy', 'allowed_parameters', 'denied_parameters', 'required_parameters']

type Plain = Readonly<Record<string, unknown>>

/** HCL, or the same as JSON. @throws Fault 400 that says what is wrong */
export function readPolicy(text: string): readonly PathRule[] {
  if (text.length > limits.vaultPolicyCharacters) {
    throw badRequest(`failed to parse policy: longer than ${limits.vaultPolicyCharacters} characters`)
  }
  if (text.includes('\0')) throw badRequest('failed to parse policy: it holds a NUL')
  const rules = text.trimStart().startsWith('{') ? fromJson(text) : fromHcl(text)
  if (rules.length > limits.vaultPolicyRules) {
    throw badRequest(`failed to parse policy: more than ${limits.vaultPolicyRules} paths`)
  }
  return rules
}

const wrong = (what: string): Error => badRequest(`failed to parse policy: ${what}`)

function fromHcl(text: string): readonly PathRule[] {
  const { attributes, blocks } = readHcl(text)
  onlyName([...attributes.keys()])
  return blocks.map(({ type, labels, body }) => {
    if (type !== 'path' || labels.length !== 1) throw wrong(`only path "…" blocks are expected: ${type}`)
    if (body.blocks.some(({ labels: given }) => given.length > 0)) throw wrong('a block with a label inside of a path')
    const inner = new Map<string, unknown>(body.attributes)
    for (const block of body.blocks) {
      if (inner.has(block.type)) throw wrong(`twice: ${block.type}`)
      inner.set(block.type, Object.fromEntries(block.body.attributes))
    }
    return ruleOf(labels[0]!, Object.fromEntries(inner))
  })
}

function fromJson(text: string): readonly PathRule[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw wrong('it is no JSON')
  }
  const { path = {}, ...others } = value as Plain
  onlyName(Object.keys(others))
  // Each path an object, or a list of such
  const parts: readonly unknown[] = Array.isArray(path) ? path : [path]
  return parts.flatMap((part) => Object.entries(plain(part, 'path')).flatMap(([name, inner]) =>
    (Array.isArray(inner) ? inner : [inner]).map((one: unknown) => ruleOf(name, plain(one, name)))))
}

const onlyName = (names: readonly string[]): void => {
  const other = names.find((name) => name !== 'name')
  if (other !== undefined) throw wrong(`unknown key: ${other}`)
}

function plain(value: unknown, name: string): Plain {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(`no object: ${name}`)
  return value as Plain
}

function ruleOf(given: string, inner: Plain): PathRule {
  const other = Object.keys(inner).find((key) => !KEYS.includes(key))
  if (other !== undefined) throw wrong(`unknown or unsupported key of path "${given}": ${other}`)
  const path = given.replace(/^\//, '')
  if (path === '' || path.length > limits.vaultHttpPath) throw wrong('a path is empty or too long')
  if (path.includes('{{')) throw wrong('templates are not supported')
  if (path.includes('+*')) throw wrong(`path "${given}": "+*" is forbidden`)
  const words = inner['capabilities'] === undefined ? [] : strings(inner['capabilities'], 'capabilities')
  const policy = inner['policy']
  if (policy !== undefined && (typeof policy !== 'string' || !Object.hasOwn(legacy, policy))) {
    throw wrong(`path "${given}": invalid policy`)
  }
  const found = [...(typeof policy === 'string' ? legacy[policy]! : []), ...words.map((word) => {
    if (!capabilities.includes(word as Capability)) throw wrong(`path "${given}": invalid capability: ${word}`)
    return word as Capability
  })]
  const [allowed, denied] = [inner['allowed_parameters'], inner['denied_parameters']].map(parameters)
  const required = inner['required_parameters'] === undefined
    ? undefined : strings(inner['required_parameters'], 'required_parameters')
  return {
    path, capabilities: new Set(found.includes('deny') ? ['deny'] : found),
    ...(allowed ? { allowed } : {}), ...(denied ? { denied } : {}), ...(required ? { required } : {}),
  }
}

function strings(value: unknown, name: string): readonly string[] {
  if (!Array.isArray(value) || value.length > limits.vaultHttpWords || value.some((one) => typeof one !== 'string')) {
    throw wrong(`${name} must be a list of strings`)
  }
  return value as readonly string[]
}

function parameters(value: unknown): Parameters | undefined {
  if (value === undefined) return undefined
  const entries = Object.entries(plain(value, 'parameters'))
  if (entries.length > limits.vaultHttpWords || entries.some(([, values]) => !Array.isArray(values))) {
    throw wrong('parameters must be names with lists of values')
  }
  return Object.fromEntries(entries) as Parameters
}
