import { Compacted } from '../../errors.ts'
import { refined } from '../../feed.ts'
import { checkTransaction } from '../check-arguments.ts'
import type { EtcdCredentials } from '../etcd/connection.ts'
import type {
  Compare, Entry, Event, Lease, Listing, ListOptions, Operation, Store, TransactionResult,
} from '../store.ts'
import { StoreWatch } from '../store-watch.ts'
import { all, type Area } from './area.ts'
import type { Marker } from './marker.ts'
import { RowReader } from './row-reader.ts'
import type { Row } from './rows.ts'

/**
 * A store in etcd that has come from elsewhere: its revisions go on from those that it had there. What was written
 * since the move has the cluster's, moved by a constant; what was copied has its own in a row beside it. So whoever
 * holds a revision may go on comparing with it, and no revision is ever met twice.
 */
export class MovedStore implements Store {
  readonly id: string
  readonly #inner: Store
  readonly #area: Area
  readonly #rows: RowReader
  /** The last revision of the source, and the cluster's when it became this one. */
  readonly #base: number
  readonly #activation: number
  /** Of the source, by those of the cluster, and the other way. */
  readonly #ownLeases = new Map<string, string>()
  readonly #clusterLeases = new Map<string, string>()

  private constructor(
    inner: Store, area: Area, { source, revision }: Marker & { state: 'active' }, activation: number,
  ) {
    this.id = source
    this.#inner = inner
    this.#area = area
    this.#rows = new RowReader(area)
    this.#base = revision
    this.#activation = activation
  }

  /** @param activation the cluster's revision at which the marker was written */
  static async open(
    inner: Store, area: Area, marker: Marker & { state: 'active' }, activation: number,
  ): Promise<MovedStore> {
    const store = new MovedStore(inner, area, marker, activation)
    const { ranges: [leases] } = await area.read([all('leases')])
    for (const { key, value } of leases!.kvs) {
      const [cluster, own] = [key.slice(all('leases').from.length), new TextDecoder().decode(value)]
      store.#ownLeases.set(cluster, own)
      store.#clusterLeases.set(own, cluster)
    }
    return store
  }

  async revision(): Promise<number> {
    return this.#ours(await this.#inner.revision())
  }

  async get(key: string): Promise<Entry | undefined> {
    const found = await this.#inner.get(key)
    return found && await this.#entry(found)
  }

  async list(prefix: string, options: ListOptions = {}): Promise<Listing> {
    const { entries, revision, more } = await this.#inner.list(prefix, options)
    const copied = entries.filter((entry) => this.#isCopied(entry)).map(({ key }) => key)
    const rows = await this.#rows.ofAll(copied)
    return { entries: entries.map((entry) => this.#translated(entry, rows.get(entry.key))), more,
      revision: this.#ours(revision) }
  }

  async put(key: string, value: Uint8Array, { lease }: { lease?: string } = {}): Promise<number> {
    return this.#ours(await this.#inner.put(key, value, this.#leased(lease)))
  }

  delete(key: string): Promise<boolean> {
    return this.#inner.delete(key)
  }

  async transact(compare: readonly Compare[], operations: readonly Operation[]): Promise<TransactionResult> {
    checkTransaction(compare, operations)
    const sent = operations.map((operation): Operation => (
      // A copy: a compare may have to be looked up first, and the caller may go on with its buffer
      operation.type === 'delete' ? operation
        : { ...operation, value: new Uint8Array(operation.value), ...this.#leased(operation.lease) }))
    const waits = compare.some(({ modRevision }) => modRevision > 0 && modRevision <= this.#base)
    const compared = waits ? await Promise.all(compare.map((each) => this.#compare(each)))
      : compare.map(({ key, modRevision }) => ({ key, modRevision: this.#written(modRevision) }))
    const result = await this.#inner.transact(compared, sent)
    const revision = this.#ours(result.revision)
    if (result.succeeded) return { succeeded: true, revision }
    return { succeeded: false, revision, found: await Promise.all(result.found.map((found) =>
      found && this.#entry(found))) }
  }

  watch(prefix: string, { after, signal }: { after: number; signal: AbortSignal }): AsyncIterable<Event> {
    const isRevision = Number.isSafeInteger(after) && after >= 0
    if (isRevision && after < this.#base) {
      return new StoreWatch(signal, () => {
        throw new Compacted(`The store was moved at revision ${this.#base}, and its history left behind: ${after}`)
      })
    }
    // What is no revision is refused there
    return refined(this.#inner.watch(prefix, { after: isRevision ? this.#clusters(after) : after, signal }), (event) =>
      ({ ...event, revision: this.#ours(event.revision) }))
  }

  grant(ttlMs: number): Promise<Lease> {
    return this.#inner.grant(ttlMs)
  }

  /** A lease that the source had granted. */
  lease(id: string, ttlMs: number): Lease {
    return { ...this.#area.lease(this.#clusterLeases.get(id) ?? id, ttlMs), id }
  }

  renewCredentials(credentials: EtcdCredentials): void {
    this.#inner.renewCredentials?.(credentials)
  }

  async close(): Promise<void> {
    await this.#inner.close()
  }

  #ours(revision: number): number {
    return revision - this.#activation + this.#base
  }

  #clusters(revision: number): number {
    return Math.min(revision - this.#base + this.#activation, Number.MAX_SAFE_INTEGER)
  }

  /** Zero is the absence of a key. */
  #written(revision: number): number {
    return revision === 0 ? 0 : this.#clusters(revision)
  }

  #isCopied({ createRevision }: Entry): boolean {
    return createRevision <= this.#activation
  }

  async #entry(found: Entry): Promise<Entry> {
    return this.#translated(found, this.#isCopied(found) ? await this.#rows.of(found.key) : undefined)
  }

  #translated(found: Entry, row: Row | undefined): Entry {
    const lease = found.lease === undefined ? undefined : this.#ownLeases.get(found.lease) ?? found.lease
    return {
      key: found.key, value: found.value,
      createRevision: row?.create ?? this.#ours(found.createRevision),
      modRevision: row && found.modRevision <= this.#activation ? row.mod : this.#ours(found.modRevision),
      version: row ? row.version + found.version - row.copies : found.version,
      ...(lease !== undefined && { lease }),
    }
  }

  /** One of a copy is that of the very write that copied it, if it is still there. */
  async #compare({ key, modRevision }: Compare): Promise<Compare> {
    if (modRevision === 0 || modRevision > this.#base) return { key, modRevision: this.#written(modRevision) }
    const found = await this.#inner.get(key)
    const untouched = found && found.modRevision <= this.#activation ? await this.#rows.of(key) : undefined
    // No key was ever written at the revision of the activation: what is compared with it fails
    return { key, modRevision: untouched?.mod === modRevision ? found!.modRevision : this.#activation }
  }

  #leased(lease: string | undefined): { lease?: string } {
    return lease === undefined ? {} : { lease: this.#clusterLeases.get(lease) ?? lease }
  }
}
