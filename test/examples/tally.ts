import type { Store } from '../../runtime/store/store.ts'

const KEY = 'total'
const text = {
  encode: (total: number) => new TextEncoder().encode(String(total)),
  decode: (bytes: Uint8Array) => Number(new TextDecoder().decode(bytes)),
}

/** A running total that survives restarts: the store's revision counts its changes. */
export class Tally {
  readonly #store: Store
  #total: number

  private constructor(store: Store, total: number) {
    this.#store = store
    this.#total = total
  }

  static async open(store: Store): Promise<Tally> {
    const entry = await store.get(KEY)
    return new Tally(store, entry ? text.decode(entry.value) : 0)
  }

  async add(by: number): Promise<number> {
    await this.#store.put(KEY, text.encode(this.#total + by))
    this.#total += by
    return this.#total
  }

  async *since(after: number, signal: AbortSignal): AsyncIterable<{ revision: number; total: number }> {
    for await (const { revision, value } of this.#store.watch(KEY, { after, signal })) {
      yield { revision, total: text.decode(value) }
    }
  }
}
