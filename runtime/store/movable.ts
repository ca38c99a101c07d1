import { Overloaded, Unavailable } from '../errors.ts'
import { limits } from '../limits.ts'
import { deferred, type Deferred } from '../within.ts'
import { checkTransaction } from './check-arguments.ts'
import type { EtcdCredentials } from './etcd/connection.ts'
import type {
  Compare, Entry, Event, Lease, Listing, ListOptions, Operation, Store, TransactionResult,
} from './store.ts'

/** What keeps writes back while a store changes its place. */
export interface Fence {
  /** From now on writes wait; settles when those before are durable. Reads go on. */
  begin(): Promise<void>
  /** They go on, in their order, at the next store where there is one. */
  end(next?: MovedTarget): void
}

/** A store, and how it gives leases that another has granted. */
export interface MovedTarget extends Store {
  lease(id: string, ttlMs: number): Lease
}

/**
 * The store that an actor has. It stays the same while what is behind it changes its place; then watches end with
 * Compacted, and all else goes on.
 */
export class MovableStore implements Store, Fence {
  readonly id: string
  #inner: Store
  #peek: Store['peek']
  #fence: Deferred<void> | undefined
  #waiting = 0
  /** Set by a move: whose leases the inner store did not grant. */
  #target: MovedTarget | undefined
  #closed = false

  constructor(inner: Store) {
    this.id = inner.id
    this.#inner = inner
    this.#peek = inner.peek && ((key) => inner.peek!(key))
  }

  /** There only while the contents are in memory: ask each time. */
  get peek(): Store['peek'] {
    return this.#peek
  }

  get moveSource(): Store['moveSource'] {
    const inner = this.#inner
    return inner.moveSource && (() => inner.moveSource!())
  }

  get onStopped(): Store['onStopped'] {
    const inner = this.#inner
    return inner.onStopped && ((listener) => inner.onStopped!(listener))
  }

  revision(): Promise<number> {
    return this.#inner.revision()
  }

  get(key: string): Promise<Entry | undefined> {
    return this.#inner.get(key)
  }

  list(prefix: string, options?: ListOptions): Promise<Listing> {
    return this.#inner.list(prefix, options)
  }

  put(key: string, value: Uint8Array, options?: { lease?: string }): Promise<number> {
    if (!this.#fence) return this.#inner.put(key, value, options)
    // A copy: the caller may go on with its buffer
    const kept = value.slice()
    return this.#later(() => this.#inner.put(key, kept, options))
  }

  delete(key: string): Promise<boolean> {
    return this.#fence ? this.#later(() => this.#inner.delete(key)) : this.#inner.delete(key)
  }

  async transact(compare: readonly Compare[], operations: readonly Operation[]): Promise<TransactionResult> {
    if (!this.#fence) return this.#inner.transact(compare, operations)
    checkTransaction(compare, operations)
    const kept = operations.map((operation) => (
      operation.type === 'delete' ? operation : { ...operation, value: operation.value.slice() }))
    return this.#later(() => this.#inner.transact(compare, kept))
  }

  watch(prefix: string, options: { after: number; signal: AbortSignal }): AsyncIterable<Event> {
    return this.#inner.watch(prefix, options)
  }

  async grant(ttlMs: number): Promise<Lease> {
    if (this.#fence) return this.#later(() => this.grant(ttlMs))
    const granter = this.#inner
    const lease = await granter.grant(ttlMs)
    const now = (): Lease => (
      this.#inner === granter || !this.#target ? lease : this.#target.lease(lease.id, lease.ttlMs))
    return {
      id: lease.id, ttlMs: lease.ttlMs,
      keepAlive: () => (this.#fence ? this.#later(() => now().keepAlive()) : now().keepAlive()),
      revoke: () => (this.#fence ? this.#later(() => now().revoke()) : now().revoke()),
    }
  }

  renewCredentials(credentials: EtcdCredentials): void {
    this.#inner.renewCredentials?.(credentials)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#fence?.resolve()
    this.#fence = undefined
    await this.#inner.close()
  }

  async begin(): Promise<void> {
    this.#fence = deferred()
    await this.#inner.moveSource?.().settled()
  }

  end(next?: MovedTarget): void {
    if (next) this.#switch(next)
    this.#fence?.resolve()
    this.#fence = undefined
  }

  #switch(next: MovedTarget): void {
    const old = this.#inner
    this.#inner = this.#target = next
    this.#peek = undefined
    old.moveSource?.().leave()
    old.close().catch(() => {})
    if (this.#closed) next.close().catch(() => {})
  }

  /** Those that wait go on in the order in which they came. */
  async #later<T>(write: () => Promise<T>): Promise<T> {
    if (this.#waiting >= limits.storePending) {
      throw new Overloaded(`Too many writes wait for the store to change its place: ${this.#waiting}`)
    }
    this.#waiting++
    try {
      await this.#fence!.promise
    } finally {
      this.#waiting--
    }
    if (this.#closed) throw new Unavailable('The store is closed')
    return await write()
  }
}
