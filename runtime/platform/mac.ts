import { createCipheriv, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { createBLAKE3 } from 'hash-wasm'
import type { Mac } from './ports.ts'

const TAG_BYTES = 16
const HEADER_BYTES = 16
const NONCE_BYTES = 12
/** From here on a one-time authenticator by the runtime is cheaper than BLAKE3 in WebAssembly. */
const LARGE_BYTES = 2_048

/**
 * What tags large frames. Measured, µs for 230 B / 2 KiB / 7 KiB: AES-GMAC 2.8 / 2.8 / 3 on Node, 4 / 8 / 20 on Deno;
 * Poly1305 4 / 4 / 5 and 4 / 4 / 6; keyed BLAKE3 0.9 / 4 / 12 on both; HMAC-SHA-256 2.4 / 4 / 8 and 5.5 / 6.5 / 10.
 */
export type LargeMac = 'aes-256-gcm' | 'chacha20-poly1305'

/**
 * Keyed BLAKE3 for small frames, AES-GMAC (NIST SP 800-38D §3) or Poly1305 (RFC 8439 §2.8) for large ones, each under
 * a key of its own. The latter two are AEADs here whose plaintext is empty and whose associated data is the frame; they
 * are sound only while no nonce comes twice under one key, and the nonce is the end of the header.
 */
export async function createMac(algorithm: LargeMac): Promise<(key: Uint8Array) => Mac> {
  // The hasher keeps a reference to this buffer and keys itself from it at each init: one instance serves all links.
  const current = new Uint8Array(32)
  const hasher = await createBLAKE3(TAG_BYTES * 8, current)
  const blake3 = (key: Uint8Array, message: Uint8Array): Uint8Array => {
    current.set(key)
    return hasher.init().update(message).digest('binary')
  }
  const [first, second] = [1, 2].map((fill) => blake3(new Uint8Array(32).fill(fill), current.slice(0, 0)).join())
  if (first === second) throw new Error('The BLAKE3 hasher does not follow its key buffer')

  const scratch = new Uint8Array(64 * 1024)
  const join = (header: Uint8Array, frame: Uint8Array): Uint8Array => {
    const length = HEADER_BYTES + frame.length
    const message = length <= scratch.length ? scratch.subarray(0, length) : new Uint8Array(length)
    message.set(header)
    message.set(frame, HEADER_BYTES)
    return message
  }
  return (key) => {
    const derived = (label: string): Uint8Array => new Uint8Array(hkdfSync('sha256', key, new Uint8Array(), label, 32))
    const small = derived('zonewright mac small')
    const large = createSecretKey(derived('zonewright mac large'))
    return {
      tag(header, frame) {
        if (header.length !== HEADER_BYTES) throw new Error(`A header has ${HEADER_BYTES} bytes: ${header.length}`)
        const message = join(header, frame)
        if (message.length < LARGE_BYTES) return blake3(small, message)
        const nonce = message.subarray(HEADER_BYTES - NONCE_BYTES, HEADER_BYTES)
        return authenticated(algorithm, large, nonce, message)
      },
    }
  }
}

function authenticated(algorithm: LargeMac, key: KeyObject, nonce: Uint8Array, message: Uint8Array): Uint8Array {
  // The two have types of their own that differ in nothing but the name
  const cipher = createCipheriv(algorithm as 'chacha20-poly1305', key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(message, { plaintextLength: 0 })
  cipher.final()
  return cipher.getAuthTag()
}
