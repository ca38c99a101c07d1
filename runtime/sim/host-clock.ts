import type { Clock, Cancel } from '../platform/ports.ts'
import type { Schedule } from './schedule.ts'
import type { SimulatedThread } from './thread.ts'

/** 2026-01-01T00:00:00Z, when every simulation starts. */
export const EPOCH_MS = 1_767_225_600_000

const MILLION = 1_000_000

/** The clocks of one host. Right at first; from outside the wall clock is set, and both run too fast or too slow. */
export class HostClock {
  /** What the wall clock shows beside the time that has passed here. */
  stepMs = 0
  #ppm = 0
  /** When the rate last changed, in true and in the host's own microseconds. */
  #sinceUs = 0
  #ownSinceUs = 0

  get ppm(): number {
    return this.#ppm
  }

  /** From now on its seconds are so many millionths shorter. */
  drift(nowUs: number, ppm: number): void {
    this.#ownSinceUs = this.ownUs(nowUs)
    this.#sinceUs = nowUs
    this.#ppm = ppm
  }

  /** Time that has passed here. */
  ownUs(nowUs: number): number {
    if (this.#ppm === 0) return this.#ownSinceUs + (nowUs - this.#sinceUs)
    return this.#ownSinceUs + Math.floor(((nowUs - this.#sinceUs) * (MILLION + this.#ppm)) / MILLION)
  }

  /** True microseconds in which so many pass here. */
  trueUs(ownUs: number): number {
    return this.#ppm === 0 ? ownUs : Math.ceil((ownUs * MILLION) / (MILLION + this.#ppm))
  }

  wallMs(nowUs: number): number {
    return EPOCH_MS + this.stepMs + Math.floor(this.ownUs(nowUs) / 1_000)
  }

  /** How far the wall clock is ahead of true time; below zero, behind. */
  aheadMs(nowUs: number): number {
    return this.wallMs(nowUs) - EPOCH_MS - Math.floor(nowUs / 1_000)
  }
}

/** The clock of the thread's host; one that is right, for who is on none. */
export function clockOf(
  schedule: Schedule, thread: SimulatedThread, own: HostClock = thread.on?.clock ?? new HostClock(),
): Clock {
  return {
    now: () => own.wallMs(schedule.nowUs),
    monotonic: () => own.ownUs(schedule.nowUs) / 1_000,
    after(delayMs, task): Cancel {
      if (Number.isNaN(delayMs)) throw new RangeError('A delay must be a number: NaN')
      // Timers of both runtimes wait one millisecond at least
      const delayUs = own.trueUs(Math.max(1_000, Math.round(delayMs * 1_000)))
      return schedule.after({ to: thread, lane: thread.lane, delayUs, kind: 'timer', from: '-', task })
    },
    soon: (task) => schedule.soon(thread, task),
  }
}
