import { WatchOverrun } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Event } from './store.ts'

/** Between a store and one reader of its events. Each watch has its own, so a slow reader costs the others nothing. */
export class EventQueue {
  #events: Event[] = []
  /** Events at the front that the reader has had. */
  #read = 0
  #backlogMax: number = limits.watchBacklog
  #failure: Error | undefined
  #wake: () => void = () => {}

  /** Events from before the watch began; a long replay is no backlog. */
  replay(events: readonly Event[]): void {
    this.#backlogMax += events.length
    this.push(events)
  }

  push(events: readonly Event[]): void {
    if (events.length === 0 || this.#failure) return
    if (this.#events.length - this.#read + events.length > this.#backlogMax) {
      this.fail(new WatchOverrun(`The reader is further behind than ${limits.watchBacklog} events`))
      return
    }
    for (const event of events) this.#events.push(event)
    this.#wake()
  }

  /** The reader gets this instead of what waits for it. */
  fail(reason: Error): void {
    this.#failure ??= reason
    this.#events = []
    this.#read = 0
    this.#wake()
  }

  /** Ends when `signal` aborts. For one reader. */
  async *read(signal: AbortSignal): AsyncGenerator<Event> {
    const onAbort = (): void => this.#wake()
    signal.addEventListener('abort', onAbort)
    try {
      while (!signal.aborted) {
        if (this.#failure) throw this.#failure
        const event = this.#next()
        // A copy of the value: other readers have the same event
        if (event) yield { ...event, value: new Uint8Array(event.value) }
        else await new Promise<void>((resolve) => { this.#wake = resolve })
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #next(): Event | undefined {
    const event = this.#events[this.#read]
    if (event) this.#read++
    if (this.#read === this.#events.length || this.#read > 1_000 && this.#read * 2 > this.#events.length) {
      this.#events.splice(0, this.#read)
      this.#read = 0
    }
    return event
  }
}
