import type { Clock, Random } from '../../runtime/platform/ports.ts'
import type { Infer } from '../../runtime/protocol.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken, tokenLifetimeSeconds, type TokenClaims } from '../../runtime/trust/token.ts'
import type { TokenPair } from './protocol.ts'
import type { Issue, Session } from './sessions.ts'
import type { SigningKeys } from './signing-keys.ts'

export type Pair = Infer<typeof TokenPair>

export const ISSUER = 'verify-hub'

export interface Tokens {
  /** What makes a new pair; nothing is signed yet. */
  issue(aud: readonly string[], runtimeType: string, epoch: number): Issue
  /** The pair of an issue: the same bytes each time, until its key is retired. */
  pair(session: Session, issue: Issue): Pair
  /** @throws InvalidArgument */
  sign(claims: TokenClaims): string
}

export const nowSeconds = (clock: Clock): number => Math.floor(clock.now() / 1000)

/** 128 random bits: the second in which a token was made is no name for it. */
export const randomId = (random: Random): string => toBase64url(random.bytes(16))

export function createTokens(options: { signing: SigningKeys; clock: Clock; random: Random }): Tokens {
  const { signing, clock, random } = options
  return {
    issue: (aud, runtimeType, epoch) => ({
      sessionJti: randomId(random), refreshJti: randomId(random), iat: nowSeconds(clock), aud: [...aud],
      runtimeType, epoch, kid: signing.current.public.kid,
    }),
    pair(session, issue) {
      // By the key that signed it first, for as long as that is trusted
      const key = signing.named(issue.kid ?? '') ?? signing.current
      const common = {
        iss: ISSUER, sub: session.sub, iat: issue.iat, appid: session.appid, runtime_type: issue.runtimeType,
        sid: session.sid, epoch: issue.epoch, ...(session.holder === null ? {} : { cnf: { jkt: session.holder } }),
      }
      const sessionClaims: TokenClaims = {
        ...common, token_use: 'session', aud: issue.aud, jti: issue.sessionJti,
        exp: issue.iat + tokenLifetimeSeconds.session,
      }
      const refreshClaims: TokenClaims = {
        ...common, token_use: 'refresh', aud: [ISSUER], jti: issue.refreshJti,
        exp: issue.iat + tokenLifetimeSeconds.refresh,
      }
      return {
        sessionToken: signToken(key, sessionClaims), refreshToken: signToken(key, refreshClaims), sid: session.sid,
        sessionExpires: sessionClaims.exp, refreshExpires: refreshClaims.exp,
      }
    },
    sign: (claims) => signToken(signing.current, claims),
  }
}

/** When this share of its life is left, a new one is signed. */
const RENEW_AT = 0.3

/**
 * LOGIN_TYPE self: verify-hub speaks to system-config by a session that it issues to itself. `current` signs a new one
 * in good time, whenever it is asked.
 */
export function selfSession(options: {
  signing: Pick<SigningKeys, 'current'>; clock: Clock; random: Random; linkKid: string
}) {
  const { signing, clock, random, linkKid } = options
  let token = ''
  let kidOf = ''
  let epochOf = -1
  let issuedAt = 0
  let renewAt = 0
  return {
    current(epoch: number): string {
      const iat = nowSeconds(clock)
      const key = signing.current
      // Of a clock that was set back meanwhile it would come from the future, and be refused
      if (epoch === epochOf && key.public.kid === kidOf && iat >= issuedAt && iat < renewAt) return token
      token = signToken(key, {
        iss: ISSUER, sub: ISSUER, aud: ['system-config'], iat, exp: iat + tokenLifetimeSeconds.session,
        jti: randomId(random), token_use: 'session', appid: ISSUER, runtime_type: 'kernel-service',
        cnf: { jkt: linkKid }, epoch,
      })
      epochOf = epoch
      kidOf = key.public.kid
      issuedAt = iat
      renewAt = iat + Math.floor(tokenLifetimeSeconds.session * (1 - RENEW_AT))
      return token
    },
  }
}

export type SelfSession = ReturnType<typeof selfSession>
