import { Compacted, Overloaded } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { Clock } from '../../platform/ports.ts'
import { expired, planOperations, type Change, type LeaseRecord } from '../../store/change.ts'
import { LeaseClock } from '../../store/lease-clock.ts'
import { emptyState } from '../../store/memory.ts'
import { compareKeys } from '../../store/ordered-map.ts'
import type { StoreState } from '../../store/state.ts'
import type { Compare, Entry, Listing, Operation, TransactionResult } from '../../store/store.ts'
import type { SeededRandom } from '../random.ts'
import { byStore, idKeyOf } from './keyspace.ts'

/** etcd counts in whole seconds, and by its default heartbeat and election times grants two at least. */
const LEASE_SECONDS_MIN = 2

/** What the cluster holds: keys of all stores at one count of revisions. Each call happens at once. */
export class Contents {
  /** Every revision that writes, with the cluster's keys. */
  onChange: (change: Change) => void = () => {}
  onCommit: (prefix: string, changes: readonly Change[]) => void = () => {}
  readonly #state: StoreState
  readonly #clock: Clock
  readonly #random: SeededRandom
  #leases: LeaseClock
  /** By lease, the prefix of the store that it was granted to. */
  readonly #grantedIn = new Map<string, string>()
  /** What lies before it is forgotten. */
  #compacted = 0

  constructor(clock: Clock, random: SeededRandom) {
    this.#clock = clock
    this.#random = random
    this.#state = emptyState(random)
    this.#leases = this.#newLeases()
  }

  get revision(): number {
    return this.#state.revision
  }

  /** From the first up to and without `end`; without an end, the one key. */
  range(from: string, end: string | undefined): readonly Entry[] {
    if (end === undefined) return [this.get(from)].filter((entry) => entry !== undefined)
    const entries: Entry[] = []
    for (const [key, entry] of this.#state.entriesFrom(from, false)) {
      if (compareKeys(key, end) >= 0) break
      entries.push(entry)
    }
    return entries
  }

  get(key: string): Entry | undefined {
    return this.#state.entry(key)
  }

  list(prefix: string, after: string | undefined, limit: number): Listing {
    return this.#state.list(prefix, after, limit)
  }

  /**
   * @param quietly it copies what was told of as it was written first
   * @throws LeaseExpired, LimitExceeded
   */
  transact(compare: readonly Compare[], operations: readonly Operation[], quietly = false): TransactionResult {
    if (compare.some(({ key, modRevision }) => (this.get(key)?.modRevision ?? 0) !== modRevision)) {
      return { succeeded: false, revision: this.revision, found: compare.map(({ key }) => this.get(key)) }
    }
    const change = planOperations(this.#state, operations)
    if (change) this.#apply(change, quietly)
    return { succeeded: true, revision: this.revision }
  }

  /** @throws Compacted */
  since(after: number): readonly Change[] {
    this.assertKept(after)
    return this.#state.history.since(after)
  }

  /** @throws Compacted when what was true at the revision is forgotten */
  assertKept(revision: number): void {
    if (revision >= this.#compacted) return
    throw new Compacted(`History reaches back to revision ${this.#compacted} only: ${revision}`)
  }

  compact(): void {
    this.#compacted = this.revision
  }

  /** @throws Overloaded */
  grant(prefix: string, ttlMs: number, wanted?: string): LeaseRecord {
    const { size } = this.#state.leases
    if (size >= limits.leases) throw new Overloaded(`Too many leases: ${size}`)
    const drawn = String(BigInt(this.#random.word() >>> 1) << 32n | BigInt(this.#random.word()))
    const id = wanted ?? drawn
    const known = this.#state.leases.get(id)
    if (known) return known
    const granted = { id, ttlMs: Math.max(LEASE_SECONDS_MIN, Math.ceil(ttlMs / 1_000)) * 1_000 }
    this.#grantedIn.set(id, prefix)
    this.#apply({ revision: this.revision, writes: [], granted })
    return granted
  }

  /** @throws LeaseExpired */
  keepAlive(id: string): void {
    if (!this.#leases.renew(id)) throw expired(id)
  }

  /** Deletes the keys attached to it; nothing when it has ended. */
  endLease(id: string): void {
    if (!this.#state.hasLease(id)) return
    const keys = [...this.#state.attachedTo(id)].sort(compareKeys)
    this.#apply({
      revision: this.revision + (keys.length > 0 ? 1 : 0),
      writes: keys.map((key) => ({ key, entry: undefined })),
      ended: id,
    })
  }

  /** Without a leader no lease ends. */
  holdLeases(): void {
    this.#leases.close()
  }

  /** A new leader does not know how much of their time has passed: all of them begin anew. */
  restartLeases(): void {
    this.#leases.close()
    this.#leases = this.#newLeases()
    for (const lease of this.#state.leases.values()) this.#leases.start(lease)
  }

  #newLeases(): LeaseClock {
    return new LeaseClock(this.#clock, (id) => this.endLease(id))
  }

  #apply(change: Change, quietly = false): void {
    this.#state.apply(change)
    const { granted, ended } = change
    if (granted) this.#leases.start(granted)
    if (ended !== undefined) this.#leases.end(ended)
    if (!quietly) this.#tellStores(change)
    if (change.writes.length > 0) this.onChange(change)
  }

  /**
   * A lease is told of to the store that it was granted to, its keys to those that they lie in. What is being filled is
   * no store yet.
   */
  #tellStores({ revision, writes, granted, ended }: Change): void {
    const stores = byStore(writes)
    const lease = granted?.id ?? ended
    const holder = lease === undefined ? undefined : this.#grantedIn.get(lease)
    if (ended !== undefined) this.#grantedIn.delete(ended)
    if (holder !== undefined && !stores.has(holder)) stores.set(holder, [])
    for (const [prefix, own] of stores) {
      if (!this.#state.entry(idKeyOf(prefix))) continue
      const change = { revision, writes: own }
      this.onCommit(prefix, [prefix !== holder ? change : {
        ...change, ...(granted && { granted }), ...(ended !== undefined && { ended }),
      }])
    }
  }
}
