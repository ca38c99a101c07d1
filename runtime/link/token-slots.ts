import { limits } from '../limits.ts'

/** Which token the caller bound to which number on one link, least recently used first. */
export class TokenSlots {
  readonly #slots = new Map<string, number>()
  #lastToken = ''
  #lastSlot = 0

  /** 0 when the token is not bound. */
  find(token: string): number {
    if (token === this.#lastToken) return this.#lastSlot
    const slot = this.#slots.get(token)
    if (slot === undefined) return 0
    this.#slots.delete(token)
    this.#touch(token, slot)
    return slot
  }

  /** A free number, or that of the least recently used token, which is then no longer bound. */
  take(token: string): number {
    let slot = this.#slots.size + 1
    if (slot > limits.boundTokens) {
      const [oldest, freed] = this.#slots.entries().next().value as [string, number]
      this.#slots.delete(oldest)
      slot = freed
    }
    this.#touch(token, slot)
    return slot
  }

  #touch(token: string, slot: number): void {
    this.#slots.set(token, slot)
    this.#lastToken = token
    this.#lastSlot = slot
  }
}
