import { limits } from '../../limits.ts'
import type { Cancel } from '../../platform/ports.ts'
import {
  checkKey, checkPage, checkPrefix, checkRevision, checkTransaction, checkTtl,
} from '../../store/check-arguments.ts'
import { listAnew } from '../../store/etcd/list-anew.ts'
import type { EventQueue } from '../../store/event-queue.ts'
import type { Area } from '../../store/move/area.ts'
import { openArea } from '../../store/move/open-area.ts'
import { StoreWatch } from '../../store/store-watch.ts'
import type {
  Compare, Entry, Event, Lease, Listing, ListOptions, Operation, Store, TransactionResult,
} from '../../store/store.ts'
import { shortDigest } from '../digest.ts'
import type { SeededRandom } from '../random.ts'
import type { SimulatedThread } from '../thread.ts'
import { SimulatedArea } from './area.ts'
import { Connection } from './connection.ts'
import type { Contents } from './contents.ts'
import { Keyspace } from './keyspace.ts'
import { leaseHandle } from './lease.ts'
import type { Streams } from './streams.ts'
import { feed } from './watch.ts'
import type { Wire } from './wire.ts'

/** One etcd, as its clients use it. */
export interface Cluster {
  readonly wire: Wire
  readonly contents: Contents
  readonly streams: Streams
}

/** As `openEtcdStore`. @throws InvalidArgument, Unavailable, StoreBeingMoved */
export async function openStore(
  cluster: Cluster, prefix: string, thread: SimulatedThread, random: SeededRandom,
): Promise<Store> {
  const { area, native } = connect(cluster, prefix, thread, random)
  return await openArea(area, random, native)
}

/** As `connectEtcd`. @throws InvalidArgument */
export function connect(
  cluster: Cluster, prefix: string, thread: SimulatedThread, random: SeededRandom,
): { area: Area; native: (id: string) => Store } {
  const keyspace = new Keyspace(prefix)
  const connection = new Connection(cluster.wire, thread, random)
  return {
    area: new SimulatedArea(cluster.contents, connection, keyspace),
    native: (id) => new ClusterStore(id, cluster, connection, keyspace, random),
  }
}

class ClusterStore implements Store {
  readonly id: string
  readonly #contents: Contents
  readonly #streams: Streams
  readonly #connection: Connection
  readonly #keyspace: Keyspace
  readonly #random: SeededRandom
  readonly #watches = new Map<EventQueue, Cancel>()

  constructor(
    id: string, { contents, streams }: Cluster, connection: Connection, keyspace: Keyspace, random: SeededRandom,
  ) {
    this.id = id
    this.#contents = contents
    this.#streams = streams
    this.#connection = connection
    this.#keyspace = keyspace
    this.#random = random
  }

  async revision(): Promise<number> {
    return await this.#connection.read('revision', '', () => this.#contents.revision)
  }

  async get(key: string): Promise<Entry | undefined> {
    checkKey(key)
    const full = this.#keyspace.key(key)
    return await this.#connection.read('get', full, () => this.#handedOut(this.#contents.get(full)))
  }

  /** In pages, all at the revision of the first. */
  async list(prefix: string, options: ListOptions = {}): Promise<Listing> {
    checkPrefix(prefix)
    checkPrefix(options.after ?? '')
    checkPage(options.limit)
    return await listAnew(() => this.#pages(prefix, options))
  }

  async put(key: string, value: Uint8Array, options: { lease?: string } = {}): Promise<number> {
    const { revision } = await this.transact([], [{ type: 'put', key, value, ...options }])
    return revision
  }

  async delete(key: string): Promise<boolean> {
    checkKey(key)
    const operation: Operation = { type: 'delete', key: this.#keyspace.key(key) }
    return await this.#write('delete', operation.key, () => {
      const before = this.#contents.revision
      return this.#contents.transact([], [operation]).revision > before
    })
  }

  async transact(compare: readonly Compare[], operations: readonly Operation[]): Promise<TransactionResult> {
    checkTransaction(compare, operations)
    const compares = compare.map(({ key, modRevision }) => ({ key: this.#keyspace.key(key), modRevision }))
    // A copy: the caller may go on with its buffer before the request is sent
    const sent = operations.map((operation): Operation => {
      const key = this.#keyspace.key(operation.key)
      return operation.type === 'delete' ? { ...operation, key } : { ...operation, key, value: operation.value.slice() }
    })
    return await this.#write('transact', described(compares, sent), () => {
      const result = this.#contents.transact(compares, sent)
      return result.succeeded ? result : { ...result, found: result.found.map((entry) => this.#handedOut(entry)) }
    })
  }

  watch(prefix: string, { after, signal }: { after: number; signal: AbortSignal }): AsyncIterable<Event> {
    return new StoreWatch(signal, (queue) => {
      checkPrefix(prefix)
      checkRevision(after)
      this.#connection.assertOpen()
      const cancel = feed({
        connection: this.#connection, streams: this.#streams, keyspace: this.#keyspace, random: this.#random,
        prefix, after, queue,
      })
      this.#watches.set(queue, cancel)
      return () => {
        this.#watches.delete(queue)
        cancel()
      }
    })
  }

  async grant(ttlMs: number): Promise<Lease> {
    checkTtl(ttlMs)
    const contents = this.#contents
    // One that was granted unheard ends by itself
    const granted = await this.#connection.write('grant', String(ttlMs), () =>
      contents.grant(this.#keyspace.prefix, ttlMs), { repeatable: true })
    return leaseHandle(this.#connection, contents, granted)
  }

  async close(): Promise<void> {
    const reason = this.#connection.close()
    for (const [queue, cancel] of this.#watches) {
      cancel()
      queue.fail(reason)
    }
  }

  async #pages(prefix: string, { after, limit = Infinity, keysOnly = false }: ListOptions): Promise<Listing> {
    const from = this.#keyspace.key(prefix)
    const behind = after === undefined ? undefined : this.#keyspace.key(after)
    const listing = await this.#connection.read('list', from, () => {
      const { entries, ...rest } = this.#contents.list(from, behind, limit)
      return { ...rest, entries: entries.map((entry) => this.#keyspace.entry(keysOnly ? withoutValue(entry) : entry)) }
    })
    for (let read = limits.storePage; read < listing.entries.length; read += limits.storePage) {
      await this.#connection.read('page', `${from} ${read}`, () => this.#contents.assertKept(listing.revision))
    }
    return listing
  }

  #write<T>(kind: string, payload: string, act: () => T): Promise<T> {
    return this.#connection.write(kind, payload, act, { repeatable: false })
  }

  #handedOut(entry: Entry | undefined): Entry | undefined {
    return entry && this.#keyspace.entry(entry)
  }
}

const NO_VALUE = new Uint8Array()
const withoutValue = (entry: Entry): Entry => ({ ...entry, value: NO_VALUE })

const described = (compare: readonly Compare[], operations: readonly Operation[]): string => [
  ...compare.map(({ key, modRevision }) => `${key} ${modRevision}`),
  ...operations.map((each) => `${each.key} ${each.type === 'put' ? `${shortDigest(each.value)} ${each.lease}` : ''}`),
].join('\n')
