import type { StoreState } from '../state.ts'
import { LogDecoder } from './log-contents.ts'
import { readRecord } from './log-record.ts'

export interface LogScan {
  readonly state: StoreState
  readonly records: number
  /** Bytes of the whole records; what is behind them is a record that was cut. */
  readonly bytes: number
}

const firstBytes = 64 * 1024

/**
 * The same as opening a log, record by record, from a source in pieces: what is in memory is the state, and the bytes
 * of one record.
 */
export async function scanLog(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<LogScan | { readonly damagedAt: number }> {
  const decoder = new LogDecoder()
  const pending = new Pending()
  for await (const piece of source) {
    pending.add(piece)
    for (;;) {
      const record = readRecord(pending.bytes, pending.from)
      if (record === 'cut') break
      if (record === 'damaged' || !decoder.take(record)) return { damagedAt: pending.offset }
      pending.taken(record.end)
    }
  }
  const { state, records } = decoder
  return state ? { state, records, bytes: pending.offset } : { damagedAt: pending.offset }
}

/** Bytes that are not a whole record yet. */
class Pending {
  #buffer = new Uint8Array(firstBytes)
  #end = 0
  #before = 0
  from = 0

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#end)
  }

  /** In the log, of what is not taken yet. */
  get offset(): number {
    return this.#before + this.from
  }

  add(piece: Uint8Array): void {
    const left = this.#end - this.from
    const old = this.#buffer
    if (left + piece.length > old.length) this.#buffer = new Uint8Array(Math.max(2 * old.length, left + piece.length))
    if (this.from > 0 || this.#buffer !== old) this.#buffer.set(old.subarray(this.from, this.#end))
    this.#before += this.from
    this.from = 0
    this.#buffer.set(piece, left)
    this.#end = left + piece.length
  }

  taken(end: number): void {
    this.from = end
  }
}
