import { StoreDamaged } from '../../runtime/errors.ts'
import { refined, type Feed } from '../../runtime/feed.ts'
import type { Compare, Entry, Event, Operation, Store } from '../../runtime/store/store.ts'
import { SharedWatches } from './shared-watch.ts'
import { encodeText, inScope, STORE_PREFIX, storePrefix, type Scope } from './key-path.ts'

/**
 * The records of `kv://` in the store.
 *
 * Revisions are the store's: one counter for all keys, which never goes back. So a key that is deleted and made again
 * never meets a revision it had before, a transaction has one revision for all its keys, and one number says where a
 * dump ends and a watch goes on. A record starts with a byte that says where its revision is kept. Now that is always
 * the store, which saves every writer a counter to race for; a record that is copied to another store has to bring its
 * revision along under another byte.
 */
const REVISION_IS_THE_STORES = 1

export interface KvRecord {
  readonly key: string
  readonly value: string
  readonly revision: number
}

export type Revised = Pick<KvRecord, 'key' | 'revision'>

/** `leaves`: only keys whose last segment is one of these. */
export type Watched = Scope & { readonly leaves?: readonly string[] | undefined }

export interface Change {
  readonly type: 'put' | 'delete'
  readonly key: string
  readonly value: string
  readonly revision: number
}

/** Holds when the key was last written at this revision; 0: when it does not exist. */
export interface Guard {
  readonly key: string
  readonly revision: number
}

export type Write =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'delete'; readonly key: string }

export type CommitResult =
  | { readonly succeeded: true; readonly revision: number }
  /** What each guard found, in order, and each compare beside them. */
  | {
    readonly succeeded: false; readonly found: readonly (KvRecord | undefined)[]
    readonly beside: readonly (Entry | undefined)[]
  }

/** What of the same store, and not of `kv://`, joins a transaction. */
export interface Beside {
  readonly compare: readonly Compare[]
  readonly operations: readonly Operation[]
}

export interface Records {
  /** Which store holds them, and its present revision. */
  store(): Promise<{ id: string; revision: number }>
  get(key: string): Promise<KvRecord | undefined>
  /** As `get`, at once: while the store has its contents in memory. It may lose them: to be asked for each time. */
  readonly peek: ((key: string) => KvRecord | undefined) | undefined
  /** Keys of the scopes in order, all at one revision. */
  list(scopes: readonly Scope[], leaves?: readonly string[]): Promise<{ items: KvRecord[]; revision: number }>
  /** Of the same keys, without what stands under them. */
  revisions(scopes: readonly Scope[], leaves?: readonly string[]): Promise<{ items: Revised[]; revision: number }>
  /** Names of the direct children, in order. */
  children(scope: Scope): Promise<string[]>
  /** Whatever was there before. Returns the revision. */
  put(key: string, value: string): Promise<number>
  commit(guards: readonly Guard[], writes: readonly Write[], beside?: Beside): Promise<CommitResult>
  /** Changes after `after`, without gap; of one event always the same object. @throws Compacted @throws WatchOverrun */
  watch(scope: Watched, after: number, signal: AbortSignal): Feed<Change>
}

export function openRecords(store: Store): Records {
  const entriesOf = async (scopes: readonly Scope[], leaves: readonly string[] | undefined, keysOnly: boolean) => {
    // One listing, of more than was asked for if need be: two would be true at two revisions
    const { entries, revision } = await store.list(storePrefix(scopes), { keysOnly })
    return { revision, entries: entries.filter((entry) => {
      const key = keyOf(entry)
      return hasLeaf(leaves, key) && scopes.some((scope) => inScope(scope, key))
    }) }
  }
  const peek = (key: string): KvRecord | undefined => {
    const entry = store.peek!(STORE_PREFIX + key)
    return entry && decodeEntry(entry)
  }
  const shared = new SharedWatches(store, STORE_PREFIX, (key) => !REPORT.test(key))
  return {
    store: async () => ({ id: store.id, revision: await store.revision() }),
    async get(key) {
      const entry = await store.get(STORE_PREFIX + key)
      return entry && decodeEntry(entry)
    },
    get peek() {
      return store.peek && peek
    },
    async list(scopes, leaves) {
      const { entries, revision } = await entriesOf(scopes, leaves, false)
      return { items: entries.map(decodeEntry), revision }
    },
    async revisions(scopes, leaves) {
      const { entries, revision } = await entriesOf(scopes, leaves, true)
      return { items: entries.map((entry) => ({ key: keyOf(entry), revision: entry.modRevision })), revision }
    },
    async children(scope) {
      const { entries } = await store.list(STORE_PREFIX + scope.below, { keysOnly: true })
      const from = STORE_PREFIX.length + scope.below.length
      const names = new Set<string>()
      for (const { key } of entries) {
        const end = key.indexOf('/', from)
        names.add(key.slice(from, end < 0 ? undefined : end))
      }
      return [...names].sort()
    },
    put: (key, value) => store.put(STORE_PREFIX + key, encodeValue(value)),
    async commit(guards, writes, { compare, operations } = NOTHING) {
      const result = await store.transact(
        [...guards.map(compareOf), ...compare], [...writes.map(operationOf), ...operations],
      )
      if (result.succeeded) return { succeeded: true, revision: result.revision }
      const found = result.found.slice(0, guards.length).map((entry) => entry && decodeEntry(entry))
      return { succeeded: false, found, beside: result.found.slice(guards.length) }
    },
    watch(scope, after, signal) {
      const prefix = storePrefix([scope])
      // A store that has its contents in memory has one stream for all already
      const events = store.peek ? store.watch(prefix, { after, signal })
        : shared.watch({ prefix, after, seesUnkept: seesReports(scope) }, signal)
      // What starts with the prefix of a whole folder is in it
      if (!scope.self && scope.leaves === undefined) return refined(events, changeOf)
      return refined(events, (event) => {
        const change = changeOf(event)
        return inScope(scope, change.key) && hasLeaf(scope.leaves, change.key) ? change : undefined
      })
    },
  }
}

/** What each host tells of itself every few seconds; few watch it, and whoever comes back to it begins anew. */
const REPORT = /^kv\/devices\/[^/]+\/info$/
const HAS_REPORTS = /^(?:devices(?:\/[^/]+(?:\/info)?)?)?$/
const seesReports = ({ path, leaves }: Watched): boolean => HAS_REPORTS.test(path) && (leaves?.includes('info') ?? true)

const NOTHING: Beside = { compare: [], operations: [] }

const hasLeaf = (leaves: readonly string[] | undefined, key: string): boolean =>
  leaves === undefined || leaves.includes(key.slice(key.lastIndexOf('/') + 1))
const keyOf = (entry: Entry): string => entry.key.slice(STORE_PREFIX.length)
const compareOf = ({ key, revision }: Guard): Compare => ({ key: STORE_PREFIX + key, modRevision: revision })

function operationOf(write: Write): Operation {
  const key = STORE_PREFIX + write.key
  return write.type === 'delete' ? { type: 'delete', key } : { type: 'put', key, value: encodeValue(write.value) }
}

const CHANGE = Symbol('change')

/**
 * A store has one object for all watches that see an event: it is decoded for the first of them. What it was decoded to
 * is kept on it, because a `WeakMap` costs the collector more than a single watch costs without.
 */
const changeOf = (event: Event & { [CHANGE]?: Change }): Change => event[CHANGE] ??= decodeEvent(event)

function decodeEvent({ type, key: stored, value, revision }: Event): Change {
  const key = stored.slice(STORE_PREFIX.length)
  return { type, key, value: type === 'put' ? decodeValue(key, value) : '', revision }
}

function decodeEntry(entry: Entry): KvRecord {
  const key = keyOf(entry)
  return { key, value: decodeValue(key, entry.value), revision: entry.modRevision }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function encodeValue(value: string): Uint8Array {
  const text = encodeText(value, 1)
  const bytes = new Uint8Array(text.length + 1)
  bytes[0] = REVISION_IS_THE_STORES
  bytes.set(text, 1)
  return bytes
}

function decodeValue(key: string, bytes: Uint8Array): string {
  if (bytes[0] !== REVISION_IS_THE_STORES) throw new StoreDamaged(`A record has an unknown format: ${key}`)
  try {
    return decoder.decode(bytes.subarray(1))
  } catch {
    throw new StoreDamaged(`A record is not text: ${key}`)
  }
}
