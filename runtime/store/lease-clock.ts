import { limits } from '../limits.ts'
import type { Cancel, Clock } from '../platform/ports.ts'
import type { LeaseRecord } from './change.ts'

interface Running {
  readonly lease: LeaseRecord
  expiresAt: number
  cancel: Cancel
}

/** Calls `expire` once for each lease whose time has passed without a renewal. */
export class LeaseClock {
  readonly #clock: Clock
  readonly #expire: (id: string) => void
  readonly #running = new Map<string, Running>()
  #closed = false

  constructor(clock: Clock, expire: (id: string) => void) {
    this.#clock = clock
    this.#expire = expire
  }

  /** A whole time to live from now: after a restart nobody knows how much of it had passed. */
  start(lease: LeaseRecord): void {
    if (this.#closed) return
    const running = { lease, expiresAt: this.#clock.monotonic() + lease.ttlMs, cancel: () => {} }
    this.#running.set(lease.id, running)
    this.#arm(running)
  }

  /** False when its time has passed, even if its timer has not run yet. */
  renew(id: string): boolean {
    const running = this.#running.get(id)
    const now = this.#clock.monotonic()
    if (!running || now >= running.expiresAt) return false
    running.expiresAt = now + running.lease.ttlMs
    return true
  }

  /** Its end could not be written: it is over all the same, and is ended again in a while. */
  endLater(id: string): void {
    const running = this.#running.get(id)
    if (running && !this.#closed) running.cancel = this.#clock.after(limits.leaseEndMs, () => this.#expire(id))
  }

  end(id: string): void {
    this.#running.get(id)?.cancel()
    this.#running.delete(id)
  }

  close(): void {
    this.#closed = true
    for (const { cancel } of this.#running.values()) cancel()
    this.#running.clear()
  }

  /** A renewal moves `expiresAt` only; the timer looks again when it fires. */
  #arm(running: Running): void {
    const left = running.expiresAt - this.#clock.monotonic()
    running.cancel = this.#clock.after(left < 1 ? 1 : left, () => {
      if (this.#clock.monotonic() < running.expiresAt) this.#arm(running)
      else this.#expire(running.lease.id)
    })
  }
}
