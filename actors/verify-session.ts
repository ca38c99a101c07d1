import type { ActorStart, Authenticate, CallContext, Principal } from '../runtime/actor.ts'
import { Denied, messageOf } from '../runtime/errors.ts'
import type { Client } from '../runtime/protocol.ts'
import { allowedBy, deniedBy, type DenialReason } from '../runtime/trust/denial.ts'
import { trustKeyOf } from '../runtime/trust/keys.ts'
import { burn } from '../runtime/trust/replay.ts'
import type { TrustKey } from '../runtime/trust/token.ts'
import { verifyToken } from '../runtime/trust/verify.ts'
import { limits } from '../runtime/limits.ts'
import { pause } from '../runtime/within.ts'
import { kv, readRecord } from './records.ts'
import { hasExpired, type OwnSession } from './session.ts'
import { BootConfig, type SystemConfig } from './system-config/protocol.ts'
import { issuers, keyReason, rulesFor, type Verifier } from './trust-matrix.ts'

export interface SessionVerifierOptions {
  readonly start: Pick<ActorStart, 'keys' | 'clock' | 'store' | 'denials' | 'background' | 'stopping' | 'log'>
  readonly systemConfig: Client<typeof SystemConfig>
  /** The service's own. */
  readonly session: Pick<OwnSession, 'token' | 'renew'>
  /** Also the audience that tokens must name. */
  readonly appid: string
  /** Whose row of the trust matrix holds. */
  readonly verifier?: Verifier
  /** For an actor that forgets at a restart which tokens were used: those from before its start are refused then. */
  readonly onceSinceSeconds?: number
}

export interface SessionVerifier {
  /** For the actor's lifecycle. */
  readonly authenticate: Authenticate
  /**
   * Who a call speaks for, by its token. Every method of a service asks: a call without a token speaks for the actor
   * that makes it, and is for those only who know actors by their link certificates.
   * @throws Denied
   */
  principal(cx: Pick<CallContext, 'principal' | 'token' | 'peer'>): Principal
}

/**
 * Seed: Service, review item 7. Accepts only what the two keys in `boot/config` signed, by the matrix row of a service;
 * a device key is never loaded here. Follows `boot/config`: a key that it no longer names is refused within
 * `limits.sessionVerdictMs`, on open links as well. That a session was ended is not seen here before its token expires;
 * where that is too late, ask verify-hub's `verifyToken`.
 */
export async function sessionVerifier(
  { start, systemConfig, session, appid, verifier = 'service', onceSinceSeconds }: SessionVerifierOptions,
): Promise<SessionVerifier> {
  const { keys, clock, store, denials, background, stopping, log } = start
  const rules = rulesFor(verifier, 'normal')
  let trusted: readonly TrustKey[] = []
  let epoch = 0
  const trust = (text: string): void => {
    const boot = readRecord(BootConfig, kv.bootConfig, text)
    trusted = [
      trustKeyOf(keys, boot.root, keyReason.root, issuers.root),
      ...boot.verifyHub.map((jwk) => trustKeyOf(keys, jwk, keyReason.verifyHub, issuers.verifyHub)),
    ]
    epoch = boot.epoch
  }
  const read = async (): Promise<number> => {
    const item = await systemConfig.get({ key: kv.bootConfig }, { token: session.token() })
    if (item) trust(item.value)
    return item?.revision ?? 0
  }
  /** Our own session is refused: whoever signed it may be trusted no more, and until we know nobody is. */
  const lapse = async (error: unknown): Promise<void> => {
    if (!(error instanceof Denied)) return
    trusted = []
    await session.renew().catch(() => {})
  }
  let after = await read()

  background(async () => {
    while (!stopping.aborted) {
      try {
        const settings = { token: session.token(), signal: stopping }
        for await (const event of systemConfig.watch({ prefix: kv.bootConfig, after }, settings)) {
          after = event.revision
          if (event.type === 'put' && event.key === kv.bootConfig) trust(event.value)
        }
      } catch (error) {
        if (stopping.aborted) return
        if (!hasExpired(error)) {
          log.warn(`Following ${kv.bootConfig} failed: ${messageOf(error)}`)
          await lapse(error)
        }
      }
      await pause(clock, limits.convergeRetryMs, stopping)
      if (!stopping.aborted) after = await read().catch(() => after)
    }
  })

  const linked = allowedBy('link', `link/${appid}`)
  const refuse = (reason: DenialReason, rule: string, detail: string): Error =>
    denials.denied([linked, deniedBy({ layer: 'token', reason, rule, detail })])

  const authenticate: Authenticate = async (presented, peer) => {
    const nowMs = clock.now()
    const nowSeconds = Math.floor(nowMs / 1000)
    const verdict = await verifyToken(presented, {
      keys, rules, audience: appid, nowSeconds, epoch,
      trustKey: (kid, { iss }) => trusted.find((key) => key.kid === kid && key.issuer === iss),
      burn: (id, expSeconds) => burn(store, id, expSeconds, nowSeconds),
    })
    if (!verdict.accepted) throw denials.denied([linked, deniedBy(verdict.denial)])
    const { claims, principal, rule } = verdict
    if (rule.once && onceSinceSeconds !== undefined && claims.iat <= onceSinceSeconds) {
      throw refuse('token/replay-unchecked', rule.id, `sub ${claims.sub}, from before this start`)
    }
    if (claims.cnf && claims.cnf.jkt !== peer.kid) throw refuse('token/holder', rule.id, `sub ${claims.sub}`)
    // A verdict that is not kept is asked for again, and then a token that is good once is good no more
    if (rule.once) return principal
    return { ...principal, expires: Math.min(claims.exp * 1000, nowMs + limits.sessionVerdictMs) }
  }
  return {
    authenticate,
    principal({ principal, token: presented, peer }) {
      if (presented === undefined) throw refuse('token/absent', '-', `${peer.actor} on ${peer.host}`)
      return principal
    },
  }
}
