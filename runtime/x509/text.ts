import { tags, type DerReader } from './der.ts'

/** Texts of names. Old alphabets (T61, BMP) are not read: one text then has many spellings. */

const PRINTABLE = /^[A-Za-z0-9 '()+,\-./:=?]*$/
/** Control characters, which hide the end of a name, and halves of a surrogate pair. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const isPrintableString = (text: string): boolean => PRINTABLE.test(text)
export const isAscii = (text: string): boolean => /^[\x20-\x7e]*$/.test(text)
/** ASCII is decided without the tables of Unicode. */
export const isPlain = (text: string): boolean => isAscii(text) || !UNPRINTABLE.test(text)

export const utf8Bytes = (text: string): Uint8Array => encoder.encode(text)

/** UTF8String, PrintableString or IA5String, not empty, without control characters, of at most `most` characters. */
export function readText(reader: DerReader, most: number): string {
  const tag = reader.next
  if (tag !== tags.utf8 && tag !== tags.printable && tag !== tags.ia5) {
    reader.fail('a text must be UTF8String, PrintableString or IA5String')
  }
  const bytes = reader.contents(tag)
  const text = tag === tags.utf8 ? readUtf8(bytes) : readAscii(bytes)
  if (text === undefined || !isPlain(text) || (tag === tags.printable && !isPrintableString(text))) {
    return reader.fail('a text has characters that do not belong there')
  }
  if (text === '' || text.length > most) reader.fail(`a text must have 1 to ${most} characters: ${text.length}`)
  return text
}

function readUtf8(bytes: Uint8Array): string | undefined {
  const plain = readAscii(bytes)
  if (plain !== undefined) return plain
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** Undefined when it has anything but printable ASCII. */
export function readAscii(bytes: Uint8Array): string | undefined {
  let text = ''
  for (const byte of bytes) {
    if (byte < 0x20 || byte > 0x7e) return undefined
    text += String.fromCharCode(byte)
  }
  return text
}
