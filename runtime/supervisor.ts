import { Carriers } from './carriers.ts'
import { InvalidArgument, StartFailed, StoreMoved } from './errors.ts'
import { createIntroducer, SUPERVISOR, type Introducer } from './introduce.ts'
import { Life } from './life.ts'
import { limits } from './limits.ts'
import { startOrder, withDependents, type NeedsGraph } from './needs.ts'
import type { Cancel } from './platform/ports.ts'
import type { Client, Protocol } from './protocol.ts'
import type { RemoteActor, RemoteChannel } from './remote.ts'
import type { ActorSpec, SupervisorOptions } from './spec.ts'
import type { EtcdCredentials } from './store/etcd/connection.ts'
import { prefixOf, type StoreLocation } from './store/location.ts'
import type { Moved } from './store/move/move.ts'
import { Threads, type Thread } from './threads.ts'
import { tellAll, type ActorEvent, type LinkEvent, type StepEvent, type Trace } from './trace.ts'
import type { Given, Inspection, Introduction, TrustedDevice, WorkerEvent } from './worker.ts'

export interface ActorState {
  readonly name: string
  readonly state: ActorEvent['state']
  readonly incarnation: number
  readonly reason: string
  readonly restarts: number
  /** Of this state, in epoch milliseconds; 0 before the first. */
  readonly since: number
}

/** Starts, watches, restarts and introduces the actors of one host. */
export class Supervisor {
  readonly trace: Trace
  readonly #options: SupervisorOptions
  readonly #lives = new Map<string, Life>()
  readonly #threads: Threads
  readonly #introducer: Introducer
  readonly #carriers: Carriers
  readonly #steps: StepEvent[] = []
  #devices: readonly TrustedDevice[]
  /** Of actors whose store has left the place of the others. */
  readonly #stores = new Map<string, StoreLocation>()
  #storesAt: StoreLocation | undefined
  #stopping = false
  #release: Cancel = () => {}

  constructor(options: SupervisorOptions, specs: readonly ActorSpec[]) {
    this.#options = options
    this.trace = options.trace
    this.#devices = options.devices
    this.#storesAt = options.stores
    this.#introducer = createIntroducer(options, (event) => this.#tell(event))
    this.#threads = new Threads(
      options, specs, (thread, reason) => this.#died(thread, reason), (event) => this.#tell(event),
    )
    const surroundings = {
      options, threads: this.#threads, introducer: this.#introducer,
      has: (name: string): boolean => this.#lives.has(name),
      life: (name: string): Life => this.#life(name),
      ended: (name: string, incarnation: number): void => this.#carriers.ended(name, incarnation),
      dependents: (name: string): readonly Life[] => this.#all().filter(({ needs }) => needs.includes(name)),
      devices: (): readonly TrustedDevice[] => this.#devices,
      storesOf: (name: string) => this.#stores.get(name) ?? this.#storesAt,
      remote: (name: string) => this.#remote(name),
      checkNeeds: (): void => void startOrder(this.#graph()),
    }
    this.#carriers = new Carriers(surroundings)
    for (const spec of specs) {
      const { name } = spec.protocol
      if (this.#lives.has(name) || name === SUPERVISOR) throw new StartFailed(`Two actors have the same name: ${name}`)
      this.#lives.set(name, new Life(spec, surroundings))
    }
  }

  /** Spawns the workers and loads the modules, all at once; nothing serves yet. @throws NeedsCycle, StartFailed */
  async load(): Promise<void> {
    // A host may be ended before it comes to this; what is held then, nobody would let go
    if (this.#stopping) throw new StartFailed('The supervisor has stopped: nothing is loaded')
    this.#release = this.#options.platform.host.hold()
    await Promise.all(this.#all().filter(({ spec }) => !spec.lazy).map((life) => life.load()))
    startOrder(this.#graph())
    this.#threads.watch()
  }

  /** Starts every actor that is not manual, each after what it needs. */
  startAll(): Promise<void> {
    return this.startMany(this.#all().filter(({ spec }) => !spec.manual))
  }

  /** Starts several, each after what it needs; settles when all serve. @throws the first failure */
  async startMany(wanted: readonly { readonly name: string; readonly env?: Given['env'] }[]): Promise<void> {
    for (const { name } of wanted) this.#life(name)
    await Promise.all(wanted.map(({ name, env }) => this.start(name, { env: env ?? {} })))
  }

  /**
   * Settles when the actor serves. One that serves or starts already is only waited for.
   * @throws StartFailed, or what the actor's start function threw
   */
  async start(name: string, given: Partial<Given> = {}): Promise<void> {
    if (this.#stopping) throw new StartFailed(`The supervisor stops: ${name} cannot start`, { actor: name })
    await this.#life(name).start(given)
  }

  /** Stops the actor and what needs it, dependents first. Answers with their names. */
  async stop(name: string): Promise<readonly string[]> {
    const affected = withDependents(this.#graph(), [this.#life(name).name])
    const order = [...startOrder(this.#graph())].reverse().filter((each) => affected.has(each))
    return this.#stop(order.map((each) => this.#life(each)), 'asked to stop')
  }

  /** Stops everything, each actor before what it needs, and ends the workers. */
  async stopAll(): Promise<void> {
    this.#stopping = true
    try {
      await this.#stop(this.#all(), 'the zone stops')
      this.#introducer.close()
      await this.#threads.close()
    } finally {
      this.#release()
    }
  }

  /** Ends every thread at once, as a crash of the host would; nothing of it comes back. */
  async crash(reason: string): Promise<void> {
    this.#stopping = true
    try {
      const ended = this.#threads.close(reason)
      this.#introducer.close()
      await Promise.all([ended, this.#stop(this.#all(), reason)])
    } finally {
      this.#release()
    }
  }

  /** A client of an actor; its calls speak for this host's supervisor unless they carry a token. */
  get<P extends Protocol>(protocol: P): Client<P> {
    const life = this.#life(protocol.name)
    const { client, isNew } = this.#introducer.client(protocol)
    if (isNew) life.linkOwn()
    return client
  }

  list(): readonly ActorState[] {
    return this.#all().map(({ name, state, incarnation, reason, restarts, since }) =>
      ({ name, state, incarnation, reason, restarts, since }))
  }

  /** Mailboxes, links and counters of every actor that answers, and of the supervisor itself. */
  async inspect(): Promise<readonly Inspection[]> {
    const answers = this.#threads.all().map((thread) =>
      this.#threads.whileAlive(thread, thread.name, 'answer', thread.worker.control.inspect()).catch(() => []))
    const own = { ...this.#introducer.inspect(), channels: this.#carriers.inspect() }
    return [...(await Promise.all(answers)).flat(), own]
  }

  /** The first `limits.steps`; later ones are only told on the trace. */
  steps(): readonly StepEvent[] {
    return this.#steps
  }

  /** Ends the actor's thread at once, as a crash would; the restart rule does the rest. */
  async kill(name: string): Promise<void> {
    const thread = this.#life(name).current?.thread
    if (thread) await this.#threads.end(thread, 'killed')
  }

  /**
   * Moves the store of an actor while it serves; one that does not run is loaded for it. Its next incarnations open it
   * there, also when this one ends meanwhile. @throws StartFailed, StoreMoved, and what `moveStore` does
   */
  async moveStore(name: string, to: StoreLocation): Promise<Moved> {
    const from = this.#stores.get(name) ?? this.#storesAt
    if (to.type !== 'etcd' || !from) throw new InvalidArgument(`A store is moved into etcd: ${name}`, { actor: name })
    if (from.type === 'etcd') {
      throw new StoreMoved(`It lies in etcd already: ${name}`, { prefix: prefixOf(from.prefix, name) })
    }
    const { thread } = await this.#life(name).load()
    this.#stores.set(name, { ...from, moving: to })
    // However long that takes: its worker is watched
    const moving = thread.worker.control.moveStore(name, to)
    const moved = await this.#threads.whileAlive(thread, name, 'move its store', moving, limits.leaseMs)
    this.#stores.set(name, to)
    return moved
  }

  /** Where actors that start from now on have their stores: all have been moved there. */
  storesMoved(to: StoreLocation): void {
    this.#storesAt = to
    this.#stores.clear()
  }

  /** For all stores in etcd, those that are open and those to come. @throws InvalidArgument */
  async renewCredentials(credentials: EtcdCredentials): Promise<void> {
    const renewed = (location: StoreLocation): StoreLocation => (location.type === 'etcd' ? { ...location, credentials }
      : location.moving ? { ...location, moving: { ...location.moving, credentials } } : location)
    if (this.#storesAt) this.#storesAt = renewed(this.#storesAt)
    for (const [name, location] of this.#stores) this.#stores.set(name, renewed(location))
    await Promise.all(this.#threads.all().map((thread) =>
      this.#threads.whileAlive(thread, thread.name, 'renew', thread.worker.control.renewCredentials(credentials))))
  }

  /** From now on these hosts, and this one, may link; links to any other close. */
  trust(devices: readonly TrustedDevice[]): void {
    const trusted = withOwn(this.#options, devices)
    if (trusted === this.#devices) return
    this.#devices = trusted
    this.#introducer.trust(this.#devices)
    for (const { worker } of this.#threads.all()) worker.control.trust(this.#devices).catch(() => {})
  }

  /** A channel for an actor of another host: the other side of `SupervisorOptions.remote`. @throws Unavailable */
  accept(name: string, peer: Introduction['peer']): RemoteChannel {
    return this.#carriers.accept(name, peer, false)
  }

  /** Actors of other hosts, reached by this one: for `SupervisorOptions.remote`. */
  carriedBy(carrier: string): (protocol: string, host?: string) => RemoteActor {
    return this.#carriers.by(carrier)
  }

  /**
   * A bare channel end to a serving actor that was told to expect `peer`, with no handshake done: what an intruder on
   * this host who got hold of a port would have. `prove` attacks the zone through it. `accepted` is what the actor's
   * own end makes of it.
   */
  expose(name: string, peer: Introduction['peer']): { end: unknown; incarnation: number; accepted: Promise<void> } {
    const life = this.#life(name)
    const { end, forCallee } = this.#introducer.bare(name, peer, life.spec.minimum)
    const accepted = life.tell(forCallee)
    accepted.catch(() => {})
    return { end, incarnation: life.incarnation, accepted }
  }

  #all(): readonly Life[] {
    return [...this.#lives.values()]
  }

  #life(name: string): Life {
    const life = this.#lives.get(name)
    if (!life) throw new StartFailed(`There is no such actor: ${name}`, { actor: name })
    return life
  }

  /** What is needed here, and neither runs here nor is offered. */
  #remote(name: string): ReturnType<NonNullable<SupervisorOptions['remote']>> {
    return this.#lives.has(name) ? undefined : this.#options.remote?.(name)
  }

  /**
   * What this host tells. Other hosts of this process tell on the same trace: a supervisor that listened to it would
   * hear all of them.
   */
  #tell(message: WorkerEvent): void {
    if (message.type === 'carriage') return this.#carriers.heard(message.event)
    if (message.type === 'step') this.#keep(message.event)
    tellAll(this.trace, message)
    if (message.type === 'link') this.#onLink(message.event)
  }

  #keep(step: StepEvent): void {
    if (step.host === this.#options.host && this.#steps.length < limits.steps) this.#steps.push(step)
  }

  #onLink(event: LinkEvent): void {
    if (event.state !== 'closed' || event.role !== 'initiator') return
    if (event.actor !== SUPERVISOR) this.#lives.get(event.actor)?.linkClosed(event)
    // The supervisor's own link to an actor
    else if (!this.#stopping) this.#lives.get(event.protocol)?.ownLinkClosed(event)
  }

  /** Without what the supervisor itself offers, which is always there, and what other hosts have. */
  #graph(): NeedsGraph {
    const offered = this.#options.offers?.protocol.name
    const here = (need: string): boolean => need !== offered && !this.#remote(need)
    return new Map(this.#all().map(({ name, needs }) => [name, needs.filter(here)]))
  }

  /** Tells all at once; each waits for those that need it. Answers with those that were wanted. */
  async #stop(lives: readonly Life[], reason: string): Promise<readonly string[]> {
    const names = lives.filter(({ wanted }) => wanted).map(({ name }) => name)
    await Promise.all(lives.map((life) => life.stop(reason)))
    return names
  }

  /** Restarts what died and what needs it. */
  #died(thread: Thread, reason: string): void {
    const served = [...thread.actors].filter((name) => this.#life(name).lost(thread, reason))
    for (const name of withDependents(this.#graph(), served)) this.#life(name).lostNeed()
  }
}

/** A host always trusts itself. The list is taken as it is where it says the same, since hosts may share it. */
function withOwn(
  { host, devices: first }: SupervisorOptions, devices: readonly TrustedDevice[],
): readonly TrustedDevice[] {
  const own = first.find((one) => one.host === host)
  const listed = devices.find((one) => one.host === host)
  if (own?.role === listed?.role && own?.jwk.x === listed?.jwk.x) return devices
  return [...(own ? [own] : []), ...devices.filter((one) => one !== listed)]
}
