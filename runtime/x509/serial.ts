import { InvalidArgument } from '../errors.ts'
import type { Random } from '../platform/ports.ts'
import type { DerReader } from './der.ts'

/** RFC 5280 §4.1.2.2 */
const SERIAL_BYTES = 20

/** 159 random bits: positive, and in DER as long as a serial may be. Big-endian, without leading zeros. */
export function newSerial(random: Random): Uint8Array {
  const serial = random.bytes(SERIAL_BYTES)
  serial[0]! &= 0x7f
  const first = serial.findIndex((byte) => byte !== 0)
  return first < 0 ? Uint8Array.of(1) : serial.slice(first)
}

/** `0a:1b:…`, as Vault and OpenSSL write it. */
export const serialText = (serial: Uint8Array): string =>
  Array.from(serial, (byte) => (byte < 16 ? '0' : '') + byte.toString(16)).join(':')

/** With colons, hyphens or nothing between bytes, in either case. @throws InvalidArgument */
export function parseSerial(text: string): Uint8Array {
  const hex = text.length <= 3 * SERIAL_BYTES + 2 && /^[0-9a-f]{2}([:-]?[0-9a-f]{2})*$/i.test(text)
    ? text.replace(/[:-]/g, '')
    : ''
  const bytes = Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
  const first = bytes.findIndex((byte) => byte !== 0)
  const serial = bytes.subarray(first)
  if (first < 0 || !isSerial(serial)) {
    const shown = JSON.stringify(text.slice(0, 80))
    throw new InvalidArgument(`A serial is 1 to ${SERIAL_BYTES} bytes in hexadecimal: ${shown}`)
  }
  return serial
}

/** Positive, of at most 20 bytes in DER, and without leading zeros. */
export const isSerial = (serial: Uint8Array): boolean =>
  serial.length > 0 && serial[0] !== 0 && serial.length + (serial[0]! >= 0x80 ? 1 : 0) <= SERIAL_BYTES

export function readSerial(reader: DerReader): Uint8Array {
  const serial = reader.natural()
  return isSerial(serial) ? serial : reader.fail(`a serial must be positive and have at most ${SERIAL_BYTES} bytes`)
}
