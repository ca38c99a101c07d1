import type { Cancel } from '../../platform/ports.ts'
import type { LeaseRecord, MovedTo } from '../change.ts'
import type { Entry } from '../store.ts'

/** One key as a change found it and left it. Values are the store's own. */
export interface Changed {
  readonly key: string
  readonly before: Entry | undefined
  readonly after: Entry | undefined
}

/**
 * What a move takes from: a store with its contents in memory. Reading is synchronous, so that what is read and what is
 * told of as changed are never of two moments.
 */
export interface MoveSource {
  readonly id: string
  readonly revision: number
  /** Number of entries. */
  readonly size: number
  entry(key: string): Entry | undefined
  /** Entries behind a key in order, as many and as large as allowed, but one at least. */
  page(after: string | undefined, limit: { entries: number; bytes: number; last?: string }): readonly Entry[]
  leases(): readonly LeaseRecord[]
  /** Told of each change, at once, as readers begin to see it. */
  observe(listener: (changed: readonly Changed[]) => void): Cancel
  /** Settles when every write that was accepted is durable, or has failed. */
  settled(): Promise<void>
  /** No lease ends until that is called; then each has its whole time again. */
  holdLeases(): Cancel
  /** Durable when it settles: the store is never opened again. It can be read until it is left. */
  retire(moved: MovedTo): Promise<void>
  /** Nobody is led here any more: its watches end with Compacted, so that who follows it begins anew elsewhere. */
  leave(): void
}
