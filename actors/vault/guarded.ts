import type { ActorStart, CallContext, Evidence, Handlers, Peer } from '../../runtime/actor.ts'
import type { ZonewrightError } from '../../runtime/errors.ts'
import type { CallEntry, Infer } from '../../runtime/protocol.ts'
import { allowedBy, deniedBy } from '../../runtime/trust/denial.ts'
import { codeOf, type Audit } from './audit/audit.ts'
import { createStrangers } from './audit/strangers.ts'
import type { Core, Unsealed } from './core.ts'
import { allowingRule, type VaultMethod } from './policy.ts'
import { JoinRefused, NotInVault, type Vault } from './protocol.ts'
import type { SealLife } from './seal/life.ts'

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
   * after this gets a record of its own. Without it the record is made at the end. Settles when it is durable, for who
   * takes something out of the vault that is there once. Never a secret.
   */
  audit(fields: Evidence): Promise<void>
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
  readonly audit: Audit
  readonly life: SealLife
  readonly guarded: Guarded
}

/** For methods without a resource. */
export const noResource = (): string => '-'

export function createGuarded({ start, core, audit }: Pick<Area, 'start' | 'core' | 'audit'>): Guarded {
  const { self, denials, clock } = start
  const strangers = createStrangers(audit, clock)
  const refusal = (peer: Peer, method: VaultMethod, rule: string, why: string): ZonewrightError => denials.denied([
    allowedBy('link', 'vault/link-certificate'),
    deniedBy({ layer: 'rbac', reason: 'rbac/no-rule', rule, detail: `${peer.actor}@${peer.host} ${method}: ${why}` }),
  ])
  const serve = async <M extends VaultMethod>(
    method: M, resource: string, cx: CallContext<{}>, run: (call: Allowed) => Promise<ResultOf<M>> | ResultOf<M>,
  ): Promise<ResultOf<M>> => {
    const { peer } = cx
    const entry = { kind: 'call', who: `${peer.actor}@${peer.host}`, method, resource } as const
    let begun: Promise<number> | undefined
    let about: Evidence = {}
    const work = async (): Promise<ResultOf<M>> => {
      const rule = allowingRule(peer, self, method, resource)
      if (rule === undefined) throw refusal(peer, method, '-', 'not allowed')
      return run({
        peer, cx, rule,
        audit(fields) {
          begun ??= audit.record({ ...entry, outcome: 'begun', about: fields })
          const durable = begun.then(() => {})
          durable.catch(() => {})
          return durable
        },
        note(fields) {
          about = { ...about, ...fields }
        },
        refuse: (why) => refusal(peer, method, rule, why),
      })
    }
    const outcome = await work().then((value) => ({ value }), (error: unknown) => ({ error }))
    const of = await begun
    if ('error' in outcome) {
      const code = codeOf(outcome.error)
      const ofBegun = of === undefined ? {} : { of }
      const record = isOfStranger(outcome.error, method) ? strangers : audit.record
      if (!isAnswer(outcome.error, method)) {
        await record({ ...entry, outcome: code === 'Denied' ? 'denied' : 'failed', code, about, ...ofBegun })
      }
      throw outcome.error
    }
    // Where it is not said by `begun`, which is durable by now
    if (of === undefined && !unrecorded.has(method)) await audit.record({ ...entry, outcome: 'done', about })
    return outcome.value
  }
  const handler = <M extends VaultMethod>(
    method: M, resourceOf: (args: ArgsOf<M>) => string,
    run: (args: ArgsOf<M>, call: Allowed) => Promise<ResultOf<M>> | ResultOf<M>,
  ): VaultHandlers[M] => {
    const handle = (args: ArgsOf<M>, cx: CallContext<{}>): Promise<ResultOf<M>> =>
      serve(method, resourceOf(args), cx, (call) => run(args, call))
    return handle as unknown as VaultHandlers[M]
  }
  return {
    open: (method, resourceOf, run) =>
      handler(method, resourceOf, (args, call) => run(args, { ...call, vault: core.open() })),
    always: handler,
  }
}

/** Whoever reaches the zone may bring a join token that nobody made, or ask for the next certificate of any host. */
const isOfStranger = (error: unknown, method: VaultMethod): boolean => error instanceof JoinRefused
  && (method === 'renewEnrolment' ? ['device', 'proof'] : ['unknown']).includes(String(error.details['reason']))

/** That no host of a name has joined, which strangers have asked by any name, and listeners of OODs that never did. */
const isAnswer = (error: unknown, method: VaultMethod): boolean =>
  method === 'joinedHost' && error instanceof NotInVault

/** What is public anyway, and `http`, which records each request itself; denied and failed calls are recorded. */
const unrecorded: ReadonlySet<VaultMethod> = new Set([
  'status', 'auditHead', 'keyVersions', 'authorities', 'crl', 'roots', 'joinedHost', 'joinedHosts', 'http',
])
