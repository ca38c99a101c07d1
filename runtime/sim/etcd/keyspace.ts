import { InvalidArgument } from '../../errors.ts'
import { checkKey } from '../../store/check-arguments.ts'
import type { Write } from '../../store/change.ts'
import { names } from '../../store/move/area.ts'
import type { Entry, Event } from '../../store/store.ts'

const nothing = new Uint8Array(0)

/** Where one store's keys lie in the cluster: behind its prefix and a NUL, which no prefix has. */
export class Keyspace {
  readonly prefix: string
  readonly #root: string

  /** @throws InvalidArgument */
  constructor(prefix: string) {
    checkKey(prefix)
    if (prefix.includes('\0')) throw new InvalidArgument('A prefix has no NUL')
    this.prefix = prefix.replace(/\/+$/, '')
    this.#root = `${this.prefix}\0`
  }

  key(key: string): string {
    return `${this.#root}${key}`
  }

  /** Behind all of them, and before all else below the prefix. */
  get end(): string {
    return `${this.prefix}\x01`
  }

  /** With a copy of the value: it leaves the server. */
  entry({ key, value, lease, ...revisions }: Entry): Entry {
    return {
      key: key.slice(this.#root.length), value: new Uint8Array(value), ...revisions,
      ...(lease === undefined ? {} : { lease }),
    }
  }

  event({ key, entry }: Write, revision: number): Event {
    return {
      type: entry ? 'put' : 'delete', key: key.slice(this.#root.length), revision,
      value: entry ? new Uint8Array(entry.value) : nothing,
    }
  }
}

/** Holds the id of the store with this prefix, apart from its keys. */
export const idKeyOf = (prefix: string): string => `${prefix}/${names.id}`

/** The writes by the prefix of their store, with its own keys; values are the server's. */
export function byStore(writes: readonly Write[]): Map<string, Write[]> {
  const stores = new Map<string, Write[]>()
  for (const { key: full, entry } of writes) {
    const end = full.indexOf('\0')
    if (end < 0) continue
    const [prefix, key] = [full.slice(0, end), full.slice(end + 1)]
    const own = stores.get(prefix) ?? []
    stores.set(prefix, own)
    own.push({ key, entry: entry && { ...entry, key } })
  }
  return stores
}
