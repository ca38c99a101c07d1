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
  view.setUint32(4, crc32(bytes.subarray(headBytes)))
  view.setUint32(8, crc32(bytes.subarray(0, 8)))
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
  if (view.getUint32(8) !== crc32(bytes.subarray(offset, offset + 8))) {
    return bytes.subarray(offset).every((byte) => byte === 0) ? 'cut' : 'damaged'
  }
  const length = view.getUint32(0)
  if (bytes.length - start < length) return 'cut'
  const body = bytes.subarray(start, start + length)
  if (length < 4 || view.getUint32(4) !== crc32(body)) return 'damaged'
  const textEnd = 4 + view.getUint32(headBytes)
  try {
    return {
      description: JSON.parse(decoder.decode(body.subarray(4, textEnd))) as unknown,
      values: body.subarray(textEnd),
      end: start + length,
    }
  } catch {
    return 'damaged'
  }
}

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? 0xedb88320 ^ (sum >>> 1) : sum >>> 1
  return sum
})

/** CRC-32 (IEEE 802.3). It finds damage, not forgery: who can write the folder is trusted. */
export function crc32(bytes: Uint8Array): number {
  let sum = 0xffffffff
  for (let index = 0; index < bytes.length; index++) {
    sum = (table[(sum ^ (bytes[index] as number)) & 0xff] as number) ^ (sum >>> 8)
  }
  return (sum ^ 0xffffffff) >>> 0
}
