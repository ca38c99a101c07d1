import type { Cancel } from '../platform/ports.ts'
import type { Change, LeaseRecord, MovedTo } from './change.ts'
import { entryBytes } from './change.ts'
import type { Changed, MoveSource } from './move/source.ts'
import { compareKeys } from './ordered-map.ts'
import type { StoreState } from './state.ts'
import type { Entry } from './store.ts'

type Hooks = Pick<MoveSource, 'settled' | 'holdLeases' | 'retire' | 'leave'>

/** The side of a `StateStore` that a move sees. */
export class StateSource implements MoveSource {
  readonly #state: StoreState
  readonly #hooks: Hooks
  readonly #observers = new Set<(changed: readonly Changed[]) => void>()

  constructor(state: StoreState, hooks: Hooks) {
    this.#state = state
    this.#hooks = hooks
  }

  get id(): string {
    return this.#state.id
  }

  get revision(): number {
    return this.#state.revision
  }

  get size(): number {
    return this.#state.size
  }

  entry(key: string): Entry | undefined {
    return this.#state.entry(key)
  }

  page(
    after: string | undefined, { entries: most, bytes, last }: { entries: number; bytes: number; last?: string },
  ): readonly Entry[] {
    const page: Entry[] = []
    let left = bytes
    for (const [key, entry] of this.#state.entriesFrom(after ?? '', after !== undefined)) {
      if (last !== undefined && compareKeys(key, last) > 0) break
      left -= entryBytes(entry)
      if (page.length === most || left < 0 && page.length > 0) break
      page.push(entry)
    }
    return page
  }

  leases(): readonly LeaseRecord[] {
    return [...this.#state.leases.values()]
  }

  observe(listener: (changed: readonly Changed[]) => void): Cancel {
    this.#observers.add(listener)
    return () => void this.#observers.delete(listener)
  }

  settled(): Promise<void> {
    return this.#hooks.settled()
  }

  holdLeases(): Cancel {
    return this.#hooks.holdLeases()
  }

  retire(moved: MovedTo): Promise<void> {
    return this.#hooks.retire(moved)
  }

  leave(): void {
    this.#hooks.leave()
  }

  /** For the store itself: the state takes a change. */
  apply(change: Change): void {
    if (this.#observers.size === 0) return this.#state.apply(change)
    const changed = change.writes.map(({ key, entry }) => ({ key, before: this.#state.entry(key), after: entry }))
    this.#state.apply(change)
    for (const listener of this.#observers) listener(changed)
  }
}
