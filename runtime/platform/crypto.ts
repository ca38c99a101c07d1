import {
  createCipheriv, createDecipheriv, createHash, createPrivateKey, createPublicKey, createSecretKey, diffieHellman,
  hkdfSync, scrypt, sign, verify, type KeyObject,
} from 'node:crypto'
import { Denied, InvalidArgument } from '../errors.ts'
import { createCertificateKeys } from './certificate-crypto.ts'
import { ed25519PrivateKey, ed25519PublicKey, rawPrivateKey } from './ed25519.ts'
import { createMac, type LargeMac } from './mac.ts'
import type { Aead, Agreement, Keys, PublicJwk, Random, SigningKey, SlowHashCost, VerifyKey } from './ports.ts'

/**
 * The Keys port by `node:crypto`, which both runtimes have. Its synchronous calls with KeyObjects are the fastest
 * on both, and a simulation can use them: signatures of Ed25519 are deterministic (RFC 8032). The two ends of a MAC
 * share a process, so each runtime may have what is fastest there; the default is for what must be alike on both.
 */
export async function createCrypto(largeMac: LargeMac = 'hmac-sha-256'): Promise<Keys> {
  const mac = await createMac(largeMac)
  return {
    generate: (random) => signingKey(ed25519PrivateKey(random.bytes(32))),
    importPem: (pem, passphrase) => signingKey(fromPem(pem, passphrase)),
    importJwk: verifyKey,
    agreement,
    hash: (message) => createHash('sha256').update(message).digest(),
    derive: (secret, salt, info, length) => new Uint8Array(hkdfSync('sha256', secret, salt, info, length)),
    mac,
    aead,
    equal,
    slowHash,
    certificates: createCertificateKeys(),
  }
}

function fromPem(pem: string, passphrase: string | undefined): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey({ key: pem, format: 'pem', ...(passphrase === undefined ? {} : { passphrase }) })
  } catch {
    throw new InvalidArgument(pem.includes('ENCRYPTED')
      ? 'The passphrase of the private key is missing or wrong'
      : 'The private key is not a PKCS #8 PEM')
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new InvalidArgument(`The private key must be Ed25519: ${key.asymmetricKeyType ?? 'unknown'}`)
  }
  return key
}

function signingKey(key: KeyObject): SigningKey {
  const jwk = createPublicKey(key).export({ format: 'jwk' })
  return {
    public: verifyKey({ kty: 'OKP', crv: 'Ed25519', x: String(jwk.x) }),
    sign: (message) => sign(null, message, key),
    exportPem: (passphrase) => key.export({
      format: 'pem', type: 'pkcs8', ...(passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }),
    }).toString(),
  }
}

/** @throws InvalidArgument unless `jwk` is an Ed25519 public key of exactly 32 canonical base64url bytes, not weak */
function verifyKey(jwk: PublicJwk): VerifyKey {
  const raw = Buffer.from(jwk.x, 'base64url')
  if (jwk.kty !== 'OKP' || jwk.crv !== 'Ed25519' || raw.length !== 32 || raw.toString('base64url') !== jwk.x) {
    throw new InvalidArgument('The public key must be an Ed25519 JWK (RFC 8037)')
  }
  const key = ed25519PublicKey(raw, jwk)
  return {
    // RFC 7638 §3: members in lexicographic order, no white space
    kid: createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${jwk.x}"}`).digest('base64url'),
    jwk: { kty: 'OKP', crv: 'Ed25519', x: jwk.x },
    verify: (message, signature) => signature.length === 64 && verify(null, message, key, signature),
  }
}

function agreement(random: Random): Agreement {
  const key = rawPrivateKey('X25519', random.bytes(32))
  const own = createPublicKey(key).export({ format: 'jwk' })
  return {
    publicKey: Buffer.from(String(own.x), 'base64url'),
    agree(peer) {
      if (peer.length !== 32) throw new Denied(`The peer's X25519 key must have 32 bytes: ${peer.length}`)
      const jwk = { kty: 'OKP', crv: 'X25519', x: Buffer.from(peer).toString('base64url') }
      let secret: Uint8Array = new Uint8Array(32)
      try {
        secret = diffieHellman({ privateKey: key, publicKey: createPublicKey({ key: jwk, format: 'jwk' }) })
      } catch {
        // OpenSSL refuses a low-order point itself; the check below answers for both runtimes
      }
      if (secret.every((byte) => byte === 0)) throw new Denied('The X25519 agreement gave zero (RFC 7748 §6.1)')
      return secret
    },
  }
}

const TAG_BYTES = 16

/** In the language: the runtime's own takes ten times as long for a tag, on Deno as long as the tag itself. */
function equal(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false
  let difference = 0
  for (let index = 0; index < left.length; index++) difference |= left[index]! ^ right[index]!
  return difference === 0
}

function aead(rawKey: Uint8Array): Aead {
  const key = createSecretKey(rawKey)
  return {
    // GCM gives all of it by `update`: `final` only makes, or checks, the tag
    seal(nonce, plaintext, additional, room = 0) {
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(additional)
      const sealed = Buffer.allocUnsafe(room + plaintext.length + TAG_BYTES)
      for (let index = 0; index < room; index++) sealed[index] = 0
      sealed.set(cipher.update(plaintext), room)
      cipher.final()
      sealed.set(cipher.getAuthTag(), room + plaintext.length)
      return sealed
    },
    open(nonce, ciphertext, additional) {
      if (ciphertext.length < TAG_BYTES) return undefined
      const end = ciphertext.length - TAG_BYTES
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(additional)
      decipher.setAuthTag(ciphertext.subarray(end))
      const plaintext = decipher.update(ciphertext.subarray(0, end))
      try {
        decipher.final()
      } catch {
        return undefined
      }
      return plaintext
    },
  }
}

function slowHash(password: Uint8Array, salt: Uint8Array, { logN, r, p }: SlowHashCost): Promise<Uint8Array> {
  const N = 2 ** logN
  return new Promise((resolve, reject) => {
    scrypt(password, salt, 32, { N, r, p, maxmem: 128 * r * (N + p) + 1024 * 1024 }, (error, hash) => {
      if (error) reject(error)
      else resolve(hash)
    })
  })
}
