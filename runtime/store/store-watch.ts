import { ENDED, Feed, PENDING, type Polled } from '../feed.ts'
import type { Cancel } from '../platform/ports.ts'
import { EventQueue } from './event-queue.ts'
import type { Event } from './store.ts'

/** What `Store.watch` gives: begins when it is first read, ends when its signal aborts or its reader leaves. */
export class StoreWatch extends Feed<Event> {
  readonly #begin: (queue: EventQueue) => Cancel
  readonly #signal: AbortSignal
  readonly #queue = new EventQueue()
  #cancel: Cancel | undefined
  #beginning = false
  #ended = false

  /** @param begin starts to fill the queue, and returns how to stop that */
  constructor(signal: AbortSignal, begin: (queue: EventQueue) => Cancel) {
    super()
    this.#signal = signal
    this.#begin = begin
    this.#queue.onReady = () => this.onReady()
  }

  poll(): Polled<Event> {
    if (this.#ended) return ENDED
    if (!this.#cancel) {
      if (this.#signal.aborted) return ENDED
      // What is there already is told within `begin`: it waits in the queue until that is done
      if (this.#beginning) return PENDING
      this.#beginning = true
      this.#cancel = this.#begin(this.#queue)
      // At once: the reader may not come back
      this.#signal.addEventListener('abort', this.#onAbort, { once: true })
    }
    try {
      return this.#queue.poll()
    } catch (error) {
      this.close()
      throw error
    }
  }

  close(): void {
    this.#ended = true
    this.#cancel?.()
    this.#cancel = undefined
    this.#queue.close()
    this.#signal.removeEventListener('abort', this.#onAbort)
  }

  readonly #onAbort = (): void => {
    this.close()
    this.onReady()
  }
}
