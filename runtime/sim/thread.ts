import type { HostClock } from './host-clock.ts'
import type { Hold, Receiver } from './queue.ts'
import type { SeededRandom } from './random.ts'
import { createLane, type Lane } from './schedule.ts'

/** The machine that a thread runs on. */
export interface Machinery {
  readonly name: string
  readonly clock: HostClock
  readonly hold: Hold
}

/** What runs by itself: the observer, a process's main thread, a worker. What was for it is dropped when it ends. */
export class SimulatedThread implements Receiver {
  readonly name: string
  readonly lane: Lane
  /** The observer has none: it is no part of the world. */
  readonly on: Machinery | undefined
  alive = true
  /** Its end, as whoever watches it is told. */
  crash: (reason: string) => void = () => this.end()
  readonly #onUncaught: (error: unknown) => void
  readonly #endings = new Set<() => void>()

  constructor(name: string, random: SeededRandom, onUncaught: (error: unknown) => void, on?: Machinery) {
    this.name = name
    this.lane = createLane(random)
    this.on = on
    this.#onUncaught = onUncaught
  }

  get hold(): Hold | undefined {
    return this.on?.hold
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
