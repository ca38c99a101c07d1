import { DiskFull, FolderInUse } from '../errors.ts'
import type { Stores } from '../platform/ports.ts'
import type { Change } from '../store/change.ts'
import { createMemoryStore, emptyState } from '../store/memory.ts'
import type { StoreState } from '../store/state.ts'
import type { Store } from '../store/store.ts'
import { shortDigest } from './digest.ts'
import { delays } from './delays.ts'
import type { SeededRandom } from './random.ts'
import type { Schedule } from './schedule.ts'
import { clockOf, type SimulatedThread, type WallClock } from './thread.ts'

export type DiskState = 'well' | 'full' | 'broken'

/** What goes wrong with a host while it runs. */
export interface HostFaults {
  readonly wall: WallClock
  disk: DiskState
}

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
  readonly #kept = new Map<string, Kept>()

  constructor(schedule: Schedule, random: SeededRandom, faults: HostFaults) {
    this.#schedule = schedule
    this.#random = random
    this.#faults = faults
  }

  in(folder: string, thread: SimulatedThread): Stores {
    return { open: (name) => thread.whileAlive(() => this.#open(`${folder}/${name}`, thread)) }
  }

  #open(path: string, thread: SimulatedThread): Store {
    const kept = this.#keep(path)
    if (kept.openedBy?.alive) throw new FolderInUse(`The store is open in ${kept.openedBy.name}: ${path}`, { path })
    kept.openedBy = thread
    const store = createMemoryStore({
      clock: clockOf(this.#schedule, thread, this.#faults.wall), random: kept.random, state: kept.state,
      persist: (changes) => new Promise<void>((resolve, reject) => this.#schedule.inOrder({
        to: thread, lane: thread.lane, delayUs: kept.random.within(delays.disk), kind: 'commit', from: path,
        payload: described(changes),
        task: () => {
          const fault = diskFault(this.#faults, path)
          if (fault) reject(fault)
          else resolve()
        },
      })),
    })
    const closed = store.close.bind(store)
    const close = async (): Promise<void> => {
      await closed()
      if (kept.openedBy === thread) kept.openedBy = undefined
    }
    return Object.assign(store, { close })
  }

  #keep(path: string): Kept {
    const found = this.#kept.get(path)
    if (found) return found
    const random = this.#random.fork(path)
    const kept: Kept = { state: emptyState(random), random, openedBy: undefined }
    this.#kept.set(path, kept)
    return kept
  }
}

/** Why it takes no write, if it does not. */
export function diskFault({ disk }: HostFaults, path: string): Error | undefined {
  if (disk === 'full') return new DiskFull(`The disk is full: ${path}`, { path })
  return disk === 'broken' ? Object.assign(new Error(`EIO: ${path}`), { code: 'EIO' }) : undefined
}

const described = (changes: readonly Change[]): string => changes.map(({ revision, writes }) =>
  `${revision} ${writes.map(({ key, entry }) => `${key} ${entry ? shortDigest(entry.value) : ''}`).join()}`).join('\n')
