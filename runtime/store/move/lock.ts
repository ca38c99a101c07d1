import { LeaseExpired, StoreBeingMoved, StoreDiverged, StoreOfAnother, Unavailable } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { Cancel, Clock, Random } from '../../platform/ports.ts'
import { randomId } from '../random-id.ts'
import type { Lease } from '../store.ts'
import { all, names, type Area, type AreaCompare, type AreaEntry, type AreaOperation } from './area.ts'
import { decodeMarker, decodeOwner, encode, type Marker, type Owner } from './marker.ts'
import { only } from './open-area.ts'
import type { MoveSource } from './source.ts'

const decoder = new TextDecoder()

/** Who moves, and what. */
export interface Mover {
  readonly area: Area
  readonly source: Pick<MoveSource, 'id' | 'revision'>
  readonly owner: Pick<Owner, 'host' | 'source'>
  readonly clock: Clock
  readonly random: Random
}

/** The right to write to a target, and what it was found to be. */
export type Begun =
  | { readonly type: 'locked'; readonly lock: Lock }
  /** It has all of the source already, and may have gone on. */
  | { readonly type: 'moved'; readonly marker: Marker & { state: 'active' }; readonly activation: number }

/** What a target is, without changing it. */
export interface Target {
  readonly marker: { readonly value: Marker; readonly mod: number } | undefined
  readonly lock: AreaEntry | undefined
  /** Somebody has opened it as a store since it was filled. */
  readonly used: boolean
  readonly isNew: boolean
}

/** @throws StoreOfAnother when the target holds what is not this source's */
export async function inspect({ area, source }: Pick<Mover, 'area' | 'source'>): Promise<Target> {
  const { ranges } = await area.read([
    { from: names.id }, { from: names.marker }, { from: names.lock }, { from: names.used },
    { ...all('keys'), limit: 1, keysOnly: true },
  ])
  const [id, marker, lock, used, key] = ranges.map(only)
  const value = marker && decodeMarker(marker.value)
  const owner = value?.source ?? (id && decoder.decode(id.value))
  if (owner !== undefined && owner !== source.id || id && !marker || key && !marker) {
    throw new StoreOfAnother(`${area.place} holds the store of another: ${owner ?? 'its id is missing'}, `
      + `and ${source.id} was to be moved there`, {
      place: area.place, found: owner ?? null, expected: source.id,
      next: 'Choose another prefix, or remove what is there',
    })
  }
  return {
    marker: value && { value, mod: marker!.mod }, lock, used: used !== undefined, isNew: value === undefined,
  }
}

/** What a move has to do, by what the target and the source are. @throws StoreDiverged */
export function verdict({ marker, used }: Target, { id, revision }: Mover['source'], place: string): 'move' | 'moved' {
  if (marker?.value.state !== 'active' || revision > marker.value.revision && !used) return 'move'
  if (revision <= marker.value.revision) return 'moved'
  throw new StoreDiverged(`The store was moved to ${place} at revision ${marker.value.revision} and used there, `
    + `and here it has gone on to ${revision}: each has what the other has not`, {
    place, id, moved: marker.value.revision, revision,
    next: 'Decide which of the two is right; the other one has to be removed by hand',
  })
}

/**
 * Locks a target for its source. A mover that was killed is followed at once by one that has the same source, since
 * only one process can have that; anybody else waits until its lock has lapsed.
 * @throws StoreOfAnother, StoreBeingMoved, StoreDiverged
 */
export async function begin(mover: Mover): Promise<Begun> {
  const { area, source, owner, clock } = mover
  for (let attempt = 0; attempt < limits.storeRaces; attempt++) {
    const target = await inspect(mover)
    const { marker, lock } = target
    if (verdict(target, source, area.place) === 'moved') {
      const { value, mod } = marker!
      return { type: 'moved', marker: value as Marker & { state: 'active' }, activation: mod }
    }
    const holder = lock && decodeOwner(lock.value)
    if (lock && (holder?.host !== owner.host || holder.source !== owner.source)) throw heldBy(area, holder, clock)
    const taken = await Lock.take(mover, marker, lock?.mod ?? 0).catch((error: unknown) => {
      // It answered a moment ago; if this was done, it is found to be ours
      if (!(error instanceof Unavailable) || attempt === limits.storeRaces - 1) throw error
    })
    if (taken) return { type: 'locked', lock: taken }
  }
  throw new StoreBeingMoved(`Others begin to move a store to ${area.place} at the same time`)
}

function heldBy({ place }: Area, holder: Owner | undefined, clock: Clock): Error {
  const who = holder ? `${holder.host}, from ${holder.source}` : 'somebody'
  const since = holder ? ` for ${Math.round((clock.now() - holder.since) / 1000)} s` : ''
  return new StoreBeingMoved(`Another one moves a store to ${place}${since}: ${who}`, {
    place, holder: holder ?? null,
    next: `Wait for it; when it was killed, its lock lapses within ${limits.moveLockMs / 1000} s`,
  })
}

export class Lock {
  readonly attempt: number
  #mod: number
  #markerMod: number
  #lease: Lease
  #cancel: Cancel = () => {}
  readonly #mover: Mover
  readonly #owner: Owner

  private constructor(mover: Mover, owner: Owner, lease: Lease, attempt: number, mod: number) {
    this.#mover = mover
    this.#owner = owner
    this.#lease = lease
    this.attempt = attempt
    this.#mod = this.#markerMod = mod
    this.#keep()
  }

  /** Undefined when somebody else was faster. */
  static async take(mover: Mover, marker: Target['marker'], lockMod: number): Promise<Lock | undefined> {
    const { area, source, clock, random } = mover
    const owner: Owner = { ...mover.owner, run: randomId(random, 8), since: clock.now() }
    const lease = await area.grant(limits.moveLockMs)
    const attempt = (marker?.value.attempt ?? 0) + 1
    const { succeeded, revision } = await area.transact({
      compare: [
        { key: names.marker, mod: marker?.mod ?? 0 }, { key: names.lock, mod: lockMod }, { key: names.used, mod: 0 },
      ],
      success: [
        { type: 'put', key: names.marker, value: encode({ state: 'copying', source: source.id, attempt }) },
        { type: 'put', key: names.lock, value: encode(owner), lease: lease.id },
        // Of one that was active, and is no longer true
        { type: 'delete', key: names.id },
      ],
    })
    if (succeeded) return new Lock(mover, owner, lease, attempt, revision)
    await lease.revoke()
    return undefined
  }

  /** What every write of its holder is compared with. */
  get guard(): AreaCompare {
    return { key: names.lock, mod: this.#mod }
  }

  /** And what the last one is, which makes the target a store. */
  get guards(): readonly AreaCompare[] {
    return [this.guard, { key: names.marker, mod: this.#markerMod }, { key: names.used, mod: 0 }]
  }

  /** @throws StoreBeingMoved when another one has it by now */
  async regain(found: AreaEntry | undefined): Promise<void> {
    const { area } = this.#mover
    this.#assertOwn(found)
    this.#cancel()
    this.#lease = await area.grant(limits.moveLockMs)
    await this.#write([{ key: names.lock, mod: found?.mod ?? 0 }, { key: names.marker, mod: this.#markerMod }], [
      { type: 'put', key: names.lock, value: encode(this.#owner), lease: this.#lease.id },
    ], false)
    this.#keep()
  }

  /**
   * Takes back that the target is a store, if it came to be one, and makes sure that no write from before that is still
   * on its way does so. @throws StoreBeingMoved when another one has it by now, StoreOfAnother
   */
  async takeBack(): Promise<void> {
    const { area, source } = this.#mover
    const { marker, lock, used } = await inspect(this.#mover)
    this.#assertOwn(lock)
    if (marker?.value.attempt !== this.attempt || used) throw heldBy(area, undefined, this.#mover.clock)
    this.#cancel()
    this.#lease = await area.grant(limits.moveLockMs)
    await this.#write([{ key: names.marker, mod: marker.mod }, { key: names.lock, mod: lock?.mod ?? 0 }], [
      { type: 'put', key: names.marker, value: encode({ state: 'copying', source: source.id, attempt: this.attempt }) },
      { type: 'put', key: names.lock, value: encode(this.#owner), lease: this.#lease.id },
      { type: 'delete', key: names.id },
    ], true)
    this.#keep()
  }

  /** Nobody is kept out by it any more. What the target holds stays. */
  async release(): Promise<void> {
    this.#cancel()
    await this.#lease.revoke().catch(() => {})
  }

  /** One that we have written, be it unheard. @throws StoreBeingMoved */
  #assertOwn(found: AreaEntry | undefined): void {
    const holder = found && decodeOwner(found.value)
    if (found && holder?.run !== this.#owner.run) throw heldBy(this.#mover.area, holder, this.#mover.clock)
  }

  async #write(
    compare: readonly AreaCompare[], success: readonly AreaOperation[], withMarker: boolean,
  ): Promise<void> {
    const { area, clock } = this.#mover
    const answer = await area.transact({ compare, success, failure: [{ from: names.lock }] })
    const other = answer.ranges[0] && only(answer.ranges[0])
    if (!answer.succeeded) throw heldBy(area, other && decodeOwner(other.value), clock)
    this.#mod = answer.revision
    if (withMarker) this.#markerMod = answer.revision
  }

  /** A member that stands still may take a renewal with it: there are several in the life of the lease. */
  #keep(): void {
    const { clock } = this.#mover
    const lease = this.#lease
    let ended = false
    const next = (ms: number): void => {
      if (!ended) cancel = clock.after(ms, renew)
    }
    const renew = (): void => void lease.keepAlive().then(() => next(limits.moveLockMs / 4), (error: unknown) => {
      // A write finds out, and regains it
      if (!(error instanceof LeaseExpired)) next(limits.moveLockMs / 16)
    })
    let cancel = clock.after(limits.moveLockMs / 4, renew)
    this.#cancel = () => {
      ended = true
      cancel()
    }
  }
}
