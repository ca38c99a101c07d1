import { StoreDamaged } from '../../errors.ts'
import type { Entry } from '../store.ts'

/** The revisions that an entry had where it came from. */
export interface Row {
  readonly key: string
  readonly create: number
  readonly mod: number
  readonly version: number
  /** etcd's own count of writes when it was copied: those since are the store's. */
  readonly copies: number
}

export const rowOf = ({ key, createRevision, modRevision, version }: Entry, copies: number): Row =>
  ({ key, create: createRevision, mod: modRevision, version, copies })

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })
const FORMAT = 1

/**
 * Many rows in a value, in the order of their keys: of each key only what differs from the one before, and numbers in
 * as many bytes as they need (LEB128). A page costs about a tenth of what a key of etcd for each row would.
 */
export function encodeRows(rows: readonly Row[]): Uint8Array {
  const bytes = new Writer()
  bytes.number(FORMAT)
  bytes.number(rows.length)
  let before: Uint8Array = new Uint8Array()
  for (const { key, create, mod, version, copies } of rows) {
    const name = encoder.encode(key)
    let shared = 0
    while (shared < before.length && shared < name.length && before[shared] === name[shared]) shared++
    bytes.number(shared)
    bytes.number(name.length - shared)
    bytes.append(name.subarray(shared))
    bytes.number(mod)
    bytes.number(mod - create)
    bytes.number(version)
    bytes.number(copies)
    before = name
  }
  return bytes.done()
}

/** @throws StoreDamaged */
export function decodeRows(value: Uint8Array): Row[] {
  const bytes = new Reader(value)
  if (bytes.number() !== FORMAT) throw damaged()
  const rows: Row[] = []
  let name: Uint8Array = new Uint8Array()
  for (let left = bytes.number(); left > 0; left--) {
    const shared = bytes.number()
    const rest = bytes.take(bytes.number())
    const next = new Uint8Array(shared + rest.length)
    next.set(name.subarray(0, shared))
    next.set(rest, shared)
    name = next
    const mod = bytes.number()
    const row = { key: keyOf(name), mod, create: mod - bytes.number(), version: bytes.number(), copies: bytes.number() }
    rows.push(row)
  }
  return rows
}

function keyOf(name: Uint8Array): string {
  try {
    return decoder.decode(name)
  } catch {
    throw damaged()
  }
}

const damaged = (): Error => new StoreDamaged('What etcd has about the revisions of a moved store cannot be read')

class Writer {
  #bytes = new Uint8Array(4_096)
  #end = 0

  number(value: number): void {
    this.#room(10)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#end++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#end++] = rest
  }

  append(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#end)
    this.#end += bytes.length
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.#end)
  }

  #room(length: number): void {
    if (this.#end + length <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#end + length))
    larger.set(this.#bytes)
    this.#bytes = larger
  }
}

class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  number(): number {
    let value = 0
    for (let factor = 1; factor <= Number.MAX_SAFE_INTEGER; factor *= 0x80) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) break
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    throw damaged()
  }

  take(length: number): Uint8Array {
    const end = this.#at + length
    if (end > this.#bytes.length) throw damaged()
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }
}
