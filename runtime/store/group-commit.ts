import { Overloaded, Unavailable, ZonewrightError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Clock, Random } from '../platform/ports.ts'
import { expired, planOperations, type Change } from './change.ts'
import { checkKey, checkPage, checkPrefix, checkRevision, checkTransaction, checkTtl } from './check-arguments.ts'
import { LeaseClock } from './lease-clock.ts'
import { Staged } from './staged.ts'
import { randomId } from './random-id.ts'
import type { StoreState } from './state.ts'
import type { Compare, Entry, Lease, Listing, Operation, Store, TransactionResult } from './store.ts'
import { Watchers } from './watchers.ts'

export interface StateStoreOptions {
  readonly state: StoreState
  readonly clock: Clock
  readonly random: Random
  /**
   * Makes the changes durable, in order; settles when they are. Called again only after that. The state has them
   * afterwards. When it fails the store stops: whether they are on the disk is not known then.
   */
  readonly persist: (changes: readonly Change[]) => Promise<void>
  /** Called once, after the last `persist`. */
  readonly close: () => Promise<void>
}

interface Batch {
  readonly changes: Change[]
  readonly waiting: { readonly resolve: () => void; readonly reject: (reason: Error) => void }[]
}

/**
 * A Store over a state in memory. A write is planned at once against what is staged, joins the batch that waits for the
 * disk, and is answered when that batch is durable; only then does the state, and so any reader or watcher, have it.
 * Reads therefore never wait and never show what a crash could take back, and writes in flight share one commit.
 */
export function createStateStore({ state, clock, random, persist, close }: StateStoreOptions): Store {
  const staged = new Staged(state)
  const watchers = new Watchers()
  const leases = new LeaseClock(clock, (id) => void endLease(id).catch(() => {}))
  for (const lease of state.leases.values()) leases.start(lease)
  let batch: Batch = { changes: [], waiting: [] }
  let commits: Promise<void> | undefined
  let stopped: Error | undefined
  let closing: Promise<void> | undefined

  function assertOpen(): void {
    if (stopped) throw stopped
  }

  function assertWritable(): void {
    assertOpen()
    const { length } = batch.waiting
    if (length >= limits.storePending) throw new Overloaded(`Too many writes wait for the store: ${length}`)
  }

  /** Settles when everything staged so far is durable, with `change` where there is one. */
  function commit(change: Change | undefined): Promise<void> {
    if (!change && !commits) return Promise.resolve()
    if (change) {
      staged.add(change)
      batch.changes.push(change)
    }
    const done = new Promise<void>((resolve, reject) => batch.waiting.push({ resolve, reject }))
    commits ??= commitAll()
    return done
  }

  async function commitAll(): Promise<void> {
    // What is written in the same turn shares the first commit
    await Promise.resolve()
    while (batch.waiting.length > 0) {
      const current = batch
      batch = { changes: [], waiting: [] }
      try {
        if (current.changes.length > 0) await persist(current.changes)
      } catch (error) {
        stop(failure(error), current)
        break
      }
      for (const change of current.changes) applied(change)
      for (const { resolve } of current.waiting) resolve()
    }
    commits = undefined
  }

  function applied(change: Change): void {
    state.apply(change)
    staged.settle(change)
    if (change.granted) leases.start(change.granted)
    if (change.ended !== undefined) leases.end(change.ended)
    watchers.publish(change)
  }

  function stop(reason: Error, ...batches: readonly Batch[]): void {
    stopped ??= reason
    leases.close()
    watchers.close(reason)
    for (const each of [...batches, batch]) for (const { reject } of each.waiting) reject(reason)
    batch = { changes: [], waiting: [] }
  }

  async function transact(compare: readonly Compare[], operations: readonly Operation[]): Promise<TransactionResult> {
    assertWritable()
    checkTransaction(compare, operations)
    if (!compare.every(({ key, modRevision }) => (staged.entry(key)?.modRevision ?? 0) === modRevision)) {
      const found = compare.map(({ key }) => staged.entry(key))
      const { revision } = staged
      await commit(undefined)
      return { succeeded: false, revision, found: found.map((entry) => entry && handedOut(entry)) }
    }
    const change = planOperations(staged, operations)
    const revision = change?.revision ?? staged.revision
    await commit(change)
    return { succeeded: true, revision }
  }

  async function endLease(id: string): Promise<void> {
    assertOpen()
    if (!staged.hasLease(id)) return
    const keys = staged.attachedTo(id)
    await commit({
      revision: staged.revision + (keys.length > 0 ? 1 : 0),
      writes: keys.map((key) => ({ key, entry: undefined })),
      ended: id,
    })
  }

  return {
    id: state.id,
    async revision() {
      assertOpen()
      return state.revision
    },
    async get(key) {
      assertOpen()
      checkKey(key)
      const entry = state.entry(key)
      return entry && handedOut(entry)
    },
    async list(prefix, options = {}): Promise<Listing> {
      assertOpen()
      checkPrefix(prefix)
      checkPrefix(options.after ?? '')
      checkPage(options.limit)
      const listing = state.list(prefix, options.after, options.limit ?? Infinity)
      return { ...listing, entries: listing.entries.map(handedOut) }
    },
    async put(key, value, options = {}) {
      const { revision } = await transact([], [{ type: 'put', key, value, ...options }])
      return revision
    },
    async delete(key) {
      assertWritable()
      checkKey(key)
      const change = planOperations(staged, [{ type: 'delete', key }])
      await commit(change)
      return change !== undefined
    },
    transact,
    watch: (prefix, { after, signal }) => watchers.watch(prefix, after, signal, () => {
      checkPrefix(prefix)
      checkRevision(after)
      assertOpen()
      return state.history.since(after)
    }),
    async grant(ttlMs): Promise<Lease> {
      assertWritable()
      checkTtl(ttlMs)
      if (staged.leaseCount >= limits.leases) throw new Overloaded(`Too many leases: ${staged.leaseCount}`)
      const id = randomId(random, 8)
      await commit({ revision: staged.revision, writes: [], granted: { id, ttlMs } })
      return {
        id,
        ttlMs,
        async keepAlive() {
          assertOpen()
          if (!staged.hasLease(id) || !leases.renew(id)) throw expired(id)
        },
        revoke: () => endLease(id),
      }
    },
    close() {
      return closing ??= (async () => {
        const reason = stopped ?? new Unavailable('The store is closed')
        stopped = reason
        leases.close()
        await commits
        watchers.close(reason)
        await close()
      })()
    },
  }
}

/** With a copy of the value: what a caller does to it stays with the caller. Written out: `get` is a hot path. */
function handedOut({ key, value, createRevision, modRevision, version, lease }: Entry): Entry {
  const copy = new Uint8Array(value)
  return lease === undefined
    ? { key, value: copy, createRevision, modRevision, version }
    : { key, value: copy, createRevision, modRevision, version, lease }
}

function failure(error: unknown): Error {
  if (error instanceof ZonewrightError) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new Unavailable(`The store stopped because a write failed; open it again: ${reason}`)
}
