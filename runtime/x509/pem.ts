import { InvalidArgument } from '../errors.ts'
import { limits } from '../limits.ts'

export type PemLabel = 'CERTIFICATE' | 'CERTIFICATE REQUEST' | 'X509 CRL' | 'PUBLIC KEY'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const codes = Uint8Array.from(ALPHABET, (char) => char.charCodeAt(0))
const [NEWLINE, PADDING] = [0x0a, 0x3d]
const LINE_BYTES = 48
const decoder = new TextDecoder()

/** RFC 7468, with a newline at its end. */
export const encodePem = (label: PemLabel, der: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${base64Lines(der)}-----END ${label}-----\n`

/** Character by character into one buffer: of strings that are put together each is an object. */
function base64Lines(bytes: Uint8Array): string {
  const { length } = bytes
  const text = new Uint8Array(Math.ceil(length / 3) * 4 + Math.ceil(length / LINE_BYTES))
  let to = 0
  for (let at = 0; at < length; at += 3) {
    const group = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    text[to++] = codes[group >> 18]!
    text[to++] = codes[(group >> 12) & 63]!
    text[to++] = codes[(group >> 6) & 63]!
    text[to++] = codes[group & 63]!
    if ((at + 3) % LINE_BYTES === 0 && at + 3 < length) text[to++] = NEWLINE
  }
  const missing = (3 - (length % 3)) % 3
  text.fill(PADDING, to - missing, to)
  if (length > 0) text[to] = NEWLINE
  return decoder.decode(text)
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

const SPACE = 64
const NOTHING = 65
/** By code of a character. */
const values = new Uint8Array(128).fill(NOTHING)
for (const [value, code] of codes.entries()) values[code] = value
for (const char of '\r\n\t ') values[char.charCodeAt(0)] = SPACE

/** The one canonical encoding (RFC 4648 §3.5): whole groups, padding at the end alone, no bit that says nothing. */
function decodeBase64(text: string, label: PemLabel): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(text.length * 3 / 4))
  let [bits, count, padding, to] = [0, 0, 0, 0]
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const value = code < 128 ? values[code]! : NOTHING
    if (value < SPACE && padding === 0) {
      bits = (bits << 6) | value
      if ((++count & 3) === 0) {
        bytes[to++] = bits >> 16
        bytes[to++] = bits >> 8
        bytes[to++] = bits
        bits = 0
      }
    } else if (code === PADDING) padding++
    else if (value !== SPACE) throw noBase64(label)
  }
  const tail = count & 3
  if (padding !== (4 - tail) % 4 || tail === 1) throw noBase64(label)
  if ((bits & (tail === 2 ? 0xf : 0x3)) !== 0) throw noBase64(label)
  if (tail >= 2) bytes[to++] = tail === 2 ? bits >> 4 : bits >> 10
  if (tail === 3) bytes[to++] = bits >> 2
  return bytes.subarray(0, to)
}

const noBase64 = (label: PemLabel): Error => new InvalidArgument(`The PEM block ${label} is not base64`)
