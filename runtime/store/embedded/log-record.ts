/**
 * One record of a log: three 32-bit numbers (length of the body, CRC-32 of the body, CRC-32 of these two), then the
 * body: length of the description, the description as JSON, and the values it speaks of, one after the other. The
 * head has a sum of its own so that a damaged length is not taken for a write that was cut short.
 */
const headBytes = 12

export interface LogRecord {
  readonly description: unknown
  readonly values: Uint8Array
  /** Offset of the record behind it. */
  readonly end: number
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export function encodeRecord(description: unknown, values: readonly Uint8Array[]): Uint8Array {
  const text = encoder.encode(JSON.stringify(description))
  const length = values.reduce((sum, value) => sum + value.length, 4 + text.length)
  const bytes = new Uint8Array(headBytes + length)
  const view = new DataView(bytes.buffer)
  view.setUint32(headBytes, text.length)
  bytes.set(text, headBytes + 4)
  let offset = headBytes + 4 + text.length
  for (const value of values) {
    bytes.set(value, offset)
    offset += value.length
  }
  view.setUint32(0, length)
  view.setUint32(4, crc32(bytes, headBytes))
  view.setUint32(8, crc32(bytes, 0, 8))
  return bytes
}

/**
 * The record at `offset`, or why there is none. 'cut' is the end of a write that a crash interrupted: the file ends
 * before the record does, or nothing but zeros follows (a file that grew before its data came).
 */
export function readRecord(bytes: Uint8Array, offset: number): LogRecord | 'cut' | 'damaged' {
  const start = offset + headBytes
  if (bytes.length < start) return 'cut'
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset)
  if (view.getUint32(8) !== crc32(bytes, offset, offset + 8)) {
    return bytes.subarray(offset).every((byte) => byte === 0) ? 'cut' : 'damaged'
  }
  const length = view.getUint32(0)
  if (bytes.length - start < length) return 'cut'
  const end = start + length
  if (length < 4 || view.getUint32(4) !== crc32(bytes, start, end)) return 'damaged'
  const textEnd = start + 4 + view.getUint32(headBytes)
  try {
    const description: unknown = JSON.parse(decoder.decode(bytes.subarray(start + 4, textEnd)))
    return { description, values: bytes.subarray(textEnd, end), end }
  } catch {
    return 'damaged'
  }
}

/** Row n is the sum of a byte with n zero bytes behind it: four bytes are summed in one step. */
const table = new Uint32Array(4 * 256)
for (let byte = 0; byte < 256; byte++) {
  let sum = byte
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? 0xedb88320 ^ (sum >>> 1) : sum >>> 1
  table[byte] = sum
}
for (let at = 256; at < table.length; at++) {
  const shorter = table[at - 256] as number
  table[at] = (table[shorter & 0xff] as number) ^ (shorter >>> 8)
}

/** CRC-32 (IEEE 802.3). It finds damage, not forgery: who can write the folder is trusted. */
export function crc32(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let sum = 0xffffffff
  let at = start
  for (; at + 4 <= end; at += 4) {
    sum ^= (bytes[at] as number) | (bytes[at + 1] as number) << 8 |
      (bytes[at + 2] as number) << 16 | (bytes[at + 3] as number) << 24
    sum = (table[0x300 | sum & 0xff] as number) ^ (table[0x200 | sum >>> 8 & 0xff] as number) ^
      (table[0x100 | sum >>> 16 & 0xff] as number) ^ (table[sum >>> 24] as number)
  }
  for (; at < end; at++) sum = (table[(sum ^ (bytes[at] as number)) & 0xff] as number) ^ (sum >>> 8)
  return (sum ^ 0xffffffff) >>> 0
}
