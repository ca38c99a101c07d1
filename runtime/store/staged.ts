import { entryBytes, type Change, type LeaseRecord, type View, type Write } from './change.ts'
import type { StoreState } from './state.ts'
import type { Entry } from './store.ts'

/** The state as it will be when the changes that are on their way to the disk have arrived. */
export class Staged implements View {
  readonly #state: StoreState
  readonly #writes = new Map<string, Write>()
  readonly #leases = new Map<string, { readonly change: Change; readonly lease: LeaseRecord | undefined }>()
  #leaseCount: number
  #revision: number
  #bytes: number

  constructor(state: StoreState) {
    this.#state = state
    this.#revision = state.revision
    this.#bytes = state.bytes
    this.#leaseCount = state.leases.size
  }

  get revision(): number {
    return this.#revision
  }

  get bytes(): number {
    return this.#bytes
  }

  get leaseCount(): number {
    return this.#leaseCount
  }

  entry(key: string): Entry | undefined {
    const write = this.#writes.get(key)
    return write ? write.entry : this.#state.entry(key)
  }

  hasLease(id: string): boolean {
    const staged = this.#leases.get(id)
    return staged ? staged.lease !== undefined : this.#state.hasLease(id)
  }

  /** Keys that are attached to the lease, in the order of their attachment. */
  attachedTo(lease: string): readonly string[] {
    const keys = new Set(this.#state.attachedTo(lease))
    for (const key of this.#writes.keys()) keys.add(key)
    return [...keys].filter((key) => this.entry(key)?.lease === lease)
  }

  add(change: Change): void {
    for (const write of change.writes) {
      this.#bytes += entryBytes(write.entry) - entryBytes(this.entry(write.key))
      this.#writes.set(write.key, write)
    }
    if (change.granted) {
      this.#leases.set(change.granted.id, { change, lease: change.granted })
      this.#leaseCount++
    }
    if (change.ended !== undefined) {
      this.#leases.set(change.ended, { change, lease: undefined })
      this.#leaseCount--
    }
    this.#revision = change.revision
  }

  /** Nothing of what is staged will arrive. */
  clear(): void {
    this.#writes.clear()
    this.#leases.clear()
    this.#revision = this.#state.revision
    this.#bytes = this.#state.bytes
    this.#leaseCount = this.#state.leases.size
  }

  /** The state has it now; what was staged over it since stays. */
  settle(change: Change): void {
    for (const write of change.writes) {
      if (this.#writes.get(write.key) === write) this.#writes.delete(write.key)
    }
    for (const id of [change.granted?.id, change.ended]) {
      if (id !== undefined && this.#leases.get(id)?.change === change) this.#leases.delete(id)
    }
  }
}
