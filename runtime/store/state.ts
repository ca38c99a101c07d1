import { StoreMoved } from '../errors.ts'
import { entryBytes, type Change, type LeaseRecord, type MovedTo, type View } from './change.ts'
import { History } from './history.ts'
import { compareKeys, OrderedMap } from './ordered-map.ts'
import type { Entry, Listing } from './store.ts'

/**
 * The contents of one store, and nothing that belongs to a process: no timer, no watcher, no promise. It is what
 * survives a crash, so a simulated disk keeps this object and opens the next store over it.
 */
export class StoreState implements View {
  readonly id: string
  readonly leases = new Map<string, LeaseRecord>()
  readonly history: History
  /** Set when the store lies elsewhere: this is what stayed behind. */
  moved: MovedTo | undefined
  readonly #entries = new OrderedMap<Entry>()
  readonly #attached = new Map<string, Set<string>>()
  #revision: number
  #bytes = 0

  constructor(id: string, revision = 0, historyFloor = revision) {
    this.id = id
    this.#revision = revision
    this.history = new History(historyFloor)
  }

  get revision(): number {
    return this.#revision
  }

  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#entries.size
  }

  entry(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  hasLease(id: string): boolean {
    return this.leases.has(id)
  }

  attachedTo(lease: string): Iterable<string> {
    return this.#attached.get(lease) ?? []
  }

  entriesFrom(start: string, after: boolean): Iterable<[string, Entry]> {
    return this.#entries.from(start, after)
  }

  /** Values are the state's own: copy before they leave the store. */
  list(prefix: string, after: string | undefined, limit: number): Listing {
    const entries: Entry[] = []
    const inside = after !== undefined && compareKeys(after, prefix) >= 0
    for (const [key, entry] of this.#entries.from(inside ? after : prefix, inside)) {
      if (!key.startsWith(prefix)) break
      if (entries.length === limit) return { entries, revision: this.#revision, more: true }
      entries.push(entry)
    }
    return { entries, revision: this.#revision, more: false }
  }

  apply(change: Change): void {
    if (change.granted) this.leases.set(change.granted.id, change.granted)
    for (const { key, entry } of change.writes) this.set(key, entry)
    if (change.ended !== undefined) {
      this.leases.delete(change.ended)
      this.#attached.delete(change.ended)
    }
    if (change.writes.length > 0) this.history.push(change)
    if (change.moved) this.moved = change.moved
    this.#revision = change.revision
  }

  /** @throws StoreMoved when this is what stayed behind */
  assertHere(): void {
    if (!this.moved) return
    const { place, prefix, at, entries, digest } = this.moved
    throw new StoreMoved(`The store was moved to ${place}, and has gone on there`, {
      place, prefix, at, entries, digest, id: this.id, next: 'Start with the config that names this etcd',
    })
  }

  /** Part of `apply`, and how a snapshot is loaded. */
  set(key: string, entry: Entry | undefined): void {
    const before = this.#entries.get(key)
    if (before?.lease !== undefined) this.#attached.get(before.lease)?.delete(key)
    this.#bytes += entryBytes(entry) - entryBytes(before)
    if (!entry) {
      this.#entries.delete(key)
      return
    }
    this.#entries.set(key, entry)
    if (entry.lease === undefined) return
    const keys = this.#attached.get(entry.lease)
    if (keys) keys.add(key)
    else this.#attached.set(entry.lease, new Set([key]))
  }
}
