import { DiskFull, FolderInUse } from '../errors.ts'
import type { Stores } from '../platform/ports.ts'
import type { Change } from '../store/change.ts'
import { encodeChange } from '../store/embedded/log-contents.ts'
import { readRecord } from '../store/embedded/log-record.ts'
import { createMemoryStore, emptyState } from '../store/memory.ts'
import type { StoreState } from '../store/state.ts'
import type { Store } from '../store/store.ts'
import { shortDigest } from './digest.ts'
import { delays } from './delays.ts'
import type { SeededRandom } from './random.ts'
import type { Schedule } from './schedule.ts'
import { clockOf } from './host-clock.ts'
import type { SimulatedThread } from './thread.ts'

export type DiskState = 'well' | 'full' | 'broken'

/** What goes wrong with a host while it runs. */
export interface HostFaults {
  disk: DiskState
  /** How much longer than usual a write takes. */
  slowness: number
  /** Of what is being written when the power goes, part may be on the disk: decided here, from 0 (none) to 1 (all). */
  torn: (() => number) | undefined
}

/** Told of what becomes durable in a store. */
export type OnCommit = (path: string, changes: readonly Change[]) => void

interface Kept {
  readonly state: StoreState
  readonly random: SeededRandom
  /** While it runs, nobody else may open the store. */
  openedBy: SimulatedThread | undefined
}

/** The stores of one host, by path. They outlive its processes; a commit under way when one is killed does not. */
export class DiskStores {
  readonly #schedule: Schedule
  readonly #random: SeededRandom
  readonly #faults: HostFaults
  readonly #onCommit: OnCommit
  readonly #onNew: (path: string) => void
  readonly #kept = new Map<string, Kept>()

  /** `onNew` is told of each that is made. */
  constructor(
    schedule: Schedule, random: SeededRandom, faults: HostFaults, onCommit: OnCommit,
    onNew: (path: string) => void = () => {},
  ) {
    this.#onNew = onNew
    this.#schedule = schedule
    this.#random = random
    this.#faults = faults
    this.#onCommit = onCommit
  }

  in(folder: string, thread: SimulatedThread): Stores {
    return { open: (name) => thread.whileAlive(() => this.#open(`${folder}/${name}`, thread)) }
  }

  #open(path: string, thread: SimulatedThread): Store {
    const kept = this.#keep(path)
    if (kept.openedBy?.alive) throw new FolderInUse(`The store is open in ${kept.openedBy.name}: ${path}`, { path })
    kept.state.assertHere()
    kept.openedBy = thread
    let underWay: readonly Change[] = []
    const store = createMemoryStore({
      clock: clockOf(this.#schedule, thread), random: kept.random, state: kept.state,
      persist: (changes) => new Promise<void>((resolve, reject) => {
        underWay = changes
        const delayUs = kept.random.within(delays.disk) * this.#faults.slowness
        this.#schedule.inOrder({
          to: thread, lane: thread.lane, delayUs, kind: 'commit', from: path, payload: described(changes),
          task: () => {
            underWay = []
            const fault = diskFault(this.#faults, path)
            if (fault) return reject(fault)
            this.#onCommit(path, changes)
            resolve()
          },
        })
      }),
    })
    const stay = thread.onEnd(() => this.#tear(path, kept, underWay))
    const closed = store.close.bind(store)
    const close = async (): Promise<void> => {
      await closed()
      stay()
      if (kept.openedBy === thread) kept.openedBy = undefined
    }
    return Object.assign(store, { close })
  }

  /** The power goes during a write: as the log of a real store would be read again, whole records at its end count. */
  #tear(path: string, { state }: Kept, underWay: readonly Change[]): void {
    const share = this.#faults.torn?.() ?? 0
    if (share === 0 || underWay.length === 0) return
    const kept = survivors(underWay, share)
    for (const change of kept) state.apply(change)
    if (kept.length > 0) this.#onCommit(path, kept)
  }

  #keep(path: string): Kept {
    const found = this.#kept.get(path)
    if (found) return found
    const random = this.#random.fork(path)
    const kept: Kept = { state: emptyState(random), random, openedBy: undefined }
    this.#kept.set(path, kept)
    this.#onNew(path)
    return kept
  }
}

/** Those whose records are whole when the last bytes of a write are missing, read as an embedded store reads them. */
function survivors(changes: readonly Change[], share: number): readonly Change[] {
  const records = changes.map(encodeChange)
  const bytes = new Uint8Array(records.reduce((sum, { length }) => sum + length, 0))
  let end = 0
  for (const record of records) {
    bytes.set(record, end)
    end += record.length
  }
  const cut = bytes.subarray(0, Math.floor(bytes.length * share))
  let whole = 0
  for (let offset = 0; offset < cut.length;) {
    const record = readRecord(cut, offset)
    if (typeof record === 'string') break
    offset = record.end
    whole++
  }
  return changes.slice(0, whole)
}

/** Why it takes no write, if it does not. */
export function diskFault({ disk }: HostFaults, path: string): Error | undefined {
  if (disk === 'full') return new DiskFull(`The disk is full: ${path}`, { path })
  return disk === 'broken' ? Object.assign(new Error(`EIO: ${path}`), { code: 'EIO' }) : undefined
}

const described = (changes: readonly Change[]): string => changes.map(({ revision, writes }) =>
  `${revision} ${writes.map(({ key, entry }) => `${key} ${entry ? shortDigest(entry.value) : ''}`).join()}`).join('\n')
