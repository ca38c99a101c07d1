import { createCrypto } from '../../runtime/platform/crypto.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import type { Denial, DenialReason } from '../../runtime/trust/denial.ts'
import { trustKeyOf } from '../../runtime/trust/keys.ts'
import { signToken, tokenTypes, type TokenClaims } from '../../runtime/trust/token.ts'
import { verifyToken, type TokenRule, type VerifierPolicy } from '../../runtime/trust/verify.ts'

/** One verifier, `photos`, that accepts the sessions of one key; and ways to make tokens that it should not. */
export const keys = await createCrypto()
export const random = new SeededRandom('trust test')
export const hub = keys.generate(random.fork('hub'))
export const stranger = keys.generate(random.fork('stranger'))
export const hubTrust = trustKeyOf(keys, hub.public.jwk, 'boot-config.verify-hub', 'verify-hub')
export const now = 1_800_000_000

export const sessionRule: TokenRule = {
  id: 'test/session', tokenUse: 'session', keyReasons: ['boot-config.verify-hub'], subject: 'any', audience: true,
  requireSession: true, lifetimeSecondsMax: 900, once: false,
}
export const policy: VerifierPolicy = {
  keys, rules: [sessionRule], audience: 'photos', nowSeconds: now, epoch: 3,
  trustKey: (kid) => (kid === hubTrust.kid ? hubTrust : undefined),
}
export const claims: TokenClaims = {
  iss: 'verify-hub', sub: 'alice', aud: ['photos', 'system-config'], iat: now - 10, exp: now + 600, jti: 'j-1',
  token_use: 'session', appid: 'photos', runtime_type: 'user', sid: 's-1', epoch: 3,
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
export const encode = (text: string): string => toBase64url(encoder.encode(text))
export const decode = (part: string): string => decoder.decode(fromBase64url(part))
export const signParts = (header: string, payload: string, key: SigningKey = hub): string => {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${toBase64url(key.sign(encoder.encode(input)))}`
}
export const goodHeader = { alg: 'EdDSA', typ: tokenTypes.session, kid: hub.public.kid }
export const signed = (change: object, header: object = {}, key: SigningKey = hub): string =>
  signParts(JSON.stringify({ ...goodHeader, ...header }), JSON.stringify({ ...claims, ...change }), key)

export type Outcome = DenialReason | 'accepted'

export async function reasonOf(token: string, changes: Partial<VerifierPolicy> = {}): Promise<Outcome> {
  const verdict = await verifyToken(token, { ...policy, ...changes })
  return verdict.accepted ? 'accepted' : verdict.denial.reason
}

export async function denialOf(token: string, changes: Partial<VerifierPolicy> = {}): Promise<Denial> {
  const verdict = await verifyToken(token, { ...policy, ...changes })
  if (verdict.accepted) throw new Error('The token was accepted')
  return verdict.denial
}
export const good = signToken(hub, claims)
