import type { Keys } from '../../platform/ports.ts'
import type { Row } from './rows.ts'

const LANES = 8
const encoder = new TextEncoder()

/**
 * A digest of a set of entries that one can be added to and taken from: the sum of the SHA-256 of each, in eight lanes
 * of 32 bits. So it is kept up while entries change, and never computed anew. It finds what got lost, doubled or
 * damaged; against somebody who chooses the entries it is no proof.
 */
export class Digest {
  readonly #lanes = new Uint32Array(LANES)
  count = 0

  add(hash: Uint8Array): void {
    this.#sum(hash, 1)
    this.count++
  }

  remove(hash: Uint8Array): void {
    this.#sum(hash, -1)
    this.count--
  }

  merge(other: Digest): void {
    for (let lane = 0; lane < LANES; lane++) this.#lanes[lane]! += other.#lanes[lane]!
    this.count += other.count
  }

  equals(other: Digest): boolean {
    return this.count === other.count && this.#lanes.every((lane, index) => lane === other.#lanes[index])
  }

  /** Hexadecimal. */
  toString(): string {
    return Array.from(this.#lanes, (lane) => lane.toString(16).padStart(8, '0')).join('')
  }

  #sum(hash: Uint8Array, sign: 1 | -1): void {
    for (let lane = 0; lane < LANES; lane++) {
      const at = lane * 4
      const word = hash[at]! << 24 | hash[at + 1]! << 16 | hash[at + 2]! << 8 | hash[at + 3]!
      this.#lanes[lane]! += sign * word
    }
  }
}

type Hashed = Pick<Row, 'key' | 'create' | 'mod' | 'version'>

/** Of an entry with its revisions, as its source has them. Keys end where the numbers begin, whatever is in them. */
export function entryHash({ hash }: Keys, { key, create, mod, version }: Hashed, value: Uint8Array): Uint8Array {
  const head = encoder.encode(`${key.length} ${create} ${mod} ${version} ${key}\n`)
  const bytes = new Uint8Array(head.length + value.length)
  bytes.set(head)
  bytes.set(value, head.length)
  return hash(bytes)
}
