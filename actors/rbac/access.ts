import { InvalidArgument } from '../../runtime/errors.ts'
import type { Principal } from '../../runtime/actor.ts'
import { allowedBy, deniedBy, type ChainEntry, type DenialReason, type Layer } from '../../runtime/trust/denial.ts'
import {
  appLines, deviceRuntimeTypes, fixedRoles, givenRoles, rootReads, rootWrites, signedWrites, subjectLines, TYPE,
} from './base.ts'
import { Decisions } from './decisions.ts'
import { checkModel, type Rules } from './model.ts'
import { matches, parsePolicy, type Operation, type Permission, type Policy } from './policy.ts'

export interface Speaker extends Principal {
  /** The token was signed by the owner key for use as root. */
  readonly root: boolean
}

export interface Decision {
  readonly allowed: boolean
  readonly chain: readonly ChainEntry[]
}

export interface Access {
  /** Grows with every policy, so that whatever was decided before is decided again. */
  readonly generation: number
  /** `path` is a key, or a folder with its last slash, or '' for the whole: then everything in it must be allowed. */
  decide(speaker: Speaker, operation: Operation, path: string): Decision
  /**
   * Replaces the model and what the policy adds to the base. At once when the model is the built-in one, else when its
   * engine is loaded. @throws InvalidArgument, and what was in force stays
   */
  replace(rules: Rules): void | Promise<void>
}

const appBase = parsePolicy(appLines)
const subjectBase = parsePolicy(subjectLines)
const split = (patterns: readonly string[]) => patterns.map((pattern) => pattern.split('/'))
const onlyRootReads = split(rootReads)
const onlyRootWrites = split(rootWrites)
const onlySigned = split(signedWrites)

const anyMatches = (patterns: readonly (readonly string[])[], path: readonly string[]): boolean =>
  patterns.some((pattern) => matches(pattern, path, ''))

export const needsSignature = (key: string): boolean => anyMatches(onlySigned, key.split('/'))

const isFixed = (role: string): boolean => fixedRoles.has(role) || role.startsWith(TYPE)

/** @throws InvalidArgument when the model cannot decide, or the policy is none for it */
export function checkRules({ model, policy }: Rules): void | Promise<void> {
  checkModel(model)
  checkPolicy(policy)
}

/** @throws InvalidArgument when the text is no policy, or gives a role that a policy cannot give */
function checkPolicy(text: string): Policy {
  const policy = parsePolicy(text)
  for (const [name, roles] of policy.groups) {
    const fixed = roles.find((role) => isFixed(role) || appBase.groups.has(role))
    if (fixed !== undefined) throw new InvalidArgument(`The policy gives a role that is built in: ${fixed} to ${name}`)
  }
  for (const role of policy.permissions.keys()) {
    if (isFixed(role)) throw new InvalidArgument(`The policy changes a role that is built in: ${role}`)
  }
  return policy
}

const NOTHING = parsePolicy('')

export function createAccess(): Access {
  let added = NOTHING
  let granted = new WeakMap<Speaker, Grants>()
  let generation = 0
  return {
    get generation() { return generation },
    replace({ model, policy }) {
      checkModel(model)
      added = checkPolicy(policy)
      granted = new WeakMap()
      generation++
    },
    decide(speaker, operation, path) {
      if (speaker.root) return allowed('root: signed by the owner key')
      let grants = granted.get(speaker)
      if (!grants) granted.set(speaker, grants = grantsOf(speaker, added))
      const known = grants.allowed[operation]
      const before = path === '' ? undefined : known.get(path)
      if (before) return before
      const segments = path.split('/')
      if (path === '' || anyMatches(operation === 'read' ? onlyRootReads : onlyRootWrites, segments)) {
        return denied('rbac', 'rbac/root-only', `${speaker.sub} by ${speaker.appid}: ${operation} ${path}`)
      }
      const decision = judge(speaker, grants, operation, segments)
      if (!decision.allowed) return decision
      known.set(path, segments.length, decision)
      return decision
    },
  }
}

interface Grants {
  readonly app: readonly Permission[]
  readonly subject: readonly Permission[]
  /** What the subject may do beside that by sudo. */
  readonly sudo: readonly Permission[]
  /** They hold as long as the grants do: until the next policy. */
  readonly allowed: Readonly<Record<Operation, Decisions>>
}

/** Seed: sudo, "first as the ordinary user, and only if that fails as su_alice". */
const SUDO_PREFIX = 'su_'

function grantsOf({ appid, sub, runtimeType, sudo }: Speaker, added: Policy): Grants {
  const type = TYPE + runtimeType
  const named = !deviceRuntimeTypes.has(runtimeType) && !sub.startsWith(SUDO_PREFIX)
  const given = named ? namesOf(sub, added) : []
  const app = permissionsOf(appBase, added, [...namesOf(appid, added), ...(appBase.groups.get(appid) ?? [])])
  const subject = permissionsOf(subjectBase, added, [type, ...given])
  const bySudo = sudo ? permissionsOf(subjectBase, added, namesOf(SUDO_PREFIX + sub, added)) : []
  const granted = [...app, ...subject, ...bySudo].map(({ segments }) => segments)
  return {
    app, subject, sudo: bySudo,
    allowed: {
      read: new Decisions([...granted, ...onlyRootReads]), write: new Decisions([...granted, ...onlyRootWrites]),
    },
  }
}

/**
 * A name and the roles it was given. Names and roles are two things that may be spelled alike: a user called admin is
 * given what a line gives to that name, and nothing of what is meant for the role.
 */
function namesOf(name: string, added: Policy): string[] {
  if (isFixed(name)) return []
  if (givenRoles.has(name)) return [...(added.groups.get(name) ?? [])]
  return added.roles.has(name) ? [] : [name, ...(added.groups.get(name) ?? [])]
}

/** Of these names and roles, and of the roles that they are part of. Built-in roles are part of built-in ones only. */
function permissionsOf(base: Policy, added: Policy, names: readonly string[]): Permission[] {
  const all = new Set(names)
  for (const role of all) {
    const above = givenRoles.has(role) || isFixed(role) ? [] : added.groups.get(role) ?? []
    for (const one of [...above, ...(base.groups.get(role) ?? [])]) all.add(one)
  }
  return [...all].flatMap((role) => [base, added].flatMap(({ permissions }) => permissions.get(role) ?? []))
}

function judge(speaker: Speaker, grants: Grants, operation: Operation, path: readonly string[]): Decision {
  const { appid, sub } = speaker
  const find = (permissions: readonly Permission[], caller: string) =>
    permissions.find((one) => one.operations.has(operation) && matches(one.segments, path, caller))
  const where = `${operation} ${path.join('/')}`
  const app = find(grants.app, appid)
  if (!app) return denied('rbac', 'rbac/no-rule', `app ${appid}: ${where}`)
  const subject = find(grants.subject, sub)
  if (subject) return allowed(`${app.line}; ${subject.line}`)
  if (!speaker.sudo) return denied('rbac', 'rbac/no-rule', `subject ${sub}: ${where}`)
  const sudo = find(grants.sudo, sub)
  if (!sudo) return denied('sudo', 'sudo/no-rule', `subject ${SUDO_PREFIX}${sub}: ${where}`)
  return { allowed: true, chain: [allowedBy('rbac', app.line), allowedBy('sudo', sudo.line)] }
}

const allowed = (rule: string): Decision => ({ allowed: true, chain: [allowedBy('rbac', rule)] })
const denied = (layer: Layer, reason: DenialReason, detail: string): Decision =>
  ({ allowed: false, chain: [deniedBy({ layer, reason, rule: 'system-config/policy', detail })] })
