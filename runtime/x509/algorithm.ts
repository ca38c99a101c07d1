import type { CertificateKeyType, CertificatePublicKey, SignatureHash } from '../platform/certificate-keys.ts'
import { bytesOf, NULL, oid, sequence } from './der-write.ts'
import { sameBytes, type DerReader } from './der.ts'

/** How something is signed. SHA-1 and RSA-PSS are not here. */
export interface SignatureAlgorithm {
  readonly name: string
  readonly family: 'ec' | 'rsa' | 'ed25519'
  readonly hash?: SignatureHash
  /** DER of the AlgorithmIdentifier: RSA with NULL, the others without parameters (RFC 5758 §3.2, RFC 8410 §3). */
  readonly der: Uint8Array
}

const ecdsa = (hash: SignatureHash, last: number): SignatureAlgorithm =>
  ({ name: `ecdsa-${hash}`, family: 'ec', hash, der: bytesOf(sequence(oid(`1.2.840.10045.4.3.${last}`))) })
const rsa = (hash: SignatureHash, last: number): SignatureAlgorithm =>
  ({ name: `rsa-${hash}`, family: 'rsa', hash, der: bytesOf(sequence(oid(`1.2.840.113549.1.1.${last}`), NULL)) })

const ecdsa256 = ecdsa('sha256', 2)
const ecdsa384 = ecdsa('sha384', 3)
const rsa256 = rsa('sha256', 11)
const ed25519: SignatureAlgorithm = { name: 'ed25519', family: 'ed25519', der: bytesOf(sequence(oid('1.3.101.112'))) }
const algorithms = [ecdsa256, ecdsa384, ecdsa('sha512', 4), rsa256, rsa('sha384', 12), rsa('sha512', 13), ed25519]

/** By which a key signs: its `sign` knows no other. */
export function algorithmOf(type: CertificateKeyType): SignatureAlgorithm {
  if (type === 'ec-p256') return ecdsa256
  if (type === 'ec-p384') return ecdsa384
  return type === 'ed25519' ? ed25519 : rsa256
}

export function readAlgorithm(reader: DerReader): SignatureAlgorithm {
  const element = reader.element()
  return algorithms.find(({ der }) => sameBytes(der, element))
    ?? reader.fail('it must be signed by ECDSA or RSA PKCS #1 v1.5 with SHA-256, SHA-384 or SHA-512, or by Ed25519')
}

export const verifySigned = (
  key: CertificatePublicKey, algorithm: SignatureAlgorithm, signed: Uint8Array, signature: Uint8Array,
): boolean => key.type.startsWith(algorithm.family) && key.verify(signed, signature, algorithm.hash)
