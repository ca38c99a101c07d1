import type { Keys } from '../../../runtime/platform/ports.ts'
import { hashOf, readRecord, type AuditPoint, type AuditRecord } from './record.ts'

/** What can be wrong with a chain of records, in the order in which it is met. */
export interface Finding {
  readonly fault:
    | 'changed' | 'missing' | 'out-of-order' | 'lost' | 'broken' | 'segment-missing' | 'signature' | 'tail-missing'
  /** The record at which it was noticed, or the first that is concerned. */
  readonly seq: number
  readonly detail: string
}

export interface WalkOptions {
  readonly keys: Keys
  /** Where the chain is before the first line; undefined: the first record is believed. */
  readonly from: AuditPoint | undefined
  onRecord?(record: AuditRecord, point: AuditPoint): void
  onFinding(finding: Finding): void
}

const NEWLINE = 0x0a

/**
 * One walk along a chain, line after line. What is no record stands in a region of its own: the end of a write that was
 * cut off, when the record after it says so, else something that was changed.
 */
export class ChainWalk {
  readonly #options: WalkOptions
  #point: AuditPoint | undefined
  #region: Uint8Array[] = []
  /** Cut-off writes that the vault itself has found and said. */
  repaired = 0
  records = 0

  constructor(options: WalkOptions) {
    this.#options = options
    this.#point = options.from
  }

  /** The last record; undefined before there is one. */
  get point(): AuditPoint | undefined {
    return this.#point
  }

  /** Bytes since the last record that are none. */
  get region(): Uint8Array {
    return joined(this.#region)
  }

  /** A line without its newline. */
  line(bytes: Uint8Array): void {
    const record = readRecord(bytes)
    if (record === undefined) return void this.#region.push(bytes, Uint8Array.of(NEWLINE))
    const { keys, onRecord } = this.#options
    if (this.#region.length > 0) this.#endRegion(record)
    const point = { seq: record.seq, hash: hashOf(keys, bytes) }
    this.#follow(record)
    this.records++
    // A record that stands in the wrong place is looked at, and not gone on from
    const expected = this.#point && this.#point.seq + 1
    if (expected === undefined || record.seq >= expected) this.#point = point
    onRecord?.(record, point)
  }

  /** Bytes after the last newline: a record that lacks nothing but that, or one that was cut off. */
  rest(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    if (readRecord(bytes)) this.line(bytes)
    else this.#region.push(bytes)
  }

  #endRegion(record: AuditRecord): void {
    const region = this.region
    this.#region = []
    // The newline that ends it came with the record
    const cutOff = region.subarray(0, -1)
    const { keys } = this.#options
    const said = record.kind === 'repaired'
      && [cutOff, region].some((bytes) => record.about?.['bytes'] === bytes.length
        && record.about['sha256'] === hashOf(keys, bytes))
    if (said) this.repaired++
    else this.#find('changed', record.seq, `What stands before it is no record: ${region.length} bytes`)
  }

  #follow(record: AuditRecord): void {
    const before = this.#point
    if (record.kind === 'lost') {
      const { from, to } = record.about ?? {}
      this.#find('lost', record.seq, `The store of the vault knew of records that were gone: ${from} to ${to}`)
    }
    if (record.kind === 'broken') this.#find('broken', record.seq, 'The vault found the chain before it broken')
    if (!before) return
    const expected = before.seq + 1
    if (record.seq < expected) {
      return this.#find('out-of-order', record.seq, `It stands again, or too late: behind ${before.seq}`)
    }
    if (record.seq > expected) {
      const last = record.seq - 1
      return this.#find('missing', expected, `Records are missing: ${expected === last ? last : `${expected} to ${last}`}`)
    }
    if (record.prev !== before.hash) {
      this.#find('changed', before.seq, `It is not what the record after it was chained to`)
    }
  }

  #find(fault: Finding['fault'], seq: number, detail: string): void {
    this.#options.onFinding({ fault, seq, detail })
  }
}

/** Lines of a piece of a file, and what is left of it behind the last newline. */
export function linesOf(bytes: Uint8Array, onLine: (line: Uint8Array) => void): Uint8Array {
  let from = 0
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
    onLine(bytes.subarray(from, end))
    from = end + 1
  }
  return bytes.subarray(from)
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const part of parts) {
    all.set(part, offset)
    offset += part.length
  }
  return all
}
