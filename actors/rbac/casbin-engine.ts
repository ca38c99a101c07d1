import { Enforcer, FunctionMap, newModel, type Model as CasbinModel, type RoleManager } from 'casbin'
import { InvalidArgument } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Enforcement, Engine } from './enforcement.ts'
import type { Call, Field, Model } from './model.ts'
import { isScheme, objectOf, zonePath } from './path.ts'
import type { Line, Policy } from './policy.ts'
import { bases, type Holder, type Side } from './roles.ts'

/**
 * casbin itself, for a model that the index does not cover. Roles are ours: who has which (`roles.ts`) does not depend
 * on the model.
 *
 * @throws InvalidArgument when it cannot decide by this model and these lines
 */
export function casbinEngine(model: Model, added: Policy): Engine {
  if (added.lines.length > limits.modelPolicyLines) {
    throw new InvalidArgument(
      `With a model of its own a policy has at most ${limits.modelPolicyLines} lines: ${added.lines.length}`)
  }
  checkPatterns(model.calls, added.lines)
  const sides = { app: sideOf(model, 'app', added), subject: sideOf(model, 'subject', added) }
  return { of: (holder) => sides[holder.side].of(holder) }
}

function sideOf(model: Model, side: Side, added: Policy): Engine {
  const roles = new HeldRoles()
  const lines = [...bases[side].lines, ...added.lines]
  const rows = new Map(lines.map((line) => [rowOf(line, model.fields), line]))
  const casbin = modelOf(model, roles)
  const enforcer = new Enforcer()
  enforcer.setModel(casbin)
  void enforcer.addFunction('zonePath', zonePath)
  const ask = (holder: Holder, operation: string, object: string): readonly [boolean, readonly string[]] => {
    roles.holder = holder
    return enforcer.enforceExSync(holder.sub, object, operation)
  }
  tryEach(casbin, [...rows.keys()], () => ask(anybody(lines), 'read', 'kv://a/b'))
  return {
    of: (holder): Enforcement => ({
      find(operation, path) {
        try {
          const [allowed, row] = ask(holder, operation, objectIn(path))
          const line = rows.get(row)
          return line && allowed === (line.effect === 'allow') ? line : undefined
        } catch {
          // What a model cannot decide is not allowed
          return undefined
        }
      },
      named: () => undefined,
    }),
  }
}

type Row = readonly string[]

const fieldOf: Readonly<Record<Field, (line: Line) => string>> = {
  sub: ({ role }) => role, obj: ({ object }) => objectOf(object), act: ({ act }) => act, eft: ({ effect }) => effect,
}
const rowOf = (line: Line, fields: readonly Field[]): Row => {
  if (line.effect === 'deny' && !fields.includes('eft')) {
    throw new InvalidArgument(`Line ${line.number} of the policy is wrong: lines of this model have no effect`)
  }
  return fields.map((field) => fieldOf[field](line))
}

const objectIn = (path: readonly string[]): string => {
  const [first = '', ...rest] = path
  return isScheme(first) ? first + rest.join('/') : objectOf(path.join('/'))
}

function modelOf({ definitions }: Model, roles: RoleManager): CasbinModel {
  const model = newModel()
  for (const key of ['r', 'p', 'g', 'e', 'm'] as const) {
    const definition = definitions[key]
    if (definition !== undefined) model.addDef(key, key, definition)
  }
  const given = model.model.get('g')?.get('g')
  if (given) given.rm = roles
  return model
}

/** Whatever can be wrong with an expression shows when it is evaluated: each line is, before any of them decides. */
function tryEach(casbin: CasbinModel, rows: readonly Row[], ask: () => unknown): void {
  const asserted = casbin.model.get('p')!.get('p')!
  try {
    for (const row of rows) {
      asserted.policy = [row as string[]]
      ask()
    }
  } catch (error) {
    throw new InvalidArgument(`The access model cannot decide: ${(error as Error).message}`)
  }
  asserted.policy = rows as string[][]
}

const anybody = (lines: readonly Line[]): Holder =>
  ({ side: 'app', sub: 'a', caller: 'a', roles: new Set(lines.map(({ role }) => role)) })

/** What `g` of a matcher asks. */
class HeldRoles implements RoleManager {
  holder: Holder | undefined

  syncedHasLink(name: string, role: string): boolean {
    return this.holder !== undefined && name === this.holder.sub && this.holder.roles.has(role)
  }

  async hasLink(name: string, role: string): Promise<boolean> {
    return this.syncedHasLink(name, role)
  }

  // Links are the policy's, read by `roles.ts`
  async clear(): Promise<void> {}
  async addLink(): Promise<void> {}
  async deleteLink(): Promise<void> {}
  async getRoles(): Promise<string[]> { return [] }
  async getUsers(): Promise<string[]> { return [] }
  async printRoles(): Promise<void> {}
  async getDomains(): Promise<string[]> { return [] }
  async getAllDomains(): Promise<string[]> { return [] }
}

const loops: Readonly<Record<string, RegExp>> = {
  // casbin goes on replacing these as long as it finds one, also where there is nothing to replace
  keyMatch2: /\/:(?![^/])/, keyGet2: /\/:(?![^/])/,
  keyMatch3: /\/\{(?![^/{}]+\})/, keyMatch4: /\/\{(?![^/{}]+\})/, keyMatch5: /\/\{(?![^/{}]+\})/,
}

function checkPatterns(calls: readonly Call[], lines: readonly Line[]): void {
  const functions = FunctionMap.loadFunctionMap().getFunctions()
  const check = (name: string, pattern: string, where: string): void => {
    try {
      if (loops[name]?.test(pattern)) throw new Error('a placeholder without a name')
      functions.get(name)?.('a', pattern, 'a')
    } catch (error) {
      throw new InvalidArgument(`${where} is wrong: ${name} cannot read it: ${(error as Error).message}`)
    }
  }
  for (const { name, pattern } of calls) {
    if ('text' in pattern) check(name, pattern.text, 'A text of the access model')
    else for (const line of lines) check(name, fieldOf[pattern.field](line), `Line ${line.number} of the policy`)
  }
}
