import { isStoreAway, RestartLimit } from './errors.ts'
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

/** What follows when an attempt to serve is over. */
export interface Next {
  readonly waitMs: number
  /** Its store is away: that is no death, and it is waited for, however long it takes. */
  readonly isWait: boolean
}

/** A need of it has died, which costs it nothing. */
export const AT_ONCE: Next = { waitMs: 0, isWait: false }

/** Decides what follows an attempt: deaths have a budget, and a store that is away is waited for. */
export class Restarts {
  readonly #name: string
  readonly #budget: RestartBudget
  readonly #random: Random
  readonly #warn: (message: string) => void
  #waits = 0

  /** `warn` is told of a store that is away: less and less often while it stays so. */
  constructor(name: string, random: Random, warn: (message: string) => void) {
    this.#name = name
    this.#warn = warn
    this.#budget = new RestartBudget(random)
    this.#random = random.fork('store away')
  }

  /** @returns the error that it stays down with, when its budget is used up */
  after(reason: string, error: Error | undefined, nowMs: number): Next | Error {
    if (isStoreAway(error)) return this.#wait(reason)
    this.#waits = 0
    const waitMs = this.#budget.next(nowMs)
    return waitMs === undefined ? diedTooOften(this.#name, reason) : { waitMs, isWait: false }
  }

  #wait(reason: string): Next {
    const waitMs = backoffMs(this.#random, this.#waits, { min: limits.storeAwayMsMin, max: limits.storeAwayMsMax })
    this.#waits++
    // The first, second, fourth, … is told
    if ((this.#waits & (this.#waits - 1)) === 0) {
      this.#warn(`Its store is away, and it waits for that (attempt ${this.#waits}, the next in ${
        Math.ceil(waitMs / 1000)} s): ${reason}`)
    }
    return { waitMs, isWait: true }
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
