import { StoreDamaged } from '../../errors.ts'
import { limits } from '../../limits.ts'
import { compareKeys } from '../ordered-map.ts'
import { all, behind, names, successor, type Area, type AreaEntry } from './area.ts'
import { decodeRows, type Row } from './rows.ts'

/** Pages that are read at once: as many as have rows for some hundred keys. */
const PAGES = 8

/** The rows of a store that was moved. None of them ever changes, so what was read once is remembered. */
export class RowReader {
  readonly #area: Area
  /** The one used last stands last. */
  readonly #remembered = new Map<string, Row>()

  constructor(area: Area) {
    this.#area = area
  }

  /** @throws StoreDamaged where there is none */
  async of(key: string): Promise<Row> {
    const known = this.#remembered.get(key)
    if (known) {
      this.#remembered.delete(key)
      this.#remembered.set(key, known)
      return known
    }
    const { ranges: [single, page] } = await this.#area.read([
      { from: names.row(key) }, { from: names.page(key), to: all('pages').to!, limit: 1 },
    ])
    const row = rowsIn(single!.kvs)[0] ?? rowsIn(page!.kvs).find((each) => each.key === key)
    if (!row) throw missing(this.#area, key)
    this.#remember(row)
    return row
  }

  /** Of several keys, in their order. */
  async ofAll(keys: readonly string[]): Promise<ReadonlyMap<string, Row>> {
    const found = new Map<string, Row>()
    for (let from = 0; from < keys.length; from += limits.movedRowsAtOnce) {
      const some = keys.slice(from, from + limits.movedRowsAtOnce)
      const unknown = some.filter((key) => !this.#remembered.has(key))
      for (const key of some) if (this.#remembered.has(key)) found.set(key, this.#remembered.get(key)!)
      if (unknown.length > 0) for (const row of await this.#read(unknown)) found.set(row.key, row)
    }
    const absent = keys.find((key) => !found.has(key))
    if (absent !== undefined) throw missing(this.#area, absent)
    return found
  }

  /** What pages and single rows have between the first and the last key; a single row counts before a page. */
  async #read(keys: readonly string[]): Promise<readonly Row[]> {
    const [first, last] = [keys[0]!, keys.at(-1)!]
    const wanted = new Set(keys)
    const rows = new Map<string, Row>()
    let singles: readonly Row[] | undefined
    for (let from = names.page(first); ;) {
      const { ranges: [pages, single] } = await this.#area.read([
        { from, to: all('pages').to!, limit: PAGES },
        ...(singles ? [] : [{ ...behind(names.row, undefined, last), from: names.row(first) }]),
      ])
      singles ??= rowsIn(single!.kvs)
      for (const row of rowsIn(pages!.kvs)) if (wanted.has(row.key)) rows.set(row.key, row)
      const reached = pages!.kvs.at(-1)?.key
      if (reached === undefined || !pages!.more || compareKeys(reached, names.page(last)) >= 0) break
      from = successor(reached)
    }
    for (const row of singles) if (wanted.has(row.key)) rows.set(row.key, row)
    const found = [...rows.values()]
    for (const row of found) this.#remember(row)
    return found
  }

  #remember(row: Row): void {
    this.#remembered.set(row.key, row)
    if (this.#remembered.size <= limits.movedRows) return
    this.#remembered.delete(this.#remembered.keys().next().value as string)
  }
}

/** Pages and single rows are written the same way. */
export const rowsIn = (kvs: readonly AreaEntry[]): Row[] => kvs.flatMap(({ value }) => decodeRows(value))

const missing = ({ place }: Area, key: string): Error =>
  new StoreDamaged(`The store was moved to ${place}, and the revisions of a key are missing there: ${key}`, { key })
