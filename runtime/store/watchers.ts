import type { Change, Write } from './change.ts'
import { EventQueue } from './event-queue.ts'
import type { Event } from './store.ts'

const nothing = new Uint8Array(0)

interface Watcher {
  readonly prefix: string
  readonly after: number
  readonly queue: EventQueue
}

/** The open watches of one store. */
export class Watchers {
  readonly #open = new Set<Watcher>()

  /** `past` gives the changes after `after` that are there already. */
  async *watch(
    prefix: string, after: number, signal: AbortSignal, past: () => readonly Change[],
  ): AsyncGenerator<Event> {
    if (signal.aborted) return
    const watcher: Watcher = { prefix, after, queue: new EventQueue() }
    watcher.queue.replay(past().flatMap((change) => eventsOf(change, prefix)))
    this.#open.add(watcher)
    const end = (): void => void this.#open.delete(watcher)
    // At once: the reader may not come back
    signal.addEventListener('abort', end, { once: true })
    try {
      yield* watcher.queue.read(signal)
    } finally {
      signal.removeEventListener('abort', end)
      end()
    }
  }

  publish(change: Change): void {
    for (const { prefix, after, queue } of this.#open) {
      // A watch may begin in the future
      if (change.revision > after) queue.push(eventsOf(change, prefix))
    }
  }

  /** Ends every watch with an error: without one a reader would take the silence for news. */
  close(reason: Error): void {
    for (const { queue } of this.#open) queue.fail(reason)
  }
}

const eventsOf = ({ writes, revision }: Change, prefix: string): Event[] =>
  writes.filter(({ key }) => key.startsWith(prefix)).map((write) => eventOf(write, revision))

const eventOf = ({ key, entry }: Write, revision: number): Event =>
  ({ type: entry ? 'put' : 'delete', key, value: entry?.value ?? nothing, revision })
