import { FrameRejected } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Aead, Frame, Keys, Mac, SigningKey, VerifyKey } from '../platform/ports.ts'
import type { Base } from './link.ts'

/**
 * Protection of one link. On the wire a frame is
 *
 *   header | tag | [signature] | body            base `mac`
 *   header | AEAD([signature] | body)            base `sealed`; the header is its associated data
 *   header = version 1 | direction 1 | flags 1 | 0 | length 4 | sequence 8
 *
 * as bytes, or as a string (latin-1, then the body as it is) where the channel carries text and no long sealed frame.
 * Keys come from the handshake by HKDF with its transcript hash as salt, one for each direction, so a tag covers
 * transcript, direction, sequence and frame. A signature covers the same, by name, for whoever must prove it later.
 */
export interface Protection {
  seal(body: string, flags: number): Frame
  /** @throws FrameRejected with `details.reason` */
  open(frame: Frame): Opened
}

export interface Opened {
  readonly body: string
  readonly flags: number
}

export const SIGNED = 1
/** The body is the error that the sender closes the link with. */
export const CLOSING = 2

export interface ProtectionOptions {
  readonly base: Base
  /** The channel carries strings. */
  readonly text: boolean
  readonly initiator: boolean
  readonly keys: Keys
  /** The X25519 agreement. */
  readonly secret: Uint8Array
  readonly transcript: Uint8Array
  readonly key: SigningKey
  readonly peerKey: VerifyKey
}

const VERSION = 1
const HEADER = 16
const TAG = 16
const SIGNATURE = 64
/** Up to here a port carries a sealed frame in latin-1 as fast as in bytes; of 64 KiB, five times slower. */
const SPELT_MAX = 1_024
const LABEL = new TextEncoder().encode('zonewright link frame')

export function createProtection(options: ProtectionOptions): Protection {
  const { base, text, initiator } = options
  const send = direction(options, initiator ? 0 : 1)
  const receive = direction(options, initiator ? 1 : 0)
  if (base === 'sealed') {
    return {
      seal: (body, flags) => wire(sealBytes(send, options, body, flags), text),
      open: (frame) => openBytes(receive, options, unwire(frame, text)),
    }
  }
  if (text) {
    return {
      seal: (body, flags) => macText(send, options, body, flags),
      open: (frame) => openText(receive, options, frame),
    }
  }
  return {
    seal: (body, flags) => macBytes(send, options, body, flags),
    open: (frame) => openMacBytes(receive, options, frame),
  }
}

interface Direction {
  readonly header: Uint8Array
  readonly view: DataView
  readonly mac: Mac
  readonly aead: Aead
  readonly nonce: Uint8Array
  readonly id: number
  /** Of the next frame. */
  sequence: number
}

function direction({ keys, secret, transcript, base }: ProtectionOptions, id: number): Direction {
  const derived = keys.derive(secret, transcript, `zonewright link ${base} ${id === 0 ? 'initiator' : 'responder'}`, 44)
  const header = new Uint8Array(HEADER)
  header[0] = VERSION
  header[1] = id
  const [key, nonce] = [derived.subarray(0, 32), derived.subarray(32)]
  return { header, view: new DataView(header.buffer), mac: keys.mac(key), aead: keys.aead(key), nonce, id, sequence: 0 }
}

function writeHeader(at: Direction, flags: number, length: number, sequence: number): Uint8Array {
  at.header[2] = flags
  at.view.setUint32(4, length)
  at.view.setUint32(8, Math.floor(sequence / 0x1_0000_0000))
  at.view.setUint32(12, sequence >>> 0)
  return at.header
}

// ---- mac, as text

function macText(at: Direction, options: ProtectionOptions, body: string, flags: number): string {
  const signed = (flags & SIGNED) !== 0
  const header = writeHeader(at, flags, TAG + (signed ? SIGNATURE : 0) + body.length, at.sequence++)
  const bytes = encode(body)
  const prefix = latin16(header, 0) + latin16(at.mac.tag(header, bytes), 0)
  return signed ? prefix + latin(options.key.sign(provable(options, header, bytes))) + body : prefix + body
}

const claimed = new Uint8Array(HEADER + TAG)
const claimedView = new DataView(claimed.buffer)
const claimedTag = claimed.subarray(HEADER)

function openText(at: Direction, options: ProtectionOptions, frame: Frame): Opened {
  if (typeof frame !== 'string') return reject('malformed')
  if (frame.length > limits.frame) return reject('oversize')
  if (frame.length < HEADER + TAG) return reject('cut')
  for (let index = 0; index < HEADER + TAG; index++) {
    const code = frame.charCodeAt(index)
    if (code > 255) reject('forged')
    claimed[index] = code
  }
  const sequence = readHeader(at, claimed, claimedView, frame.length)
  const signed = (claimed[2]! & SIGNED) !== 0
  const body = frame.slice(HEADER + TAG + (signed ? SIGNATURE : 0))
  // Encoding maps every lone surrogate to U+FFFD: without this check two strings would have one tag.
  if (!body.isWellFormed()) return reject('forged')
  const bytes = encode(body)
  const header = writeHeader(at, claimed[2]!, frame.length - HEADER, sequence)
  if (!options.keys.equal(at.mac.tag(header, bytes), claimedTag)) return reject('forged')
  inOrder(at, sequence)
  if (signed) proven(options, header, bytes, unlatin(frame.slice(HEADER + TAG, HEADER + TAG + SIGNATURE)))
  return { body, flags: header[2]! }
}

// ---- mac, as bytes

function macBytes(at: Direction, options: ProtectionOptions, body: string, flags: number): Uint8Array {
  const bytes = encode(body)
  const signed = (flags & SIGNED) !== 0
  const start = HEADER + TAG + (signed ? SIGNATURE : 0)
  const frame = new Uint8Array(start + bytes.length)
  const header = writeHeader(at, flags, frame.length - HEADER, at.sequence++)
  frame.set(header)
  frame.set(at.mac.tag(header, bytes), HEADER)
  if (signed) frame.set(options.key.sign(provable(options, header, bytes)), HEADER + TAG)
  frame.set(bytes, start)
  return frame
}

function openMacBytes(at: Direction, options: ProtectionOptions, frame: Frame): Opened {
  const { bytes, view } = asBytes(frame, HEADER + TAG)
  const sequence = readHeader(at, bytes, view, bytes.length)
  const signed = (bytes[2]! & SIGNED) !== 0
  const body = bytes.subarray(HEADER + TAG + (signed ? SIGNATURE : 0))
  const header = writeHeader(at, bytes[2]!, bytes.length - HEADER, sequence)
  if (!options.keys.equal(at.mac.tag(header, body), bytes.subarray(HEADER, HEADER + TAG))) return reject('forged')
  inOrder(at, sequence)
  if (signed) proven(options, header, body, bytes.subarray(HEADER + TAG, HEADER + TAG + SIGNATURE))
  return { body: decode(body), flags: header[2]! }
}

// ---- sealed

function sealBytes(at: Direction, options: ProtectionOptions, body: string, flags: number): Uint8Array {
  const bytes = encode(body)
  const signed = (flags & SIGNED) !== 0
  const start = signed ? SIGNATURE : 0
  const header = writeHeader(at, flags, start + bytes.length + TAG, at.sequence)
  const plain = signed ? new Uint8Array(start + bytes.length) : bytes
  if (signed) {
    plain.set(options.key.sign(provable(options, header, bytes)))
    plain.set(bytes, start)
  }
  const sealed = at.aead.seal(nonceFor(at, at.sequence++), plain, header)
  const frame = new Uint8Array(HEADER + sealed.length)
  frame.set(header)
  frame.set(sealed, HEADER)
  return frame
}

function openBytes(at: Direction, options: ProtectionOptions, frame: Frame): Opened {
  const { bytes, view } = asBytes(frame, HEADER + TAG)
  const sequence = readHeader(at, bytes, view, bytes.length)
  const signed = (bytes[2]! & SIGNED) !== 0
  const header = writeHeader(at, bytes[2]!, bytes.length - HEADER, sequence)
  const plain = at.aead.open(nonceFor(at, sequence), bytes.subarray(HEADER), header) ?? reject('forged')
  inOrder(at, sequence)
  if (!signed) return { body: decode(plain), flags: header[2]! }
  const body = plain.subarray(SIGNATURE)
  proven(options, header, body, plain.subarray(0, SIGNATURE))
  return { body: decode(body), flags: header[2]! }
}

/** RFC 8446 §5.3: the sequence number is exclusive-ored into the direction's own starting value. */
function nonceFor(at: Direction, sequence: number): Uint8Array {
  const nonce = at.nonce.slice()
  const view = new DataView(nonce.buffer)
  view.setUint32(4, view.getUint32(4) ^ Math.floor(sequence / 0x1_0000_0000))
  view.setUint32(8, view.getUint32(8) ^ (sequence >>> 0))
  return nonce
}

// ---- what all share

/** Sequence number that the frame claims; not believed before the tag is checked. */
function readHeader(at: Direction, bytes: Uint8Array, view: DataView, total: number): number {
  if (bytes[0] !== VERSION || bytes[3] !== 0 || bytes[2]! > (SIGNED | CLOSING)) reject('malformed')
  if (bytes[1] !== at.id) reject('reflected')
  if (view.getUint32(4) !== total - HEADER) reject('cut')
  if ((bytes[2]! & SIGNED) !== 0 && total < HEADER + TAG + SIGNATURE) reject('cut')
  return view.getUint32(8) * 0x1_0000_0000 + view.getUint32(12)
}

/** After the tag: the sender did make this frame, so a wrong number tells what was done to it. */
function inOrder(at: Direction, sequence: number): void {
  if (sequence < at.sequence) reject('replayed')
  if (sequence > at.sequence) reject('reordered')
  at.sequence++
}

function provable({ keys, transcript }: ProtectionOptions, header: Uint8Array, body: Uint8Array): Uint8Array {
  const message = new Uint8Array(LABEL.length + 32 + HEADER + 32)
  message.set(LABEL)
  message.set(transcript, LABEL.length)
  message.set(header, LABEL.length + 32)
  message.set(keys.hash(body), LABEL.length + 32 + HEADER)
  return message
}

function proven(options: ProtectionOptions, header: Uint8Array, body: Uint8Array, signature: Uint8Array): void {
  if (!options.peerKey.verify(provable(options, header, body), signature)) reject('signature')
}

function asBytes(frame: Frame, least: number): { bytes: Uint8Array; view: DataView } {
  if (typeof frame === 'string') return reject('malformed')
  if (frame.length > limits.frame) return reject('oversize')
  if (frame.length < least) return reject('cut')
  return { bytes: frame, view: new DataView(frame.buffer, frame.byteOffset, frame.byteLength) }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const scratch = new Uint8Array(192 * 1024)

/** Valid until the next call: everything that uses it is synchronous. */
function encode(body: string): Uint8Array {
  if (body.length * 3 > scratch.length) return encoder.encode(body)
  return scratch.subarray(0, encoder.encodeInto(body, scratch).written)
}

function decode(body: Uint8Array): string {
  try {
    return decoder.decode(body)
  } catch {
    return reject('malformed')
  }
}

/** Written out, because a spread costs more than the tag. */
const latin16 = (b: Uint8Array, o: number): string => String.fromCharCode(
  b[o]!, b[o + 1]!, b[o + 2]!, b[o + 3]!, b[o + 4]!, b[o + 5]!, b[o + 6]!, b[o + 7]!,
  b[o + 8]!, b[o + 9]!, b[o + 10]!, b[o + 11]!, b[o + 12]!, b[o + 13]!, b[o + 14]!, b[o + 15]!,
)

function latin(bytes: Uint8Array): string {
  let text = ''
  let index = 0
  for (; index + 16 <= bytes.length; index += 16) text += latin16(bytes, index)
  for (; index < bytes.length; index++) text += String.fromCharCode(bytes[index]!)
  return text
}

function unlatin(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code > 255) reject('forged')
    bytes[index] = code
  }
  return bytes
}

const wire = (frame: Uint8Array, text: boolean): Frame => text && frame.length <= SPELT_MAX ? latin(frame) : frame
function unwire(frame: Frame, text: boolean): Frame {
  if (text && frame.length > limits.frame) return reject('oversize')
  if (text && (typeof frame === 'string') !== (frame.length <= SPELT_MAX)) return reject('malformed')
  return text && typeof frame === 'string' ? unlatin(frame) : frame
}

function reject(reason: string): never {
  throw new FrameRejected(`Frame rejected: ${reason}`, { reason })
}

declare global {
  interface String { isWellFormed(): boolean }
}
