import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import process from 'node:process'
import { InvalidArgument } from '../errors.ts'
import type { PublicJwk } from './ports.ts'

/** RFC 8410: the DER, in hexadecimal, before the 32 bytes of a private key. */
const PKCS8 = { Ed25519: '302e020100300506032b657004220420', X25519: '302e020100300506032b656e04220420' } as const

/** OpenSSL 3.0 (Node 20) takes eight times as long for a DER. Node makes the key of `d` alone: `x` has to be there. */
const asJwk = process.versions.openssl?.startsWith('3.0') === true && !('deno' in process.versions)

export const ed25519PrivateKey = (seed: Uint8Array): KeyObject => rawPrivateKey('Ed25519', seed)

export function rawPrivateKey(crv: keyof typeof PKCS8, seed: Uint8Array): KeyObject {
  if (asJwk) {
    const d = Buffer.from(seed).toString('base64url')
    return createPrivateKey({ key: { kty: 'OKP', crv, d, x: '' }, format: 'jwk' })
  }
  const der = Buffer.concat([Buffer.from(PKCS8[crv], 'hex'), seed])
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  der.fill(0)
  return key
}

/** @throws InvalidArgument unless its 32 bytes are the one spelling of a point that is not weak */
export function ed25519PublicKey(raw: Buffer, jwk: PublicJwk): KeyObject {
  if (isWeak(raw)) throw new InvalidArgument('The public key is of small order, or not canonical (RFC 8032 §5.1.3)')
  return importPoint(jwk)
}

/** y of the points of order 1, 2, 4 and 8, in hexadecimal without the bit of x. */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  '00'.repeat(32), `01${'00'.repeat(31)}`, `ec${'ff'.repeat(30)}7f`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
])
/** y of p and above: each is another spelling of a small number. */
const NOT_CANONICAL = new RegExp(`^(e[def]|f.)${'ff'.repeat(30)}7f$`)

/** OpenSSL before 3.5 and Deno take such a key, and under it anybody makes signatures that are good. */
function isWeak(raw: Buffer): boolean {
  const y = Buffer.from(raw)
  y[31]! &= 0x7f
  const hex = y.toString('hex')
  return SMALL_ORDER.has(hex) || NOT_CANONICAL.test(hex)
}

/** Deno checks that it is a point of the curve; Node does when it verifies. */
function importPoint({ kty, crv, x }: PublicJwk): KeyObject {
  try {
    return createPublicKey({ key: { kty, crv, x }, format: 'jwk' })
  } catch {
    throw new InvalidArgument('The public key is not a point of Ed25519')
  }
}
