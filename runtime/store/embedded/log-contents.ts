import type { Change, LeaseRecord, MovedTo, Write } from '../change.ts'
import { StoreState } from '../state.ts'
import type { Entry } from '../store.ts'
import { encodeRecord, readRecord, type LogRecord } from './log-record.ts'

/**
 * What a log holds: the state at the time the log was begun (head, leases, entries, past changes, end), then every
 * change since. A write is [key, bytes of its value or -1 when it deletes, create revision, version, lease].
 */
type WriteRow = readonly [key: string, length: number, createRevision: number, version: number, lease: string | null]

interface ChangeRow {
  readonly revision: number
  readonly writes: readonly WriteRow[]
  readonly granted?: LeaseRecord
  readonly ended?: string
}

interface Head {
  readonly format: number
  readonly id: string
  readonly revision: number
  readonly floor: number
}

type Description =
  | { readonly head: Head }
  | { readonly lease: LeaseRecord }
  | { readonly moved: MovedTo }
  /** One in each record: logs from before there were many in one. */
  | { readonly entry: WriteRow; readonly modRevision: number }
  | { readonly entries: readonly (readonly [...WriteRow, modRevision: number])[] }
  | { readonly past: ChangeRow }
  | { readonly end: { readonly records: number } }
  | { readonly change: ChangeRow }

const format = 1

/** The records that begin a log. */
export function* encodeState(state: StoreState): Generator<Uint8Array> {
  const { id, revision, history } = state
  let records = 1
  const record = (description: Description, values: readonly Uint8Array[] = []): Uint8Array => {
    records++
    return encodeRecord(description, values)
  }
  yield record({ head: { format, id, revision, floor: history.floor } })
  if (state.moved) yield record({ moved: state.moved })
  for (const lease of state.leases.values()) yield record({ lease })
  for (const group of groups(state)) {
    const entries = group.map((write) => [...rowOf(write), write.entry.modRevision] as const)
    yield record({ entries }, group.map(({ entry }) => entry.value))
  }
  for (const change of history.since(history.floor)) yield record({ past: changeRow(change) }, valuesOf(change))
  yield record({ end: { records } })
}

/** A sum and a parse for each entry would be most of what opening a large store takes. */
function* groups(state: StoreState): Generator<readonly Put[]> {
  let group: Put[] = []
  let bytes = 0
  for (const [key, entry] of state.entriesFrom('', false)) {
    group.push({ key, entry })
    bytes += entry.value.length
    if (group.length < GROUP_ENTRIES && bytes < GROUP_BYTES) continue
    yield group
    group = []
    bytes = 0
  }
  if (group.length > 0) yield group
}

interface Put {
  readonly key: string
  readonly entry: Entry
}
const GROUP_ENTRIES = 128
const GROUP_BYTES = 64 * 1024

/** That a store has moved is a record of its own: a release that does not know it must not open the store. */
export const encodeChange = (change: Change): Uint8Array => (change.moved
  ? encodeRecord({ moved: change.moved } satisfies Description, [])
  : encodeRecord({ change: changeRow(change) } satisfies Description, valuesOf(change)))

/** Takes the records of a log one by one, in order, and makes the state that they say. */
export class LogDecoder {
  #state: StoreState | undefined
  #begun = false
  #records = 0

  /** The beginning is complete. Only what came after it was ever written in place, so only that can be cut. */
  get begun(): boolean {
    return this.#begun
  }

  get records(): number {
    return this.#records
  }

  /** Of the records so far; undefined before the beginning is complete. */
  get state(): StoreState | undefined {
    return this.#begun ? this.#state : undefined
  }

  /** False when the record has no place there: nothing more can be taken then. */
  take(record: LogRecord): boolean {
    this.#records++
    const description = record.description as Description
    const state = this.#state
    if ('head' in description && !state && description.head.format === format) {
      const { id, revision, floor } = description.head
      this.#state = new StoreState(id, revision, floor)
      return true
    }
    if ('end' in description && state && !this.#begun && description.end.records === this.#records) {
      this.#begun = true
      return true
    }
    return state !== undefined && decodeInto(state, description, record, this.#begun)
  }
}

/** The state that a log says, or the offset at which it is damaged. */
export function decodeLog(bytes: Uint8Array): StoreState | { readonly damagedAt: number } {
  const decoder = new LogDecoder()
  for (let offset = 0; offset < bytes.length;) {
    const record = readRecord(bytes, offset)
    if (record === 'cut' && decoder.state) return decoder.state
    if (record === 'cut' || record === 'damaged' || !decoder.take(record)) return { damagedAt: offset }
    offset = record.end
  }
  return decoder.state ?? { damagedAt: bytes.length }
}

/** False when the record has no place there. */
function decodeInto(state: StoreState, description: Description, { values }: LogRecord, begun: boolean): boolean {
  if ('change' in description) {
    const change = decodeChange(description.change, values)
    if (!begun || change.revision !== state.revision + (change.writes.length > 0 ? 1 : 0)) return false
    state.apply(change)
    return true
  }
  if ('moved' in description) {
    state.moved = description.moved
    return true
  }
  if (begun) return false
  if ('lease' in description) state.leases.set(description.lease.id, description.lease)
  else if ('entry' in description) {
    const { key, entry } = decodeWrite(description.entry, values, description.modRevision)
    state.set(key, entry)
  } else if ('entries' in description) {
    let offset = 0
    for (const [key, length, createRevision, version, lease, modRevision] of description.entries) {
      const row = [key, length, createRevision, version, lease] as const
      const { entry } = decodeWrite(row, values.subarray(offset, offset + length), modRevision)
      state.set(key, entry)
      offset += length
    }
  } else if ('past' in description) state.history.push(decodeChange(description.past, values))
  else return false
  return true
}

const rowOf = ({ key, entry }: Write): WriteRow =>
  entry ? [key, entry.value.length, entry.createRevision, entry.version, entry.lease ?? null] : [key, -1, 0, 0, null]

const changeRow = ({ revision, writes, granted, ended }: Change): ChangeRow => ({
  revision, writes: writes.map(rowOf), ...(granted && { granted }), ...(ended !== undefined && { ended }),
})

const valuesOf = ({ writes }: Change): Uint8Array[] => writes.flatMap(({ entry }) => (entry ? [entry.value] : []))

function decodeChange({ revision, writes, ...leases }: ChangeRow, values: Uint8Array): Change {
  let offset = 0
  return {
    ...leases,
    revision,
    writes: writes.map((row) => {
      const write = decodeWrite(row, values.subarray(offset), revision)
      offset += write.entry?.value.length ?? 0
      return write
    }),
  }
}

function decodeWrite(row: WriteRow, values: Uint8Array, modRevision: number): Write {
  const [key, length, createRevision, version, lease] = row
  if (length < 0) return { key, entry: undefined }
  // A copy: the bytes of the whole log would stay in memory otherwise
  const value = values.slice(0, length)
  return { key, entry: { key, value, createRevision, modRevision, version, ...(lease !== null && { lease }) } }
}
