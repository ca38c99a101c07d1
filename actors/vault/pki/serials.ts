/** The form of a serial in a storage path: hexadecimal in lower case, whole bytes. */
export function serialKey(serial: Uint8Array): string {
  let text = ''
  for (const byte of serial) text += HEX[byte]!
  return text
}
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** As in an answer: pairs of digits with colons. */
export function serialText(key: string): string {
  let text = key.slice(0, 2)
  for (let at = 2; at < key.length; at += 2) text += `:${key.slice(at, at + 2)}`
  return text
}

const SERIAL_BYTES = 20

/** The storage form of `0a:1b`, `0a-1b` or `0a1b`, leading zeros aside; undefined of anything else. */
export function readSerial(text: string): string | undefined {
  if (text.length > 3 * SERIAL_BYTES + 2 || !/^[0-9a-f]{2}(?:[:-]?[0-9a-f]{2})*$/i.test(text)) return undefined
  const key = text.replace(/[:-]/g, '').toLowerCase().replace(/^(?:00)+/, '')
  return key === '' || key.length > 2 * SERIAL_BYTES ? undefined : key
}
