import {
  createPrivateKey, createPublicKey, generateKeyPair, generateKeyPairSync, sign, verify, type KeyObject,
} from 'node:crypto'
import { promisify } from 'node:util'
import { InvalidArgument } from '../errors.ts'
import { parsePublicKey, type PublicKeyParts } from '../x509/spki.ts'
import type {
  CertificateKeys, CertificateKeyType, CertificatePublicKey, CertificateSigningKey, SignatureHash,
} from './certificate-keys.ts'
import { ed25519PrivateKey, ed25519PublicKey } from './ed25519.ts'
import type { Random } from './ports.ts'

const generateRsa = promisify(generateKeyPair)

/** Keys of certificates by `node:crypto`; checks and signatures are synchronous, for the same reasons as Keys are. */
export function createCertificateKeys(): CertificateKeys {
  return { preferred: 'ec-p256', generate, importPem, importSpki: publicKey }
}

/** The hash that a key signs with; Ed25519 has its own. */
export const hashOf = (type: CertificateKeyType): SignatureHash => (type === 'ec-p384' ? 'sha384' : 'sha256')

async function generate(type: CertificateKeyType, random: Random): Promise<CertificateSigningKey> {
  switch (type) {
    case 'ed25519': return signingKey(ed25519PrivateKey(random.bytes(32)))
    case 'ec-p256': return signingKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
    case 'ec-p384': return signingKey(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)
    case 'rsa-2048':
    case 'rsa-3072':
    case 'rsa-4096': return signingKey((await generateRsa('rsa', { modulusLength: Number(type.slice(4)) })).privateKey)
    default: throw new InvalidArgument(`There is no such type of key: ${String(type)}`)
  }
}

function importPem(pem: string): CertificateSigningKey {
  let key: KeyObject
  try {
    key = createPrivateKey({ key: pem, format: 'pem' })
  } catch {
    throw new InvalidArgument('The private key is not a PEM without passphrase')
  }
  return signingKey(key)
}

/** @throws InvalidArgument when its public part is of no type that certificates have here */
function signingKey(key: KeyObject): CertificateSigningKey {
  const own = publicKey(Uint8Array.from(createPublicKey(key).export({ format: 'der', type: 'spki' })))
  const hash = own.type === 'ed25519' ? null : hashOf(own.type)
  return {
    public: own,
    // The key itself: with options around it, where DER would be the default as well, Node 24 takes a sixth longer
    sign: (message) => sign(hash, message, key),
    exportPem: () => key.export({ format: 'pem', type: 'pkcs8' }).toString(),
  }
}

function publicKey(spki: Uint8Array): CertificatePublicKey {
  const parts = parsePublicKey(spki)
  const key = importKey(parts)
  const { type } = parts
  return {
    type,
    spki,
    verify(message, signature, hash = hashOf(type)) {
      if (type === 'ed25519') return signature.length === 64 && verify(null, message, key, signature)
      try {
        return verify(hash, message, key, signature)
      } catch {
        // Deno throws where a signature of ECDSA is no DER, or of another length than an RSA key
        return false
      }
    },
  }
}

/**
 * As a JWK, since a runtime's own reading of a SubjectPublicKeyInfo takes up to twice as long (Node 20). Both runtimes
 * refuse a point that is not on its curve.
 */
function importKey(parts: PublicKeyParts): KeyObject {
  if (parts.type === 'ed25519') {
    const raw = Buffer.from(parts.x)
    return ed25519PublicKey(raw, { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') })
  }
  const jwk = 'n' in parts
    ? { kty: 'RSA', n: base64url(parts.n), e: base64url(parts.e) }
    : { kty: 'EC', crv: parts.type === 'ec-p256' ? 'P-256' : 'P-384', x: base64url(parts.x), y: base64url(parts.y) }
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    throw new InvalidArgument(`The public key is not one of ${parts.type}`)
  }
}

const base64url = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
