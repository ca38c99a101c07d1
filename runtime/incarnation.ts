import type { AcceptOutcome } from './carriage.ts'
import type { Granted, Wanted } from './carrier.ts'
import { StartFailed } from './errors.ts'
import type { Introducer, Side } from './introduce.ts'
import type { Life } from './life.ts'
import { limits } from './limits.ts'
import type { RemoteActor } from './remote.ts'
import type { ActorSpec, SupervisorOptions } from './spec.ts'
import type { StoreLocation } from './store/location.ts'
import type { Thread, Threads } from './threads.ts'
import type { Given, Introduction, Loaded, TrustedDevice } from './worker.ts'

/** Where an incarnation lives. */
export interface Place {
  readonly options: SupervisorOptions
  readonly threads: Threads
  readonly introducer: Introducer
  /** Hosts that may link to this one, as it is now. */
  devices(): readonly TrustedDevice[]
  /** Where the store of an actor lies now. */
  storesOf(actor: string): StoreLocation | undefined
}

/** What the actors of one host share. */
export interface Surroundings extends Place {
  has(name: string): boolean
  /** @throws StartFailed where there is no such actor */
  life(name: string): Life
  /** That incarnation has ended: whatever is pending with it fails. */
  ended(name: string, incarnation: number): void
  /** Those that need it themselves. */
  dependents(name: string): readonly Life[]
  /** An actor that this host needs and does not have. */
  remote(name: string): RemoteActor | undefined
  /** @throws NeedsCycle, StartFailed where the needs of all actors that are loaded do not fit */
  checkNeeds(): void
}

/** One incarnation of an actor in its worker: loaded, introduced, run and left. */
export class Incarnation {
  readonly name: string
  readonly number: number
  readonly thread: Thread
  /** Names of what it needs and uses, once its module is loaded. */
  readonly loaded: Promise<Pick<Loaded, 'needs' | 'uses'>>
  readonly #place: Place

  /** @throws StartFailed when the supervisor has stopped */
  constructor(spec: ActorSpec, place: Place) {
    this.name = spec.protocol.name
    this.#place = place
    this.number = place.introducer.nextIncarnation(this.name)
    this.thread = place.threads.of(spec)
    this.thread.actors.add(this.name)
    this.loaded = this.#load(spec)
    this.loaded.catch(() => {})
  }

  async #load({ runtimeType, module, files, carries = false }: ActorSpec): Promise<Pick<Loaded, 'needs' | 'uses'>> {
    const { introducer, options: { zone, host, kernelActors, kernelRuntimeTypes = [], spans } } = this.#place
    const { name: actor, number: incarnation } = this
    const stores = this.#place.storesOf(actor)
    const { linkKey, needs, uses } = await this.#whileAlive('load', this.thread.worker.control.load({
      zone, host, actor, runtimeType, incarnation, module: module.href, devices: this.#place.devices(),
      kernelActors, kernelRuntimeTypes, spans: spans ?? false, ...(stores === undefined ? {} : { stores }),
      ...(files === undefined ? {} : { files }), ...(carries ? { carries } : {}),
    }))
    introducer.register({ actor, runtimeType, incarnation, key: linkKey })
    return { needs, uses }
  }

  #whileAlive<T>(what: string, work: Promise<T>, ms?: number): Promise<T> {
    return this.#place.threads.whileAlive(this.thread, this.name, what, work, ms)
  }

  /** Runs its start function, with the links to what it needs. @throws what that threw, StartFailed */
  run(given: Given, sides: readonly Side[]): Promise<void> {
    for (const secret of Object.values(given.secrets)) this.thread.redactor.conceal(secret)
    const [introductions, ends] = [sides.map(({ introduction }) => introduction), sides.map(({ end }) => end)]
    return this.#whileAlive('start', this.thread.worker.control.run(this.name, given, introductions, ends))
  }

  /** Hands over one end of a channel; settles when the link is up. @throws when it does not come up */
  tell({ introduction, end }: Side): Promise<void> {
    return this.#whileAlive('link', this.thread.worker.control.introduce(this.name, introduction, end))
  }

  /** Its callee is gone: what it has pending there fails. */
  detach(protocol: string, reason: string, hasEnded: boolean): void {
    if (this.thread.dead !== undefined) return
    this.thread.worker.control.detach(this.name, protocol, reason, hasEnded).catch(() => {})
  }

  /** A caller of it has died: its links to this end. */
  release(caller: Introduction['peer']): void {
    if (this.thread.dead === undefined) this.thread.worker.control.release(this.name, caller).catch(() => {})
  }

  /** As a carrier: joins the end to an actor of another host. @throws Unavailable, StartFailed */
  carry(id: number, wanted: Wanted, end: unknown): Promise<Granted> {
    return this.#whileAlive('carry', this.thread.worker.control.carry(this.name, id, wanted, end), limits.carryMs)
  }

  releaseCarried(id: number): void {
    if (this.thread.dead === undefined) this.thread.worker.control.releaseCarried(this.name, id).catch(() => {})
  }

  /** `end` where the outcome is no error. */
  accepted(id: number, outcome: AcceptOutcome, end: unknown): void {
    if (this.thread.dead === undefined) this.thread.worker.control.accepted(this.name, id, outcome, end).catch(() => {})
  }

  acceptedGone(id: number): void {
    if (this.thread.dead === undefined) this.thread.worker.control.acceptedGone(this.name, id).catch(() => {})
  }

  /** Stops it in its worker, and ends the worker when it was the last one there, or does not stop. */
  async leave(served: boolean, warn: (message: string) => void): Promise<void> {
    const { thread, name } = this
    const { threads } = this.#place
    let hangs = false
    // What never served has nobody to be polite to, and goes with its worker
    if (thread.dead === undefined && (served || thread.actors.size > 1)) {
      const stopping = thread.worker.control.stop(name, served ? limits.stopMs : 0)
      await this.#whileAlive('stop', stopping, limits.stopMs * 2).catch((error: Error) => {
        hangs = true
        warn(error.message)
      })
    }
    thread.actors.delete(name)
    if (thread.dead !== undefined || thread.actors.size === 0) await threads.retire(thread, 'stopped')
    else if (hangs) await threads.end(thread, `${name} did not stop`)
  }

  assertAlive(): void {
    if (this.thread.dead === undefined) return
    throw new StartFailed(`The worker of ${this.name} died: ${this.thread.dead}`, { actor: this.name })
  }
}
