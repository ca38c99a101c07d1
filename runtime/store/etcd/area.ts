import { Buffer } from 'node:buffer'
import type { ICompare, IRangeRequest, IRangeResponse, IRequestOp } from 'etcd3'
import { InvalidArgument } from '../../errors.ts'
import type { Area, AreaAnswer, AreaOperation, AreaRequest, Found, Range } from '../move/area.ts'
import type { Lease } from '../store.ts'
import type { Connection } from './connection.ts'
import { grant, leaseHandle } from './lease.ts'

/** What lies under the prefix of one store. Closing it closes the connection. */
export class EtcdArea implements Area {
  readonly place: string
  readonly #connection: Connection
  readonly #root: string

  constructor(connection: Connection, prefix: string) {
    const plain = prefix.replace(/\/+$/, '')
    this.place = `etcd at ${connection.endpoints.join(', ')} under ${plain}`
    this.#root = `${plain}/`
    this.#connection = connection
  }

  async transact({ compare, success, failure = [], repeatable = false }: AreaRequest): Promise<AreaAnswer> {
    const request = {
      compare: compare.map(({ key, mod }): ICompare => ({
        key: this.#key(key), target: 'Mod', result: 'Equal', mod_revision: String(mod),
      } as ICompare)),
      success: success.map((operation) => this.#operation(operation)),
      failure: failure.map((range) => ({ request_range: this.#range(range) })),
    }
    const { header, succeeded, responses } = await this.#connection.call(
      (options) => this.#connection.client.kv.txn(request, options), { repeatable },
    )
    const ranges = succeeded ? [] : responses.map(({ response_range: found }) => this.#found(found))
    return { succeeded, revision: Number(header.revision), ranges }
  }

  async read(ranges: readonly Range[]): Promise<{ revision: number; ranges: readonly Found[] }> {
    const success = ranges.map((range) => ({ request_range: this.#range(range) }))
    const { header, responses } = await this.#connection.call(
      (options) => this.#connection.client.kv.txn({ compare: [], success, failure: [] }, options), { repeatable: true },
    )
    return {
      revision: Number(header.revision), ranges: responses.map(({ response_range: found }) => this.#found(found)),
    }
  }

  grant(ttlMs: number, id?: string): Promise<Lease> {
    return grant(this.#connection, ttlMs, id)
  }

  lease(id: string, ttlMs: number): Lease {
    return leaseHandle(this.#connection, id, ttlMs)
  }

  /** It counts them before it looks at the compares, and these never hold: no key was written at revision 0 and 1. */
  async operationsMax(wanted: number): Promise<number> {
    const key = this.#key('id')
    const never = [0, 1].map((mod) => ({ key, target: 'Mod', result: 'Equal', mod_revision: String(mod) } as ICompare))
    const operation = { request_range: { key, count_only: true } }
    for (let count = wanted; count > 1; count = Math.floor(count / 2)) {
      const request = { compare: never, success: Array.from({ length: count }, () => operation), failure: [] }
      try {
        await this.#connection.call((options) => this.#connection.client.kv.txn(request, options), { repeatable: true })
        return count
      } catch (error) {
        if (!(error instanceof InvalidArgument)) throw error
      }
    }
    return 1
  }

  async close(): Promise<void> {
    this.#connection.close()
  }

  #key(name: string): Buffer {
    return Buffer.from(this.#root + name)
  }

  #range({ from, to, limit, keysOnly = false, countOnly = false, since }: Range): IRangeRequest {
    return {
      key: this.#key(from), keys_only: keysOnly, count_only: countOnly,
      ...(to !== undefined && { range_end: this.#key(to) }), ...(limit !== undefined && { limit: String(limit) }),
      ...(since !== undefined && { min_mod_revision: String(since) }),
    }
  }

  #operation(operation: AreaOperation): IRequestOp {
    const key = this.#key(operation.key)
    if (operation.type === 'delete') return { request_delete_range: { key } }
    const { value, lease } = operation
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    return { request_put: { key, value: bytes, ...(lease !== undefined && { lease }) } }
  }

  #found({ kvs, more, count }: IRangeResponse): Found {
    const skipped = Buffer.byteLength(this.#root)
    return {
      more, count: Number(count),
      kvs: kvs.map(({ key, value, create_revision: create, mod_revision: mod, version, lease }) => ({
        key: key.toString('utf8', skipped), value,
        create: Number(create), mod: Number(mod), version: Number(version), lease: lease === '0' ? undefined : lease,
      })),
    }
  }
}
