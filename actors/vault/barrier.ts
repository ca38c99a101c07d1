import type { Random } from '../../runtime/platform/ports.ts'
import type { Infer, Schema } from '../../runtime/protocol.ts'
import type { Compare, Operation, Store } from '../../runtime/store/store.ts'
import { readJson } from './json.ts'
import type { Terms } from './keyring.ts'
import { openRecord, sealRecord } from './record.ts'

/** Nothing but `core/` reaches the store except through here: encrypted, and bound to its path. */
export interface Barrier {
  /** @throws VaultDamaged */
  read<S extends Schema>(path: string, schema: S): Promise<Opened<Infer<S>> | undefined>
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
  readonly value: object | undefined
}

export function createBarrier({ store, random, terms }: { store: Store; random: Random; terms: Terms }): Barrier {
  const operationOf = ({ path, value }: Change): Operation => {
    if (value === undefined) return { type: 'delete', key: path }
    const plaintext = new TextEncoder().encode(JSON.stringify(value))
    const record = sealRecord(terms.current, random, path, plaintext)
    plaintext.fill(0)
    return { type: 'put', key: path, value: record }
  }
  return {
    async read(path, schema) {
      const entry = await store.get(path)
      if (entry === undefined) return undefined
      const plaintext = openRecord(path, entry.value, terms.aeadOf)
      const value = readJson(schema, path, plaintext)
      plaintext.fill(0)
      return { value, revision: entry.modRevision }
    },
    async commit(guards, changes) {
      const { succeeded } = await store.transact(guards, changes.map(operationOf))
      return succeeded
    },
  }
}
