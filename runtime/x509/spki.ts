import { InvalidArgument } from '../errors.ts'
import { limits } from '../limits.ts'
import { readDer, tags, type DerReader } from './der.ts'

/** A SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) taken apart. */
export type PublicKeyParts =
  | { readonly type: 'ec-p256' | 'ec-p384'; readonly x: Uint8Array; readonly y: Uint8Array }
  | { readonly type: 'rsa-2048' | 'rsa-3072' | 'rsa-4096'; readonly n: Uint8Array; readonly e: Uint8Array }
  | { readonly type: 'ed25519'; readonly x: Uint8Array }

const EC = '1.2.840.10045.2.1'
const RSA = '1.2.840.113549.1.1.1'
const ED25519 = '1.3.101.112'
const curves: Readonly<Record<string, readonly [type: 'ec-p256' | 'ec-p384', bytes: number]>> = {
  '1.2.840.10045.3.1.7': ['ec-p256', 32],
  '1.3.132.0.34': ['ec-p384', 48],
}
const RSA_BITS: readonly number[] = [2048, 3072, 4096]

/**
 * The form alone: whether a point is one of its curve is for who imports it.
 * @throws InvalidArgument when it is not strict DER, of another type, or a weak RSA key
 */
export function parsePublicKey(spki: Uint8Array): PublicKeyParts {
  return readDer('public key', spki, limits.certificateBytes, (reader) => reader.inside(tags.sequence, (inner) => {
    const [algorithm, curve] = inner.inside(tags.sequence, readAlgorithm)
    const key = inner.bytes()
    if (algorithm === RSA) return readDer('public key', key, limits.certificateBytes, rsaKey)
    if (algorithm === ED25519) {
      if (key.length !== 32) inner.fail(`an Ed25519 key has 32 bytes: ${key.length}`)
      return { type: 'ed25519', x: key }
    }
    const [type, bytes] = curves[curve ?? ''] ?? inner.fail(`the curve must be P-256 or P-384: ${curve}`)
    // RFC 5480 §2.2: 4 is a whole point; half of one and a sign is what nobody has to take
    if (key.length !== 1 + 2 * bytes || key[0] !== 4) inner.fail('a point must be given whole')
    return { type, x: key.subarray(1, 1 + bytes), y: key.subarray(1 + bytes) }
  }))
}

/** The algorithm, and the curve of an EC key; each has its own parameters and no others. */
function readAlgorithm(reader: DerReader): readonly [algorithm: string, curve?: string] {
  const algorithm = reader.oid()
  switch (algorithm) {
    case EC: return [algorithm, reader.next === tags.oid ? reader.oid() : reader.fail('a curve must be named')]
    case RSA: return reader.contents(tags.null).length === 0 ? [algorithm] : reader.fail('NULL holds something')
    case ED25519: return [algorithm]
    default: throw new InvalidArgument(`The public key must be P-256, P-384, RSA or Ed25519: ${algorithm}`)
  }
}

function rsaKey(reader: DerReader): PublicKeyParts {
  return reader.inside(tags.sequence, (inner) => {
    const [n, e] = [inner.natural(), inner.natural()]
    const bits = n.length * 8 - (Math.clz32(n[0]!) - 24)
    if (!RSA_BITS.includes(bits)) {
      throw new InvalidArgument(`An RSA key must have ${RSA_BITS.join(', ')} bits: ${bits}`)
    }
    if ((n.at(-1)! & 1) === 0) throw new InvalidArgument('The modulus of the RSA key is even')
    // FIPS 186-5 §5.4: odd and above 2^16; longer than 8 bytes is what some verifiers refuse
    if (e.length < 3 || e.length > 8 || (e.at(-1)! & 1) === 0) {
      throw new InvalidArgument('The exponent of the RSA key must be odd, from 65537 to 2^64')
    }
    return { type: `rsa-${bits as 2048 | 3072 | 4096}`, n, e }
  })
}

/** The key of a SubjectPublicKeyInfo as its BIT STRING has it: what a key identifier is made of. */
export const publicKeyBits = (spki: Uint8Array): Uint8Array =>
  readDer('public key', spki, limits.certificateBytes, (reader) => reader.inside(tags.sequence, (inner) => {
    inner.element(tags.sequence)
    return inner.bytes()
  }))

/** The SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 §4). */
export function ed25519Spki(raw: Uint8Array): Uint8Array {
  const spki = new Uint8Array(44)
  spki.set([0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00])
  spki.set(raw, 12)
  return spki
}
