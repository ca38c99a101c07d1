import type { Change, Write } from './change.ts'
import type { EventQueue } from './event-queue.ts'
import { StoreWatch } from './store-watch.ts'
import type { Event } from './store.ts'

const nothing = new Uint8Array(0)

interface Watcher {
  readonly after: number
  readonly queue: EventQueue
}

/** The open watches of one store. */
export class Watchers {
  /** By prefix: what a change has for one of them is looked up once. */
  readonly #open = new Map<string, Set<Watcher>>()

  /** `past` gives the changes after `after` that are there already. */
  watch(prefix: string, after: number, signal: AbortSignal, past: () => readonly Change[]): StoreWatch {
    return new StoreWatch(signal, (queue) => {
      queue.replay(past().flatMap((change) => within(prefix, eventsOf(change))))
      const watcher = { after, queue }
      const open = this.#open.get(prefix) ?? new Set()
      this.#open.set(prefix, open.add(watcher))
      return () => {
        if (open.delete(watcher) && open.size === 0) this.#open.delete(prefix)
      }
    })
  }

  /** All watchers get the same event objects: what is made of one can be kept for the others. */
  publish(change: Change): void {
    if (this.#open.size === 0) return
    const all = eventsOf(change)
    for (const [prefix, watchers] of this.#open) {
      const events = within(prefix, all)
      if (events.length === 0) continue
      for (const { after, queue } of watchers) {
        // A watch may begin in the future
        if (change.revision > after) queue.push(events)
      }
    }
  }

  /** Ends every watch with an error: without one a reader would take the silence for news. */
  close(reason: Error): void {
    for (const watchers of this.#open.values()) {
      for (const { queue } of watchers) queue.fail(reason)
    }
  }
}

const within = (prefix: string, events: readonly Event[]): readonly Event[] =>
  events.filter(({ key }) => key.startsWith(prefix))

const eventsOf = ({ writes, revision }: Change): Event[] => writes.map((write) => eventOf(write, revision))

/** Each reader gets a copy of the value, when it asks for it: others have the same event. */
const eventOf = ({ key, entry }: Write, revision: number): Event => ({
  type: entry ? 'put' : 'delete', key, revision,
  get value() { return entry ? new Uint8Array(entry.value) : nothing },
})
