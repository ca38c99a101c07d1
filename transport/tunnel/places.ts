/**
 * For whom a stream is led on: the host or device by whose tunnel it came, after the OOD that has passed it on if one
 * has. Said by the host that leads it on, of what it knows itself.
 */
export type By = readonly string[]

/** Places that many share, and how many of them each has. What an OOD passes on counts as that OOD's as well. */
export class Places {
  readonly #taken = new Map<string, number>()

  taken(by: By): number { return this.#taken.get(keyOf(by)) ?? 0 }

  /** Of `free` places those that are for it: an OOD takes no more than it leaves, whomever it says they are for. */
  left(by: By, free: number): number {
    return by.length > 1 ? free - this.taken(by.slice(0, 1)) : free
  }

  /** @returns what gives it back, once */
  take(by: By): () => void {
    const keys = by.map((_, index) => keyOf(by.slice(0, index + 1)))
    this.#add(keys, 1)
    let isTaken = true
    return () => {
      if (isTaken) this.#add(keys, -1)
      isTaken = false
    }
  }

  #add(keys: readonly string[], more: number): void {
    for (const key of keys) {
      const now = (this.#taken.get(key) ?? 0) + more
      if (now > 0) this.#taken.set(key, now)
      else this.#taken.delete(key)
    }
  }
}

const keyOf = (by: By): string => JSON.stringify(by)
