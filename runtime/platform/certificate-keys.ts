import type { Random } from './ports.ts'

/**
 * Keys that X.509 certificates are made for. Beside the Ed25519 keys of identities, since browsers and many clients
 * take no other than these. In simulation there is `ed25519` only: ECDSA is random even in its length.
 */
export type CertificateKeyType = 'ec-p256' | 'ec-p384' | 'rsa-2048' | 'rsa-3072' | 'rsa-4096' | 'ed25519'

/** Of ECDSA and RSA; an Ed25519 signature has none. */
export type SignatureHash = 'sha256' | 'sha384' | 'sha512'

export interface CertificatePublicKey {
  readonly type: CertificateKeyType
  /** DER of the SubjectPublicKeyInfo (RFC 5280 §4.1.2.7). */
  readonly spki: Uint8Array
  /** `signature` as it stands in an X.509 BIT STRING: ECDSA as DER (RFC 3279 §2.2.3), RSA by PKCS #1 v1.5. */
  verify(message: Uint8Array, signature: Uint8Array, hash?: SignatureHash): boolean
}

export interface CertificateSigningKey {
  readonly public: CertificatePublicKey
  /** ECDSA and RSA by SHA-256, P-384 by SHA-384. */
  sign(message: Uint8Array): Uint8Array
  /** PKCS #8 PEM. For the barrier, a file of mode 0600 or a sealed link, never for a log. */
  exportPem(): string
}

export interface CertificateKeys {
  /** What an authority, and who asks for nothing else, gets here: `ec-p256`; `ed25519` in simulation. */
  readonly preferred: CertificateKeyType
  /** Of `random` only where the runtime lets us say (Ed25519). @throws InvalidArgument for a type that is not here */
  generate(type: CertificateKeyType, random: Random): Promise<CertificateSigningKey>
  /** @throws InvalidArgument */
  importPem(pem: string): CertificateSigningKey
  /** @throws InvalidArgument when it is of no such type, weak (an RSA key under 2048 bits, a point off the curve) */
  importSpki(spki: Uint8Array): CertificatePublicKey
}
