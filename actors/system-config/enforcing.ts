import type { ActorStart, Handlers } from '../../runtime/actor.ts'
import { Unavailable } from '../../runtime/errors.ts'
import { Feed, PENDING, type Polled } from '../../runtime/feed.ts'
import { deniedBy } from '../../runtime/trust/denial.ts'
import { kv } from '../records.ts'
import { issuers } from '../trust-matrix.ts'
import type { Enforcement, SystemConfig } from './protocol.ts'
import { chainOf, type Caller, type Session } from './sessions.ts'
import type { State } from './state.ts'

type Enforcing = Pick<Handlers<typeof SystemConfig, {}>, 'enforcement' | 'renewLease' | 'releaseLease' | 'revoke'>

/**
 * Runtime types that judge tokens of others. Not by lines of the policy: of one whose lines are taken away, the very
 * write that does it would have to be waited for until it lapses.
 */
const ENFORCING: ReadonlySet<string> = new Set(['ood', 'kernel-service', 'node', 'service', 'gateway'])

/** Services enforce, people do not. Which sessions have ended, verify-hub says, and nobody else. */
export function enforcing(
  { enforcers, sessions, shared, steps, trust, revoke }: State, { denials }: Pick<ActorStart, 'denials'>,
): Enforcing {
  const refuse = (session: Session, detail: string): Error => denials.denied([
    ...chainOf(session), deniedBy({ layer: 'rbac', reason: 'rbac/no-rule', rule: 'system-config/enforcement', detail }),
  ])
  const enforcer = async (cx: Caller): Promise<Session> => {
    const session = await sessions.current(cx)
    const { sub, appid, runtimeType } = session.speaker
    if (!ENFORCING.has(runtimeType)) throw refuse(session, `enforcement by ${sub} (${runtimeType}) in ${appid}`)
    return session
  }
  /** What the store says is asked for before somebody waits for the time that it takes. */
  const granting = async (): Promise<void> => {
    if (!shared.mayGrant()) await shared.look()
  }
  return {
    enforcement: ({ replaces }, cx) => new Permitted(granting().then(() => enforcer(cx)), (session) => {
      steps.read(session, kv.bootConfig, trust.revision)
      return enforcers.open(cx.peer.kid, replaces)
    }),
    async renewLease({ lease, sequence }, cx) {
      await granting()
      await enforcer(cx)
      return { granted: enforcers.renew(lease, sequence, cx.peer.kid) }
    },
    releaseLease({ lease }, { peer }) {
      enforcers.release(lease, peer.kid)
      return {}
    },
    async revoke({ sessions: ended }, cx) {
      const session = await sessions.current(cx)
      const { actor, host } = cx.peer
      if (actor !== issuers.verifyHub || session.speaker.sub !== issuers.verifyHub) {
        throw refuse(session, `revoke by ${session.speaker.sub}, ${actor} on ${host}`)
      }
      await revoke(ended)
      return {}
    },
  }
}

/** What an enforcer is told, once it is known that it may. */
class Permitted extends Feed<Enforcement> {
  #source: Feed<Enforcement> | undefined
  #failure: { readonly error: unknown } | undefined

  constructor(permitted: Promise<Session>, open: (session: Session) => Feed<Enforcement>) {
    super()
    permitted.then((session) => {
      this.#source = open(session)
      this.#source.onReady = () => this.onReady()
    }).catch((error: unknown) => {
      this.#failure = { error }
    }).then(() => this.onReady())
  }

  poll(): Polled<Enforcement> {
    if (this.#failure) throw this.#failure.error
    return this.#source ? this.#source.poll() : PENDING
  }

  close(): void {
    this.#source?.close()
    this.#failure ??= { error: new Unavailable('Nobody reads what is enforced') }
  }
}
