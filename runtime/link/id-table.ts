const SIZE = 1_024

/**
 * By id, where ids grow and most leave soon. A `Map` does that too, but each time it makes room for new keys it leaves
 * a table that points to the next one; once the collector has moved one of them to the old generation, all that follow
 * it live until a full collection (measured: a third of all time at 64 calls in flight).
 */
export class IdTable<T extends { readonly id: number }> {
  readonly #ring: (T | undefined)[] = new Array<T | undefined>(SIZE).fill(undefined)
  /** What still was in its place when a later id needed it. */
  readonly #overtaken = new Map<number, T>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: number): T | undefined {
    const found = this.#ring[id & (SIZE - 1)]
    return found?.id === id ? found : this.#overtaken.get(id)
  }

  /** The id is greater than all before. */
  add(item: T): void {
    const place = item.id & (SIZE - 1)
    const old = this.#ring[place]
    if (old) this.#overtaken.set(old.id, old)
    this.#ring[place] = item
    this.#size++
  }

  delete(id: number): boolean {
    const place = id & (SIZE - 1)
    if (this.#ring[place]?.id === id) this.#ring[place] = undefined
    else if (this.#overtaken.size === 0 || !this.#overtaken.delete(id)) return false
    this.#size--
    return true
  }

  /** In no order. */
  values(): T[] {
    return [...this.#overtaken.values(), ...this.#ring.filter((item) => item !== undefined)]
  }

  clear(): void {
    this.#ring.fill(undefined)
    this.#overtaken.clear()
    this.#size = 0
  }
}
