import type { Opened } from './barrier.ts'

interface Kept<T> {
  /** The entry as the store has it. */
  readonly sealed: Uint8Array
  readonly value: T
}

/**
 * What was opened lately, of entries that are read for every request and seldom written. Each is still read from the
 * store: only where the very bytes are there that were opened before (they hold a nonce and a tag, and are bound to
 * their path) are they not opened, parsed and checked once more. Frozen, since many have it.
 */
export class KeptReads<T> {
  readonly #most: number
  readonly #kept = new Map<string, Kept<T>>()

  /** `most`: entries; then the oldest is opened again. */
  constructor(most: number) {
    this.#most = most
  }

  find(path: string, sealed: Uint8Array): T | undefined {
    const found = this.#kept.get(path)
    return found && isSame(found.sealed, sealed) ? found.value : undefined
  }

  keep(path: string, sealed: Uint8Array, value: T): Opened<T>['value'] {
    this.#kept.delete(path)
    this.#kept.set(path, { sealed, value: frozen(value) })
    if (this.#kept.size > this.#most) for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest)
      break
    }
    return value
  }
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false
  return true
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const inner of Object.values(value)) frozen(inner)
  return Object.freeze(value)
}
