import crypto, { createCipheriv, createHash, createSecretKey, hkdfSync } from 'node:crypto'
import { createBLAKE3 } from 'hash-wasm'
import type { Mac } from './ports.ts'

const TAG_BYTES = 16
const HEADER_BYTES = 16
const NONCE_BYTES = 12
const HASH_BYTES = 32
/** Of SHA-256. */
const BLOCK_BYTES = 64
/** From here on the runtime's own is cheaper than BLAKE3 in WebAssembly. */
const LARGE_BYTES = 2_048

/**
 * What tags large frames. Measured, µs for 250 B / 2 KiB / 7 KiB: HMAC-SHA-256 1.1 / 2.4 / 6 on Node, 2 / 3.3 / 7 on
 * Deno; AES-GMAC 3 / 3 / 3.3 on Node, six times that on Deno; keyed BLAKE3 0.7 / 3.3 / 12 on both.
 */
export type LargeMac = 'aes-gmac' | 'hmac-sha-256'

/** Tags `message`, which begins at `BLOCK_BYTES` of its buffer and there with its header. */
type Tag = (message: Uint8Array) => Uint8Array

/**
 * Keyed BLAKE3 for small frames, AES-GMAC (NIST SP 800-38D §3) or HMAC (RFC 2104) for large ones, each under a key of
 * its own, cut to 128 bits.
 */
export async function createMac(algorithm: LargeMac): Promise<(key: Uint8Array) => Mac> {
  const blake3 = await createBlake3()
  const buffer = new Uint8Array(BLOCK_BYTES + 64 * 1024)
  const join = (header: Uint8Array, frame: Uint8Array): Uint8Array => {
    const end = BLOCK_BYTES + HEADER_BYTES + frame.length
    const place = end <= buffer.length ? buffer : new Uint8Array(end)
    place.set(header, BLOCK_BYTES)
    place.set(frame, BLOCK_BYTES + HEADER_BYTES)
    return place.subarray(BLOCK_BYTES, end)
  }
  return (key) => {
    const derived = (label: string): Uint8Array => new Uint8Array(hkdfSync('sha256', key, new Uint8Array(), label, 32))
    const small = blake3(derived('zonewright mac small'))
    const large = (algorithm === 'aes-gmac' ? gmac : hmac)(derived(`zonewright mac ${algorithm}`))
    return {
      tag(header, frame) {
        if (header.length !== HEADER_BYTES) throw new Error(`A header has ${HEADER_BYTES} bytes: ${header.length}`)
        const message = join(header, frame)
        return message.length < LARGE_BYTES ? small(message) : large(message)
      },
    }
  }
}

async function createBlake3(): Promise<(key: Uint8Array) => Tag> {
  // The hasher keeps a reference to this buffer and keys itself from it at each init: one instance serves all links.
  const current = new Uint8Array(32)
  const hasher = await createBLAKE3(TAG_BYTES * 8, current)
  // A new buffer for each tag costs Deno more than a string does; on Node it is the other way round
  const inText = 'Deno' in globalThis
  const tag = new Uint8Array(TAG_BYTES)
  const keyed = (key: Uint8Array): Tag => (message) => {
    current.set(key)
    hasher.init().update(message)
    return inText ? unhex(hasher.digest('hex'), tag, 0) : hasher.digest('binary')
  }
  const [first, second] = [1, 2].map((fill) => keyed(new Uint8Array(32).fill(fill))(new Uint8Array()).join())
  if (first === second) throw new Error('The BLAKE3 hasher does not follow its key buffer')
  return keyed
}

/**
 * An AEAD whose plaintext is empty and whose associated data is the message. It is sound only while no nonce comes
 * twice under one key: the nonce is the end of the header, which has the sequence number.
 */
function gmac(rawKey: Uint8Array): Tag {
  const key = createSecretKey(rawKey)
  return (message) => {
    const cipher = createCipheriv('aes-256-gcm', key, message.subarray(HEADER_BYTES - NONCE_BYTES, HEADER_BYTES))
    cipher.setAAD(message)
    cipher.final()
    return cipher.getAuthTag()
  }
}

/** By two hashes in one call each, which make no object: those of `createHmac` cost as much as the tag. */
function hmac(key: Uint8Array): Tag {
  const pad = (byte: number): Uint8Array => {
    const block = new Uint8Array(BLOCK_BYTES).fill(byte)
    for (const [index, value] of key.entries()) block[index]! ^= value
    return block
  }
  const inner = pad(0x36)
  const outer = new Uint8Array(BLOCK_BYTES + HASH_BYTES)
  outer.set(pad(0x5c))
  const tag = new Uint8Array(TAG_BYTES)
  return (message) => {
    const whole = new Uint8Array(message.buffer, message.byteOffset - BLOCK_BYTES, BLOCK_BYTES + message.length)
    whole.set(inner)
    unhex(sha256(whole), outer, BLOCK_BYTES)
    return unhex(sha256(outer), tag, 0)
  }
}

/** Node has had the call since 20.12. */
const sha256: (message: Uint8Array) => string = crypto.hash
  ? (message) => crypto.hash('sha256', message, 'hex')
  : (message) => createHash('sha256').update(message).digest('hex')

const values = new Uint8Array(128)
for (let value = 0; value < 16; value++) values[value.toString(16).charCodeAt(0)] = value

/** Fills `bytes` from `start` on; what more the text has is left out. */
function unhex(text: string, bytes: Uint8Array, start: number): Uint8Array {
  for (let index = start; index < bytes.length; index++) {
    const at = 2 * (index - start)
    bytes[index] = (values[text.charCodeAt(at)]! << 4) | values[text.charCodeAt(at + 1)]!
  }
  return bytes
}
