import { limits } from '../../limits.ts'
import {
  all, type Area, type AreaAnswer, type AreaEntry, type AreaOperation, type AreaRequest, type Found, type Range,
} from '../../store/move/area.ts'
import type { Entry, Lease, Operation } from '../../store/store.ts'
import { shortDigest } from '../digest.ts'
import type { Connection } from './connection.ts'
import type { Contents } from './contents.ts'
import type { Keyspace } from './keyspace.ts'
import { leaseHandle } from './lease.ts'

const KEYS = all('keys').from

/** What lies under the prefix of one store, as `EtcdArea`: its keys are where the store has them. */
export class SimulatedArea implements Area {
  readonly place: string
  readonly #contents: Contents
  readonly #connection: Connection
  readonly #keyspace: Keyspace

  constructor(contents: Contents, connection: Connection, keyspace: Keyspace) {
    this.place = `etcd under ${keyspace.prefix}`
    this.#contents = contents
    this.#connection = connection
    this.#keyspace = keyspace
  }

  transact({ compare, success, failure = [], repeatable = false }: AreaRequest): Promise<AreaAnswer> {
    const compares = compare.map(({ key, mod }) => ({ key: this.#key(key), modRevision: mod }))
    const operations = success.map((operation) => this.#operation(operation))
    return this.#connection.write('area', described(compares, operations), () => {
      const { succeeded, revision } = this.#contents.transact(compares, operations)
      return { succeeded, revision, ranges: succeeded ? [] : failure.map((range) => this.#found(range)) }
    }, { repeatable })
  }

  read(ranges: readonly Range[]): Promise<{ readonly revision: number; readonly ranges: readonly Found[] }> {
    return this.#connection.read('area-read', ranges.map(({ from, to }) => `${from} ${to}`).join('\n'), () => ({
      revision: this.#contents.revision, ranges: ranges.map((range) => this.#found(range)),
    }))
  }

  async grant(ttlMs: number, id?: string): Promise<Lease> {
    const granted = await this.#connection.write('grant', `${ttlMs} ${id}`, () =>
      this.#contents.grant(this.#keyspace.prefix, ttlMs, id), { repeatable: true })
    return this.lease(granted.id, granted.ttlMs)
  }

  lease(id: string, ttlMs: number): Lease {
    return leaseHandle(this.#connection, this.#contents, { id, ttlMs })
  }

  async operationsMax(wanted: number): Promise<number> {
    return this.#connection.read('area-operations', String(wanted), () =>
      Math.min(wanted, limits.transactionOperations))
  }

  async close(): Promise<void> {
    this.#connection.close()
  }

  /** Those of the store lie behind its NUL; what is beside them, and the end of all of them, does not. */
  #key(name: string): string {
    if (name.startsWith(KEYS)) return this.#keyspace.key(name.slice(KEYS.length))
    return name === all('keys').to ? this.#keyspace.end : `${this.#keyspace.prefix}/${name}`
  }

  #name(key: string): string {
    const root = this.#keyspace.key('')
    return key.startsWith(root) ? KEYS + key.slice(root.length) : key.slice(this.#keyspace.prefix.length + 1)
  }

  #found({ from, to, limit = Infinity, keysOnly = false, countOnly = false, since = 0 }: Range): Found {
    const end = to === undefined ? undefined : this.#key(to)
    const inRange = this.#contents.range(this.#key(from), end)
    const wanted = inRange.filter(({ modRevision }) => modRevision >= since)
    const kvs = countOnly ? [] : wanted.slice(0, limit).map((entry) => this.#entry(entry, keysOnly))
    return { kvs, more: !countOnly && wanted.length > kvs.length, count: inRange.length }
  }

  #entry({ key, value, createRevision, modRevision, version, lease }: Entry, keysOnly: boolean): AreaEntry {
    return {
      key: this.#name(key), value: keysOnly ? new Uint8Array() : new Uint8Array(value), create: createRevision,
      mod: modRevision, version, lease,
    }
  }

  #operation(operation: AreaOperation): Operation {
    const key = this.#key(operation.key)
    return operation.type === 'delete' ? { type: 'delete', key }
      : { ...operation, key, value: new Uint8Array(operation.value) }
  }
}

const described = (
  compare: readonly { readonly key: string; readonly modRevision: number }[], operations: readonly Operation[],
): string => [
  ...compare.map(({ key, modRevision }) => `${key} ${modRevision}`),
  ...operations.map((each) => `${each.key} ${each.type === 'put' ? `${shortDigest(each.value)} ${each.lease}` : ''}`),
].join('\n')
