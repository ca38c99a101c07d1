import type { ActorStart } from '../../runtime/actor.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import { deniedBy, type DenialReason } from '../../runtime/trust/denial.ts'
import { thumbprint } from '../../runtime/trust/keys.ts'
import { kv } from '../records.ts'
import { checkRules, type Access, type Decision } from '../rbac/access.ts'
import { needsSignature } from '../rbac/guards.ts'
import type { Rules } from '../rbac/model.ts'
import type { Environment } from './environment.ts'
import type { Scope } from './key-path.ts'
import type { Trust } from './phase.ts'
import type { Operation } from '../rbac/policy.ts'
import type { Guard } from './records.ts'
import type { Registration } from './registration.ts'
import { chainOf, type Caller, type Session, type Sessions } from './sessions.ts'
import type { KvAction } from './transaction.ts'

export const POLICY_KEY = 'system/rbac/policy'
/** Another casbin model than the built-in one. */
export const MODEL_KEY = 'system/rbac/model'

/** What a call may do. Everything here throws Denied, with the chain kept for `explain`, or lets it pass. */
export interface Permission {
  /** While it stays the same, what was allowed to a session that lives is still allowed. */
  readonly generation: number
  /** At once when the session is known. */
  read(cx: Caller, path: string): Session | Promise<Session>
  /** What of the scope may be read. @throws Denied when that is nothing */
  scope(cx: Caller, scope: Scope): Promise<{ readonly session: Session; readonly scope: Scope }>
  write(cx: Caller, key: string): Session | Promise<Session>
  /** @throws InvalidArgument, RecordInvalid when a value cannot stand under its key */
  transaction(cx: Caller, actions: ReadonlyMap<string, KvAction>, mainKey?: Guard): Promise<Session>
}

export function createPermission(
  start: Pick<ActorStart, 'keys' | 'denials'>,
  parts: {
    sessions: Sessions; trust: Trust; access: Access; environment: Environment
    /** What stands in the store, in force or not. */
    storedRules: () => Promise<Rules>
    registration: Registration
  },
): Permission {
  const { sessions, trust, access, environment, storedRules, registration } = parts
  const refuse = (session: Session, reason: DenialReason, detail: string): Error =>
    start.denials.denied([...chainOf(session), deniedBy({ layer: 'rbac', reason, rule: 'system-config', detail })])
  const decide = (session: Session, operation: Operation, path: string): Decision =>
    access.decide(session.speaker, operation, path)
  const demand = (session: Session, operation: Operation, path: string): void => {
    const decision = decide(session, operation, path)
    if (!decision.allowed) throw start.denials.denied([...chainOf(session), ...decision.chain])
  }
  /** In boot phase nobody is known but the device of the ENV, and there is nothing to hide from it. */
  const mayRead = (session: Session, path: string): boolean =>
    trust.phase === 'boot' || decide(session, 'read', path).allowed

  const reads = (session: Session, path: string): Session => {
    if (trust.phase !== 'boot') demand(session, 'read', path)
    return session
  }
  const writes = (session: Session, key: string): Session => {
    if (trust.phase === 'boot') throw refuse(session, 'rbac/boot-phase', `write ${key}`)
    demand(session, 'write', key)
    if (needsSignature(key)) throw refuse(session, 'rbac/signed-only', `write ${key}`)
    return session
  }

  const checkBootTransaction = (session: Session, actions: ReadonlyMap<string, KvAction>, mainKey?: Guard): void => {
    const config = actions.get(kv.bootConfig)
    const creates = [...actions.values()].every(({ action }) => action === 'create')
    if (session.use !== 'boot') throw refuse(session, 'rbac/boot-phase', `a ${session.use} token`)
    if (mainKey?.key !== kv.bootConfig || mainKey.revision !== 0 || config?.action !== 'create' || !creates) {
      throw refuse(session, 'rbac/boot-phase', 'it does not create boot/config and all else, guarded by boot/config')
    }
    const { root, verifyHub } = checkValue(kv.bootConfig, config, trust)!
    if (verifyHub.length !== 1) throw new InvalidArgument('A zone boots with one key of verify-hub')
    if (thumbprint(start.keys, root) !== thumbprint(start.keys, environment.root)) {
      throw new InvalidArgument('The root key of boot/config is not the owner key of the ENV')
    }
  }

  /** A document of a device, by the service that registers hosts. */
  const checkRegistration = async (
    session: Session, actions: ReadonlyMap<string, KvAction>, mainKey?: Guard,
  ): Promise<void> => {
    const why = await registration.refusal(actions, mainKey)
    if (why !== undefined) throw refuse(session, 'rbac/root-only', `write ${[...actions.keys()].join(', ')}: ${why}`)
  }

  const checkTransaction = (session: Session, actions: ReadonlyMap<string, KvAction>, mainKey?: Guard): void => {
    for (const [key, action] of actions) {
      demand(session, 'write', key)
      if (!needsSignature(key)) continue
      if (isUserDocument(key)) {
        // Root makes a user, and says who it is; a user that is stays that one, under a new key
        if (session.speaker.root || action.action === 'update') continue
        throw refuse(session, 'sudo/update-only', `${action.action} ${key}`)
      }
      const config = checkValue(key, action, trust)
      // Lower, and the tokens from before a restore would be good again
      if (config && config.epoch < trust.epoch) {
        throw new InvalidArgument(`The epoch of boot/config never goes back: ${config.epoch}, it is at ${trust.epoch}`)
      }
      if (key === kv.bootConfig && (mainKey?.key !== key || mainKey.revision === 0 || action.action !== 'update')) {
        throw refuse(session, 'rbac/compare', 'boot/config is updated with itself as the main key')
      }
    }
    // Its revision is told to who guessed it wrong
    if (mainKey && !actions.has(mainKey.key)) demand(session, 'read', mainKey.key)
  }

  /** Both at once, whichever of them is written: what is refused is refused whole. */
  const checkRulesAfter = async (actions: ReadonlyMap<string, KvAction>): Promise<void> => {
    const [model, policy] = [actions.get(MODEL_KEY), actions.get(POLICY_KEY)]
    if (!model && !policy) return
    const stored = await storedRules()
    await checkRules({
      model: model ? textOf(model) : stored.model, policy: policy ? textOf(policy) : stored.policy,
    })
  }

  return {
    get generation() { return trust.generation + access.generation },
    read(cx, path) {
      const session = sessions.current(cx)
      return session instanceof Promise ? session.then((known) => reads(known, path)) : reads(session, path)
    },
    async scope(cx, scope) {
      const session = await sessions.current(cx)
      const self = scope.self && mayRead(session, scope.path)
      const tree = mayRead(session, scope.below)
      if (!self && !tree) demand(session, 'read', scope.below)
      return { session, scope: { ...scope, self, tree } }
    },
    write(cx, key) {
      const session = sessions.current(cx)
      return session instanceof Promise ? session.then((known) => writes(known, key)) : writes(session, key)
    },
    async transaction(cx, actions, mainKey) {
      const session = await sessions.current(cx)
      if (trust.phase === 'boot') checkBootTransaction(session, actions, mainKey)
      else if ([...actions.keys()].some((key) => registration.concerns(cx, session, key))) {
        await checkRegistration(session, actions, mainKey)
      } else checkTransaction(session, actions, mainKey)
      await checkRulesAfter(actions)
      return session
    },
  }
}

const isUserDocument = (key: string): boolean => key.startsWith('users/')

/** Of a whole text that is put there; without one, the built-in model decides. */
const textOf = (action: KvAction): string =>
  (action.action === 'create' || action.action === 'update' ? action.value : '')

/** Of the keys that this actor reads itself, so that nothing gets in which it would have to refuse when it reads it. */
function checkValue(key: string, action: KvAction, trust: Trust): ReturnType<Trust['check']> | undefined {
  if (!needsSignature(key) || (key === MODEL_KEY && action.action === 'remove')) return undefined
  if (action.action !== 'create' && action.action !== 'update') {
    throw new InvalidArgument(`The key is only written as a whole: ${key}`)
  }
  return key === kv.bootConfig ? trust.check(action.value) : undefined
}
