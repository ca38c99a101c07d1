import type { Row } from './rows.ts'

const LANES = 4
const [C1, C2, C3, C4] = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93] as const

/** Of one entry: read before the next one is hashed. */
const hash = new Uint32Array(LANES)

type Hashed = Pick<Row, 'key' | 'create' | 'mod' | 'version'>

/**
 * A digest of a set of entries that one can be added to and taken from: the sum of a hash of each, in four lanes of 32
 * bits. So it is kept up while entries change, and never computed anew. As the sums of a store's log it finds what got
 * lost, doubled or damaged, not what somebody has forged: who can write to etcd is trusted.
 */
export class Digest {
  readonly #lanes = new Uint32Array(LANES)
  count = 0

  add(entry: Hashed, value: Uint8Array): void {
    hashEntry(entry, value)
    for (let lane = 0; lane < LANES; lane++) this.#lanes[lane]! += hash[lane]!
    this.count++
  }

  remove(removed: Hash): void {
    for (let lane = 0; lane < LANES; lane++) this.#lanes[lane]! -= removed[lane]!
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
}

export type Hash = Readonly<Uint32Array>

export function hashOf(entry: Hashed, value: Uint8Array): Hash {
  hashEntry(entry, value)
  return hash.slice()
}

/**
 * MurmurHash3 for 128 bits in words of 32, by Austin Appleby: quick in JavaScript, where a call of SHA-256 for each
 * entry would cost more than all else that a copy does here. Over the key, its length, the revisions, and the value.
 */
function hashEntry({ key, create, mod, version }: Hashed, value: Uint8Array): void {
  hash.fill(key.length)
  for (let at = 0; at < key.length; at += 4) {
    mix(key.charCodeAt(at), unit(key, at + 1), unit(key, at + 2), unit(key, at + 3))
  }
  mix(high(create), low(create), high(mod), low(mod))
  mix(high(version), low(version), value.length, 0)
  const whole = value.length & ~15
  let at = 0
  for (; at < whole; at += 16) mix(word(value, at), word(value, at + 4), word(value, at + 8), word(value, at + 12))
  if (at < value.length) mix(tail(value, at), tail(value, at + 4), tail(value, at + 8), tail(value, at + 12))
  finish(key.length + value.length)
}

function mix(one: number, two: number, three: number, four: number): void {
  let h1 = hash[0]!
  let h2 = hash[1]!
  let h3 = hash[2]!
  let h4 = hash[3]!
  h1 = (Math.imul((rotated(h1 ^ Math.imul(rotated(Math.imul(one, C1), 15), C2), 19) + h2) | 0, 5) + 0x561ccd1b) | 0
  h2 = (Math.imul((rotated(h2 ^ Math.imul(rotated(Math.imul(two, C2), 16), C3), 17) + h3) | 0, 5) + 0x0bcaa747) | 0
  h3 = (Math.imul((rotated(h3 ^ Math.imul(rotated(Math.imul(three, C3), 17), C4), 15) + h4) | 0, 5) + 0x96cd1c35) | 0
  h4 = (Math.imul((rotated(h4 ^ Math.imul(rotated(Math.imul(four, C4), 18), C1), 13) + h1) | 0, 5) + 0x32ac3b17) | 0
  hash[0] = h1
  hash[1] = h2
  hash[2] = h3
  hash[3] = h4
}

function finish(length: number): void {
  for (let lane = 0; lane < LANES; lane++) hash[lane]! ^= length
  sumUp()
  for (let lane = 0; lane < LANES; lane++) {
    let h = hash[lane]!
    h = Math.imul(h ^ h >>> 16, 0x85ebca6b)
    h = Math.imul(h ^ h >>> 13, 0xc2b2ae35)
    hash[lane] = h ^ h >>> 16
  }
  sumUp()
}

function sumUp(): void {
  hash[0] = hash[0]! + hash[1]! + hash[2]! + hash[3]!
  for (let lane = 1; lane < LANES; lane++) hash[lane] = hash[lane]! + hash[0]!
}

const rotated = (word: number, by: number): number => word << by | word >>> (32 - by)
const unit = (text: string, at: number): number => (at < text.length ? text.charCodeAt(at) : 0)
const low = (count: number): number => count >>> 0
const high = (count: number): number => Math.floor(count / 2 ** 32)
const word = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24
const tail = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) | (bytes[at + 1] ?? 0) << 8 | (bytes[at + 2] ?? 0) << 16 | (bytes[at + 3] ?? 0) << 24
