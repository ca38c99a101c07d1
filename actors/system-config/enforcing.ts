import type { ActorStart, Handlers } from '../../runtime/actor.ts'
import { Unavailable } from '../../runtime/errors.ts'
import { Feed, PENDING, type Polled } from '../../runtime/feed.ts'
import { deniedBy } from '../../runtime/trust/denial.ts'
import { kv } from '../records.ts'
import { issuers } from '../trust-matrix.ts'
import { POLICY_KEY } from './permission.ts'
import type { Enforcement, SystemConfig } from './protocol.ts'
import { chainOf, type Session } from './sessions.ts'
import type { State } from './state.ts'

type Enforcing = Pick<Handlers<typeof SystemConfig, {}>, 'enforcement' | 'renewLease' | 'revoke'>

/** Who may read the policy may enforce it. Which sessions have ended, verify-hub says, and nobody else. */
export function enforcing(
  { permission, enforcers, sessions, steps, trust, revoke }: State, { denials }: Pick<ActorStart, 'denials'>,
): Enforcing {
  return {
    enforcement: (_, cx) => new Permitted(permission.read(cx, POLICY_KEY), (session) => {
      steps.read(session, kv.bootConfig, trust.revision)
      return enforcers.open(cx.peer.kid)
    }),
    async renewLease({ lease, sequence }, cx) {
      await permission.read(cx, POLICY_KEY)
      return { granted: enforcers.renew(lease, sequence, cx.peer.kid) }
    },
    async revoke({ sessions: ended }, cx) {
      const session = await sessions.current(cx)
      const { actor, host } = cx.peer
      if (actor !== issuers.verifyHub || session.speaker.sub !== issuers.verifyHub) {
        const detail = `revoke by ${session.speaker.sub}, ${actor} on ${host}`
        throw denials.denied([
          ...chainOf(session), deniedBy({ layer: 'rbac', reason: 'rbac/no-rule', rule: 'system-config', detail }),
        ])
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

  constructor(permitted: Session | Promise<Session>, open: (session: Session) => Feed<Enforcement>) {
    super()
    Promise.resolve(permitted).then((session) => {
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
