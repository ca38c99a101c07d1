import type { Cancel, Clock } from '../platform/ports.ts'

/** Longest delay that timers of all runtimes take. */
const DELAY_MS_MAX = 2 ** 31 - 1

/**
 * One timer for all deadlines of one place. It is set for the earliest deadline seen, and what waits is then looked
 * through once: a call costs a comparison, not a timer.
 */
export class Deadlines {
  readonly #clock: Clock
  readonly #expire: (now: number) => number
  #at = Infinity
  #cancel: Cancel | undefined

  /** `expire` ends what is due and returns the earliest deadline that is left, or Infinity. */
  constructor(clock: Clock, expire: (now: number) => number) {
    this.#clock = clock
    this.#expire = expire
  }

  add(deadline: number): void {
    if (deadline < this.#at) this.#set(deadline)
  }

  #set(deadline: number): void {
    this.#cancel?.()
    this.#at = deadline
    const delayMs = Math.min(Math.max(1, deadline - this.#clock.now()), DELAY_MS_MAX)
    this.#cancel = this.#clock.after(delayMs, () => {
      this.#stop()
      const next = this.#expire(this.#clock.now())
      if (next !== Infinity) this.add(next)
    })
  }

  #stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#at = Infinity
  }

  close(): void {
    this.#stop()
  }
}
