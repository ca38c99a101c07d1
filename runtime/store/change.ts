import { LeaseExpired, LimitExceeded } from '../errors.ts'
import { limits } from '../limits.ts'
import { utf8Bytes } from './check-arguments.ts'
import type { Entry, Operation } from './store.ts'

/** One key as a revision leaves it; without an entry the revision deleted it. */
export interface Write {
  readonly key: string
  readonly entry: Entry | undefined
}

export interface LeaseRecord {
  readonly id: string
  readonly ttlMs: number
}

/** What is made durable as one: all of it or nothing. */
export interface Change {
  /** The store's revision after it; one more than before when it writes. */
  readonly revision: number
  readonly writes: readonly Write[]
  readonly granted?: LeaseRecord
  /** Id of the lease that it ends. */
  readonly ended?: string
  /** The store lies elsewhere from now on: it is never written again. */
  readonly moved?: MovedTo
}

/** Where a store went. */
export interface MovedTo {
  /** For people: `etcd at https://… under /zones/one/vault`. */
  readonly place: string
  /** The prefix of the store in etcd. */
  readonly prefix: string
  /** Epoch milliseconds. */
  readonly at: number
  /** What went along. */
  readonly entries: number
  readonly digest: string
  /** The data that stayed behind was removed. */
  readonly purged?: boolean
}

/** A state that a change can be planned on. */
export interface View {
  readonly revision: number
  /** Of all keys and values. */
  readonly bytes: number
  entry(key: string): Entry | undefined
  hasLease(id: string): boolean
}

export const entryBytes = (entry: Entry | undefined): number =>
  entry ? utf8Bytes(entry.key) + entry.value.length : 0

/**
 * Undefined when the operations change nothing.
 * @throws LeaseExpired when a put names a lease that is not alive
 * @throws LimitExceeded when the store would hold more than `limits.storeBytes`
 */
export function planOperations(view: View, operations: readonly Operation[]): Change | undefined {
  const revision = view.revision + 1
  const writes: Write[] = []
  let bytes = view.bytes
  for (const operation of operations) {
    const before = view.entry(operation.key)
    if (operation.type === 'delete' && !before) continue
    const entry = operation.type === 'put' ? written(view, operation, before, revision) : undefined
    bytes += entryBytes(entry) - entryBytes(before)
    writes.push({ key: operation.key, entry })
  }
  if (bytes > limits.storeBytes && bytes > view.bytes) {
    throw new LimitExceeded(`The store is full: ${view.bytes} of ${limits.storeBytes} bytes`)
  }
  return writes.length > 0 ? { revision, writes } : undefined
}

function written(view: View, put: Operation & { type: 'put' }, before: Entry | undefined, revision: number): Entry {
  if (put.lease !== undefined && !view.hasLease(put.lease)) throw expired(put.lease)
  return {
    key: put.key,
    // A copy: the caller may go on with its buffer
    value: new Uint8Array(put.value),
    createRevision: before?.createRevision ?? revision,
    modRevision: revision,
    version: (before?.version ?? 0) + 1,
    ...(put.lease === undefined ? {} : { lease: put.lease }),
  }
}

export const expired = (id: string): Error =>
  new LeaseExpired(`The lease has expired or was revoked: ${id}`, { lease: id })
