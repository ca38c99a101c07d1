import type { SigningKey } from '../runtime/platform/ports.ts'
import { toBase64url } from '../runtime/trust/base64url.ts'
import { tokenTypes, type TokenClaims } from '../runtime/trust/token.ts'

/** What the table needs of a verifier. */
export interface Target {
  /** Trusted here for the use of `claims`. */
  readonly key: SigningKey
  readonly stranger: SigningKey
  /** Of a session that is accepted here, issued a moment ago. */
  readonly claims: TokenClaims
  readonly tokenCharactersMax: number
}

type Header = Readonly<Record<string, unknown>>

const encoder = new TextEncoder()
export const encode = (text: string): string => toBase64url(encoder.encode(text))

export const signText = (key: SigningKey, header: string, payload: string): string => {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${toBase64url(key.sign(encoder.encode(input)))}`
}

export const headerOf = ({ key, claims }: Target): Header =>
  ({ alg: 'EdDSA', typ: tokenTypes[claims.token_use], kid: key.public.kid })

/** Signed again after the change, by a key that is trusted: nothing but the change can be why it is refused. */
export const resigned = (target: Target, header: Header, claims: object = {}, key = target.key): string =>
  signText(key, JSON.stringify({ ...headerOf(target), ...header }), JSON.stringify({ ...target.claims, ...claims }))

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(hex.match(/../g)!, (pair) => parseInt(pair, 16))

/**
 * RFC 8032 §5.1.3: the points of order 1, 2, 4 and 8, and encodings that are not canonical. Under a key of small order
 * anybody makes signatures: half of them or all are good, whatever is signed.
 */
export const smallOrder: readonly Uint8Array[] = [
  `01${'00'.repeat(31)}`,
  `01${'00'.repeat(30)}80`,
  '00'.repeat(32),
  `${'00'.repeat(31)}80`,
  `ec${'ff'.repeat(30)}7f`,
  `ec${'ff'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  // y = p and p + 1: zero and one, spelled in another way
  `ed${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(31)}`,
  `ee${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(31)}`,
  // The largest y that 255 bits hold
  'ff'.repeat(32),
].map(bytesOf)

const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n

/** The same signature to who does not check that S is below the order (RFC 8032 §5.1.7). */
export function signatureWithOrder(signature: Uint8Array): Uint8Array {
  let value = ORDER
  for (let index = 63, weight = 0n; index >= 32; index--) {
    weight = (weight << 8n) | BigInt(signature[index]!)
    if (index === 32) value += weight
  }
  const changed = signature.slice()
  for (let index = 32; index < 64; index++, value >>= 8n) changed[index] = Number(value & 255n)
  if (value !== 0n) throw new Error('The sum does not fit')
  return changed
}
