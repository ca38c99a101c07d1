import { InvalidArgument } from '../errors.ts'
import { limits } from '../limits.ts'
import { fromBase64url } from '../trust/base64url.ts'

export type PemLabel = 'CERTIFICATE' | 'CERTIFICATE REQUEST' | 'X509 CRL' | 'PUBLIC KEY'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
/** Two characters for twelve bits: lists of revoked certificates are long. */
const pairs = Array.from({ length: 4_096 }, (_, bits) => ALPHABET[bits >> 6]! + ALPHABET[bits & 63]!)
const LINE_BYTES = 48

/** RFC 7468, with a newline at its end. */
export function encodePem(label: PemLabel, der: Uint8Array): string {
  const lines = [`-----BEGIN ${label}-----`]
  for (let at = 0; at < der.length; at += LINE_BYTES) {
    lines.push(base64Of(der, at, Math.min(at + LINE_BYTES, der.length)))
  }
  return `${lines.join('\n')}\n-----END ${label}-----\n`
}

function base64Of(bytes: Uint8Array, from: number, end: number): string {
  let text = ''
  for (let at = from; at < end; at += 3) {
    const group = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    text += pairs[group >> 12]! + pairs[group & 0xfff]!
  }
  const missing = (3 - ((end - from) % 3)) % 3
  return missing === 0 ? text : text.slice(0, -missing) + '=='.slice(0, missing)
}

/** The one block of that label. Text beside it, as OpenSSL writes there, says nothing. @throws InvalidArgument */
export function decodePem(text: string, label: PemLabel): Uint8Array {
  const [first, second] = decodePems(text, label, 2)
  if (!first || second) throw new InvalidArgument(`There must be one PEM block ${label}: ${first ? 'several' : 'none'}`)
  return first
}

/** Blocks of that label in their order; at most `most`. @throws InvalidArgument */
export function decodePems(text: string, label: PemLabel, most: number): readonly Uint8Array[] {
  if (text.length > 2 * limits.revocationListBytes) throw new InvalidArgument(`The PEM is too long: ${text.length}`)
  const [begin, end] = [`-----BEGIN ${label}-----`, `-----END ${label}-----`]
  const blocks: Uint8Array[] = []
  for (let at = text.indexOf(begin); at >= 0; at = text.indexOf(begin, at)) {
    const stop = text.indexOf(end, at)
    if (stop < 0) throw new InvalidArgument(`The PEM block ${label} has no end`)
    if (blocks.length === most) throw new InvalidArgument(`There are more than ${most} PEM blocks ${label}`)
    blocks.push(decodeBase64(text.slice(at + begin.length, stop), label))
    at = stop + end.length
  }
  return blocks
}

function decodeBase64(text: string, label: PemLabel): Uint8Array {
  const base64 = text.replace(/[\r\n\t ]/g, '')
  const url = /[-_]/.test(base64) || base64.length % 4 !== 0 ? undefined
    : base64.replace(/={1,2}$/, '').replaceAll('+', '-').replaceAll('/', '_')
  const bytes = url === undefined ? undefined : fromBase64url(url)
  if (!bytes) throw new InvalidArgument(`The PEM block ${label} is not base64`)
  return bytes
}
