import type { SigningKey } from '../../runtime/platform/ports.ts'
import { signToken, type TokenClaims } from '../../runtime/trust/token.ts'
import type { Login } from './desk.ts'

export interface Forged {
  readonly what: string
  readonly present: () => Promise<unknown>
}

interface Given {
  /** Of the owner. */
  readonly key: SigningKey
  readonly stranger: SigningKey
  /** Of a root token that would be good. */
  readonly claims: TokenClaims
  /** One that is good. */
  readonly login: Login
}

interface Forgery {
  readonly what: string
  readonly token: (given: Given) => string
  /** Default: a write to system-config. */
  readonly at?: 'verify' | 'refresh'
}

/** Further than any clock is set in a run. */
const WEEK = 7 * 24 * 60 * 60

/** The claims and the key of the first, with the signature of the second. */
const signedBy = (token: string, other: string): string =>
  token.slice(0, token.lastIndexOf('.')) + other.slice(other.lastIndexOf('.'))

const root = (what: string, change: (claims: TokenClaims) => Partial<TokenClaims>): Forgery => ({
  what: `a root token ${what}`, token: ({ key, claims }) => signToken(key, { ...claims, ...change(claims) }),
})

/** Each is wrong in one thing alone, so that one check has to find it. */
export const forgeries: readonly Forgery[] = [
  root('for two verifiers', () => ({ aud: ['system-config', 'verify-hub'] })),
  root('for another verifier', () => ({ aud: ['scheduler'] })),
  root('that lives too long', ({ iat }) => ({ exp: iat + 10 * 60 })),
  root('of last week', ({ iat, exp }) => ({ iat: iat - WEEK, exp: exp - WEEK })),
  root('of next week', ({ iat, exp }) => ({ iat: iat + WEEK, exp: exp + WEEK })),
  root('for somebody else', () => ({ sub: 'owner' })),
  root('of another issuer', () => ({ iss: 'verify-hub' })),
  root('of another epoch', () => ({ epoch: 1 })),
  { what: 'a session that the owner key signed', token: ({ key, claims }) =>
    signToken(key, { ...claims, sub: 'owner', token_use: 'session', sid: 'forged' }) },
  { what: 'a root token that a stranger signed', token: ({ key, stranger, claims }) =>
    signedBy(signToken(key, claims), signToken(stranger, claims)) },
  { what: 'a root token with the key of a stranger', token: ({ stranger, claims }) => signToken(stranger, claims) },
  { what: 'a session with the signature of another token', token: ({ login }) => signedBy(login.token, login.refresh) },
  { what: 'a refresh token as a session', token: ({ login }) => login.refresh },
  { what: 'a refresh token as a session of verify-hub', token: ({ login }) => login.refresh, at: 'verify' },
  { what: 'a session as a refresh token', token: ({ login }) => login.token, at: 'refresh' },
  { what: 'a root token as a refresh token', at: 'refresh', token: ({ key, claims }) =>
    signToken(key, { ...claims, aud: ['verify-hub'] }) },
]
