import { createHash } from 'node:crypto'
import type { Random } from '../platform/ports.ts'

/** Lowest and highest value, both included. */
export type Range = readonly [number, number]

/** xoshiro128** (Blackman, Vigna 2018), seeded by SHA-256 of the path of labels: the same on every runtime. */
export class SeededRandom implements Random {
  readonly #path: string
  readonly #state: Uint32Array

  constructor(path: string) {
    this.#path = path
    const digest = createHash('sha256').update(path).digest()
    this.#state = Uint32Array.from([0, 4, 8, 12], (offset) => digest.readUInt32LE(offset))
  }

  fork(label: string): SeededRandom {
    return new SeededRandom(`${this.#path}/${JSON.stringify(label)}`)
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let index = 0; index < length; index += 4) {
      const word = this.word()
      bytes[index] = word
      if (index + 1 < length) bytes[index + 1] = word >>> 8
      if (index + 2 < length) bytes[index + 2] = word >>> 16
      if (index + 3 < length) bytes[index + 3] = word >>> 24
    }
    return bytes
  }

  within([least, most]: Range): number {
    return least + (this.word() % (most - least + 1))
  }

  /** 32 bits. */
  word(): number {
    const state = this.#state
    const [s0, s1, s2, s3] = [state[0] as number, state[1] as number, state[2] as number, state[3] as number]
    const scrambled = Math.imul(rotate(Math.imul(s1, 5), 7), 9) >>> 0
    const third = s2 ^ s0
    const fourth = s3 ^ s1
    state[1] = s1 ^ third
    state[0] = s0 ^ fourth
    state[2] = third ^ (s1 << 9)
    state[3] = rotate(fourth, 11)
    return scrambled
  }
}

const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by))
