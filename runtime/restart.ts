import { limits } from './limits.ts'
import type { Random } from './platform/ports.ts'

/**
 * Restart intensity of one actor: more than `limits.restarts` in `limits.restartWindowMs` and it stays down.
 * The back-off doubles with each restart in the window; half of it is jitter, so that actors that died together
 * do not come back together.
 */
export class RestartBudget {
  readonly #random: Random
  #times: number[] = []

  constructor(random: Random) {
    this.#random = random
  }

  /** Milliseconds to wait before this restart, or undefined when the budget is used up. */
  next(nowMs: number): number | undefined {
    this.#times = this.#times.filter((time) => nowMs - time < limits.restartWindowMs)
    if (this.#times.length >= limits.restarts) return undefined
    const backoff = Math.min(limits.restartBackoffMsMin * 2 ** this.#times.length, limits.restartBackoffMsMax)
    this.#times.push(nowMs)
    return backoff / 2 + (backoff / 2) * fraction(this.#random)
  }
}

/** Uniform in [0, 1). */
export function fraction(random: Random): number {
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4)
  return (((a << 24) >>> 0) + (b << 16) + (c << 8) + d) / 2 ** 32
}
