import { limits } from '../../runtime/limits.ts'
import type { Cancel, Clock } from '../../runtime/platform/ports.ts'
import { violation } from './messages.ts'

/** Notices a peer that is gone without a word: one that is silent is asked, and one that is silent then is gone. */
export class KeepAlive {
  readonly #clock: Clock
  readonly #ask: (n: number) => void
  readonly #look: () => boolean
  #heardMs: number
  #asked = 0
  #answered = 0
  #timer: Cancel | undefined

  /** `look`: runs each time; false when the tunnel is over. */
  constructor(clock: Clock, ask: (n: number) => void, look: () => boolean) {
    this.#clock = clock
    this.#ask = ask
    this.#look = look
    this.#heardMs = clock.monotonic()
  }

  get silent(): boolean {
    return this.#clock.monotonic() - this.#heardMs >= limits.tunnelSilenceMs
  }

  heard(): void {
    this.#heardMs = this.#clock.monotonic()
  }

  /** @throws TunnelViolation when that was never asked, or answered before */
  answered(n: number): void {
    if (n > this.#asked || n <= this.#answered) throw violation('an answer to no question')
    this.#answered = n
  }

  start(): void {
    this.heard()
    const tick = (): void => {
      if (!this.#look()) return
      if (this.#clock.monotonic() - this.#heardMs >= limits.tunnelPingMs) this.#ask(++this.#asked)
      this.#timer = this.#clock.after(limits.tunnelPingMs, tick)
    }
    this.#timer = this.#clock.after(limits.tunnelPingMs, tick)
  }

  stop(): void {
    this.#timer?.()
  }
}
