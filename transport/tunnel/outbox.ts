import type { Channel, PacedChannel } from '../channel.ts'

/** Something that has pieces to send. */
export interface Source {
  /** Sends one piece. False when there is none that may go now; then it is added again when there is. */
  sendPiece(): boolean
}

/** Takes a piece of each in turn, for as long as the channel takes them: who sends much holds up nobody. */
export class Outbox {
  readonly #channel: Channel & Partial<PacedChannel>
  #ready: Source[] = []
  readonly #queued = new Set<Source>()
  #pumping = false

  constructor(channel: Channel & Partial<PacedChannel>) {
    this.#channel = channel
    channel.onDrained?.(() => this.#pump())
  }

  add(source: Source): void {
    if (this.#queued.has(source)) return
    this.#queued.add(source)
    this.#ready.push(source)
    this.#pump()
  }

  clear(): void {
    this.#ready = []
    this.#queued.clear()
  }

  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    for (;;) {
      const source = this.#isFull() ? undefined : this.#ready.shift()
      if (!source) break
      if (source.sendPiece()) this.#ready.push(source)
      else this.#queued.delete(source)
    }
    this.#pumping = false
  }

  #isFull(): boolean { return this.#channel.full === true }
}
