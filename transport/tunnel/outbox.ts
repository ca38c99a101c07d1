import type { Channel, PacedChannel } from '../channel.ts'
import type { By } from './places.ts'

/** Something that has pieces to send. */
export interface Source {
  readonly by?: By
  /** Sends one piece. False when there is none that may go now; then it is added again when there is. */
  sendPiece(): boolean
}

/**
 * Takes a piece of each origin in turn, and of its streams each in turn, for as long as the channel takes them: who
 * sends much, or by many streams, holds up nobody.
 */
export class Outbox {
  readonly #channel: Channel & Partial<PacedChannel>
  /** Who is next stands first: the sources of an origin, by its name, and its OOD's, or its own, before that. */
  readonly #ready = new Map<string, Map<string, Source[]>>()
  readonly #queued = new Set<Source>()
  #pumping = false

  constructor(channel: Channel & Partial<PacedChannel>) {
    this.#channel = channel
    channel.onDrained?.(() => this.#pump())
  }

  add(source: Source): void {
    if (this.#queued.has(source)) return
    this.#queued.add(source)
    this.#append(source)
    this.#pump()
  }

  clear(): void {
    this.#ready.clear()
    this.#queued.clear()
  }

  #append(source: Source): void {
    const [first = '', second = ''] = source.by ?? []
    const group = this.#ready.get(first) ?? new Map<string, Source[]>()
    const sources = group.get(second) ?? []
    sources.push(source)
    group.set(second, sources)
    this.#ready.set(first, group)
  }

  #take(): Source | undefined {
    for (const [first, group] of this.#ready) {
      this.#ready.delete(first)
      for (const [second, sources] of group) {
        const source = sources.shift()
        group.delete(second)
        // Both come last now
        if (sources.length > 0) group.set(second, sources)
        if (group.size > 0) this.#ready.set(first, group)
        return source
      }
    }
    return undefined
  }

  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    for (;;) {
      const source = this.#isFull() ? undefined : this.#take()
      if (!source) break
      if (source.sendPiece()) this.#append(source)
      else this.#queued.delete(source)
    }
    this.#pumping = false
  }

  #isFull(): boolean { return this.#channel.full === true }
}
