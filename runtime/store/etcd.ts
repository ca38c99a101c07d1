import { Buffer } from 'node:buffer'
import type { IRangeRequest, IRangeResponse, IRequestOp } from 'etcd3'
import { limits } from '../limits.ts'
import type { Cancel, Clock, Random } from '../platform/ports.ts'
import { expired } from './change.ts'
import { checkKey, checkPage, checkPrefix, checkRevision, checkTransaction, checkTtl } from './check-arguments.ts'
import { Connection, type EtcdCredentials } from './etcd/connection.ts'
import { Keyspace } from './etcd/keyspace.ts'
import { grant } from './etcd/lease.ts'
import { listAnew } from './etcd/list-anew.ts'
import { feed } from './etcd/watch.ts'
import type { EventQueue } from './event-queue.ts'
import { randomId } from './random-id.ts'
import { StoreWatch } from './store-watch.ts'
import type {
  Compare, Entry, Event, Lease, Listing, ListOptions, Operation, Store, TransactionResult,
} from './store.ts'

export type { EtcdCredentials } from './etcd/connection.ts'

/**
 * A store under a prefix of an etcd cluster (or of Xline, which speaks the same API). Its revisions are the cluster's:
 * they grow with the writes of others too. etcd must be started with `--max-txn-ops` of at least
 * `limits.transactionOperations`.
 * @throws InvalidArgument, Denied, Unavailable
 */
export async function openEtcdStore({ endpoints, prefix, credentials, clock, random }: {
  endpoints: readonly string[]
  prefix: string
  credentials?: EtcdCredentials
  clock: Clock
  random: Random
}): Promise<Store> {
  checkKey(prefix)
  const connection = new Connection(endpoints, credentials, clock)
  const keyspace = new Keyspace(prefix)
  try {
    return new EtcdStore(await openId(connection, keyspace, random), connection, keyspace)
  } catch (error) {
    connection.close()
    throw error
  }
}

/** Of several that open a new store at once, all get the id of the first. */
async function openId(connection: Connection, { idKey }: Keyspace, random: Random): Promise<string> {
  const id = randomId(random, 16)
  const { succeeded, responses } = await connection.call(() => connection.client.kv.txn({
    compare: [{ key: idKey, target: 'Create', result: 'Equal', create_revision: 0 }],
    success: [{ request_put: { key: idKey, value: Buffer.from(id) } }],
    failure: [{ request_range: { key: idKey } }],
  }), { repeatable: true })
  return succeeded ? id : responses[0]!.response_range.kvs[0]!.value.toString()
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
    const { kv } = this.#connection.client
    const request = { key: this.#keyspace.key(key) }
    const { deleted } = await this.#connection.call(() => kv.deleteRange(request), { repeatable: false })
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
      () => this.#connection.client.kv.txn(request),
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
    return this.#connection.call(() => this.#connection.client.kv.range(request), { repeatable: true })
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
