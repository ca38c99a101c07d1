import type { Cancel, Clock } from '../platform/ports.ts'
import type { Receiver } from './queue.ts'
import type { SeededRandom } from './random.ts'
import { createLane, type Lane, type Schedule } from './schedule.ts'

/** 2026-01-01T00:00:00Z, when every simulation starts. */
export const EPOCH_MS = 1_767_225_600_000

/** What runs by itself: the observer, a process's main thread, a worker. What was for it is dropped when it ends. */
export class SimulatedThread implements Receiver {
  readonly name: string
  readonly lane: Lane
  alive = true
  readonly #onUncaught: (error: unknown) => void
  readonly #endings = new Set<() => void>()

  constructor(name: string, random: SeededRandom, onUncaught: (error: unknown) => void) {
    this.name = name
    this.lane = createLane(random)
    this.#onUncaught = onUncaught
  }

  uncaught(error: unknown): void {
    this.#onUncaught(error)
  }

  /** Runs when the thread ends, or at once when it has; the returned function takes it back. */
  onEnd(listener: () => void): () => void {
    if (!this.alive) {
      listener()
      return () => {}
    }
    this.#endings.add(listener)
    return () => void this.#endings.delete(listener)
  }

  end(): void {
    if (!this.alive) return
    this.alive = false
    for (const listener of this.#endings) listener()
    this.#endings.clear()
  }

  /** The value, by microtask; never settles in a thread that has ended. */
  async whileAlive<T>(act: () => T | Promise<T>): Promise<T> {
    if (!this.alive) return never<T>()
    const value = await act()
    return this.alive ? value : never<T>()
  }
}

export const never = <T>(): Promise<T> => new Promise<T>(() => {})

/** What a host's wall clock shows beside the time that has passed. */
export interface WallClock { stepMs: number }

export function clockOf(schedule: Schedule, thread: SimulatedThread, wall: WallClock = { stepMs: 0 }): Clock {
  return {
    now: () => EPOCH_MS + wall.stepMs + Math.floor(schedule.nowUs / 1_000),
    monotonic: () => schedule.nowUs / 1_000,
    after(delayMs, task): Cancel {
      if (Number.isNaN(delayMs)) throw new RangeError('A delay must be a number: NaN')
      // Timers of both runtimes wait one millisecond at least
      const delayUs = Math.max(1_000, Math.round(delayMs * 1_000))
      return schedule.after({ to: thread, lane: thread.lane, delayUs, kind: 'timer', from: '-', task })
    },
    soon: (task) => schedule.soon(thread, task),
  }
}
