import { limits } from '../../runtime/limits.ts'
import type { Random } from '../../runtime/platform/ports.ts'
import type { Infer, Schema } from '../../runtime/protocol.ts'
import type { Compare, Operation, Store } from '../../runtime/store/store.ts'
import { readJson } from './json.ts'
import type { Terms } from './keyring.ts'
import { openRecord, pooledNonces, sealRecord, termOf } from './record.ts'

/** Nothing but `core/` reaches the store except through here: encrypted, and bound to its path. */
export interface Barrier {
  /** @throws VaultDamaged */
  read<S extends Schema>(path: string, schema: S): Promise<Opened<Infer<S>> | undefined>
  /** As it was written, for what is no JSON. @throws VaultDamaged */
  readBytes(path: string): Promise<Opened<Uint8Array> | undefined>
  /** Paths that begin with `prefix`, in order of their bytes, behind `after`. */
  list(prefix: string, options: { after?: string; limit: number }): Promise<{ paths: string[]; more: boolean }>
  /** All guards hold, then all changes in one transaction; else nothing, and false. */
  commit(guards: readonly Compare[], changes: readonly Change[]): Promise<boolean>
}

export interface Opened<T> {
  readonly value: T
  readonly revision: number
}

/** A value of undefined removes the entry. */
export interface Change {
  readonly path: string
  readonly value: object | Uint8Array | undefined
}

/** The part of the barrier below a prefix, under paths of its own: what one engine sees. */
export function barrierView(barrier: Barrier, prefix: string): Barrier {
  const { length } = prefix
  return {
    read: (path, schema) => barrier.read(prefix + path, schema),
    readBytes: (path) => barrier.readBytes(prefix + path),
    async list(below, { after, limit }) {
      const { paths, more } = await barrier.list(prefix + below, {
        limit, ...(after === undefined ? {} : { after: prefix + after }),
      })
      return { paths: paths.map((path) => path.slice(length)), more }
    },
    commit: (guards, changes) => barrier.commit(
      guards.map(({ key, modRevision }) => ({ key: prefix + key, modRevision })),
      changes.map(({ path, value }) => ({ path: prefix + path, value })),
    ),
  }
}

const encoder = new TextEncoder()

export interface BarrierPorts {
  readonly store: Store
  readonly random: Random
  readonly terms: Terms
  /** What is written with every transaction, whatever it is about. */
  readonly beside?: () => readonly Operation[]
}

export function createBarrier({ store, random, terms, beside }: BarrierPorts): Barrier {
  const nonces = pooledNonces(random)
  const operationOf = ({ path, value }: Change): Operation => {
    if (value === undefined) return { type: 'delete', key: path }
    const isBytes = value instanceof Uint8Array
    const plaintext = isBytes ? value : encoder.encode(JSON.stringify(value))
    const record = sealRecord(terms.current, nonces, path, plaintext)
    if (!isBytes) plaintext.fill(0)
    return { type: 'put', key: path, value: record }
  }
  const joining = (operations: number): readonly Operation[] => {
    const more = beside?.() ?? []
    return operations + more.length > limits.transactionOperations ? [] : more
  }
  const readBytes: Barrier['readBytes'] = async (path) => {
    const entry = await store.get(path)
    if (entry === undefined) return undefined
    // Another vault on this store may have made a term since
    if (terms.aeadOf(termOf(entry.value)) === undefined) await terms.refresh?.()
    return { value: openRecord(path, entry.value, terms.aeadOf), revision: entry.modRevision }
  }
  return {
    readBytes,
    async read(path, schema) {
      const found = await readBytes(path)
      if (found === undefined) return undefined
      const value = readJson(schema, path, found.value)
      found.value.fill(0)
      return { value, revision: found.revision }
    },
    async list(prefix, options) {
      const { entries, more } = await store.list(prefix, { ...options, keysOnly: true })
      return { paths: entries.map(({ key }) => key), more }
    },
    async commit(guards, changes) {
      const operations = changes.map(operationOf)
      const { succeeded } = await store.transact(guards, [...operations, ...joining(operations.length)])
      return succeeded
    },
  }
}
