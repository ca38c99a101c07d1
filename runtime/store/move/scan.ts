import { Overloaded } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { Cancel } from '../../platform/ports.ts'
import { compareKeys } from '../ordered-map.ts'
import type { Entry } from '../store.ts'
import { Digest } from './digest.ts'
import type { Changed, MoveSource } from './source.ts'

/** What of the source has been looked at. */
export interface Scanned {
  /** Those that can be copied now. */
  readonly entries: readonly Entry[]
  /** The last key that it is about. */
  readonly last: string
}

/**
 * The source as its mover sees it: looked through once in the order of its keys, and followed behind that. So its
 * digest is always known of what was looked at, and which keys have changed since, without a list of all.
 */
export class Scan {
  /** Of all entries up to the cursor, as they are now. */
  readonly digest = new Digest()
  /** Keys up to the cursor that have to be copied again. */
  readonly changed = new Set<string>()
  /** Those of them with a lease: they are copied last, when no lease can end. */
  readonly leased = new Set<string>()
  /** Undefined before the first key; `complete` behind the last. */
  cursor: string | undefined
  complete = false
  readonly #source: MoveSource
  readonly #cancel: Cancel

  constructor(source: MoveSource) {
    this.#source = source
    this.#cancel = source.observe((changed) => this.#follow(changed))
  }

  /** The next entries; undefined when there is none. Up to and with `last`: all of them, also none. */
  next(limit: { entries: number; bytes: number; last?: string }): Scanned | undefined {
    const found = this.#source.page(this.cursor, limit)
    const last = limit.last ?? found.at(-1)?.key
    if (last === undefined) {
      this.complete = true
      return undefined
    }
    this.cursor = last
    for (const entry of found) this.digest.add(revisionsOf(entry), entry.value)
    if (found.every(({ lease }) => lease === undefined)) return { entries: found, last }
    for (const { key, lease } of found) if (lease !== undefined) this.leased.add(key)
    return { entries: found.filter(({ lease }) => lease === undefined), last }
  }

  /** Takes some out of those that have changed: up to a key, and those with a lease only where that is said. */
  take(
    most: number, { verified, leases = false }: { verified?: string | undefined; leases?: boolean } = {},
  ): readonly string[] {
    const taken: string[] = []
    for (const key of this.changed) {
      if (taken.length === most) break
      if (verified !== undefined && compareKeys(key, verified) > 0) continue
      if (!leases && this.#source.entry(key)?.lease !== undefined) {
        this.changed.delete(key)
        this.leased.add(key)
        continue
      }
      this.changed.delete(key)
      taken.push(key)
    }
    if (!leases) return taken
    for (const key of this.leased) {
      if (taken.length === most) break
      this.leased.delete(key)
      if (!taken.includes(key)) taken.push(key)
    }
    return taken
  }

  /** As it is now. */
  entry(key: string): Entry | undefined {
    return this.#source.entry(key)
  }

  /** @throws Overloaded when the source is written faster than it is copied */
  assertNotOutrun(): void {
    if (this.changed.size <= limits.moveBehind) return
    throw new Overloaded(`The store is written faster than it can be copied: ${this.changed.size} keys are behind`, {
      next: 'Nothing is lost. Run it again when less is written: it goes on where it was',
    })
  }

  end(): void {
    this.#cancel()
  }

  #follow(changed: readonly Changed[]): void {
    for (const { key, before, after } of changed) {
      if (!this.complete && (this.cursor === undefined || compareKeys(key, this.cursor) > 0)) continue
      if (before) this.digest.remove(revisionsOf(before), before.value)
      if (after) this.digest.add(revisionsOf(after), after.value)
      this.changed.add(key)
    }
  }
}

const revisionsOf = ({ key, createRevision: create, modRevision: mod, version }: Entry) => ({ key, create, mod, version })
