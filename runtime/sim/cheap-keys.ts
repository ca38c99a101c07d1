import { Denied, InvalidArgument } from '../errors.ts'
import type { CertificateKeys, CertificatePublicKey } from '../platform/certificate-keys.ts'
import type { Aead, Agreement, Keys, Mac, PublicJwk, Random, SigningKey, VerifyKey } from '../platform/ports.ts'
import { ed25519Spki, parsePublicKey } from '../x509/spki.ts'
import { Digest } from './digest.ts'

/** RFC 8410: the DER before the 32 bytes of a private key. */
const PKCS8_PREFIX = '302e020100300506032b657004220420'
const SIGNATURE_BYTES = 64
const TAG_BYTES = 16

/**
 * Keys for volume: each check costs a keyed digest, and who does not hold a key cannot pass it. That holds because
 * only this object knows which secret belongs to a public key; it is no cryptography. Documents look as they do with
 * real keys, but nothing outside the simulation can check them.
 */
export function createCheapKeys(real: Keys): Keys {
  const secrets = new Map<string, Uint32Array>()

  const signingKey = (seed: Uint8Array): SigningKey => {
    const secret = wordsOf(real.hash(labelled('cheap secret', seed)))
    const x = Buffer.from(real.hash(labelled('cheap public', seed))).toString('base64url')
    secrets.set(x, secret)
    return {
      public: verifyKey({ kty: 'OKP', crv: 'Ed25519', x }),
      sign: (message) => signature(secret, message),
      exportPem: () => toPem(seed),
    }
  }

  const known = new Map<string, VerifyKey>()
  const verifyKey = (jwk: PublicJwk): VerifyKey => {
    const found = jwk.kty === 'OKP' && jwk.crv === 'Ed25519' ? known.get(jwk.x) : undefined
    if (found) return found
    const made = newVerifyKey(jwk)
    known.set(jwk.x, made)
    return made
  }

  const newVerifyKey = (jwk: PublicJwk): VerifyKey => {
    const { x } = jwk
    const raw = Buffer.from(x, 'base64url')
    if (jwk.kty !== 'OKP' || jwk.crv !== 'Ed25519' || raw.length !== 32 || raw.toString('base64url') !== x) {
      throw new InvalidArgument('The public key must be an Ed25519 JWK (RFC 8037)')
    }
    return {
      // RFC 7638 §3, as with real keys
      kid: Buffer.from(real.hash(Buffer.from(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`))).toString('base64url'),
      jwk: { kty: 'OKP', crv: 'Ed25519', x },
      verify: (message, given) => {
        const secret = secrets.get(x)
        return secret !== undefined && equal(signature(secret, message), given)
      },
    }
  }

  const agreement = (random: Random): Agreement => {
    const seed = random.bytes(32)
    const own = wordsOf(real.hash(labelled('cheap agreement', seed)))
    const publicKey = real.hash(labelled('cheap ephemeral', seed))
    secrets.set(ephemeral(publicKey), own)
    return {
      publicKey,
      agree(peer) {
        if (peer.length !== 32) throw new Denied(`The peer's X25519 key must have 32 bytes: ${peer.length}`)
        if (peer.every((byte) => byte === 0)) throw new Denied('The X25519 agreement gave zero (RFC 7748 §6.1)')
        // Both ends combine the same two secrets; to a key that nobody made, no other end comes to the same
        const theirs = secrets.get(ephemeral(peer)) ?? new Uint32Array(8)
        return real.hash(bytesOf(own.map((word, index) => word ^ (theirs[index] as number))))
      },
    }
  }

  return {
    generate: (random) => signingKey(random.bytes(32)),
    importPem: (pem) => signingKey(fromPem(pem)),
    importJwk: verifyKey,
    agreement,
    hash: real.hash,
    derive: (secret, salt, info, length) => {
      const digest = new Digest(wordsOf(real.hash(secret))).part(salt).part(info)
      return expand(digest, length)
    },
    mac: (key) => mac(wordsOf(key)),
    aead: (key) => aead(wordsOf(key)),
    equal,
    slowHash: async (password, salt) => real.hash(Buffer.concat([real.hash(password), salt])),
    certificates: certificateKeys(signingKey, verifyKey),
  }
}

/** Those of Ed25519 by the same cheap keys, and so with the same spelling of a private key. */
function certificateKeys(
  signingKey: (seed: Uint8Array) => SigningKey, verifyKey: (jwk: PublicJwk) => VerifyKey,
): CertificateKeys {
  const publicKey = (key: VerifyKey): CertificatePublicKey => ({
    type: 'ed25519',
    spki: ed25519Spki(Buffer.from(key.jwk.x, 'base64url')),
    verify: (message, signature) => key.verify(message, signature),
  })
  const certificateKey = (seed: Uint8Array) => {
    const key = signingKey(seed)
    return { ...key, public: publicKey(key.public) }
  }
  return {
    preferred: 'ed25519',
    generate: async (_type, random) => certificateKey(random.bytes(32)),
    importPem: (pem) => certificateKey(fromPem(pem)),
    importSpki(spki) {
      const parts = parsePublicKey(spki)
      if (parts.type !== 'ed25519') throw new InvalidArgument(`Cheap keys are Ed25519: ${parts.type}`)
      return publicKey(verifyKey({ kty: 'OKP', crv: 'Ed25519', x: Buffer.from(parts.x).toString('base64url') }))
    },
  }
}

const signature = (secret: Uint32Array, message: Uint8Array): Uint8Array =>
  expand(new Digest(secret).part(message), SIGNATURE_BYTES)

function expand(digest: Digest, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let offset = 0; offset < length; offset += TAG_BYTES) {
    bytes.set(bytesOf(digest.part(offset.toString()).words()).subarray(0, length - offset), offset)
  }
  return bytes
}

function mac(key: Uint32Array): Mac {
  return { tag: (header, frame) => bytesOf(new Digest(key).part(header).part(frame).words()) }
}

/** Hides the plaintext as a cipher would, so that a search for secrets in frames means the same with either kind. */
function aead(key: Uint32Array): Aead {
  const cover = (nonce: Uint8Array, bytes: Uint8Array): Uint8Array => {
    const state = new Digest(key).part(nonce).words()
    let word = (state[0] as number) | 1
    const covered = new Uint8Array(bytes.length)
    for (let index = 0; index < bytes.length; index += 4) {
      // xorshift32 (Marsaglia 2003)
      word ^= word << 13
      word ^= word >>> 17
      word ^= word << 5
      covered[index] = (bytes[index] as number) ^ word
      if (index + 1 < bytes.length) covered[index + 1] = (bytes[index + 1] as number) ^ (word >>> 8)
      if (index + 2 < bytes.length) covered[index + 2] = (bytes[index + 2] as number) ^ (word >>> 16)
      if (index + 3 < bytes.length) covered[index + 3] = (bytes[index + 3] as number) ^ (word >>> 24)
    }
    return covered
  }
  const tag = (nonce: Uint8Array, covered: Uint8Array, additional: Uint8Array): Uint8Array =>
    bytesOf(new Digest(key).part(nonce).part(additional).part(covered).words())
  return {
    seal(nonce, plaintext, additional, room = 0) {
      const sealed = new Uint8Array(room + plaintext.length + TAG_BYTES)
      const covered = cover(nonce, plaintext)
      sealed.set(covered, room)
      sealed.set(tag(nonce, covered, additional), room + plaintext.length)
      return sealed
    },
    open(nonce, ciphertext, additional) {
      if (ciphertext.length < TAG_BYTES) return undefined
      const covered = ciphertext.subarray(0, ciphertext.length - TAG_BYTES)
      if (!equal(tag(nonce, covered, additional), ciphertext.subarray(covered.length))) return undefined
      return cover(nonce, covered)
    },
  }
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false
  let difference = 0
  for (let index = 0; index < left.length; index++) difference |= (left[index] as number) ^ (right[index] as number)
  return difference === 0
}

const ephemeral = (publicKey: Uint8Array): string => `ephemeral ${Buffer.from(publicKey).toString('base64url')}`

const labelled = (label: string, bytes: Uint8Array): Uint8Array => Buffer.concat([Buffer.from(`${label}\n`), bytes])

/** Little-endian by hand: the order of a typed array is the machine's. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  const words = new Uint32Array(Math.ceil(bytes.length / 4))
  for (let index = 0; index < bytes.length; index++) {
    words[index >> 2] = (words[index >> 2] as number) | ((bytes[index] as number) << ((index & 3) * 8))
  }
  return words
}

function bytesOf(words: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(words.length * 4)
  for (let index = 0; index < bytes.length; index++) bytes[index] = (words[index >> 2] as number) >>> ((index & 3) * 8)
  return bytes
}

function toPem(seed: Uint8Array): string {
  const der = Buffer.concat([Buffer.from(PKCS8_PREFIX, 'hex'), seed])
  return `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`
}

function fromPem(pem: string): Uint8Array {
  const [, base64] = /^-----BEGIN PRIVATE KEY-----\n([A-Za-z0-9+/=\n]+)-----END PRIVATE KEY-----\n?$/.exec(pem) ?? []
  if (base64 === undefined) throw new InvalidArgument('The private key is not a readable PKCS #8 PEM')
  const der = Buffer.from(base64, 'base64')
  if (der.length !== 48 || der.subarray(0, 16).toString('hex') !== PKCS8_PREFIX) {
    throw new InvalidArgument('The private key must be Ed25519')
  }
  return new Uint8Array(der.subarray(16))
}
