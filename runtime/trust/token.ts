import type { PublicJwk } from '../platform/ports.ts'

/** A token has exactly one use, and `typ` names it (RFC 8725 §3.11). */
export type TokenUse = 'boot' | 'root' | 'login' | 'session' | 'refresh' | 'sudo'

export interface TokenHeader {
  readonly alg: string
  readonly typ: string
  readonly kid: string
}

/** Claims of RFC 7519 §4.1 plus ours; times in seconds since the epoch. */
export interface TokenClaims {
  readonly iss: string
  readonly sub: string
  readonly aud: readonly string[]
  readonly exp: number
  readonly iat: number
  readonly jti: string
  readonly token_use: TokenUse
  readonly appid: string
  readonly runtime_type: string
  readonly sid?: string
  /** Holder's key thumbprint (RFC 7800). */
  readonly cnf?: { readonly jkt: string }
  /** Zone epoch; a restore from backup raises it. */
  readonly epoch: number
}

/** A public key that a verifier accepts, and why. */
export interface TrustKey {
  readonly kid: string
  readonly jwk: PublicJwk
  /** `env`, `boot-config.root`, `boot-config.verify-hub`, `devices/{name}/doc`, … */
  readonly reason: string
  /** The `iss` that this key may sign for. */
  readonly issuer: string
}
