import { InvalidArgument } from '../runtime/errors.ts'
import { parseIp } from '../runtime/x509/ip.ts'

export interface Cidr {
  readonly bytes: Uint8Array
  readonly bits: number
}

/** A range of addresses, RFC 4632 and RFC 4291 §2.3; a single address is a range of one. @throws InvalidArgument */
export function parseCidr(text: string): Cidr {
  const [address = '', length, more] = text.split('/')
  const bytes = text.length <= 64 && more === undefined ? parseIp(address) : undefined
  const bits = length === undefined ? (bytes?.length ?? 0) * 8 : /^(0|[1-9]\d{0,2})$/.test(length) ? Number(length) : -1
  if (!bytes || bits < 0 || bits > bytes.length * 8) {
    throw new InvalidArgument(`It is no range of addresses such as 10.0.0.0/24: ${text.slice(0, 64)}`)
  }
  const range = { bytes, bits }
  if (bytes.some((byte, index) => (byte & ~maskAt(bits, index)) !== 0)) {
    throw new InvalidArgument(`The address has bits beyond its prefix: ${text}`)
  }
  return range
}

/** `10.0.0.7`, or as a socket of both families tells it: `::ffff:10.0.0.7`. */
export function isWithin({ bytes, bits }: Cidr, address: string): boolean {
  const given = parseIp(address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, ''))
  return given?.length === bytes.length
    && bytes.every((byte, index) => ((byte ^ given[index]!) & maskAt(bits, index)) === 0)
}

/** Of one byte, how much belongs to the prefix. */
const maskAt = (bits: number, index: number): number => (0xff00 >> Math.min(8, Math.max(0, bits - index * 8))) & 0xff
