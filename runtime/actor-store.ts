import { InvalidArgument, isStoreAway, storeAway, StoreBeingMoved, Unavailable } from './errors.ts'
import { limits } from './limits.ts'
import type { Platform } from './platform/ports.ts'
import type { Redactor } from './redact.ts'
import type { EtcdCredentials } from './store/etcd/connection.ts'
import type { StoreLocation } from './store/location.ts'
import { createMemoryStore } from './store/memory.ts'
import { MovableStore } from './store/movable.ts'
import type { Moved, MoveProgress } from './store/move/move.ts'
import type { Store } from './store/store.ts'
import type { StartMessage } from './worker.ts'

export interface ActorStoreOptions {
  readonly start: StartMessage
  readonly platform: Platform
  /** Its store is in memory wherever those of others are. */
  readonly stateless: boolean
  readonly redactor: Redactor
  /** Ends a move. */
  readonly signal: AbortSignal
  /** The store stopped by itself. */
  readonly onStopped: (reason: Error) => void
  readonly onProgress: (progress: MoveProgress) => void
}

/** The store of one actor: opened as the actor is loaded, and moved while it serves. */
export class ActorStore {
  /** Settles when it is open. */
  opening: Promise<Store>
  readonly #options: ActorStoreOptions
  #moving: Promise<Moved> | undefined

  constructor(options: ActorStoreOptions) {
    this.#options = options
    const { redactor, start: { stores } } = options
    if (stores?.type === 'etcd' && stores.credentials) redactor.conceal(stores.credentials.key)
    this.opening = this.#open()
    this.opening.catch(() => {})
  }

  /** To start with. Where it was away it is tried once more: that may be long ago. @throws what opening does */
  async opened(): Promise<Store> {
    const found = await this.opening.catch((error: unknown) => (isStoreAway(error) ? undefined : Promise.reject(error)))
    if (found) return found
    this.opening = this.#open()
    return await this.opening
  }

  /**
   * Why a start failed: when the store cannot be reached now, that and not what came of it. Asked of the store itself,
   * whatever the start function says.
   */
  async whyNot(error: unknown): Promise<unknown> {
    const { stateless, start: { stores } } = this.#options
    const away = stateless || stores?.type !== 'etcd' ? undefined
      : await this.opening.then((store) => store.revision()).then(() => undefined, (reason: unknown) => reason)
    if (away instanceof Unavailable) return storeAway(away)
    // Nobody is waited for because an actor says so
    return isStoreAway(error) && error instanceof Error ? new Unavailable(error.message) : error
  }

  async #open(): Promise<Store> {
    const { start, platform, stateless, onStopped } = this.#options
    if (start.stores === undefined || stateless) {
      return createMemoryStore({ clock: platform.clock, random: platform.random.fork('store') })
    }
    const store = new MovableStore(await this.#reach(start.stores))
    // The next incarnation opens it again, and finds all that was acknowledged
    store.onStopped?.(onStopped)
    return store
  }

  /** Of a folder nobody waits for: what is wrong there is wrong until somebody sees to it. */
  async #reach(stores: StoreLocation): Promise<Store> {
    const { start, platform } = this.#options
    try {
      return await platform.stores(stores).open(start.actor)
    } catch (error) {
      throw stores.type === 'etcd' && error instanceof Unavailable ? storeAway(error) : error
    }
  }

  /** One at a time. @throws InvalidArgument when it lies in no folder, and what `moveStore` does */
  move(to: StoreLocation): Promise<Moved> {
    if (this.#moving) throw new StoreBeingMoved(`The store of ${this.#options.start.actor} is being moved already`)
    this.#moving = this.#move(to).finally(() => { this.#moving = undefined })
    return this.#moving
  }

  /** @throws InvalidArgument */
  async renewCredentials(credentials: EtcdCredentials): Promise<void> {
    this.#options.redactor.conceal(credentials.key)
    const store = await this.opening
    store.renewCredentials?.(credentials)
  }

  async #move(to: StoreLocation): Promise<Moved> {
    const { start: { actor, host, stores }, platform, redactor, signal } = this.#options
    const store = await this.opening
    const target = platform.stores(to)
    if (!(store instanceof MovableStore) || !target.take || stores?.type !== 'folder') {
      throw new InvalidArgument(`${actor} has no store that could be moved there`, { actor })
    }
    if (to.type === 'etcd' && to.credentials) redactor.conceal(to.credentials.key)
    const { clock, random } = platform
    return await target.take(actor, store, {
      owner: { host, source: `${stores.path}/${actor}` }, clock, random: random.fork('move'), signal,
      onProgress: this.#now(),
    })
  }

  /** Each phase is told of, and now and then how far it is. */
  #now(): (progress: MoveProgress) => void {
    const { platform: { clock }, onProgress } = this.#options
    let [phase, toldAt] = ['', 0]
    return (progress) => {
      const now = clock.monotonic()
      if (progress.phase === phase && now - toldAt < limits.moveTellMs) return
      phase = progress.phase
      toldAt = now
      onProgress(progress)
    }
  }
}
