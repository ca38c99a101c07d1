import { InvalidArgument } from '../errors.ts'
import type { PublicJwk, SigningKey } from '../platform/ports.ts'
import { signCompact } from './jws.ts'

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

/** One `typ` per use, so that no token can be taken for another kind, or for a document. */
export const tokenTypes: Readonly<Record<TokenUse, string>> = {
  boot: 'zw-boot+jwt',
  root: 'zw-root+jwt',
  login: 'zw-login+jwt',
  session: 'zw-session+jwt',
  refresh: 'zw-refresh+jwt',
  sudo: 'zw-sudo+jwt',
}

/** Longest `exp - iat` of each use, in seconds (DESIGN §7). */
export const tokenLifetimeSeconds: Readonly<Record<TokenUse, number>> = {
  boot: 15 * 60,
  root: 5 * 60,
  login: 20 * 60,
  session: 15 * 60,
  refresh: 7 * 24 * 60 * 60,
  sudo: 3 * 60,
}

/** @throws InvalidArgument on claims that every verifier would refuse, so that the fault shows where it was made */
export function signToken(key: SigningKey, claims: TokenClaims): string {
  const problem = claimsProblem(claims as unknown as Readonly<Record<string, unknown>>)
  if (problem) throw new InvalidArgument(`The claims of a token are not valid: ${problem}`)
  return signCompact(key, tokenTypes[claims.token_use], claims)
}

/** Names, identifiers and the like: visible ASCII, so that none can forge a line of a log or a key of a store. */
const NAME = /^[\x21-\x7e]{1,128}$/
const AUDIENCES_MAX = 16

const isName = (value: unknown): boolean => typeof value === 'string' && NAME.test(value)
const isSeconds = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
const isAudience = (value: unknown): boolean =>
  Array.isArray(value) && value.length >= 1 && value.length <= AUDIENCES_MAX && value.every(isName)
  && (value.length === 1 || new Set(value).size === value.length)

interface Shape {
  readonly must: string
  readonly holds: (value: unknown) => boolean
  readonly optional?: true
}

/** What each claim must be; there is no other claim, and only those marked so may be absent. */
const claims: Readonly<Record<string, Shape>> = {
  iss: { must: 'a name', holds: isName },
  sub: { must: 'a name', holds: isName },
  aud: { must: `an array of 1 to ${AUDIENCES_MAX} different names`, holds: isAudience },
  exp: { must: 'whole seconds since the epoch', holds: isSeconds },
  iat: { must: 'whole seconds since the epoch', holds: isSeconds },
  jti: { must: 'a name', holds: isName },
  token_use: { must: 'a token use', holds: (value) => typeof value === 'string' && Object.hasOwn(tokenTypes, value) },
  appid: { must: 'a name', holds: isName },
  runtime_type: { must: 'a name', holds: isName },
  sid: { must: 'a name', holds: isName, optional: true },
  cnf: { must: 'an object with one member, jkt', holds: isConfirmation, optional: true },
  epoch: { must: 'a whole number, not negative', holds: isSeconds },
}

function isConfirmation(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    && Object.keys(value).length === 1 && isName((value as { jkt?: unknown }).jkt)
}

const shapes = Object.entries(claims)

/** What is wrong with the shape of these claims, or undefined. Names claims, never their values. */
export function claimsProblem(payload: Readonly<Record<string, unknown>>): string | undefined {
  let found = 0
  for (const [name, { must, holds, optional }] of shapes) {
    if (!Object.hasOwn(payload, name)) {
      if (optional) continue
      return `${name} is absent`
    }
    found++
    if (!holds(payload[name])) return `${name} must be ${must}`
  }
  return Object.keys(payload).length === found ? undefined : 'there is a claim besides ours'
}
