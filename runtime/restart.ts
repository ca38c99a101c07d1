import { RestartLimit } from './errors.ts'
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
    const failures = this.#times.length
    this.#times.push(nowMs)
    return backoffMs(this.#random, failures, { min: limits.restartBackoffMsMin, max: limits.restartBackoffMsMax })
  }
}

/** Why it stays down when the budget is used up. */
export function diedTooOften(name: string, reason: string): Error {
  const { restarts, restartWindowMs } = limits
  return new RestartLimit(`${name} died more than ${restarts} times in ${restartWindowMs / 1000} s: ${reason}`, {
    actor: name,
  })
}

/** Milliseconds before an attempt after so many failures: doubled each time, and half of it jitter. */
export function backoffMs(random: Random, failures: number, { min, max }: { min: number; max: number }): number {
  const fullMs = Math.min(max, min * 2 ** Math.min(failures, 30))
  return fullMs * (0.5 + 0.5 * fraction(random))
}

/** Uniform in [0, 1). */
export function fraction(random: Random): number {
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4)
  return (((a << 24) >>> 0) + (b << 16) + (c << 8) + d) / 2 ** 32
}
