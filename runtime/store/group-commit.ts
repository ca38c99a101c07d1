import { Compacted, DiskFull, messageOf, Overloaded, Unavailable, ZonewrightError } from '../errors.ts'
import { strikes } from '../fault-points.ts'
import { limits } from '../limits.ts'
import type { Clock, Random } from '../platform/ports.ts'
import { expired, planOperations, type Change } from './change.ts'
import { checkKey, checkPage, checkPrefix, checkRevision, checkTransaction, checkTtl } from './check-arguments.ts'
import { LeaseClock } from './lease-clock.ts'
import type { MoveSource } from './move/source.ts'
import { StateSource } from './state-source.ts'
import { Staged } from './staged.ts'
import { randomId } from './random-id.ts'
import type { StoreState } from './state.ts'
import type {
  Compare, Entry, Event, Lease, Listing, ListOptions, Operation, Store, TransactionResult,
} from './store.ts'
import { Watchers } from './watchers.ts'

export interface StateStoreOptions {
  readonly state: StoreState
  readonly clock: Clock
  readonly random: Random
  /**
   * Makes the changes durable, in order; settles when they are. Called again only after that. The state has them
   * afterwards. DiskFull says that nothing of them was kept: the store goes on without them. When it fails otherwise,
   * the store stops: whether they are on the disk is not known then.
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
export class StateStore implements Store {
  readonly id: string
  readonly #options: StateStoreOptions
  readonly #state: StoreState
  readonly #staged: Staged
  readonly #watchers = new Watchers()
  #leases: LeaseClock
  readonly #source: StateSource
  #batch: Batch = { changes: [], waiting: [] }
  #commits: Promise<void> | undefined
  #stopped: Error | undefined
  /** It lies elsewhere now. */
  #left: Error | undefined
  #onStopped: (reason: Error) => void = () => {}
  #closing: Promise<void> | undefined

  constructor(options: StateStoreOptions) {
    this.#options = options
    this.#state = options.state
    this.id = options.state.id
    this.#staged = new Staged(options.state)
    this.#leases = this.#runLeases()
    this.#source = new StateSource(options.state, {
      settled: () => this.#commit(undefined),
      holdLeases: () => {
        const held = this.#leases
        held.close()
        return () => { if (!this.#stopped && this.#leases === held) this.#leases = this.#runLeases() }
      },
      retire: (moved) => this.#commit({ revision: this.#staged.revision, writes: [], moved }),
      leave: () => {
        this.#left = new Compacted('The store was moved, and its history left behind')
        this.#watchers.close(this.#left)
      },
    })
  }

  moveSource(): MoveSource {
    this.#assertOpen()
    return this.#source
  }

  /** A whole time to live from now for each. */
  #runLeases(): LeaseClock {
    const leases = new LeaseClock(this.#options.clock, (id) =>
      void this.#endLease(id).catch(() => leases.endLater(id)))
    for (const lease of this.#state.leases.values()) leases.start(lease)
    return leases
  }


  async revision(): Promise<number> {
    this.#assertOpen()
    return this.#state.revision
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#assertOpen()
    checkKey(key)
    const entry = this.#state.entry(key)
    return entry && handedOut(entry)
  }

  peek(key: string): Entry | undefined {
    this.#assertOpen()
    return this.#state.entry(key)
  }

  async list(prefix: string, { after, limit, keysOnly }: ListOptions = {}): Promise<Listing> {
    this.#assertOpen()
    checkPrefix(prefix)
    checkPrefix(after ?? '')
    checkPage(limit)
    const listing = this.#state.list(prefix, after, limit ?? Infinity)
    return { ...listing, entries: listing.entries.map(keysOnly ? withoutValue : handedOut) }
  }

  async put(key: string, value: Uint8Array, options: { lease?: string } = {}): Promise<number> {
    const { revision } = await this.transact([], [{ type: 'put', key, value, ...options }])
    return revision
  }

  async delete(key: string): Promise<boolean> {
    this.#assertWritable()
    checkKey(key)
    const change = planOperations(this.#staged, [{ type: 'delete', key }])
    await this.#commit(change)
    return change !== undefined
  }

  async transact(compare: readonly Compare[], operations: readonly Operation[]): Promise<TransactionResult> {
    this.#assertWritable()
    checkTransaction(compare, operations)
    const staged = this.#staged
    if (!compare.every(({ key, modRevision }) => (staged.entry(key)?.modRevision ?? 0) === modRevision)) {
      const found = compare.map(({ key }) => staged.entry(key))
      const { revision } = staged
      await this.#commit(undefined)
      return { succeeded: false, revision, found: found.map((entry) => entry && handedOut(entry)) }
    }
    const change = planOperations(staged, operations)
    const revision = change?.revision ?? staged.revision
    await this.#commit(change)
    return { succeeded: true, revision }
  }

  watch(prefix: string, { after, signal }: { after: number; signal: AbortSignal }): AsyncIterable<Event> {
    return this.#watchers.watch(prefix, after, signal, () => {
      checkPrefix(prefix)
      checkRevision(after)
      if (this.#left) throw this.#left
      this.#assertOpen()
      const { history, revision } = this.#state
      if (after < revision && strikes('store/compacted')) throw new Compacted(`History was given up: ${after}`)
      return history.since(after)
    })
  }

  async grant(ttlMs: number): Promise<Lease> {
    this.#assertWritable()
    checkTtl(ttlMs)
    const staged = this.#staged
    if (staged.leaseCount >= limits.leases) throw new Overloaded(`Too many leases: ${staged.leaseCount}`)
    const id = randomId(this.#options.random, 8)
    await this.#commit({ revision: staged.revision, writes: [], granted: { id, ttlMs } })
    return { id, ttlMs, keepAlive: () => this.#keepAlive(id), revoke: () => this.#endLease(id) }
  }

  onStopped(listener: (reason: Error) => void): void {
    this.#onStopped = listener
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close()
  }

  async #close(): Promise<void> {
    this.#stopped ??= new Unavailable('The store is closed')
    this.#leases.close()
    await this.#commits
    this.#watchers.close(this.#stopped)
    await this.#options.close()
  }

  #assertOpen(): void {
    if (this.#stopped) throw this.#stopped
  }

  #assertWritable(): void {
    this.#assertOpen()
    const { length } = this.#batch.waiting
    if (length >= limits.storePending) throw new Overloaded(`Too many writes wait for the store: ${length}`)
  }

  /** Settles when everything staged so far is durable, with `change` where there is one. */
  #commit(change: Change | undefined): Promise<void> {
    if (!change && !this.#commits) return Promise.resolve()
    if (change) {
      this.#staged.add(change)
      this.#batch.changes.push(change)
    }
    const done = new Promise<void>((resolve, reject) => this.#batch.waiting.push({ resolve, reject }))
    this.#commits ??= this.#commitAll()
    return done
  }

  async #commitAll(): Promise<void> {
    // What is written in the same turn shares the first commit
    await Promise.resolve()
    while (this.#batch.waiting.length > 0) {
      const current = this.#batch
      this.#batch = { changes: [], waiting: [] }
      try {
        if (current.changes.length > 0) await this.#options.persist(current.changes)
      } catch (error) {
        if (error instanceof DiskFull) {
          this.#giveUp(error, current)
          continue
        }
        this.#stop(failure(error), current)
        break
      }
      for (const change of current.changes) this.#applied(change)
      for (const { resolve } of current.waiting) resolve()
    }
    this.#commits = undefined
  }

  #applied(change: Change): void {
    this.#source.apply(change)
    this.#staged.settle(change)
    if (change.granted) this.#leases.start(change.granted)
    if (change.ended !== undefined) this.#leases.end(change.ended)
    this.#watchers.publish(change)
  }

  /** What waits was planned upon what has failed, so it fails with it. Readers have seen nothing of either. */
  #giveUp(reason: Error, current: Batch): void {
    this.#staged.clear()
    this.#rejectAll(reason, current)
  }

  #stop(reason: Error, current: Batch): void {
    this.#stopped ??= reason
    this.#leases.close()
    this.#watchers.close(reason)
    this.#rejectAll(reason, current)
    this.#onStopped(reason)
  }

  #rejectAll(reason: Error, current: Batch): void {
    for (const { reject } of [...current.waiting, ...this.#batch.waiting]) reject(reason)
    this.#batch = { changes: [], waiting: [] }
  }

  async #keepAlive(id: string): Promise<void> {
    this.#assertOpen()
    if (!this.#staged.hasLease(id) || !this.#leases.renew(id)) throw expired(id)
  }

  async #endLease(id: string): Promise<void> {
    this.#assertOpen()
    if (!this.#staged.hasLease(id)) return
    const keys = this.#staged.attachedTo(id)
    await this.#commit({
      revision: this.#staged.revision + (keys.length > 0 ? 1 : 0),
      writes: keys.map((key) => ({ key, entry: undefined })),
      ended: id,
    })
  }
}

/** With a copy of the value: what a caller does to it stays with the caller. Written out: `get` is a hot path. */
function handedOut({ key, value, createRevision, modRevision, version, lease }: Entry): Entry {
  const copy = new Uint8Array(value)
  return lease === undefined
    ? { key, value: copy, createRevision, modRevision, version }
    : { key, value: copy, createRevision, modRevision, version, lease }
}

const NO_VALUE = new Uint8Array()
const withoutValue = (entry: Entry): Entry => ({ ...entry, value: NO_VALUE })

function failure(error: unknown): Error {
  if (error instanceof ZonewrightError) return error
  const reason = messageOf(error)
  return new Unavailable(`The store stopped because a write failed; open it again: ${reason}`)
}
