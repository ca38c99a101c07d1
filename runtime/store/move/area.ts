import type { Lease } from '../store.ts'

/**
 * What lies in etcd under the prefix of one store: its keys behind `keys/`, and beside them what a move needs. A move
 * writes here, and what opens a store reads here; the keys of a store that is in use are the store's alone.
 */
export interface Area {
  /** Where it is, for a message. */
  readonly place: string
  /**
   * All compares hold, then `success` in order at one revision; else `failure`. Not done twice, unless the request says
   * that it may be.
   * @throws Unavailable when whether it was done is not known
   */
  transact(request: AreaRequest): Promise<AreaAnswer>
  /** As a transaction of these alone, done again until it is answered. */
  read(ranges: readonly Range[]): Promise<{ readonly revision: number; readonly ranges: readonly Found[] }>
  /** A lease with this id, or another one. Done again until it is answered. */
  grant(ttlMs: number, id?: string): Promise<Lease>
  /** A handle on one that was granted before. */
  lease(id: string, ttlMs: number): Lease
  /** The most operations that the cluster takes in one transaction, of `wanted`. */
  operationsMax(wanted: number): Promise<number>
  close(): Promise<void>
}

export interface AreaRequest {
  readonly compare: readonly AreaCompare[]
  readonly success: readonly AreaOperation[]
  readonly failure?: readonly Range[]
  readonly repeatable?: boolean
}

export interface AreaAnswer {
  readonly succeeded: boolean
  /** The cluster's. */
  readonly revision: number
  /** Of `failure`, in order. */
  readonly ranges: readonly Found[]
}

/** Holds when the key was last written at this revision of the cluster; 0: when there is none. */
export interface AreaCompare {
  readonly key: string
  readonly mod: number
}

export type AreaOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array; readonly lease?: string }
  | { readonly type: 'delete'; readonly key: string }

/** Keys from `from` up to and without `to`, in order; without `to`, the one key. */
export interface Range {
  readonly from: string
  readonly to?: string
  readonly limit?: number
  readonly keysOnly?: boolean
  /** No key, only how many there are. */
  readonly countOnly?: boolean
  /** Only those that were written at this revision or later. */
  readonly since?: number
}

export interface Found {
  readonly kvs: readonly AreaEntry[]
  /** `limit` cut it. */
  readonly more: boolean
  /** In the whole range. */
  readonly count: number
}

/** With the cluster's revisions. */
export interface AreaEntry {
  readonly key: string
  readonly value: Uint8Array
  readonly create: number
  readonly mod: number
  readonly version: number
  readonly lease: string | undefined
}

/** Names within an area. */
export const names = {
  /** The store's id; there is one when the store is in use. */
  id: 'id',
  /** Where its move stands: `Marker`. None in a store that was never moved. */
  marker: 'move',
  /** Somebody has opened it as a store since it was filled: what it holds may be newer than its source. */
  used: 'used',
  /** Who moves it now. */
  lock: 'lock',
  key: (key: string): string => `keys/${key}`,
  /** A page of rows, by the last key that it is about. */
  page: (last: string): string => `pages/${last}`,
  /** The row of one key that was written after its page. */
  row: (key: string): string => `rows/${key}`,
  /** Which lease of the store a lease of the cluster stands for. */
  lease: (id: string): string => `leases/${id}`,
} as const

/** All names that `name` gives. The end is behind every key: no UTF-8 has this byte, `0` comes after `/`. */
export const all = (name: 'keys' | 'pages' | 'rows' | 'leases'): Range => ({ from: `${name}/`, to: `${name}0` })

/** Of all names, those of keys behind `after` up to and with `last`. */
export const behind = (name: (key: string) => string, after: string | undefined, last: string): Range => ({
  from: after === undefined ? name('') : successor(name(after)), to: successor(name(last)),
})

/** The first name that comes after this one. */
export const successor = (name: string): string => `${name}\0`
