const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
/** By code of a character; what is none of these is negative, also when it is shifted and put beside others. */
const values = new Int32Array(128).fill(-1)
for (let index = 0; index < ALPHABET.length; index++) values[ALPHABET.charCodeAt(index)] = index

/** RFC 4648 §5 without padding (RFC 7515 §2). */
export function toBase64url(bytes: Uint8Array): string {
  let text = ''
  for (let index = 0; index < bytes.length; index += 3) {
    const left = bytes.length - index
    const group = (bytes[index]! << 16) | ((bytes[index + 1] ?? 0) << 8) | (bytes[index + 2] ?? 0)
    text += ALPHABET[group >> 18]! + ALPHABET[(group >> 12) & 63]!
    if (left > 1) text += ALPHABET[(group >> 6) & 63]!
    if (left > 2) text += ALPHABET[group & 63]!
  }
  return text
}

/**
 * Undefined unless `text` is the one canonical encoding: no padding, no white space, and no bit set that encodes
 * nothing, since such a bit would give one signature several spellings.
 */
export function fromBase64url(text: string): Uint8Array | undefined {
  const tail = text.length % 4
  if (tail === 1) return undefined
  const bytes = new Uint8Array(Math.floor(text.length * 3 / 4))
  const whole = text.length - tail
  let at = 0
  for (let index = 0; index < whole; index += 4) {
    const group = (valueAt(text, index) << 18) | (valueAt(text, index + 1) << 12)
      | (valueAt(text, index + 2) << 6) | valueAt(text, index + 3)
    if (group < 0) return undefined
    bytes[at++] = group >> 16
    bytes[at++] = group >> 8
    bytes[at++] = group
  }
  if (tail === 0) return bytes
  const last = (valueAt(text, whole) << 18) | (valueAt(text, whole + 1) << 12)
    | (tail === 3 ? valueAt(text, whole + 2) << 6 : 0)
  if (last < 0 || (last & (tail === 3 ? 0xff : 0xffff)) !== 0) return undefined
  bytes[at++] = last >> 16
  if (tail === 3) bytes[at] = last >> 8
  return bytes
}

function valueAt(text: string, index: number): number {
  const code = text.charCodeAt(index)
  return code < 128 ? values[code]! : -1
}
