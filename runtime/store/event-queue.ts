import { WatchOverrun } from '../errors.ts'
import { strikes } from '../fault-points.ts'
import { Feed, PENDING, type Polled } from '../feed.ts'
import { limits } from '../limits.ts'
import type { Event } from './store.ts'

const SHORT = 64

/** Between a store and one reader of its events. Each watch has its own, so a slow reader costs the others nothing. */
export class EventQueue extends Feed<Event> {
  #events: (Event | undefined)[] = []
  /** Events at the front that the reader has had, and where the next one is put. */
  #read = 0
  #end = 0
  #backlogMax: number = limits.watchBacklog
  #failure: Error | undefined

  /** Events from before the watch began; a long replay is no backlog. */
  replay(events: readonly Event[]): void {
    this.#backlogMax += events.length
    this.push(events)
  }

  push(events: readonly Event[]): void {
    if (events.length === 0 || this.#failure) return
    if (this.#end - this.#read + events.length > this.#backlogMax || strikes('store/overrun')) {
      this.fail(new WatchOverrun(`The reader is further behind than ${limits.watchBacklog} events`))
      return
    }
    for (const event of events) this.#events[this.#end++] = event
    this.onReady()
  }

  /** The reader gets this instead of what waits for it. */
  fail(reason: Error): void {
    this.#failure ??= reason
    this.close()
    this.onReady()
  }

  poll(): Polled<Event> {
    if (this.#failure) throw this.#failure
    if (this.#read === this.#end) return PENDING
    const event = this.#events[this.#read]!
    this.#events[this.#read++] = undefined
    if (this.#read === this.#end) {
      // A short one is used again: most events are read before the next one comes
      if (this.#end > SHORT) this.#events = []
      this.#read = this.#end = 0
    } else if (this.#read > 1_000 && this.#read * 2 > this.#end) {
      this.#events.splice(0, this.#read)
      this.#end -= this.#read
      this.#read = 0
    }
    return event
  }

  close(): void {
    this.#events = []
    this.#read = this.#end = 0
  }
}
