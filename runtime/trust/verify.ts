import type { Principal } from '../actor.ts'
import { saw, type AcceptedToken } from '../fault-points.ts'
import { limits } from '../limits.ts'
import type { Keys, PublicJwk, VerifyKey } from '../platform/ports.ts'
import type { Denial, DenialReason, Measured } from './denial.ts'
import { parseCompact, type ParsedJws } from './jws.ts'
import { claimsProblem, tokenTypes, type TokenClaims, type TokenUse, type TrustKey } from './token.ts'

/** One way in: a token is accepted when it meets every condition of at least one rule. */
export interface TokenRule {
  /** Such as 'system-config/boot/boot'. */
  readonly id: string
  readonly tokenUse: TokenUse
  /** Reasons of keys that may sign it. `*` between slashes is the key's issuer; a last `*` is any rest. */
  readonly keyReasons: readonly string[]
  /** What `sub` must be: the issuer itself, anybody, or one of these. */
  readonly subject: 'issuer' | 'any' | { readonly is: readonly string[] }
  /** Names that neither `iss` nor `sub` may be, whatever else holds; a last `*` is any rest. */
  readonly issuersRefused?: readonly string[]
  readonly subjectsRefused?: readonly string[]
  /** `aud` must contain the verifier's audience. */
  readonly audience: boolean
  /** `aud` must contain nothing else. */
  readonly audienceAlone?: boolean
  readonly runtimeTypes?: readonly string[]
  /** `sid` must be there. Only such a rule puts a session into the principal. */
  readonly requireSession?: boolean
  /** `exp - iat` is at most this. */
  readonly lifetimeSecondsMax: number
  /** The `jti` is burned: the token gets in once. */
  readonly once: boolean
}

interface Policy {
  readonly keys: Keys
  readonly rules: readonly TokenRule[]
  readonly audience: string
  readonly nowSeconds: number
  readonly epoch: number
  /** Whether this login session has ended, for who knows. */
  readonly isRevoked?: (sid: string) => boolean
}

export type KeyLookup<R> = (kid: string, claims: { readonly iss: string }) => R

export interface SyncVerifierPolicy extends Policy {
  /** The key of this `kid`, if it is trusted at all. Its issuer is compared with `iss` here, not there. */
  readonly trustKey: KeyLookup<TrustKey | undefined>
}

export interface VerifierPolicy extends Policy {
  readonly trustKey: KeyLookup<TrustKey | undefined | Promise<TrustKey | undefined>>
  /** False: it was used before. `id` is `{kid}:{jti}`, since a jti is unique per issuer only. */
  readonly burn?: (id: string, expSeconds: number, claims: TokenClaims) => Promise<boolean>
}

export interface Acceptance {
  readonly accepted: true
  readonly claims: TokenClaims
  readonly rule: TokenRule
  readonly key: TrustKey
  readonly principal: Principal
}

export interface Refusal {
  readonly accepted: false
  readonly denial: Denial
}

export type Verdict = Acceptance | Refusal

/** How far a clock may run ahead of ours. `exp` has no such grace: a token that has expired has expired. */
export const SKEW_SECONDS_MAX = 60

/**
 * The one function that checks a token, in this order: form, claims and typ, some rule for this use, key, trusted for
 * this use, signature, issuer, epoch, clock; then per rule: lifetime, names, audience, runtime type, session; last,
 * whether its session has ended, and whether it was used before.
 * What comes before the signature only ever refuses; the first rule that holds decides.
 */
export async function verifyToken(token: string, policy: VerifierPolicy): Promise<Verdict> {
  const verdict = await judgeOnce(token, policy)
  if (verdict.accepted) saw(() => sightingOf(verdict, policy))
  return verdict
}

async function judgeOnce(token: string, policy: VerifierPolicy): Promise<Verdict> {
  const opened = open(token, policy)
  if ('denial' in opened) return opened
  const { header, claims } = opened
  const key = await policy.trustKey(header.kid, { iss: claims.iss })
  const verdict = judge(opened, key, policy)
  if (!verdict.accepted || !verdict.rule.once) return verdict
  if (!policy.burn) return refuse('token/replay-unchecked', 'no ledger of used tokens is at hand', verdict.rule.id)
  const fresh = await policy.burn(`${header.kid}:${claims.jti}`, claims.exp, claims)
  return fresh === true ? verdict : refuse('token/replayed', `jti ${claims.jti}`, verdict.rule.id)
}

/** The same for keys at hand. A rule that burns cannot be met here. */
export function verifyTokenSync(token: string, policy: SyncVerifierPolicy): Verdict {
  const opened = open(token, policy)
  if ('denial' in opened) return opened
  const verdict = judge(opened, policy.trustKey(opened.header.kid, { iss: opened.claims.iss }), policy)
  if (verdict.accepted && !verdict.rule.once) saw(() => sightingOf(verdict, policy))
  if (!verdict.accepted || !verdict.rule.once) return verdict
  return refuse('token/replay-unchecked', 'no ledger of used tokens is at hand', verdict.rule.id)
}

/** For who keeps a verdict: it was given again, to whoever watches what is accepted. */
export const sawAgain = (verdict: Acceptance, policy: Pick<Policy, 'audience' | 'nowSeconds'>): void =>
  saw(() => sightingOf(verdict, policy))

function sightingOf(
  { rule, key, claims }: Acceptance, { audience, nowSeconds }: Pick<Policy, 'audience' | 'nowSeconds'>,
): AcceptedToken {
  const { iss, sub, aud, iat, exp, jti, appid, runtime_type: runtimeType, sid } = claims
  return {
    type: 'token', rule: rule.id, keyReason: key.reason, audience, nowSeconds, tokenUse: claims.token_use,
    claims: { iss, sub, aud, iat, exp, jti, appid, runtimeType, sid },
  }
}

interface Opened extends ParsedJws {
  readonly claims: TokenClaims
  /** Rules for its use, at least one. */
  readonly rules: readonly TokenRule[]
}

/** All that can be said without a key. */
function open(token: string, policy: Policy): Opened | Refusal {
  const parsed = parseCompact(token, limits.token)
  if ('fault' in parsed) return refuse(`token/${parsed.fault}`, parsed.detail)
  const { header, payload } = parsed.jws
  const problem = claimsProblem(payload)
  if (problem) return refuse('token/claims', problem)
  const claims = payload as unknown as TokenClaims
  const use = claims.token_use
  if (header.typ !== tokenTypes[use]) return refuse('token/typ', `typ ${header.typ} on a ${use} token`)
  const rules = policy.rules.filter((rule) => rule.tokenUse === use)
  if (rules.length === 0) return refuse('token/use', `use ${use} at ${policy.audience}`)
  return { ...parsed.jws, claims, rules }
}

function judge(opened: Opened, key: TrustKey | undefined, policy: Policy): Verdict {
  const { header, claims } = opened
  const verifier = key && key.kid === header.kid ? verifyKey(policy.keys, key.jwk) : undefined
  if (!key || verifier?.kid !== header.kid) {
    return refuse('token/unknown-key', `kid ${header.kid} of issuer ${claims.iss}`)
  }
  const trusted = opened.rules.filter((rule) => rule.keyReasons.some((pattern) => reasonMatches(pattern, key)))
  const nearest = (trusted[0] ?? opened.rules[0]!).id
  const no = (reason: DenialReason, detail: string, measured?: Measured): Refusal =>
    refuse(reason, detail, nearest, measured)
  if (trusted.length === 0) return no('token/key-reason', `key of ${key.reason} for use ${claims.token_use}`)
  if (!verifier.verify(opened.signingInput, opened.signature)) return no('token/signature', `key of ${key.reason}`)
  if (key.issuer !== claims.iss) return no('token/issuer', `iss ${claims.iss}, the key signs for ${key.issuer}`)
  if (claims.epoch !== policy.epoch) return no('token/epoch', `epoch ${claims.epoch}, the zone is at ${policy.epoch}`)
  const now = policy.nowSeconds
  const skewSeconds = claims.iat - now
  if (skewSeconds > SKEW_SECONDS_MAX) {
    return no('token/not-yet-valid', `skew: ${skewSeconds} s ahead, at most ${SKEW_SECONDS_MAX} s`, { skewSeconds })
  }
  if (claims.exp <= now) {
    const [expiredAgoSeconds, issuedAgoSeconds] = [now - claims.exp, now - claims.iat]
    return no('token/expired', `${expiredAgoSeconds} s ago, issued ${issuedAgoSeconds} s ago`, {
      expiredAgoSeconds, issuedAgoSeconds,
    })
  }
  const verdict = firstRule(trusted, claims, key, policy.audience)
  if (!verdict.accepted || claims.sid === undefined || !policy.isRevoked?.(claims.sid)) return verdict
  return refuse('token/revoked', `session ${claims.sid}`, verdict.rule.id)
}

/** The first rule whose every condition holds, else the refusal of the rule that came furthest. */
function firstRule(rules: readonly TokenRule[], claims: TokenClaims, key: TrustKey, audience: string): Verdict {
  let furthest = -1
  let refusal: Refusal | undefined
  for (const rule of rules) {
    const failed = conditions.findIndex(({ holds }) => !holds(rule, claims, audience))
    if (failed === -1) return { accepted: true, claims, rule, key, principal: principalOf(claims, rule) }
    if (failed > furthest) {
      const { reason, found } = conditions[failed]!
      furthest = failed
      refusal = refuse(reason, found(claims), rule.id)
    }
  }
  return refusal!
}

interface Condition {
  readonly reason: DenialReason
  readonly holds: (rule: TokenRule, claims: TokenClaims, audience: string) => boolean
  readonly found: (claims: TokenClaims) => string
}

const conditions: readonly Condition[] = [
  {
    reason: 'token/lifetime',
    holds: ({ lifetimeSecondsMax }, { exp, iat }) => exp > iat && exp - iat <= lifetimeSecondsMax,
    found: ({ exp, iat }) => `${exp - iat} s`,
  },
  {
    reason: 'token/issuer',
    holds: ({ issuersRefused }, { iss }) => !issuersRefused?.some((name) => nameMatches(name, iss)),
    found: ({ iss }) => `iss ${iss}`,
  },
  { reason: 'token/subject', holds: subjectHolds, found: ({ sub, iss }) => `sub ${sub}, iss ${iss}` },
  { reason: 'token/audience', holds: audienceHolds, found: ({ aud }) => `aud ${aud.join(' ')}` },
  {
    reason: 'token/runtime-type',
    holds: ({ runtimeTypes }, claims) => !runtimeTypes || runtimeTypes.includes(claims.runtime_type),
    found: (claims) => `runtime type ${claims.runtime_type}`,
  },
  {
    reason: 'token/session',
    holds: ({ requireSession }, { sid }) => !requireSession || sid !== undefined,
    found: () => 'no sid',
  },
]

function audienceHolds(rule: TokenRule, { aud }: TokenClaims, audience: string): boolean {
  if (rule.audienceAlone && aud.length !== 1) return false
  return (!rule.audience && !rule.audienceAlone) || aud.includes(audience)
}

function subjectHolds(rule: TokenRule, { sub, iss }: TokenClaims): boolean {
  if (rule.subjectsRefused?.some((name) => nameMatches(name, sub))) return false
  if (rule.subject === 'any') return true
  return rule.subject === 'issuer' ? sub === iss : rule.subject.is.includes(sub)
}

function principalOf(claims: TokenClaims, rule: TokenRule): Principal {
  const { sub, appid, runtime_type: runtimeType, sid } = claims
  const sudo = claims.token_use === 'sudo'
  const session = rule.requireSession && sid !== undefined ? { sid } : {}
  return { sub, appid, runtimeType, ...session, sudo }
}

const nameMatches = (pattern: string, name: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern

/** `users/*` + `/doc` names its user: a key read from there that claims another issuer is a fault of the verifier. */
function reasonMatches(pattern: string, { reason, issuer }: TrustKey): boolean {
  const star = pattern.indexOf('*')
  if (star === -1 || star === pattern.length - 1) return nameMatches(pattern, reason)
  return reason === `${pattern.slice(0, star)}${issuer}${pattern.slice(star + 1)}` && !issuer.includes('/')
}

/** Importing a key costs as much as a check; a verifier that keeps its TrustKeys pays once for each. */
const imported = new WeakMap<Keys, WeakMap<PublicJwk, VerifyKey>>()

function verifyKey(keys: Keys, jwk: PublicJwk): VerifyKey {
  let known = imported.get(keys)
  if (!known) imported.set(keys, known = new WeakMap())
  let key = known.get(jwk)
  if (!key) known.set(jwk, key = keys.importJwk(jwk))
  return key
}

const refuse = (reason: DenialReason, detail: string, rule = '-', measured?: Measured): Refusal =>
  ({ accepted: false, denial: { layer: 'token', reason, rule, detail, ...(measured ? { measured } : {}) } })
