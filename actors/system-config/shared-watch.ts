import { ENDED, feedOf, PENDING, type Feed } from '../../runtime/feed.ts'
import { limits } from '../../runtime/limits.ts'
import type { Cancel } from '../../runtime/platform/ports.ts'
import type { EventQueue } from '../../runtime/store/event-queue.ts'
import { StoreWatch } from '../../runtime/store/store-watch.ts'
import type { Event, Store } from '../../runtime/store/store.ts'

/** What a watch is of, in the names of the store. */
export interface Wanted {
  readonly prefix: string
  /** Whether it is told of keys that are not kept here. */
  readonly seesUnkept: boolean
  readonly after: number
}

interface Reader extends Wanted { readonly queue: EventQueue }

const EVENT_BYTES = 256
const bytesOf = ({ key, value }: { readonly key: string; readonly value?: Uint8Array }): number =>
  EVENT_BYTES + key.length + (value?.length ?? 0)

/**
 * One watch of a store for all watches below one prefix: each of a thousand hosts follows keys of its own, and a stream
 * to etcd for each of them would be thousands. What happened last is kept, so that who comes, or comes back, goes on
 * where it stopped. A watch from before that has a stream of its own until it has caught up.
 */
export class SharedWatches {
  readonly #store: Store
  readonly #prefix: string
  readonly #isKept: (key: string) => boolean
  readonly #readers = new Set<Reader>()
  #stop: (() => void) | undefined
  /** In order, all that are kept with a revision behind `#floor`. */
  #recent: Event[] = []
  #bytes = 0
  #floor = 0
  /** Revision of the last event that came; all up to it have come. */
  #at = 0

  /** @param isKept what changes all the time would push out the rest: of such keys nothing is kept */
  constructor(store: Store, prefix: string, isKept: (key: string) => boolean = () => true) {
    this.#store = store
    this.#prefix = prefix
    this.#isKept = isKept
  }

  /** As `Store.watch`. */
  watch(wanted: Wanted, signal: AbortSignal): Feed<Event> {
    return new StoreWatch(signal, (queue) => {
      this.#begin(wanted.after)
      return this.#reaches(wanted, wanted.after) ? this.#join({ ...wanted, queue }) : this.#alone({ ...wanted, queue })
    })
  }

  #begin(after: number): void {
    if (this.#stop) return
    const stopping = new AbortController()
    const source = feedOf(this.#store.watch(this.#prefix, { after, signal: stopping.signal }))
    this.#stop = () => stopping.abort()
    this.#floor = this.#at = after
    source.onReady = () => this.#drain(source)
    this.#drain(source)
  }

  #drain(source: Feed<Event>): void {
    const events: Event[] = []
    let failure: Error | undefined
    try {
      for (let event = source.poll(); event !== PENDING && event !== ENDED; event = source.poll()) events.push(event)
    } catch (error) {
      failure = error as Error
    }
    if (events.length > 0) this.#tell(events)
    if (failure) this.#fail(failure)
  }

  #tell(events: readonly Event[]): void {
    this.#at = events.at(-1)!.revision
    for (const event of events) if (this.#isKept(event.key)) this.#keep(event)
    // Who comes meanwhile has been given them
    for (const { prefix, after, queue } of [...this.#readers]) {
      const news = events.filter(({ key, revision }) => revision > after && key.startsWith(prefix))
      if (news.length > 0) queue.push(news)
    }
  }

  #keep(event: Event): void {
    this.#recent.push(event)
    this.#bytes += bytesOf(event)
    let gone = 0
    for (; this.#bytes > limits.sharedWatchBytes && gone < this.#recent.length; gone++) {
      this.#bytes -= bytesOf(this.#recent[gone]!)
      this.#floor = this.#recent[gone]!.revision
    }
    if (gone > 0) this.#recent.splice(0, gone)
  }

  /** All who watch begin anew, each from what it has. */
  #fail(reason: Error): void {
    this.#stop?.()
    this.#stop = undefined
    this.#recent = []
    this.#bytes = 0
    for (const { queue } of [...this.#readers]) queue.fail(reason)
    this.#readers.clear()
  }

  #reaches({ seesUnkept }: Wanted, after: number): boolean {
    return this.#stop !== undefined && after >= (seesUnkept ? this.#at : this.#floor)
  }

  #join(reader: Reader): Cancel {
    const { prefix, after, queue } = reader
    this.#readers.add(reader)
    queue.replay(this.#recent.filter(({ key, revision }) => revision > after && key.startsWith(prefix)))
    return () => void this.#readers.delete(reader)
  }

  #alone(reader: Reader): Cancel {
    const { prefix, after, queue } = reader
    const stopping = new AbortController()
    const source = feedOf(this.#store.watch(prefix, { after, signal: stopping.signal }))
    const begunAt = this.#at
    let last = after
    let cancel: Cancel = () => stopping.abort()
    const drain = (): void => {
      if (stopping.signal.aborted) return
      try {
        for (let event = source.poll(); event !== PENDING && event !== ENDED; event = source.poll()) {
          last = event.revision
          if (last <= begunAt) queue.replay([event])
          else queue.push([event])
        }
      } catch (error) {
        return queue.fail(error as Error)
      }
      // All of one revision come at once
      if (last === after || stopping.signal.aborted || !this.#reaches(reader, last)) return
      stopping.abort()
      cancel = this.#join({ ...reader, after: last })
    }
    source.onReady = drain
    drain()
    return () => cancel()
  }
}
