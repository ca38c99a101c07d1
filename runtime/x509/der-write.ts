import { InvalidArgument } from '../errors.ts'
import { tags } from './der.ts'
import { formatTime, timeMax, timeMin } from './time.ts'

/**
 * DER (X.690 §10): each function gives one value, whole. It is put down in bytes once, by `bytesOf`: an array of bytes
 * for each of the fifty values in a certificate would cost as much as the signature.
 */
export type Der = Uint8Array | DerNode

export interface DerNode {
  readonly tag: number
  readonly parts: readonly Der[]
  readonly contentLength: number
  /** Bytes of all of it. */
  readonly length: number
}

export const der = (tag: number, ...parts: readonly Der[]): DerNode => derOf(tag, parts)

export const sequence = (...parts: readonly Der[]): DerNode => derOf(tags.sequence, parts)

/** Like `der`, for as many parts as there are. */
export function derOf(tag: number, parts: readonly Der[]): DerNode {
  let contentLength = 0
  for (const part of parts) contentLength += part.length
  return { tag, parts, contentLength, length: 2 + digitsOf(contentLength) + contentLength }
}

export function bytesOf(value: Der): Uint8Array {
  const bytes = new Uint8Array(value.length)
  put(value, bytes, 0)
  return bytes
}

/** Bytes of a length beyond its first. */
const digitsOf = (length: number): number =>
  (length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x10000 ? 2 : length < 0x1000000 ? 3 : 4)

/** @returns where it ends */
function put(value: Der, into: Uint8Array, start: number): number {
  if (value instanceof Uint8Array) {
    into.set(value, start)
    return start + value.length
  }
  const { tag, parts, contentLength } = value
  const digits = digitsOf(contentLength)
  into[start] = tag
  into[start + 1] = digits === 0 ? contentLength : 0x80 | digits
  for (let index = 0; index < digits; index++) into[start + 1 + digits - index] = contentLength >>> (8 * index)
  let at = start + 2 + digits
  for (const part of parts) at = put(part, into, at)
  return at
}

/** A number without sign: big-endian, of any length, leading zeros or not. */
export function natural(bytes: Uint8Array, tag: number = tags.integer): DerNode {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const digits = start === 0 ? bytes : bytes.subarray(start)
  return digits.length > 0 && digits[0]! < 0x80 ? derOf(tag, [digits]) : derOf(tag, [ZERO, digits])
}

/** A number without sign below 2^53. */
export function small(value: number, tag: number = tags.integer): DerNode {
  const digits: number[] = []
  for (let left = value; left > 0; left = Math.floor(left / 256)) digits.unshift(left % 256)
  return natural(Uint8Array.from(digits), tag)
}

/** A BIT STRING of whole bytes. */
export const bitString = (bytes: Uint8Array): DerNode => derOf(tags.bitString, [ZERO, bytes])

/** A BIT STRING of named flags, the first as the lowest bit of `set`. */
export function flags(set: number): DerNode {
  const bits = 32 - Math.clz32(set)
  const bytes = new Uint8Array(1 + Math.ceil(bits / 8))
  bytes[0] = (bytes.length - 1) * 8 - bits
  for (let bit = 0; bit < bits; bit++) if (set & (1 << bit)) bytes[1 + (bit >> 3)]! |= 0x80 >> (bit & 7)
  return derOf(tags.bitString, [bytes])
}

export const octets = (...parts: readonly Der[]): DerNode => derOf(tags.octetString, parts)

/** '2.5.29.15'. @throws InvalidArgument when it is no object identifier */
export function oid(dotted: string): Uint8Array {
  if (!/^[0-2](\.(0|[1-9]\d{0,13}))+$/.test(dotted) || dotted.length > 128) {
    throw new InvalidArgument(`It is no object identifier: ${JSON.stringify(dotted)}`)
  }
  const [first, second, ...rest] = dotted.split('.').map(Number) as [number, number, ...number[]]
  if (first < 2 && second > 39) throw new InvalidArgument(`It is no object identifier: ${dotted}`)
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const digits = [arc % 128]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) digits.unshift(128 + (left % 128))
    return digits
  })
  return bytesOf(derOf(tags.oid, [Uint8Array.from(bytes)]))
}

/** Cut to seconds. @throws InvalidArgument for a time before 1950 or after 9999 */
export function time(epochMs: number): DerNode {
  if (!(epochMs >= timeMin && epochMs < timeMax + 1000)) throw new InvalidArgument(`It is no time: ${epochMs}`)
  const { text, generalized } = formatTime(epochMs)
  return derOf(generalized ? tags.generalizedTime : tags.utcTime, [asciiBytes(text)])
}

/** Of a text that is known to be ASCII. */
export function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index)
  return bytes
}

export const TRUE = Uint8Array.of(tags.boolean, 1, 0xff)
export const NULL = Uint8Array.of(tags.null, 0)
const ZERO = Uint8Array.of(0)
