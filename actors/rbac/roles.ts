import type { Principal } from '../../runtime/actor.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import { appLines, DEVICE, deviceRuntimeTypes, fixedRoles, givenRoles, subjectLines, sudoRoles, TYPE } from './base.ts'
import { NAME_PREFIX, SUDO_PREFIX } from './path.ts'
import { parsePolicy, type Policy } from './policy.ts'

/** The two sides of an access: an app and whom it speaks for are each allowed or denied on their own. */
export type Side = 'app' | 'subject'
export const bases: Readonly<Record<Side, Policy>> = { app: parsePolicy(appLines), subject: parsePolicy(subjectLines) }

/** Who is asked about on one side. */
export interface Holder {
  readonly side: Side
  /** As a model sees it: a name that is also a role's is told apart from it. */
  readonly sub: string
  /** Whom a placeholder stands for. */
  readonly caller: string
  /** Its own name, if lines may be given to it, and all roles that it has. */
  readonly roles: ReadonlySet<string>
}

const isFixed = (role: string): boolean => fixedRoles.has(role) || role.startsWith(TYPE)
const isSudo = (name: string): boolean => name.startsWith(SUDO_PREFIX)

/** @throws InvalidArgument when the policy gives or changes a role that no policy can */
export function checkRoles(policy: Policy): void {
  for (const [name, roles] of policy.groups) {
    for (const role of roles) {
      if (isFixed(role) || bases.app.groups.has(role)) {
        throw new InvalidArgument(`The policy gives a role that is built in: ${role} to ${name}`)
      }
      // Else who has logged in once has for good what sudo is asked for
      if ((sudoRoles.has(role) || isSudo(role)) && !isSudo(name)) {
        throw new InvalidArgument(`The policy gives what is for sudo to who is not: ${role} to ${name}`)
      }
    }
  }
  const changed = policy.lines.find(({ role }) => isFixed(role))
  if (changed) throw new InvalidArgument(`The policy changes a role that is built in: ${changed.role}`)
}

export const appOf = ({ appid }: Principal, added: Policy): Holder =>
  holderOf('app', appid, appid, isSudo(appid) ? [] : namesOf(appid, added), added)

export function subjectOf({ sub, runtimeType }: Principal, added: Policy): Holder {
  if (runtimeType === 'client-device') {
    const name = DEVICE + sub
    return holderOf('subject', name, sub, [TYPE + runtimeType, ...namesOf(name, added)], added)
  }
  const named = !deviceRuntimeTypes.has(runtimeType) && !isSudo(sub)
  return holderOf('subject', sub, sub, [TYPE + runtimeType, ...(named ? namesOf(sub, added) : [])], added)
}

/** Seed: sudo, "first as the ordinary user, and only if that fails as su_alice". */
export const sudoOf = ({ sub }: Principal, added: Policy): Holder =>
  holderOf('subject', SUDO_PREFIX + sub, sub, namesOf(SUDO_PREFIX + sub, added), added)

/**
 * A name and the roles it was given. Names and roles are two things that may be spelled alike: a user called admin is
 * given what a line gives to that name, and nothing of what is meant for the role.
 */
function namesOf(name: string, added: Policy): readonly string[] {
  if (isFixed(name)) return []
  if (givenRoles.has(name)) return added.groups.get(name) ?? []
  return added.roles.has(name) ? [] : [name, ...(added.groups.get(name) ?? [])]
}

/** With the roles that these are part of. Built-in roles are part of built-in ones only. */
function holderOf(side: Side, sub: string, caller: string, names: readonly string[], added: Policy): Holder {
  const roles = new Set(names)
  const base = bases[side].groups
  if (side === 'app') for (const role of base.get(sub) ?? []) roles.add(role)
  for (const role of roles) {
    if (!givenRoles.has(role) && !isFixed(role)) for (const above of added.groups.get(role) ?? []) roles.add(above)
    for (const above of base.get(role) ?? []) roles.add(above)
  }
  return { side, sub: roles.has(sub) ? sub : NAME_PREFIX + sub, caller, roles }
}
