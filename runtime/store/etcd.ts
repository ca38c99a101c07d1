import { Buffer } from 'node:buffer'
import type { IRequestOp, IRangeResponse } from 'etcd3'
import { Compacted } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Clock, Random } from '../platform/ports.ts'
import { expired } from './change.ts'
import { checkKey, checkPage, checkPrefix, checkRevision, checkTransaction, checkTtl } from './check-arguments.ts'
import { Connection, type EtcdCredentials } from './etcd/connection.ts'
import { Keyspace, type KeyRange } from './etcd/keyspace.ts'
import { grant } from './etcd/lease.ts'
import { feed } from './etcd/watch.ts'
import { EventQueue } from './event-queue.ts'
import { randomId } from './random-id.ts'
import type { Compare, Entry, Event, Listing, Operation, Store, TransactionResult } from './store.ts'

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
async function openId({ client, call }: Connection, { idKey }: Keyspace, random: Random): Promise<string>
async function openId(connection: Connection, { idKey }: Keyspace, random: Random): Promise<string> {
  const id = randomId(random, 16)
  const { succeeded, responses } = await connection.call(() => connection.client.kv.txn({
    compare: [{ key: idKey, target: 'Create', result: 'Equal', create_revision: 0 }],
    success: [{ request_put: { key: idKey, value: Buffer.from(id) } }],
    failure: [{ request_range: { key: idKey } }],
  }), { repeatable: true })
  return succeeded ? id : responses[0]!.response_range.kvs[0]!.value.toString()
}
