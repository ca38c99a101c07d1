import { Overloaded } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Operation, Store } from '../../runtime/store/store.ts'
import { decode, put, remove, secondsOf, stamp, unchanged } from './session-records.ts'

/** What is counted of somebody, and until when it matters, in epoch milliseconds. */
export interface Tally<T> {
  readonly value: T
  readonly untilMs: number
}

/** Small records that are forgotten in time: they outlive a restart, and all OODs that share a store share them. */
export interface Tallies<T> {
  get(name: string): Promise<T | undefined>
  /** One after another, also of several OODs. `change` gives what holds from now on, or undefined to forget. */
  update(name: string, change: (value: T | undefined) => Tally<T> | undefined): Promise<T | undefined>
  /** Forgets what is over, so much at most; returns how much that was. */
  sweep(nowMs: number): Promise<number>
}

interface Kept<T> {
  readonly value: T
  /** Epoch seconds. */
  readonly until: number
}

/** With more than `most` the one that would be forgotten first gives way. */
export function openTallies<T>(store: Store, folder: string, most: number): Tallies<T> {
  const OF = `${folder}/of/`
  const DUE = `${folder}/due/`
  const dueKey = (name: string, until: number): string => `${DUE}${stamp(until)}/${name}`
  let counted: Promise<number> | undefined
  let change = 0

  /** What there was when it was first asked for, and what happened here since; after a sweep it counts anew. */
  const size = async (): Promise<number> => {
    counted ??= store.list(DUE, { limit: most, keysOnly: true }).then(({ entries }) => entries.length - change)
    return await counted + change
  }
  const room = async (): Promise<Operation[]> => {
    if (await size() < most) return []
    const { entries: [oldest] } = await store.list(DUE, { limit: 1, keysOnly: true })
    if (!oldest) return []
    change--
    return [remove(oldest.key), remove(OF + oldest.key.slice(oldest.key.lastIndexOf('/') + 1))]
  }

  return {
    async get(name) {
      const entry = await store.get(OF + name)
      return entry && decode<Kept<T>>(entry.value).value
    },
    async update(name, decide) {
      const key = OF + name
      for (let attempt = 0; attempt < limits.storeRaces; attempt++) {
        const entry = await store.get(key)
        const known = entry && decode<Kept<T>>(entry.value)
        const next = decide(known?.value)
        if (!next && !known) return undefined
        const until = next && Math.ceil(next.untilMs / 1000)
        const operations = known ? [] : await room()
        if (known && known.until !== until) operations.push(remove(dueKey(name, known.until)))
        if (next && until !== undefined) {
          operations.push(put(key, { value: next.value, until } satisfies Kept<T>))
          if (known?.until !== until) operations.push(put(dueKey(name, until), ''))
        } else operations.push(remove(key))
        if (!(await store.transact([unchanged(key, entry)], operations)).succeeded) continue
        change += (next ? 1 : 0) - (known ? 1 : 0)
        return next?.value
      }
      throw new Overloaded(`Others kept counting the same: ${folder}`)
    },
    async sweep(nowMs) {
      const { entries } = await store.list(DUE, { limit: limits.sessionSweep, keysOnly: true })
      const due = entries.map(({ key }) => key).filter((key) => secondsOf(DUE, key) * 1000 <= nowMs)
      for (const index of due) {
        const key = OF + index.slice(index.lastIndexOf('/') + 1)
        const entry = await store.get(key)
        // It may have been counted on since the list, or be now
        const isDue = entry && decode<Kept<T>>(entry.value).until === secondsOf(DUE, index)
        await store.transact([unchanged(key, entry)], (isDue ? [index, key] : [index]).map(remove))
      }
      counted = undefined
      change = 0
      return due.length
    },
  }
}
