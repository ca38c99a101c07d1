const blockKeysMax = 512

/**
 * Orders well-formed strings as their UTF-8 bytes are ordered. JavaScript compares UTF-16 units, which differs where a
 * surrogate pair (U+10000 and up) meets U+E000–U+FFFF.
 */
export function compareKeys(left: string, right: string): number {
  const length = left.length < right.length ? left.length : right.length
  for (let index = 0; index < length; index++) {
    const l = left.charCodeAt(index)
    const r = right.charCodeAt(index)
    if (l !== r) return rank(l) - rank(r)
  }
  return left.length - right.length
}

/** Surrogates sort above every other unit. */
const rank = (unit: number): number => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800)

/** A map with its keys in order, in blocks: an insert moves one block, not everything behind it. */
export class OrderedMap<Value> {
  readonly #values = new Map<string, Value>()
  readonly #blocks: string[][] = []

  get size(): number {
    return this.#values.size
  }

  get(key: string): Value | undefined {
    return this.#values.get(key)
  }

  set(key: string, value: Value): void {
    if (!this.#values.has(key)) this.#insert(key)
    this.#values.set(key, value)
  }

  delete(key: string): void {
    if (!this.#values.delete(key)) return
    const at = this.#blockOf(key)
    const block = this.#blocks[at] as string[]
    block.splice(lowerBound(block.length, (index) => compareKeys(block[index] as string, key) >= 0), 1)
    if (block.length === 0) this.#blocks.splice(at, 1)
  }

  /** From `start` on, in order; without `start` itself when `after`. */
  *from(start: string, after: boolean): Generator<[string, Value]> {
    const first = this.#blockOf(start)
    for (let at = first; at < this.#blocks.length; at++) {
      const block = this.#blocks[at] as string[]
      const skipped = at > first ? 0 : lowerBound(block.length, (index) => {
        const order = compareKeys(block[index] as string, start)
        return after ? order > 0 : order >= 0
      })
      for (let index = skipped; index < block.length; index++) {
        const key = block[index] as string
        yield [key, this.#values.get(key) as Value]
      }
    }
  }

  /** The last block that starts at or before `key`; the first when none does. */
  #blockOf(key: string): number {
    const blocks = this.#blocks
    const next = lowerBound(blocks.length, (index) => compareKeys((blocks[index] as string[])[0] as string, key) > 0)
    return next === 0 ? 0 : next - 1
  }

  #insert(key: string): void {
    const at = this.#blockOf(key)
    const block = this.#blocks[at]
    if (!block) {
      this.#blocks.push([key])
      return
    }
    block.splice(lowerBound(block.length, (index) => compareKeys(block[index] as string, key) > 0), 0, key)
    if (block.length <= blockKeysMax) return
    // Keys that arrive in order would leave half-empty blocks behind if the split were in the middle
    const cut = block[block.length - 1] === key ? block.length - 1 : block.length >> 1
    this.#blocks.splice(at + 1, 0, block.splice(cut))
  }
}

/** The first index for which `reached` holds; `length` when none. */
function lowerBound(length: number, reached: (index: number) => boolean): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >> 1
    if (reached(middle)) high = middle
    else low = middle + 1
  }
  return low
}
