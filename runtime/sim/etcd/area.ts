import type { Area, AreaAnswer, AreaEntry, AreaRequest, Found, Range } from '../../store/move/area.ts'
import type { Entry, Lease, Operation } from '../../store/store.ts'
import type { Connection } from './connection.ts'
import type { Contents } from './contents.ts'
import type { Keyspace } from './keyspace.ts'

/** Of a simulated store's area: its keys lie apart from the rest, as `Keyspace` says. */
export class ClusterArea implements Area {
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

  async transact({ compare, success, failure = [], repeatable = false }: AreaRequest): Promise<AreaAnswer> {
    const compares = compare.map(({ key, mod }) => ({ key: this.#key(key), modRevision: mod }))
    const sent = success.map((operation): Operation => {
      const key = this.#key(operation.key)
      if (operation.type === 'delete') return { type: 'delete', key }
      return { ...operation, key, value: operation.value.slice() }
    })
    const payload = [...compare, ...success].map(({ key }) => key).join('\n')
    return await this.#connection.write('transact', payload, () => {
      const { succeeded, revision } = this.#contents.transact(compares, sent, true)
      return { succeeded, revision, ranges: succeeded ? [] : failure.map((range) => this.#range(range)) }
    }, { repeatable })
  }

  async read(ranges: readonly Range[]): Promise<{ revision: number; ranges: readonly Found[] }> {
    const payload = ranges.map(({ from, to = '' }) => `${from} ${to}`).join('\n')
    return await this.#connection.read('range', payload, () => (
      { revision: this.#contents.revision, ranges: ranges.map((range) => this.#range(range)) }))
  }

  async grant(ttlMs: number, wanted?: string): Promise<Lease> {
    const { prefix } = this.#keyspace
    const act = () => this.#contents.grant(prefix, ttlMs, wanted)
    const granted = await this.#connection.write('grant', String(ttlMs), act, { repeatable: true })
    return this.lease(granted.id, granted.ttlMs)
  }

  lease(id: string, ttlMs: number): Lease {
    const contents = this.#contents
    return {
      id, ttlMs,
      keepAlive: () => this.#connection.read('keep-alive', id, () => contents.keepAlive(id)),
      revoke: () => this.#connection.write('revoke', id, () => contents.endLease(id), { repeatable: true }),
    }
  }

  /** It takes as many as are asked for. */
  async operationsMax(wanted: number): Promise<number> {
    return wanted
  }

  async close(): Promise<void> {
    this.#connection.close()
  }

  /** `keys0` is the end of all keys. */
  #key(name: string): string {
    if (name.startsWith('keys/')) return this.#keyspace.key(name.slice('keys/'.length))
    return name === 'keys0' ? `${this.#keyspace.prefix}\u0001` : `${this.#keyspace.prefix}/${name}`
  }

  #range({ from, to, limit = Infinity, keysOnly = false, countOnly = false, since = 0 }: Range): Found {
    const kvs: AreaEntry[] = []
    let count = 0
    for (const entry of to === undefined ? this.#one(from) : this.#contents.range(this.#key(from), this.#key(to))) {
      if (entry.modRevision < since) continue
      count++
      if (!countOnly && kvs.length < limit) kvs.push(this.#entry(entry, keysOnly))
    }
    return { kvs, count, more: !countOnly && count > kvs.length }
  }

  #one(name: string): readonly Entry[] {
    const found = this.#contents.get(this.#key(name))
    return found ? [found] : []
  }

  #entry({ key, value, createRevision, modRevision, version, lease }: Entry, keysOnly: boolean): AreaEntry {
    const own = this.#keyspace.key('')
    const name = key.startsWith(own) ? `keys/${key.slice(own.length)}` : key.slice(this.#keyspace.prefix.length + 1)
    return {
      key: name, value: keysOnly ? new Uint8Array() : value.slice(),
      create: createRevision, mod: modRevision, version, lease,
    }
  }
}
