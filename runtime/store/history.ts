import { Compacted } from '../errors.ts'
import { limits } from '../limits.ts'
import { entryBytes, type Change } from './change.ts'

/** Beside key and value: what a kept change costs, about. */
const changeBytes = 128

/** The last changes that wrote something. Every revision has one, so a revision is an index. */
export class History {
  #floor: number
  #changes: Change[] = []
  /** Changes at the front that are already forgotten. */
  #forgotten = 0
  #bytes = 0

  /** @param floor the revision after which it knows everything */
  constructor(floor: number) {
    this.#floor = floor
  }

  get floor(): number {
    return this.#floor
  }

  push(change: Change): void {
    this.#changes.push(change)
    this.#bytes += sizeOf(change)
    while (this.#changes.length - this.#forgotten > limits.watchHistory || this.#bytes > limits.watchHistoryBytes) {
      const oldest = this.#changes[this.#forgotten++] as Change
      this.#bytes -= sizeOf(oldest)
      this.#floor = oldest.revision
    }
    if (this.#forgotten > 1_000 && this.#forgotten * 2 > this.#changes.length) {
      this.#changes.splice(0, this.#forgotten)
      this.#forgotten = 0
    }
  }

  /** @throws Compacted */
  since(after: number): readonly Change[] {
    if (after < this.#floor) {
      throw new Compacted(`History reaches back to revision ${this.#floor} only: ${after}`, { floor: this.#floor })
    }
    return this.#changes.slice(this.#forgotten + after - this.#floor)
  }
}

const sizeOf = ({ writes }: Change): number =>
  writes.reduce((sum, { key, entry }) => sum + (entry ? entryBytes(entry) : key.length), changeBytes)
