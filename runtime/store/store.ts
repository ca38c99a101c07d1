/**
 * The Store port: etcd's semantics in small. One Store belongs to one actor; all that one call writes gets one
 * revision. Revisions only grow, and survive delete and restart. They grow by one where the store is the actor's own;
 * in etcd they are the cluster's, so there may be others between two of one store.
 *
 * Every call @throws InvalidArgument beyond a limit of `limits.ts`, Overloaded when too many writes wait, and
 * Unavailable when the store is closed or cannot be reached (then whether a write was done is not known). A write
 * @throws DiskFull when nothing of it was kept because the disk had no room.
 */

export interface Entry {
  readonly key: string
  readonly value: Uint8Array
  /** Revision at which the key was created, after its last delete. */
  readonly createRevision: number
  /** Revision of the last write. */
  readonly modRevision: number
  /** Writes since creation, from 1. */
  readonly version: number
  readonly lease?: string
}

/** Holds when the key's last write has exactly this revision; 0 means the key does not exist. */
export interface Compare {
  readonly key: string
  readonly modRevision: number
}

export type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array; readonly lease?: string }
  | { readonly type: 'delete'; readonly key: string }

export type TransactionResult =
  | { readonly succeeded: true; readonly revision: number }
  /** What was found for each Compare, in order; `revision` is the store's current one. */
  | { readonly succeeded: false; readonly revision: number; readonly found: readonly (Entry | undefined)[] }

export interface Event {
  readonly type: 'put' | 'delete'
  readonly key: string
  /** For a delete: an empty value. */
  readonly value: Uint8Array
  readonly revision: number
}

export interface ListOptions {
  /** Only keys behind this one. */
  readonly after?: string
  readonly limit?: number
  /** The entries come with empty values. */
  readonly keysOnly?: boolean
}

export interface Listing {
  readonly entries: readonly Entry[]
  /** The store's revision at which the listing was true. */
  readonly revision: number
  /** True when `limit` cut it; continue with `after` = the last key. */
  readonly more: boolean
}

export interface Lease {
  readonly id: string
  /** What was granted, at least what was asked for. After a restart of the store it begins anew. */
  readonly ttlMs: number
  /** @throws LeaseExpired */
  keepAlive(): Promise<void>
  /** Deletes the keys attached to it. */
  revoke(): Promise<void>
}

export interface Store {
  /** Stable for the life of the store, made when it is created. */
  readonly id: string
  revision(): Promise<number>
  get(key: string): Promise<Entry | undefined>
  /**
   * As `get` of a key that can be one, at once: only where the contents are in memory. The value is the store's own: to
   * be read in this turn, and never changed. A store that changes its place loses it: to be asked for each time.
   */
  readonly peek?: ((key: string) => Entry | undefined) | undefined
  /** Keys that start with `prefix`, in order of their UTF-8 bytes. */
  list(prefix: string, options?: ListOptions): Promise<Listing>
  /** Durable when the promise settles, and not seen by anyone before. Returns the revision. @throws LeaseExpired */
  put(key: string, value: Uint8Array, options?: { lease?: string }): Promise<number>
  /** False when there was nothing to delete (no revision is used then). */
  delete(key: string): Promise<boolean>
  /**
   * All compares hold, then all operations at one revision; else nothing. A key may be written once in one call. When
   * the operations change nothing, no revision is used.
   * @throws LeaseExpired when a put names a lease that is not alive
   */
  transact(compare: readonly Compare[], operations: readonly Operation[]): Promise<TransactionResult>
  /**
   * Events after revision `after`, in order, without gap, for keys that start with `prefix`; ends when `signal` aborts.
   * @throws Compacted when history no longer reaches back to `after`
   * @throws WatchOverrun when the reader is further behind than `limits.watchBacklog`
   */
  watch(prefix: string, options: { after: number; signal: AbortSignal }): AsyncIterable<Event>
  grant(ttlMs: number): Promise<Lease>
  close(): Promise<void>
  /** Of a store in etcd: from now on it is reached by these. @throws InvalidArgument */
  renewCredentials?(credentials: import('./etcd/connection.ts').EtcdCredentials): void
  /** What a move to another place takes from: only where the contents are in memory. */
  readonly moveSource?: (() => import('./move/source.ts').MoveSource) | undefined
  /** Told when it stopped by itself: a write failed, and nobody knows how much of it was kept. To be opened again. */
  readonly onStopped?: ((listener: (reason: Error) => void) => void) | undefined
}
