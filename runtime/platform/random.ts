import { randomBytes } from 'node:crypto'
import type { Random } from './ports.ts'

/** Nonces, serial numbers and ids are drawn many at a time; keys and tokens, which are longer, by themselves. */
const POOLED_MAX = 20
const POOL_BYTES = 2_048

let pool: Uint8Array = new Uint8Array()
let at = 0

/** Bytes that nobody else gets, and that are not left behind where they lay. */
function fromPool(length: number): Uint8Array {
  if (at + length > pool.length) {
    // A Uint8Array, whose slice is a copy: that of a Buffer is not
    pool = new Uint8Array(randomBytes(POOL_BYTES))
    at = 0
  }
  const bytes = pool.slice(at, at + length)
  pool.fill(0, at, at += length)
  return bytes
}

/** The operating system's generator. It has no streams: a fork is the same source. */
export const systemRandom: Random = {
  bytes: (length) => (length > POOLED_MAX ? randomBytes(length) : fromPool(length)),
  fork: () => systemRandom,
}
