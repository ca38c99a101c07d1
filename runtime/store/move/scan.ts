import { Overloaded } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { Cancel } from '../../platform/ports.ts'
import { compareKeys } from '../ordered-map.ts'
import type { Entry } from '../store.ts'
import { Digest, hashOf, type Hash } from './digest.ts'
import type { Changed, MoveSource } from './source.ts'

const NONE = new Map<string, Hash | undefined>()

/** What of the source has been looked at. */
export interface Scanned {
  /** Those that can be copied now. */
  readonly entries: readonly Entry[]
  /** Of these. */
  readonly digest: Digest
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
  /**
   * Keys up to the cursor that have to be copied again, each with the hash of what the target has of it; undefined
   * where that is nothing.
   */
  readonly changed = new Map<string, Hash | undefined>()
  /** Those of them with a lease: they are copied last, when no lease can end. */
  readonly leased = new Map<string, Hash | undefined>()
  /** Undefined before the first key; `complete` behind the last. */
  cursor: string | undefined
  complete = false
  readonly #source: MoveSource
  readonly #taken = new Set<string>()
  readonly #cancel: Cancel

  constructor(source: MoveSource) {
    this.#source = source
    this.#cancel = source.observe((changed) => this.#follow(changed))
  }

  /** The next entries; undefined when there is none. Up to and with `last`: all of them, also none. */
  next(limit: { entries: number; bytes: number; last?: string }): Scanned | undefined {
    // Once it has come to the end, all that is new is told of
    if (this.complete) return undefined
    const found = this.#source.page(this.cursor, limit)
    const last = limit.last ?? found.at(-1)?.key
    if (last === undefined) {
      this.complete = true
      return undefined
    }
    this.cursor = last
    const digest = new Digest()
    const entries = found.filter((entry) => {
      const isLeased = entry.lease !== undefined
      if (isLeased) this.leased.set(entry.key, undefined)
      const to = isLeased ? this.digest : digest
      to.add(revisionsOf(entry), entry.value)
      return !isLeased
    })
    this.digest.merge(digest)
    return { entries, digest, last }
  }

  /**
   * Takes some out of those that have changed: up to a key, and those with a lease only where that is said. Nobody else
   * is given them before they are given back.
   */
  take(
    most: number, { verified, leases = false }: { verified?: string | undefined; leases?: boolean } = {},
  ): ReadonlyMap<string, Hash | undefined> {
    const taken = new Map<string, Hash | undefined>()
    for (const [from, isLeased] of [[this.changed, false], [leases ? this.leased : NONE, true]] as const) {
      for (const [key, before] of from) {
        if (taken.size === most) break
        if (this.#taken.has(key) || verified !== undefined && compareKeys(key, verified) > 0) continue
        from.delete(key)
        if (!leases && !isLeased && this.#source.entry(key)?.lease !== undefined) this.leased.set(key, before)
        else taken.set(key, before)
      }
    }
    for (const key of taken.keys()) this.#taken.add(key)
    return taken
  }

  /** These, which are in the target as they were last copied. */
  takeAgain(keys: readonly string[]): ReadonlyMap<string, Hash | undefined> {
    return new Map(keys.map((key) => {
      const entry = this.#source.entry(key)
      const before = this.changed.has(key) ? this.changed.get(key) : entry && hashOf(revisionsOf(entry), entry.value)
      this.changed.delete(key)
      return [key, before]
    }))
  }

  /** They are to be copied last once more. */
  keepLeased(keys: readonly string[]): void {
    for (const key of keys) {
      const entry = this.#source.entry(key)
      const isCopied = entry?.lease !== undefined && !this.changed.has(key)
      if (isCopied) this.leased.set(key, hashOf(revisionsOf(entry), entry.value))
    }
  }

  /** As it is now: what happened to it until now is in what is made of it. */
  latest(key: string): Entry | undefined {
    this.changed.delete(key)
    return this.#source.entry(key)
  }

  /** They were copied. */
  giveBack(keys: Iterable<string>): void {
    for (const key of keys) this.#taken.delete(key)
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
      const hash = before && hashOf(revisionsOf(before), before.value)
      if (hash) this.digest.remove(hash)
      if (after) this.digest.add(revisionsOf(after), after.value)
      // One that waits for its copy already is in the target as it was then
      if (!this.changed.has(key) && !this.leased.has(key)) this.changed.set(key, hash)
    }
  }
}

const revisionsOf = ({ key, createRevision: create, modRevision: mod, version }: Entry) =>
  ({ key, create, mod, version })
