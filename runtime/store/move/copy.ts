import { MoveMismatch, type ErrorDetails } from '../../errors.ts'
import { limits } from '../../limits.ts'
import { deferred } from '../../within.ts'
import { compareKeys } from '../ordered-map.ts'
import type { Entry } from '../store.ts'
import { all, behind, names, successor, type AreaEntry, type AreaOperation } from './area.ts'
import { Digest, hashOf, type Hash } from './digest.ts'
import { rowsIn } from './row-reader.ts'
import { encodeRows, rowOf, type Row } from './rows.ts'
import type { Scan, Scanned } from './scan.ts'
import type { LockedTarget } from './target.ts'

/** An entry as the target has it. */
interface Held {
  readonly kv: AreaEntry
  readonly row: Row | undefined
}

interface Page extends Scanned {
  /** Its rows, as they are written. */
  readonly rows: Uint8Array
  done: boolean
}

/** Pages that are read back at once. */
const PAGES = 8

/**
 * Copies a source, page by page, several at a time, and reads each page back from etcd to compare it: when all is
 * copied, all but what has changed since is verified. What an earlier move has left is taken for what it is.
 */
export class Copy {
  /** Of all that the target has up to `verified`, as it was read back from there. */
  readonly digest = new Digest()
  /** Keys up to here are in the target, and were read back. Undefined before the first. */
  verified: string | undefined
  /** Of entries that were copied or found. */
  entries = 0
  bytes = 0
  readonly #scan: Scan
  readonly #target: LockedTarget
  readonly #onProgress: () => void
  /** On their way or copied, and not read back, in order. */
  readonly #pages: Page[] = []

  constructor(scan: Scan, target: LockedTarget, onProgress: () => void) {
    this.#scan = scan
    this.#target = target
    this.#onProgress = onProgress
  }

  /** @param operations the most of one transaction */
  async run(operations: number): Promise<void> {
    await this.#resume()
    const limit = { entries: operations - 1, bytes: limits.moveBytes }
    const waitingMax = 2 * limits.moveInFlight + PAGES
    let copying = true
    let failed = false
    let news = deferred<void>()
    const tell = (): void => {
      news.resolve()
      news = deferred()
    }
    const lane = async (): Promise<void> => {
      while (!failed) {
        // What is copied is read back before more is: else what waits for that would grow
        while (this.#pages.length >= waitingMax && !failed) await news.promise
        const scanned = this.#scan.next(limit)
        if (!scanned) return
        const page = { ...scanned, rows: encodeRows(scanned.entries.map((entry) => rowOf(entry, 1))), done: false }
        this.#pages.push(page)
        await this.#put(page)
        page.done = true
        tell()
        this.#scan.assertNotOutrun()
      }
    }
    const reader = async (): Promise<void> => {
      while (!failed && (copying || this.#pages.length > 0)) {
        const ready = this.#ready()
        if (ready < PAGES && (copying || ready === 0)) await news.promise
        else await this.#readBack(Math.min(ready, PAGES)).finally(tell)
        await this.#keepUp(operations)
      }
    }
    const stop = (error: unknown): never => {
      failed = true
      tell()
      throw error
    }
    const lanes = Promise.all(Array.from({ length: limits.moveInFlight }, lane)).then(() => {
      copying = false
      tell()
    })
    await Promise.all([lanes.catch(stop), reader().catch(stop)])
    await this.#assertAlone()
  }

  /** What was read back was read as it was written: somebody may have added to it since. */
  async #assertAlone(): Promise<void> {
    const [keys] = await this.#target.read([{ ...all('keys'), countOnly: true }])
    if (keys!.count !== this.digest.count) throw mismatch('keys that nobody has copied', { found: keys!.count })
  }

  /** A long copy of a store that is much written: what has changed meanwhile does not wait for the end of it. */
  async #keepUp(operations: number): Promise<void> {
    if (this.#scan.changed.size <= limits.moveBehind / 2 || this.verified === undefined) return
    const keys = this.#scan.take(againMax(operations), { verified: this.verified })
    if (keys.size > 0) await this.again(keys)
  }

  /** Pages from the oldest on that are copied. */
  #ready(): number {
    const waiting = this.#pages.findIndex(({ done }) => !done)
    return waiting < 0 ? this.#pages.length : waiting
  }

  /** One page with all its rows. */
  async #put({ entries, last, rows }: Page): Promise<void> {
    const page = names.page(last)
    // Where the page is there, an attempt whose answer was lost has made it: what it wrote is read back like any
    await this.#target.write([{ key: page, mod: 0 }], [
      ...entries.map(({ key, value }): AreaOperation => ({ type: 'put', key: names.key(key), value })),
      { type: 'put', key: page, value: rows },
    ])
    for (const entry of entries) this.#count(entry)
    this.#onProgress()
  }

  /**
   * One reading after the other, so that `verified` only grows. What is read is compared with what was written, byte by
   * byte: nobody else writes there.
   */
  async #readBack(count: number): Promise<void> {
    const pages = this.#pages.slice(0, count)
    const { last } = pages.at(-1)!
    const [keys, rows, singles] = await this.#target.read([
      behind(names.key, this.verified, last), behind(names.page, this.verified, last),
      { ...behind(names.row, this.verified, last), limit: 1, keysOnly: true },
    ])
    const entries = pages.flatMap((page) => page.entries)
    const same = keys!.kvs.length === entries.length && rows!.kvs.length === pages.length && singles!.kvs.length === 0
      && keys!.kvs.every(({ key, value, version }, index) =>
        version === 1 && key === names.key(entries[index]!.key) && sameBytes(value, entries[index]!.value))
      && rows!.kvs.every(({ key, value }, index) =>
        key === names.page(pages[index]!.last) && sameBytes(value, pages[index]!.rows))
    if (!same) throw mismatch(`keys up to ${last}`, { copied: entries.length, found: keys!.kvs.length })
    // Of what was read, since that is the same
    for (const { digest } of pages) this.digest.merge(digest)
    this.#pages.splice(0, pages.length)
    this.verified = last
    this.#onProgress()
  }

  /**
   * What an earlier move has copied is compared with the source as it is now; what differs is copied again. Behind the
   * last page are keys that were new when all pages were written.
   */
  async #resume(): Promise<void> {
    const behindVerified = (name: (key: string) => string): string =>
      (this.verified === undefined ? name('') : successor(name(this.verified)))
    for (;;) {
      const [pages, keys] = await this.#target.read([
        { from: behindVerified(names.page), to: all('pages').to!, limit: PAGES, keysOnly: true },
        { from: behindVerified(names.key), to: all('keys').to!, limit: limits.moveOperations, keysOnly: true },
      ])
      const last = pages!.kvs.at(-1)?.key.slice(names.page('').length)
        ?? keys!.kvs.at(-1)?.key.slice(names.key('').length)
      if (last === undefined) break
      await this.#compare(last)
      this.#onProgress()
    }
    await this.#resumeBehind()
    await this.#assertAlone()
  }

  /** Keys that came to be behind the last page, and were copied one by one, each with its row. */
  async #resumeBehind(): Promise<void> {
    for (;;) {
      const from = this.verified === undefined ? all('keys').from : successor(names.key(this.verified))
      const range = { from, to: all('keys').to!, limit: limits.moveOperations, keysOnly: true }
      const [keys] = await this.#target.read([range])
      const last = keys!.kvs.at(-1)?.key.slice(names.key('').length)
      if (last === undefined) return
      await this.#compare(last)
    }
  }

  async #compare(last: string): Promise<void> {
    const held = await this.#held(this.verified, last)
    // At once with what the source has: until now it did not tell of these keys
    const scanned = this.#scan.next({ entries: Infinity, bytes: Infinity, last })!
    const entries = new Map(scanned.entries.map((entry) => [entry.key, entry]))
    for (const { kv, row } of held) {
      if (!row) throw mismatch('a key that nobody has copied', { key: kv.key })
      const found = heldRow(kv, row)
      this.digest.add(found, kv.value)
      const entry = entries.get(found.key)
      entries.delete(found.key)
      if (entry && kv.lease === undefined && isSame(entry, found, kv)) this.#count(entry)
      else (this.#scan.leased.has(found.key) ? this.#scan.leased : this.#scan.changed)
        .set(found.key, hashOf(found, kv.value))
    }
    for (const key of entries.keys()) this.#scan.changed.set(key, undefined)
    this.verified = last
  }

  #count({ key, value }: Entry): void {
    this.entries++
    this.bytes += key.length + value.length
  }

  /** What the target has behind `after` up to `last`, each with its row. */
  async #held(after: string | undefined, last: string): Promise<readonly Held[]> {
    const [keys, pages, singles] = await this.#target.read([
      behind(names.key, after, last), behind(names.page, after, last), behind(names.row, after, last),
    ])
    const rows = rowsIn(pages!.kvs)
    const single = new Map(rowsIn(singles!.kvs).map((row) => [row.key, row]))
    let at = 0
    return keys!.kvs.map((kv) => {
      const key = kv.key.slice(names.key('').length)
      while (at < rows.length && compareKeys(rows[at]!.key, key) < 0) at++
      const row = single.get(key) ?? (rows[at]?.key === key ? rows[at] : undefined)
      return { kv, row }
    })
  }

  /**
   * Copies keys as they are now, and reads them back.
   * @param keys with what the target has of each; as many as `againMax` says
   * @param leases the cluster's leases by those of the source
   */
  async again(
    keys: ReadonlyMap<string, Hash | undefined>, leases: ReadonlyMap<string, string> = new Map(),
  ): Promise<void> {
    for (const before of keys.values()) if (before) this.digest.remove(before)
    const named = [...keys.keys()]
    let written: readonly (Entry | undefined)[]
    for (;;) {
      const held = await this.#target.read(named.map((key) => ({ from: names.key(key), keysOnly: true })))
      const there = held.map(({ kvs: [kv] }) => kv)
      written = named.map((key) => this.#scan.latest(key))
      const operations = named.flatMap((key, index) => operationsOf(key, written[index], there[index], leases))
      const compare = named.map((key, index) => ({ key: names.key(key), mod: there[index]?.mod ?? 0 }))
      if (await this.#target.write(compare, operations)) break
      // An attempt that was not heard has done it: as it is now, it is done again
    }
    await this.#assertWritten(named, written)
    this.#scan.giveBack(named)
  }

  async #assertWritten(keys: readonly string[], written: readonly (Entry | undefined)[]): Promise<void> {
    const back = await this.#target.read(keys.flatMap((key) => [{ from: names.key(key) }, { from: names.row(key) }]))
    for (const [index, key] of keys.entries()) {
      const [kv, single] = [back[2 * index]!.kvs[0], back[2 * index + 1]!.kvs[0]]
      const entry = written[index]
      const found = kv && heldRow(kv, single && rowsIn([single])[0])
      if (kv && found) this.digest.add(found, kv.value)
      if (entry ? !kv || !isSame(entry, found!, kv) : kv !== undefined) throw mismatch(`key ${key}`, { key })
    }
  }
}

/** How many keys can be copied again in one transaction of so many operations: two for each, and the lock. */
export const againMax = (operations: number): number => Math.max(1, Math.floor((operations - 1) / 2))

function operationsOf(
  key: string, entry: Entry | undefined, there: AreaEntry | undefined, leases: ReadonlyMap<string, string>,
): AreaOperation[] {
  if (!entry) return [{ type: 'delete', key: names.key(key) }, { type: 'delete', key: names.row(key) }]
  const lease = entry.lease === undefined ? undefined : leases.get(entry.lease)
  return [
    { type: 'put', key: names.key(key), value: entry.value, ...(lease !== undefined && { lease }) },
    { type: 'put', key: names.row(key), value: encodeRows([rowOf(entry, (there?.version ?? 0) + 1)]) },
  ]
}

/** One without a row, or that was written behind our back, is like none that the source has. */
function heldRow(kv: AreaEntry, row: Row | undefined): Row {
  if (row?.copies === kv.version) return row
  return { key: kv.key.slice(names.key('').length), create: 0, mod: 0, version: 0, copies: kv.version }
}

const isSame = (entry: Entry, { create, mod, version }: Row, { value }: AreaEntry): boolean =>
  entry.createRevision === create && entry.modRevision === mod && entry.version === version
    && sameBytes(entry.value, value)

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false
  for (let at = 0; at < left.length; at++) if (left[at] !== right[at]) return false
  return true
}

const mismatch = (what: string, details: ErrorDetails): Error =>
  new MoveMismatch(`What etcd gives back is not what was copied: ${what}`, {
    ...details, next: 'Nothing was changed in the source. See whether others write under the same prefix of etcd',
  })
