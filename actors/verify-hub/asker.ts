import type { Authenticate, CallContext, Principal } from '../../runtime/actor.ts'
import type { Denial, DenialReason } from '../../runtime/trust/denial.ts'
import { trustKeyOf } from '../../runtime/trust/keys.ts'
import { burn } from '../../runtime/trust/replay.ts'
import type { TokenClaims, TrustKey } from '../../runtime/trust/token.ts'
import { verifyToken, type Acceptance, type VerifierPolicy } from '../../runtime/trust/verify.ts'
import { isName, kv, UserDocument } from '../records.ts'
import { onlyUse, rulesFor } from '../trust-matrix.ts'
import type { Hub } from './hub.ts'
import { liveSession } from './check.ts'
import { userOf } from './principals.ts'
import { ISSUER, nowSeconds } from './tokens.ts'
import type { Reader } from './zone.ts'

/** Who asks about accounts: by a session of an app that may speak to verify-hub, or for one call by sudo. */
export interface Asker {
  readonly principal: Principal
  readonly claims: TokenClaims
  /** Of the trust matrix. */
  readonly rule: string
}

export interface Askers {
  /** For the actor's lifecycle. No verdict is kept: each call is looked at, and a sudo token is good for one. */
  readonly authenticate: Authenticate
  /** Of a call. @throws Denied without a token */
  of(cx: Pick<CallContext, 'principal' | 'token' | 'peer'>): Asker
}

const RULES = onlyUse(rulesFor('verify-hub', 'normal'), 'session', 'sudo')

export function createAskers(hub: Hub, config: Reader): Askers {
  const askers = new WeakMap<Principal, Asker>()
  return {
    async authenticate(token, peer, { method }) {
      // By HTTP nobody has shown a key: the link is the gateway's own
      const keyless = method === 'krpc'
      await hub.zone.refresh(config)
      const verdict = await verifySudo(hub, config, token, { rules: RULES, audience: ISSUER })
      const { claims, rule } = verdict
      if (claims.cnf && (keyless || claims.cnf.jkt !== peer.kid)) {
        throw hub.deny({ layer: 'token', reason: 'token/holder', rule: rule.id, detail: `sub ${claims.sub}` })
      }
      if (!rule.once) {
        const { session } = await liveSession(hub, verdict, { keyless })
        // Its end may be under way
        if (session.host === null && !await userOf(hub.zone, config, session.sub)) {
          throw hub.deny({ layer: 'token', reason: 'login/user', rule: rule.id, detail: `user ${session.sub}` })
        }
      }
      askers.set(verdict.principal, { principal: verdict.principal, claims, rule: rule.id })
      return verdict.principal
    },
    of({ principal, peer }) {
      const asker = askers.get(principal)
      const detail = `${peer.actor} on ${peer.host}`
      if (!asker) throw hub.deny({ layer: 'token', reason: 'token/absent', rule: '-', detail })
      return asker
    },
  }
}

/**
 * A token that is checked with the keys of the zone and of its users; one that is good once is burned, for a user who
 * is active. What the ledger knows outlives a restart, and all OODs that share a store share it.
 * @throws Denied
 */
export async function verifySudo(
  hub: Hub, config: Reader, token: string, { rules, audience }: Pick<VerifierPolicy, 'rules' | 'audience'>,
): Promise<Acceptance> {
  const { zone } = hub
  const now = nowSeconds(hub.clock)
  let keyless: string | undefined
  let signer: string | undefined
  let inactive: Denial | undefined
  const verdict = await verifyToken(token, {
    keys: hub.keys, rules, audience, nowSeconds: now, epoch: zone.boot.epoch,
    async trustKey(kid, { iss }) {
      const known = zone.keyOf(iss, kid)
      if (known) return known
      const key = await userKey(hub, config, iss)
      if (!key) keyless = iss
      if (key?.kid !== kid) return undefined
      signer = iss
      return key
    },
    async burn(id, expSeconds, { sub, token_use: use }) {
      if (use === 'sudo' && !await userOf(zone, config, sub)) {
        inactive = { layer: 'token', reason: 'login/user', rule: '-', detail: `user ${sub}` }
        return false
      }
      return burn(hub.store, id, expSeconds, now)
    },
  })
  if (verdict.accepted) return verdict
  const denial = inactive ?? verdict.denial
  if (signer !== undefined && SIGNED.has(denial.reason)) {
    await hub.risk.saw(denial.reason === 'token/replayed' ? 'sudo-replayed' : 'sudo-failed', { user: signer })
  }
  // Told as of a wrong key: to who has shown nothing it would say which names there are
  const absent = keyless !== undefined && denial.reason === 'token/unknown-key'
  throw hub.deny(absent ? { ...denial, detail: `there is no key of ${keyless}` } : denial)
}

/** What a token is refused for whose signature is good: of the others anybody could make as many as they like. */
const SIGNED: ReadonlySet<DenialReason> = new Set([
  'token/issuer', 'token/epoch', 'token/not-yet-valid', 'token/expired', 'token/lifetime', 'token/subject',
  'token/audience', 'token/runtime-type', 'token/replayed', 'login/user',
])

/** `iss` of a token that nobody has checked yet. */
async function userKey({ zone, keys }: Hub, config: Reader, user: string): Promise<TrustKey | undefined> {
  if (!isName(user)) return undefined
  const key = kv.userDocument(user)
  const [text] = await zone.read(config, key)
  if (text === undefined) return undefined
  const document = zone.record(UserDocument, key, text)
  return document.name === user ? trustKeyOf(keys, document.key, key, user) : undefined
}
