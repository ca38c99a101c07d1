import { createPrivateKey, createPublicKey } from 'node:crypto'
import { Crypto } from '@peculiar/webcrypto'
import { Nondeterminism } from './nondeterminism.ts'
import type { SeededRandom } from './random.ts'

/** RFC 8410: the DER before the 32 bytes of a private key. */
const ED25519_PKCS8 = '302e020100300506032b657004220420'

/** ECDSA and RSA-PSS draw a random number for each signature; these do not. */
const deterministicSignatures = ['Ed25519', 'EdDSA', 'HMAC', 'RSASSA-PKCS1-v1_5']

/**
 * WebCrypto for packages (jose, x509) in simulated code. The runtime's own completes through a thread pool, this one
 * by microtask; its random numbers and Ed25519 keys come from the seed.
 */
export function createWebCrypto(random: SeededRandom): Crypto {
  const crypto = new Crypto()
  const { subtle } = crypto
  const sign = subtle.sign.bind(subtle) as unknown as Sign
  crypto.getRandomValues = <T extends ArrayBufferView | null>(array: T): T => {
    if (array) new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(random.bytes(array.byteLength))
    return array
  }
  const signFromSeed: Sign = async (algorithm, key, data) => {
    const name = nameOf(algorithm)
    if (deterministicSignatures.includes(name)) return sign(algorithm, key, data)
    throw new Nondeterminism(`Signatures of this algorithm are random: ${name}`)
  }
  const generateKey = async (algorithm: unknown, extractable: boolean, usages: KeyUsage[]): Promise<unknown> => {
    const name = nameOf(algorithm)
    if (name !== 'Ed25519') throw new Nondeterminism(`Keys of this algorithm do not come from the seed: ${name}`)
    const pkcs8 = Buffer.concat([Buffer.from(ED25519_PKCS8, 'hex'), random.bytes(32)])
    const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
    const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
    const only = (usage: KeyUsage): KeyUsage[] => usages.filter((each) => each === usage)
    return {
      privateKey: await subtle.importKey('pkcs8', pkcs8, { name }, extractable, only('sign')),
      publicKey: await subtle.importKey('spki', spki, { name }, true, only('verify')),
    }
  }
  Object.assign(subtle, { sign: signFromSeed, generateKey })
  return crypto
}

type Sign = (algorithm: unknown, key: unknown, data: unknown) => Promise<unknown>
type KeyUsage = 'sign' | 'verify' | 'deriveKey' | 'deriveBits' | 'encrypt' | 'decrypt' | 'wrapKey' | 'unwrapKey'

const nameOf = (algorithm: unknown): string =>
  typeof algorithm === 'string' ? algorithm : String((algorithm as { name?: unknown }).name)
