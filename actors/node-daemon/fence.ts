import { limits } from '../../runtime/limits.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import { pause } from '../../runtime/within.ts'
import type { NodeConfig } from '../records.ts'

export interface FenceOptions {
  /** One that lasts, by which `saw` is told as well: a host that slept was not answered meanwhile. */
  readonly clock: Clock
  readonly stopping: AbortSignal
  /** Reads what this host is to run and whether it is called lost, and tells `saw`. */
  readonly look: () => Promise<void>
  /** Stops what may be started elsewhere. */
  readonly close: () => Promise<void>
  /** This host is of the zone again: what it should run may start. */
  readonly opened: () => void
  readonly warn: (message: string) => void
}

/**
 * A host that cannot read what it should run, or reads that it is called lost, may run what was started elsewhere
 * meanwhile: once it has been so for `limits.hostFenceMs` it stops what may be, before the zone starts that elsewhere.
 * One that starts anew has `limits.hostConfirmMs` to read it.
 */
export class Fence {
  readonly #options: FenceOptions
  /** Monotonic milliseconds at which it was asked for the last answer by which this host may run what it runs. */
  #confirmedMs: number
  #lost = false
  #closed = false

  constructor(options: FenceOptions) {
    this.#options = options
    // When a daemon before this one was answered last is not known, nor whether what it started still runs
    this.#confirmedMs = options.clock.monotonic() - limits.hostFenceMs + limits.hostConfirmMs
  }

  /** What may be started elsewhere runs no more. */
  get closed(): boolean {
    return this.#closed
  }

  /** Nothing that may be started elsewhere is started. */
  get mayStart(): boolean {
    return !this.#closed && !this.#lost && this.#leftMs > 0
  }

  /** @param askedMs when it was asked: by then it was so, or later */
  saw({ lost, report }: { readonly lost: boolean; readonly report: NodeConfig['report'] }, askedMs: number): void {
    const couldStart = this.mayStart
    // Where nobody watches, a record is of before
    this.#lost = lost && report === 'regularly'
    if (!this.#lost) {
      this.#confirmedMs = Math.max(this.#confirmedMs, askedMs)
      if (this.#closed && this.#leftMs > 0) this.#closed = false
    }
    if (!couldStart && this.mayStart) this.#options.opened()
  }

  /** Until the actor stops. */
  async run(): Promise<void> {
    await Promise.all([this.#looking(), this.#closing()])
  }

  get #leftMs(): number {
    return this.#confirmedMs + limits.hostFenceMs - this.#options.clock.monotonic()
  }

  async #looking(): Promise<void> {
    const { clock, stopping, look } = this.#options
    while (!stopping.aborted) {
      // What fails is told by the rounds. Also where nobody watches: from when that was read last it may be otherwise
      await look().catch(() => {})
      await pause(clock, limits.hostConfirmMs, stopping)
    }
  }

  async #closing(): Promise<void> {
    const { clock, stopping, close, warn } = this.#options
    while (!stopping.aborted) {
      const waitMs = this.#closed ? limits.hostConfirmMs : Math.min(limits.clockLookMs, this.#leftMs)
      await pause(clock, Math.max(1, waitMs), stopping)
      if (stopping.aborted) return
      if (this.#leftMs > 0) continue
      this.#closed = true
      // Again while it lasts: what did not stop is tried again
      await close().catch((error: Error) => warn(`What may run elsewhere by now did not stop: ${error.message}`))
    }
  }
}
