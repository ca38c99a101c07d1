import type { Principal } from '../../runtime/actor.ts'
import { allowedBy, deniedBy, type ChainEntry, type DenialReason, type Layer } from '../../runtime/trust/denial.ts'
import { Decisions } from './decisions.ts'
import type { Enforcement, Engine } from './enforcement.ts'
import { guardOf } from './guards.ts'
import type { Rules } from './model.ts'
import type { Line, Operation, Policy } from './policy.ts'
import { appOf, subjectOf, sudoOf } from './roles.ts'

export interface Speaker extends Principal {
  /** The token was signed by the owner key for use as root. */
  readonly root: boolean
}

export interface Decision {
  readonly allowed: boolean
  readonly chain: readonly ChainEntry[]
}

/** Rules that were read, and what decides by them. */
export interface Compiled {
  readonly rules: Rules
  readonly builtIn: boolean
  readonly added: Policy
  readonly engine: Engine
}

/** What a speaker may do; it holds until the next policy. */
export class Grants {
  readonly app: Enforcement
  readonly subject: Enforcement
  /** What the subject may do beside that by sudo. */
  readonly sudo: Enforcement | undefined
  #read: Decisions | undefined
  #write: Decisions | undefined

  constructor(speaker: Speaker, { engine, added }: Compiled) {
    this.app = engine.of(appOf(speaker, added))
    this.subject = engine.of(subjectOf(speaker, added))
    this.sudo = speaker.sudo ? engine.of(sudoOf(speaker, added)) : undefined
  }

  allowed(operation: Operation): Decisions {
    if (operation === 'read') return this.#read ??= this.#remember('read')
    return this.#write ??= this.#remember('write')
  }

  #remember(operation: Operation): Decisions {
    const named = [this.app, this.subject, ...(this.sudo ? [this.sudo] : [])].map((one) => one.named(operation))
    const known = named.every((bits) => bits !== undefined)
    return new Decisions(known ? named.reduce((all, bits) => all | bits, guardOf.named(operation)) : undefined)
  }
}

/** The guards, then the app, then the subject, then its sudo: each is asked only when it can still be allowed. */
export function judge(speaker: Speaker, grants: Grants, operation: Operation, path: readonly string[]): Decision {
  const { appid, sub } = speaker
  const where = `${operation} ${path.join('/')}`
  const guard = guardOf(operation, path)
  if (guard === 'root') return denied('rbac', 'rbac/root-only', `${sub} by ${appid}: ${where}`)
  if (guard === 'sudo' && !speaker.sudo) return denied('rbac', 'rbac/sudo-only', `${sub} by ${appid}: ${where}`)
  const app = grants.app.find(operation, path)
  if (app?.effect !== 'allow') return refused('rbac', app, `app ${appid}: ${where}`)
  const subject = guard === 'sudo' ? undefined : grants.subject.find(operation, path)
  if (subject?.effect === 'allow') return allowed(`${app.text}; ${subject.text}`)
  if (!grants.sudo) return refused('rbac', subject, `subject ${sub}: ${where}`)
  const sudo = grants.sudo.find(operation, path)
  if (sudo?.effect !== 'allow') return refused('sudo', sudo, `subject su_${sub}: ${where}`)
  return { allowed: true, chain: [allowedBy('rbac', app.text), allowedBy('sudo', sudo.text)] }
}

const allowed = (rule: string): Decision => ({ allowed: true, chain: [allowedBy('rbac', rule)] })
export const byRoot = allowed('root: signed by the owner key')

const denied = (layer: Layer, reason: DenialReason, detail: string, rule = 'system-config/policy'): Decision =>
  ({ allowed: false, chain: [deniedBy({ layer, reason, rule, detail })] })

const refused = (layer: 'rbac' | 'sudo', line: Line | undefined, detail: string): Decision =>
  (line ? denied(layer, 'rbac/deny-line', detail, line.text) : denied(layer, `${layer}/no-rule`, detail))
