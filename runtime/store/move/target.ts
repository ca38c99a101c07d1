import { Cancelled, Unavailable } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { Clock } from '../../platform/ports.ts'
import { pause } from '../../within.ts'
import { names, type Area, type AreaCompare, type AreaOperation, type Found, type Range } from './area.ts'
import type { Lock } from './lock.ts'
import { only } from './open-area.ts'

/** Milliseconds between looks at an etcd that is away; its client has tried for longer already. */
const AGAIN_MS = 200

/** The target of a move to its mover: written under its lock, and waited for when it is away. */
export class LockedTarget {
  readonly area: Area
  readonly lock: Lock
  readonly #clock: Clock
  readonly #signal: AbortSignal
  /** Since when nothing was answered; monotonic milliseconds. */
  #awaySince: number | undefined
  #regaining: Promise<void> | undefined

  constructor(area: Area, lock: Lock, clock: Clock, signal: AbortSignal) {
    this.area = area
    this.lock = lock
    this.#clock = clock
    this.#signal = signal
  }

  get isAway(): boolean {
    return this.#awaySince !== undefined
  }

  /** @throws Unavailable when etcd stays away, Cancelled */
  async read(ranges: readonly Range[]): Promise<readonly Found[]> {
    return (await this.patiently(() => this.area.read(ranges))).ranges
  }

  /**
   * False when a compare did not hold: then nothing was done, or it was done before by an attempt that was not heard.
   * @throws StoreBeingMoved when the lock is another's, Unavailable, Cancelled
   */
  async write(compare: readonly AreaCompare[], success: readonly AreaOperation[]): Promise<boolean> {
    for (;;) {
      const { guard } = this.lock
      const { succeeded, ranges } = await this.patiently(() => this.area.transact({
        compare: [guard, ...compare], success, failure: [{ from: names.lock }],
        // Done a second time it finds what the first one has written, and does nothing
        repeatable: true,
      }))
      if (succeeded) return true
      const found = only(ranges[0]!)
      if (found?.mod === this.lock.guard.mod) return false
      // Others that write at the same time find the same
      if (guard.mod === this.lock.guard.mod) {
        this.#regaining ??= this.lock.regain(found).finally(() => { this.#regaining = undefined })
        await this.#regaining
      }
    }
  }

  /** Again and again while etcd is away: of a write, what is compared has to keep it from being done twice. */
  async patiently<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      if (this.#signal.aborted) throw new Cancelled('The move was ended')
      try {
        const answer = await call()
        this.#awaySince = undefined
        return answer
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error
        const now = this.#clock.monotonic()
        this.#awaySince ??= now
        if (now - this.#awaySince < limits.moveWaitMs) await pause(this.#clock, AGAIN_MS, this.#signal)
        else {
          throw new Unavailable(`etcd went away, and did not come back within ${limits.moveWaitMs / 1000} s: `
            + error.message, { next: 'Nothing is lost. Run it again when etcd answers: it goes on where it was' })
        }
      }
    }
  }
}
