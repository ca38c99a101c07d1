import type { ActorStart, Authenticate, CallContext, Peer, Principal } from '../../runtime/actor.ts'
import { Denied } from '../../runtime/errors.ts'
import { allowedBy, denialReasons, deniedBy, type ChainEntry, type DenialReason } from '../../runtime/trust/denial.ts'
import { trustKeyOf } from '../../runtime/trust/keys.ts'
import { burn } from '../../runtime/trust/replay.ts'
import type { TrustKey } from '../../runtime/trust/token.ts'
import { sawAgain, verifyToken, verifyTokenSync, type Acceptance } from '../../runtime/trust/verify.ts'
import type { Client } from '../../runtime/protocol.ts'
import { pause } from '../../runtime/within.ts'
import type { Speaker } from '../rbac/access.ts'
import type { Operation } from '../rbac/policy.ts'
import { isName, kv, readRecord, UserDocument } from '../records.ts'
import type { OwnSession } from '../session.ts'
import type { SystemConfig } from '../system-config/protocol.ts'
import { isReserved, rulesFor, type Verifier } from '../trust-matrix.ts'
import { holdLease } from './lease.ts'
import { Verdicts } from './verdicts.ts'

export interface EnforcerOptions {
  readonly start: Pick<
    ActorStart, 'keys' | 'clock' | 'store' | 'denials' | 'background' | 'stopping' | 'log' | 'unbind'
  >
  readonly systemConfig: Client<typeof SystemConfig>
  /** The service's own. */
  readonly session: Pick<OwnSession, 'token' | 'renew'>
  /** Also the audience that tokens must name. */
  readonly appid: string
  /** Whose row of the trust matrix holds. */
  readonly verifier?: Verifier
  /**
   * Uses up a token that is good once, in the whole zone. @throws Denied when it was used before
   * Without it, this actor's own store remembers.
   */
  readonly burn?: (token: string) => Promise<unknown>
  /** For an actor that forgets at a restart which tokens were used: those from before its start are refused then. */
  readonly onceSinceSeconds?: number
}

/** A token that was accepted. */
export type Judged = Pick<Acceptance, 'claims' | 'principal' | 'rule'>

/** Judges tokens, and what their principals may do, by what the zone says now (DESIGN §7). */
export interface Enforcer {
  /** For the actor's lifecycle. */
  readonly authenticate: Authenticate
  /**
   * Who a call speaks for, by its token. Every method of a service asks: a call without a token speaks for the actor
   * that makes it, and is for those only who know actors by their link certificates.
   * @throws Denied
   */
  principal(cx: Pick<CallContext, 'principal' | 'token' | 'peer'>): Principal
  /** By the policy, for the app of the call and for whom it speaks. @throws Denied */
  demand(cx: Pick<CallContext, 'principal' | 'token' | 'peer'>, operation: Operation, path: string): void
  /**
   * By the policy, for whom a connection speaks that has no token; `before` is what let that in. @throws Denied
   */
  demandOf(speaker: Speaker, operation: Operation, path: string, before: ChainEntry): void
  /** The same judgement of a token for another audience, by whoever shows it. @throws Denied */
  judge(token: string, audience: string): Promise<Judged>
}

/**
 * Seed: Service, review item 7. Accepts only what the two keys in `boot/config` signed, by the matrix row of a service,
 * and sudo tokens of users; a device key is never loaded here. What it goes by is never older than
 * `limits.enforcerLeaseMs`: who writes policy or trust, or ends a session, is answered when all enforcers go by that.
 */
export async function openEnforcer(options: EnforcerOptions): Promise<Enforcer> {
  const { start, systemConfig, session, appid, verifier = 'service', onceSinceSeconds } = options
  const { keys, clock, store, denials, stopping } = start
  const rules = rulesFor(verifier, 'normal')
  const takesSudo = rules.some(({ tokenUse }) => tokenUse === 'sudo')
  const unbind = (matches: (principal: Principal) => boolean, reason: DenialReason): void =>
    start.unbind(matches, new Denied(denialReasons[reason], { reason }))
  const lease = await holdLease({
    start, systemConfig, session,
    onRevoked: (isRevoked) => unbind(({ sid }) => sid !== undefined && isRevoked(sid), 'token/revoked'),
    onTrust: () => unbind(() => true, 'token/unknown-key'),
    onLapse: () => unbind(() => true, 'policy/lapsed'),
  })
  const verdicts = new Verdicts()
  /** By which token a principal got in, and how the policy knows it. */
  const accepted = new WeakMap<Principal, { readonly by: Acceptance; readonly speaker: Speaker }>()

  const linked = allowedBy('link', `link/${appid}`)
  const refuse = (reason: DenialReason, rule: string, detail: string): Error =>
    denials.denied([linked, deniedBy({
      layer: reason.startsWith('policy/') ? 'rbac' : 'token', reason, rule, detail,
    })])

  const userKey = async (name: string): Promise<TrustKey | undefined> => {
    if (!takesSudo || !isName(name) || isReserved(name)) return undefined
    const key = kv.userDocument(name)
    const item = await systemConfig.get({ key }, { token: session.token() })
    if (!item) return undefined
    const document = readRecord(UserDocument, key, item.value)
    return document.name === name ? trustKeyOf(keys, document.key, key, name) : undefined
  }
  const trustKey = (kid: string, { iss }: { readonly iss: string }): TrustKey | undefined =>
    lease.trusted.find((key) => key.kid === kid && key.issuer === iss)

  /** What was accepted a while ago is good by what holds now. @throws Denied */
  const confirm = ({ rule, claims, key, principal: { sid, sudo } }: Acceptance): void => {
    if (sid !== undefined && lease.isRevoked(sid)) throw refuse('token/revoked', rule.id, `session ${sid}`)
    if (!sudo && !trustKey(key.kid, claims)) throw refuse('token/unknown-key', rule.id, `kid ${key.kid}`)
    if (lease.leftMs() === 0) throw refuse('policy/lapsed', rule.id, `sub ${claims.sub}: the lease is over`)
  }

  /** A token that is good once, or by a key that is not at hand. */
  const judgeOnce = async (token: string, audience: string, nowSeconds: number): Promise<Acceptance> => {
    const verdict = await verifyToken(token, {
      keys, rules, audience, nowSeconds, epoch: lease.epoch, isRevoked: lease.isRevoked,
      trustKey: (kid, claims) => trustKey(kid, claims) ?? userKey(claims.iss),
      burn: async (id, expSeconds) => {
        if (!options.burn) return burn(store, id, expSeconds, nowSeconds)
        await options.burn(token)
        return true
      },
    })
    if (!verdict.accepted) throw denials.denied([linked, deniedBy(verdict.denial)])
    const { claims, rule } = verdict
    if (rule.once && onceSinceSeconds !== undefined) {
      if (claims.iat <= onceSinceSeconds) {
        throw refuse('token/replay-unchecked', rule.id, `sub ${claims.sub}, from before this start`)
      }
      // Used before its time by our clock, it would be new for a start that comes between
      while (clock.now() < claims.iat * 1000 && !stopping.aborted) {
        await pause(clock, claims.iat * 1000 - clock.now(), stopping)
      }
    }
    confirm(verdict)
    return verdict
  }
  const judge = (token: string, audience: string): Acceptance | Promise<Acceptance> => {
    if (lease.leftMs() === 0) throw refuse('policy/lapsed', '-', 'no lease on trust, policy and revocations')
    const nowSeconds = Math.floor(clock.now() / 1000)
    const kept = verdicts.get(token, lease.generation, audience, nowSeconds)
    if (kept) {
      const { sid } = kept.claims
      if (sid !== undefined && lease.isRevoked(sid)) throw refuse('token/revoked', kept.rule.id, `session ${sid}`)
      sawAgain(kept, { audience, nowSeconds })
      return kept
    }
    const verdict = verifyTokenSync(token, {
      keys, rules, audience, nowSeconds, epoch: lease.epoch, isRevoked: lease.isRevoked, trustKey,
    })
    if (verdict.accepted) {
      verdicts.keep(token, lease.generation, verdict)
      return verdict
    }
    const { reason } = verdict.denial
    const elsewhere = reason === 'token/replay-unchecked' || (reason === 'token/unknown-key' && takesSudo)
    if (elsewhere) return judgeOnce(token, audience, nowSeconds)
    throw denials.denied([linked, deniedBy(verdict.denial)])
  }

  const admit = (by: Acceptance, peer: Peer): Principal => {
    const { claims, rule, principal } = by
    if (claims.cnf && claims.cnf.jkt !== peer.kid) throw refuse('token/holder', rule.id, `sub ${claims.sub}`)
    const speaker = { ...principal, root: rule.tokenUse === 'root' }
    // A verdict that is not kept is asked for again, and then a token that is good once is good no more
    const given = rule.once ? { ...principal }
      : { ...principal, expires: Math.min(claims.exp * 1000, clock.now() + lease.leftMs()) }
    accepted.set(given, { by, speaker })
    return given
  }
  const principal: Enforcer['principal'] = ({ principal: given, token, peer }) => {
    if (token === undefined) throw refuse('token/absent', '-', `${peer.actor} on ${peer.host}`)
    const known = accepted.get(given)
    // The call may have waited for its turn
    if (known) confirm(known.by)
    return given
  }

  return {
    authenticate(token, peer) {
      const verdict = judge(token, appid)
      return verdict instanceof Promise ? verdict.then((judged) => admit(judged, peer)) : admit(verdict, peer)
    },
    principal,
    demand(cx, operation, path) {
      const known = accepted.get(principal(cx))
      if (!known) throw refuse('token/absent', '-', `${cx.peer.actor} on ${cx.peer.host}`)
      const { by: { rule }, speaker } = known
      const decision = lease.access.decide(speaker, operation, path)
      if (!decision.allowed) throw denials.denied([linked, allowedBy('token', rule.id), ...decision.chain])
    },
    demandOf(speaker, operation, path, before) {
      if (lease.leftMs() === 0) throw refuse('policy/lapsed', '-', `sub ${speaker.sub}: the lease is over`)
      const { allowed, chain } = lease.access.decide(speaker, operation, path)
      if (!allowed) throw denials.denied([before, ...chain])
    },
    judge: async (token, audience) => judge(token, audience),
  }
}
