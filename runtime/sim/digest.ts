import type { Frame } from '../platform/ports.ts'

/**
 * A quick keyed digest of 128 bits (the mixing steps of MurmurHash3, Appleby 2011). It is no cryptography: it tells
 * frames apart in a trace, and stands for a MAC where nobody attacks the function itself.
 */
export class Digest {
  #a: number
  #b: number
  #c: number
  #d: number
  #length = 0

  constructor(key: Uint32Array) {
    this.#a = key[0] ?? 0
    this.#b = key[1] ?? 0
    this.#c = key[2] ?? 0
    this.#d = key[3] ?? 0
  }

  /** Each part is mixed with its length, so that moving a border between parts changes the digest. */
  part(frame: Frame): this {
    this.#length += frame.length + 1
    if (typeof frame === 'string') this.#text(frame)
    else this.#bytes(frame)
    this.#mix(frame.length)
    return this
  }

  #text(text: string): void {
    let index = 0
    for (; index + 1 < text.length; index += 2) this.#mix(text.charCodeAt(index) | (text.charCodeAt(index + 1) << 16))
    if (index < text.length) this.#mix(text.charCodeAt(index))
  }

  #bytes(bytes: Uint8Array): void {
    let index = 0
    for (; index + 3 < bytes.length; index += 4) {
      this.#mix((bytes[index] as number) | ((bytes[index + 1] as number) << 8)
        | ((bytes[index + 2] as number) << 16) | ((bytes[index + 3] as number) << 24))
    }
    for (; index < bytes.length; index++) this.#mix(bytes[index] as number)
  }

  #mix(word: number): void {
    const previous = this.#a
    const mixed = Math.imul(word ^ this.#d, 0xcc9e2d51)
    this.#a = (this.#b + Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)) | 0
    this.#b = this.#c ^ this.#a
    this.#c = (Math.imul((this.#d << 13) | (this.#d >>> 19), 5) + previous) | 0
    this.#d = (previous ^ (mixed + 0xe6546b64)) | 0
  }

  /** Four words; the digest may go on after it. */
  words(): Uint32Array {
    const words = Uint32Array.of(this.#a ^ this.#length, this.#b, this.#c, this.#d)
    for (let round = 0; round < 2; round++) {
      for (let index = 0; index < 4; index++) {
        words[index] = finish((words[index] as number) + (words[(index + 1) & 3] as number))
      }
    }
    return words
  }
}

function finish(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

const noKey = new Uint32Array(4)
/** 16 hexadecimal digits. */
export function shortDigest(frame: Frame): string {
  const words = new Digest(noKey).part(frame).words()
  return (words[0] as number).toString(16).padStart(8, '0') + (words[1] as number).toString(16).padStart(8, '0')
}
