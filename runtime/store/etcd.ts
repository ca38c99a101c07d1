import { Buffer } from 'node:buffer'
import type { IRangeRequest, IRangeResponse, IRequestOp } from 'etcd3'
import { limits } from '../limits.ts'
import type { Cancel, Clock, Random } from '../platform/ports.ts'
import { expired } from './change.ts'
import { checkKey, checkPage, checkPrefix, checkRevision, checkTransaction, checkTtl } from './check-arguments.ts'
import { EtcdArea } from './etcd/area.ts'
import { Connection, type EtcdCredentials } from './etcd/connection.ts'
import { Keyspace } from './etcd/keyspace.ts'
import { grant } from './etcd/lease.ts'
import { listAnew } from './etcd/list-anew.ts'
import { feed } from './etcd/watch.ts'
import type { EventQueue } from './event-queue.ts'
import { openArea } from './move/open-area.ts'
import { StoreWatch } from './store-watch.ts'
import type {
  Compare, Entry, Event, Lease, Listing, ListOptions, Operation, Store, TransactionResult,
} from './store.ts'

export type { EtcdCredentials } from './etcd/connection.ts'

/**
 * A store under a prefix of an etcd cluster (or of Xline, which speaks the same API). Its revisions are the cluster's:
 * they grow with the writes of others too. etcd must be started with `--max-txn-ops` of at least
 * `limits.transactionOperations`.
 * @throws InvalidArgument, Denied, Unavailable, StoreBeingMoved
 */
export async function openEtcdStore({ random, ...options }: EtcdOptions & { random: Random }): Promise<Store> {
  const { connection, area, keyspace } = connect(options)
  try {
    return await openArea(area, random, (id) => new EtcdStore(id, connection, keyspace))
  } catch (error) {
    connection.close()
    throw error
  }
}

/**
 * What lies there, for who moves a store to it, and the store that it then is, on one connection. Does not connect yet.
 * @throws InvalidArgument
 */
export function connectEtcd(options: EtcdOptions): { area: EtcdArea; native: (id: string) => Store } {
  const { connection, area, keyspace } = connect(options)
  return { area, native: (id) => new EtcdStore(id, connection, keyspace) }
}

export interface EtcdOptions {
  readonly endpoints: readonly string[]
  readonly prefix: string
  readonly credentials?: EtcdCredentials
  readonly clock: Clock
}

function connect({ endpoints, prefix, credentials, clock }: EtcdOptions) {
  checkKey(prefix)
  const connection = new Connection(endpoints, credentials, clock)
  return { connection, area: new EtcdArea(connection, prefix), keyspace: new Keyspace(prefix) }
}

class EtcdStore implements Store {
  readonly id: string
  readonly #connection: Connection
  readonly #keyspace: Keyspace
  readonly #watches = new Map<EventQueue, Cancel>()

  constructor(id: string, connection: Connection, keyspace: Keyspace) {
    this.id = id
    this.#connection = connection
    this.#keyspace = keyspace
  }

  async revision(): Promise<number> {
    return revisionOf(await this.#range({ key: this.#keyspace.idKey, count_only: true }))
  }

  async get(key: string): Promise<Entry | undefined> {
    checkKey(key)
    const { kvs: [found] } = await this.#range({ key: this.#keyspace.key(key) })
    return found && this.#keyspace.entry(found)
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
    const connection = this.#connection
    const request = { key: this.#keyspace.key(key) }
    const { deleted } = await connection.call(
      (options) => connection.client.kv.deleteRange(request, options), { repeatable: false },
    )
    return deleted !== '0'
  }

  async transact(compare: readonly Compare[], operations: readonly Operation[]): Promise<TransactionResult> {
    checkTransaction(compare, operations)
    const request = {
      compare: compare.map(({ key, modRevision }) => (
        { key: this.#keyspace.key(key), target: 'Mod', result: 'Equal', mod_revision: modRevision } as const)),
      success: operations.map((operation) => this.#request(operation)),
      failure: compare.map(({ key }) => ({ request_range: { key: this.#keyspace.key(key) } })),
    }
    const { header, succeeded, responses } = await this.#connection.call(
      (options) => this.#connection.client.kv.txn(request, options),
      { repeatable: false },
    )
    const revision = revisionOf({ header })
    if (succeeded) return { succeeded, revision }
    const found = responses.map(({ response_range: { kvs: [each] } }) => each && this.#keyspace.entry(each))
    return { succeeded, revision, found }
  }

  watch(prefix: string, { after, signal }: { after: number; signal: AbortSignal }): AsyncIterable<Event> {
    return new StoreWatch(signal, (queue) => {
      checkPrefix(prefix)
      checkRevision(after)
      this.#connection.assertOpen()
      const cancel = feed(this.#connection, this.#keyspace, this.#keyspace.range(prefix), after, queue)
      this.#watches.set(queue, cancel)
      return () => {
        this.#watches.delete(queue)
        cancel()
      }
    })
  }

  async grant(ttlMs: number): Promise<Lease> {
    checkTtl(ttlMs)
    return await grant(this.#connection, ttlMs)
  }

  /** @throws InvalidArgument */
  renewCredentials(credentials: EtcdCredentials): void {
    this.#connection.renew(credentials)
  }

  async close(): Promise<void> {
    const reason = this.#connection.close()
    for (const [queue, cancel] of this.#watches) {
      cancel()
      queue.fail(reason)
    }
  }

  async #pages(prefix: string, { after, limit, keysOnly = false }: ListOptions): Promise<Listing> {
    const entries: Entry[] = []
    let revision = 0
    for (let behind = after; ;) {
      const wanted = Math.min(limits.storePage, (limit ?? Infinity) - entries.length)
      const range = this.#keyspace.range(prefix, behind)
      const page = await this.#range({ ...range, limit: wanted, revision, keys_only: keysOnly })
      revision ||= revisionOf(page)
      entries.push(...page.kvs.map((found) => this.#keyspace.entry(found)))
      if (!page.more || entries.length === limit) return { entries, revision, more: page.more }
      behind = entries.at(-1)?.key
    }
  }

  #range(request: IRangeRequest): Promise<IRangeResponse> {
    const connection = this.#connection
    return connection.call((options) => connection.client.kv.range(request, options), { repeatable: true })
  }

  #request(operation: Operation): IRequestOp {
    const key = this.#keyspace.key(operation.key)
    if (operation.type === 'delete') return { request_delete_range: { key } }
    const { value, lease } = operation
    // etcd's are numbers
    if (lease !== undefined && !/^\d{1,19}$/.test(lease)) throw expired(lease)
    // A copy: the caller may go on with its buffer before the request is sent
    return { request_put: { key, value: Buffer.from(value), ...(lease !== undefined && { lease }) } }
  }
}

const revisionOf = ({ header }: Pick<IRangeResponse, 'header'>): number => Number(header.revision)
