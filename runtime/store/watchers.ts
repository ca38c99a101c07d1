import { WatchOverrun } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Change, Write } from './change.ts'
import type { Event } from './store.ts'

const nothing = new Uint8Array(0)

interface Watcher {
  readonly prefix: string
  readonly after: number
  readonly queue: Event[]
  /** Events of the queue that the reader has had. */
  read: number
  readonly backlogMax: number
  failure: Error | undefined
  wake: () => void
}

/** The open watches of one store. Each has its own queue, so a slow reader costs the others nothing. */
export class Watchers {
  readonly #open = new Set<Watcher>()

  /** `past` gives the changes after `after` that are there already; they are no backlog, however many they are. */
  async *watch(prefix: string, after: number, signal: AbortSignal, past: () => readonly Change[]): AsyncGenerator<Event> {
    if (signal.aborted) return
    const queue = past().flatMap((change) => eventsOf(change, prefix))
    const watcher: Watcher = {
      prefix, after, queue, read: 0, backlogMax: limits.watchBacklog + queue.length, failure: undefined, wake: () => {},
    }
    const onAbort = (): void => watcher.wake()
    signal.addEventListener('abort', onAbort)
    this.#open.add(watcher)
    try {
      while (!signal.aborted) {
        if (watcher.failure) throw watcher.failure
        const event = next(watcher)
        if (event) yield { ...event, value: new Uint8Array(event.value) }
        else await new Promise<void>((resolve) => { watcher.wake = resolve })
      }
    } finally {
      this.#open.delete(watcher)
      signal.removeEventListener('abort', onAbort)
    }
  }

  publish(change: Change): void {
    for (const watcher of this.#open) {
      // A watch may begin in the future
      if (change.revision <= watcher.after) continue
      const events = eventsOf(change, watcher.prefix)
      if (events.length === 0 || watcher.failure) continue
      const backlog = watcher.queue.length - watcher.read + events.length
      if (backlog > watcher.backlogMax) {
        fail(watcher, new WatchOverrun(`The reader is further behind than ${limits.watchBacklog} events`, { prefix: watcher.prefix }))
      } else {
        for (const event of events) watcher.queue.push(event)
        watcher.wake()
      }
    }
  }

  /** Ends every watch with an error: without one a reader would take the silence for news. */
  close(reason: Error): void {
    for (const watcher of this.#open) fail(watcher, reason)
  }
}

function fail(watcher: Watcher, reason: Error): void {
  watcher.failure ??= reason
  watcher.queue.length = 0
  watcher.wake()
}

function next(watcher: Watcher): Event | undefined {
  const event = watcher.queue[watcher.read]
  if (event) {
    watcher.read++
  } else if (watcher.read > 0) {
    watcher.queue.length = 0
    watcher.read = 0
  }
  if (watcher.read > 1_000 && watcher.read * 2 > watcher.queue.length) {
    watcher.queue.splice(0, watcher.read)
    watcher.read = 0
  }
  return event
}

const eventsOf = ({ writes, revision }: Change, prefix: string): Event[] =>
  writes.filter(({ key }) => key.startsWith(prefix)).map((write) => eventOf(write, revision))

const eventOf = ({ key, entry }: Write, revision: number): Event =>
  ({ type: entry ? 'put' : 'delete', key, value: entry?.value ?? nothing, revision })
