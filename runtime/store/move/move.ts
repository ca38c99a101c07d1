import { MoveMismatch, Overloaded, Unavailable } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { Clock, Random } from '../../platform/ports.ts'
import { pause } from '../../within.ts'
import type { MovedTo } from '../change.ts'
import type { Fence, MovedTarget } from '../movable.ts'
import type { Store } from '../store.ts'
import { names, type Area } from './area.ts'
import { Copy } from './copy.ts'
import { Follow } from './follow.ts'
import { begin, type Lock, type Mover } from './lock.ts'
import { encode, type Marker, type Owner } from './marker.ts'
import { MovedStore } from './moved-store.ts'
import { markUsed } from './open-area.ts'
import { Scan } from './scan.ts'
import type { MoveSource } from './source.ts'
import { LockedTarget } from './target.ts'

/** As the journal has them. */
export const movePhases = [
  'locked', 'copying', 'following', 'fenced', 'verified', 'active', 'retired', 'done',
] as const
export type MovePhase = typeof movePhases[number]

export interface MoveProgress {
  readonly phase: MovePhase
  /** Of the source now, copied, and of those read back from the target and found to be the same. */
  readonly total: number
  readonly entries: number
  readonly verified: number
  readonly bytes: number
  /** Keys that were written since they were copied. */
  readonly behind: number
  /** Waits for an etcd that went away. */
  readonly waits: boolean
}

export interface Moved {
  /** False when there was nothing to do any more. */
  readonly moved: boolean
  readonly entries: number
  readonly bytes: number
  readonly digest: string
  /** The last of the source. */
  readonly revision: number
  readonly ms: number
  /** For which writes waited, and how often that was tried. */
  readonly fenceMs: number
  readonly fences: number
}

export interface MoveOptions {
  readonly source: MoveSource
  readonly fence: Fence
  readonly area: Area
  /** The store in the area, with this id and the cluster's revisions. */
  readonly native: (id: string) => Store
  readonly prefix: string
  readonly owner: Pick<Owner, 'host' | 'source'>
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
  /** Called at once as a phase is reached. Must not throw. */
  readonly onProgress: (progress: MoveProgress) => void
}

/**
 * Moves a store that is in use. Until the last step its source is the store, and whatever happens it goes on there. All
 * is copied and verified while it is written; writes wait only while the last changes follow.
 *
 * What is there after a crash says by itself what to do: the source is the store unless it is retired; and a target is
 * taken for complete only by the source, which is at the same revision, or retired.
 * @throws StoreOfAnother, StoreBeingMoved, StoreDiverged, MoveMismatch, Overloaded, Unavailable, Cancelled
 */
export async function moveStore(options: MoveOptions): Promise<Moved> {
  const { source, clock } = options
  const began = clock.monotonic()
  for (;;) {
    const begun = await begin(options satisfies Mover)
    const move = new Move(options)
    try {
      if (begun.type === 'locked') await move.run(begun.lock)
      else if (!await move.finish(begun.marker, begun.activation)) continue
      return { ...move.outcome(begun.type === 'locked'), revision: source.revision, ms: clock.monotonic() - began }
    } finally {
      move.end()
    }
  }
}

class Move {
  readonly #options: MoveOptions
  readonly #scan: Scan
  #copy: Copy | undefined
  #target: LockedTarget | undefined
  #phase: MovePhase = 'locked'
  #fenceMs = 0
  #fences = 0
  #digest = ''

  constructor(options: MoveOptions) {
    this.#options = options
    this.#scan = new Scan(options.source)
  }

  outcome(moved: boolean): Omit<Moved, 'revision' | 'ms'> {
    const { entries = this.#options.source.size, bytes = 0 } = this.#copy ?? {}
    return { moved, entries, bytes, digest: this.#digest, fenceMs: this.#fenceMs, fences: this.#fences }
  }

  end(): void {
    this.#scan.end()
  }

  async run(lock: Lock): Promise<void> {
    const { area, clock, signal } = this.#options
    const target = this.#target = new LockedTarget(area, lock, clock, signal)
    const copy = this.#copy = new Copy(this.#scan, target, () => this.#tell(this.#phase))
    try {
      this.#tell('locked')
      const operations = await target.patiently(() => area.operationsMax(limits.moveOperations))
      this.#tell('copying')
      await copy.run(operations)
      this.#tell('following')
      const follow = new Follow({
        ...this.#options, scan: this.#scan, copy, target, operations, onProgress: () => this.#tell(this.#phase),
      })
      await this.#fenced(follow, lock, target, copy)
    } catch (error) {
      await lock.release()
      throw error
    }
    // Its key went with the last write: only the lease is left
    lock.release().catch(() => {})
  }

  /**
   * Of a target that has everything: an earlier move was ended before it had retired the source. False when the source
   * was written until now: then the target does not have everything any more.
   */
  async finish(marker: Marker & { state: 'active' }, activation: number): Promise<boolean> {
    const { fence, source } = this.#options
    await fence.begin()
    let next: MovedTarget | undefined
    try {
      if (source.revision > marker.revision) return false
      next = await this.#retire(marker, activation)
    } finally {
      fence.end(next)
    }
    this.#tell('done')
    return true
  }

  /** Until it has changed its place: each time writes wait no longer than they may, and then go on as before. */
  async #fenced(follow: Follow, lock: Lock, target: LockedTarget, copy: Copy): Promise<void> {
    const { clock, signal } = this.#options
    for (let pauseMs: number = limits.moveFencePauseMs; this.#fences < limits.moveFences;) {
      await follow.catchUp()
      this.#fences++
      if (await this.#tryFence(follow, copy, lock, target)) return this.#tell('done')
      this.#tell('following')
      await pause(clock, pauseMs, signal)
      pauseMs = Math.min(2 * pauseMs, limits.moveFencePauseMsMax)
    }
    const next = 'Run it again when less is written: it goes on where it was'
    throw new Overloaded(`The store is written so much that ${limits.moveFences} times its last changes could not `
      + `follow within ${limits.moveFenceMs} ms`, { next })
  }

  /** True when it is done; false when writes go on at the source, as if nothing had been tried. */
  async #tryFence(follow: Follow, copy: Copy, lock: Lock, target: LockedTarget): Promise<boolean> {
    const { fence, source, clock } = this.#options
    const began = clock.monotonic()
    let late = false
    const time = pause(clock, limits.moveFenceMs).then(() => {
      late = true
      return undefined
    })
    await fence.begin()
    const release = source.holdLeases()
    const goOn = (): void => {
      this.#fenceMs = clock.monotonic() - began
      release()
      fence.end()
    }
    this.#tell('fenced')
    const work = this.#lastChanges(follow, copy, lock, () => late)
    let failure: unknown
    try {
      const done = await Promise.race([work, time])
      if (done) {
        this.#tell('active')
        const next = await this.#retire(done.marker, done.activation)
        this.#fenceMs = clock.monotonic() - began
        fence.end(next)
        return true
      }
    } catch (error) {
      failure = error
    }
    // Too slow, or etcd is away: writes go on, and only then what was under way is waited for
    goOn()
    const outcome = await work.catch((error: unknown) => { failure ??= error })
    // It became a store, or may have: it is none, since its source goes on
    if (outcome || failure) await target.patiently(() => lock.takeBack())
    if (failure && !(failure instanceof Unavailable)) throw failure
    await follow.detach()
    return false
  }

  /** @returns undefined when writes go on already, and the target is no store */
  async #lastChanges(
    follow: Follow, copy: Copy, lock: Lock, isLate: () => boolean,
  ): Promise<{ marker: Marker & { state: 'active' }; activation: number } | undefined> {
    const { source, area } = this.#options
    await follow.finish(isLate)
    if (isLate()) return undefined
    if (!this.#scan.digest.equals(copy.digest)) {
      throw new MoveMismatch('The store and its copy in etcd differ, although all of it was compared', {
        here: this.#scan.digest.count, there: copy.digest.count,
        next: 'Nothing was changed in the source. See whether others write under the same prefix of etcd',
      })
    }
    this.#digest = copy.digest.toString()
    this.#tell('verified')
    const marker = {
      state: 'active', source: source.id, attempt: lock.attempt, revision: source.revision,
      entries: copy.digest.count, digest: this.#digest,
    } as const
    const { succeeded, revision } = await area.transact({
      compare: [...lock.guards, { key: names.id, mod: 0 }],
      success: [
        { type: 'put', key: names.id, value: new TextEncoder().encode(source.id) },
        { type: 'put', key: names.marker, value: encode(marker) },
        { type: 'delete', key: names.lock },
      ],
    })
    if (!succeeded) throw new Unavailable('The lock of the move has lapsed')
    return { marker, activation: revision }
  }

  /** The source is never opened again; from here on the target is the store, whatever happens. */
  async #retire(marker: Marker & { state: 'active' }, activation: number): Promise<MovedTarget> {
    const { area, source, native, prefix, clock } = this.#options
    const store = await MovedStore.open(native(source.id), area, marker, activation)
    const moved: MovedTo = {
      place: area.place, prefix, at: clock.now(), entries: marker.entries, digest: marker.digest,
    }
    await source.retire(moved)
    this.#digest = marker.digest
    this.#tell('retired')
    // If it fails, whoever opens it next does so. There is no way back from here
    await markUsed(area, activation).catch(() => {})
    return store
  }

  #tell(phase: MovePhase): void {
    this.#phase = phase
    const { entries = 0, bytes = 0 } = this.#copy ?? {}
    this.#options.onProgress({
      phase, total: this.#options.source.size, entries, bytes, verified: this.#copy?.digest.count ?? 0,
      behind: this.#scan.changed.size, waits: this.#target?.isAway ?? false,
    })
  }
}
