import type { ActorStart, CallContext, Evidence, Handlers, Peer } from '../../runtime/actor.ts'
import type { ZonewrightError } from '../../runtime/errors.ts'
import type { CallEntry, Infer } from '../../runtime/protocol.ts'
import { allowedBy, deniedBy } from '../../runtime/trust/denial.ts'
import type { Core, Unsealed } from './core.ts'
import { allowingRule, type VaultMethod } from './policy.ts'
import type { Vault } from './protocol.ts'

type Methods = typeof Vault['methods']
export type VaultHandlers = Handlers<typeof Vault, {}>
export type ArgsOf<M extends VaultMethod> = Methods[M] extends CallEntry<infer A, infer _> ? Infer<A> : never
export type ResultOf<M extends VaultMethod> = Methods[M] extends CallEntry<infer _, infer R> ? Infer<R> : never

/** A call that the policy allows. */
export interface Allowed {
  readonly peer: Peer
  readonly cx: CallContext<{}>
  /** Name of the policy row that allows it. */
  readonly rule: string
  /**
   * Begins the audit record of this call now, so that it becomes durable beside what the call itself writes; a failure
   * after this gets a record of its own. Without it the record is made at the end. Never a secret.
   */
  audit(fields: Evidence): void
  /** Said in the record that is made at the end. Never a secret. */
  note(fields: Evidence): void
  /** A denial of this call after all, for who tells why. */
  refuse(why: string): ZonewrightError
}

export interface AllowedOpen extends Allowed {
  readonly vault: Unsealed
}

type Handle<M extends VaultMethod, A extends Allowed> =
  (args: ArgsOf<M>, call: A) => Promise<ResultOf<M>> | ResultOf<M>

/** Every handler is made by one of these: policy, then the seal, then the work, then the audit before the answer. */
export interface Guarded {
  open<M extends VaultMethod>(
    method: M, resourceOf: (args: ArgsOf<M>) => string, run: Handle<M, AllowedOpen>,
  ): VaultHandlers[M]
  /** Served while the vault is sealed as well. */
  always<M extends VaultMethod>(
    method: M, resourceOf: (args: ArgsOf<M>) => string, run: Handle<M, Allowed>,
  ): VaultHandlers[M]
}

/** What the handlers of one area are made with. */
export interface Area {
  readonly start: ActorStart<{}>
  readonly core: Core
  readonly guarded: Guarded
}

/** For methods without a resource. */
export const noResource = (): string => '-'

export function createGuarded({ start, core }: Pick<Area, 'start' | 'core'>): Guarded {
  const { self, denials } = start
  const refusal = (peer: Peer, method: VaultMethod, rule: string, why: string): ZonewrightError => denials.denied([
    allowedBy('link', 'vault/link-certificate'),
    deniedBy({ layer: 'rbac', reason: 'rbac/no-rule', rule, detail: `${peer.actor}@${peer.host} ${method}: ${why}` }),
  ])
  const permit = (method: VaultMethod, resource: string, cx: CallContext<{}>): Allowed => {
    const { peer } = cx
    const rule = allowingRule(peer, self, method, resource)
    if (rule === undefined) throw refusal(peer, method, '-', 'not allowed')
    return { peer, cx, rule, audit() {}, note() {}, refuse: (why) => refusal(peer, method, rule, why) }
  }
  const handler = <M extends VaultMethod>(serve: (args: ArgsOf<M>, cx: CallContext<{}>) => Promise<ResultOf<M>>) =>
    serve as unknown as VaultHandlers[M]
  return {
    open: (method, resourceOf, run) => handler(async (args, cx) => {
      const allowed = permit(method, resourceOf(args), cx)
      return run(args, { ...allowed, vault: core.open() })
    }),
    always: (method, resourceOf, run) => handler(async (args, cx) => run(args, permit(method, resourceOf(args), cx))),
  }
}
