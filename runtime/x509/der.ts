import { InvalidArgument } from '../errors.ts'
import { parseTime } from './time.ts'

/** Identifier octets that X.509 uses (X.690 §8.1.2). */
export const tags = {
  boolean: 0x01, integer: 0x02, bitString: 0x03, octetString: 0x04, null: 0x05, oid: 0x06, enumerated: 0x0a,
  utf8: 0x0c, printable: 0x13, ia5: 0x16, utcTime: 0x17, generalizedTime: 0x18, sequence: 0x30, set: 0x31,
} as const

/** A context-specific tag, of a primitive value or of one that holds others. */
export const context = (number: number): number => 0x80 | number
export const contextOf = (number: number): number => 0xa0 | number

/**
 * Reads one level of strict DER (X.690 §10, §11): every value has one spelling, and whoever is done says so by `end`,
 * so that nothing is left unread. It goes down only where the format that is read does, so a nest of values costs
 * nothing. What is returned are views of the given bytes.
 */
export class DerReader {
  /** 'certificate': for messages. */
  readonly what: string
  readonly #bytes: Uint8Array
  readonly #end: number
  #at: number

  constructor(what: string, bytes: Uint8Array, at = 0, end = bytes.length) {
    this.what = what
    this.#bytes = bytes
    this.#at = at
    this.#end = end
  }

  /** @throws InvalidArgument, always */
  fail(fault: string): never {
    throw new InvalidArgument(`The ${this.what} is not valid: ${fault}, at byte ${this.#at}`)
  }

  get done(): boolean {
    return this.#at === this.#end
  }

  /** The tag of what comes next; -1 at the end. */
  get next(): number {
    return this.#at < this.#end ? this.#bytes[this.#at]! : -1
  }

  end(): void {
    if (this.#at !== this.#end) this.fail('there is more than belongs here')
  }

  /** What is inside, to be read by `read`, which must leave nothing. */
  inside<T>(tag: number, read: (reader: DerReader) => T): T {
    const end = this.#header(tag)
    const reader = new DerReader(this.what, this.#bytes, this.#at, end)
    const value = read(reader)
    reader.end()
    this.#at = end
    return value
  }

  /** All that is inside, one by one; at most `most` of them. Those of a SET are in the order of their bytes. */
  all<T>(tag: number, most: number, read: (reader: DerReader) => T): T[] {
    return this.inside(tag, (reader) => {
      const values: T[] = []
      let [last, start] = [reader.#at, reader.#at]
      while (!reader.done) {
        if (values.length === most) reader.fail(`there are more than ${most}`)
        values.push(read(reader))
        if (tag === tags.set && values.length > 1 && reader.#isBefore(start, last)) reader.fail('a set is out of order')
        last = start
        start = reader.#at
      }
      return values
    })
  }

  /** Whether the value from `from` to here comes before the one from `other` to `from`. */
  #isBefore(from: number, other: number): boolean {
    const length = Math.min(this.#at - from, from - other)
    for (let index = 0; index < length; index++) {
      const difference = this.#bytes[from + index]! - this.#bytes[other + index]!
      if (difference !== 0) return difference < 0
    }
    return this.#at - from < from - other
  }

  contents(tag: number): Uint8Array {
    const end = this.#header(tag)
    const contents = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return contents
  }

  /** With its tag and length; its contents are not looked at. */
  element(tag?: number): Uint8Array {
    const start = this.#at
    this.#at = this.#header(tag)
    return this.#bytes.subarray(start, this.#at)
  }

  /** Two's complement, as short as can be; never empty. */
  integer(tag: number = tags.integer): Uint8Array {
    const value = this.contents(tag)
    const [first, second = 0] = value
    if (first === undefined) this.fail('a number has no digits')
    if (value.length > 1 && ((first === 0x00 && second < 0x80) || (first === 0xff && second >= 0x80))) {
      this.fail('a number is longer than need be')
    }
    return value
  }

  /** Without sign. */
  natural(tag: number = tags.integer): Uint8Array {
    const value = this.integer(tag)
    if (value[0]! >= 0x80) this.fail('a number is negative')
    return value[0] === 0 && value.length > 1 ? value.subarray(1) : value
  }

  /** A number without sign below 2^31. */
  small(tag: number = tags.integer): number {
    const value = this.natural(tag)
    if (value.length > 4 || (value.length === 4 && value[0]! >= 0x80)) this.fail('a number is too large')
    return value.reduce((sum, byte) => sum * 256 + byte, 0)
  }

  /** Of DEFAULT FALSE: what is there must be TRUE. */
  flag(): boolean {
    if (this.next !== tags.boolean) return false
    const value = this.contents(tags.boolean)
    if (value.length !== 1 || value[0] !== 0xff) this.fail('a flag is not TRUE')
    return true
  }

  /** A BIT STRING of whole bytes. */
  bytes(tag: number = tags.bitString): Uint8Array {
    const value = this.contents(tag)
    if (value[0] !== 0) this.fail('a string of bits has no whole bytes')
    return value.subarray(1)
  }

  /** A BIT STRING of named flags, the first as the lowest bit; without zeros at its end, and not of more than 31. */
  flags(tag: number = tags.bitString): number {
    const value = this.contents(tag)
    const [unused = 8] = value
    const bits = (value.length - 1) * 8 - unused
    if (unused > 7 || bits < 0 || bits > 31) this.fail('a set of flags is of no such form')
    let flags = 0
    for (let bit = 0; bit < bits; bit++) if (value[1 + (bit >> 3)]! & (0x80 >> (bit & 7))) flags |= 1 << bit
    const last = value.length > 1 ? value.at(-1)! : 0
    if ((last & ((1 << unused) - 1)) !== 0 || (bits > 0 && (flags & (1 << (bits - 1))) === 0)) {
      this.fail('a set of flags is longer than need be')
    }
    return flags
  }

  /** '1.2.840.10045.2.1' */
  oid(tag: number = tags.oid): string {
    const value = this.contents(tag)
    if (value.length === 0 || value.at(-1)! >= 0x80) this.fail('an object identifier ends too soon')
    let text = ''
    let arc = 0
    for (let index = 0; index < value.length; index++) {
      const byte = value[index]!
      if (arc === 0 && byte === 0x80) this.fail('an object identifier is longer than need be')
      if (arc >= 2 ** 45) this.fail('an object identifier is too large')
      arc = arc * 128 + (byte & 0x7f)
      if (byte >= 0x80) continue
      if (text !== '') text += `.${arc}`
      else if (arc < 80) text = `${arc < 40 ? 0 : 1}.${arc % 40}`
      else text = `2.${arc - 80}`
      arc = 0
    }
    return text
  }

  /** Epoch milliseconds (RFC 5280 §4.1.2.5: UTCTime up to 2049). */
  time(): number {
    const tag = this.next === tags.generalizedTime ? tags.generalizedTime : tags.utcTime
    const text = ascii(this.contents(tag))
    return parseTime(text, tag === tags.generalizedTime) ?? this.fail(`it is no time: ${JSON.stringify(text)}`)
  }

  /** Reads tag and length; @returns where the contents end. */
  #header(wanted: number | undefined): number {
    const bytes = this.#bytes
    if (this.#end - this.#at < 2) this.fail('it ends too soon')
    const tag = bytes[this.#at]!
    if (wanted !== undefined && tag !== wanted) this.fail(`tag ${hex(tag)} stands for ${hex(wanted)}`)
    if ((tag & 0x1f) === 0x1f || tag === 0) this.fail(`tag ${hex(tag)} is of no kind that belongs here`)
    let length = bytes[this.#at + 1]!
    let start = this.#at + 2
    if (length >= 0x80) {
      const digits = length & 0x7f
      if (digits === 0 || digits > 4) this.fail('a length is unbounded')
      if (this.#end - start < digits) this.fail('it ends too soon')
      length = 0
      for (let left = digits; left > 0; left--) length = length * 256 + bytes[start++]!
      if (length < 0x80 || length < 256 ** (digits - 1)) this.fail('a length is longer than need be')
    }
    if (length > this.#end - start) this.fail('it ends too soon')
    this.#at = start
    return start + length
  }
}

/** Reads the one value that `bytes` is. @throws InvalidArgument, also when it has more than `most` bytes */
export function readDer<T>(what: string, bytes: Uint8Array, most: number, read: (reader: DerReader) => T): T {
  if (bytes.length > most) throw new InvalidArgument(`The ${what} is longer than ${most} bytes: ${bytes.length}`)
  const reader = new DerReader(what, bytes)
  const value = read(reader)
  reader.end()
  return value
}

const hex = (tag: number): string => `0x${tag.toString(16).padStart(2, '0')}`

const ascii = (bytes: Uint8Array): string => (bytes.length > 16 ? '' : String.fromCharCode(...bytes))

export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false
  return true
}
