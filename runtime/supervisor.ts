import type { ActorDefinition } from './actor.ts'
import { RestartLimit, StartFailed, ZonewrightError } from './errors.ts'
import { limits } from './limits.ts'
import { startOrder, withDependents } from './needs.ts'
import type { Cancel, Clock, Platform, SigningKey, SpawnedWorker, WorkerPermissions } from './platform/ports.ts'
import type { Client, Protocol } from './protocol.ts'
import { createIntroducer, SUPERVISOR, type Introducer } from './introduce.ts'
import { RestartBudget } from './restart.ts'
import { type ActorEvent, type StepEvent, type Trace } from './trace.ts'
import { pause, within } from './within.ts'
import type { StartMessage, TrustedDevice } from './worker.ts'

/** An actor of the catalogue, under the name of its protocol. */
export interface ActorSpec {
  readonly protocol: Protocol
  readonly module: URL
  readonly runtimeType: string
  readonly env: Readonly<Record<string, string>>
  readonly secrets: Readonly<Record<string, string>>
  readonly permissions: WorkerPermissions
  /** Actors with the same thread name share one worker. Default: one of its own. */
  readonly thread: string
  /** Least protection of every link to it. */
  readonly minimum: 'mac' | 'sealed'
  /** Not started by `supervise`, but by `start`. */
  readonly manual: boolean
}

const asksForSealed = ({ methods }: Protocol): boolean => Object.values(methods).some(({ suite }) => suite === 'sealed')

export function worker(protocol: Protocol, module: URL, options: Partial<Omit<ActorSpec, 'protocol' | 'module'>> = {}): ActorSpec {
  return {
    protocol, module, runtimeType: 'service', env: {}, secrets: {}, permissions: {}, thread: protocol.name,
    minimum: asksForSealed(protocol) ? 'sealed' : 'mac', manual: false, ...options,
  }
}

export interface SupervisorOptions {
  readonly platform: Platform
  readonly zone: string
  readonly host: string
  readonly device: SigningKey
  readonly devices: readonly TrustedDevice[]
  readonly trace: Trace
  /** Folder of the actors' stores; without one they are in memory. */
  readonly stores?: string
  /** Actor names that only an OOD may certify. */
  readonly kernelActors: readonly string[]
  /** Tell of every call served; costs an event a call. */
  readonly spans?: boolean
  /** What this supervisor serves to actors that declare it in their needs. */
  readonly offers?: ActorDefinition
}

interface Thread {
  readonly worker: SpawnedWorker
  readonly actors: Set<string>
  dead: string | undefined
  /** Monotonic milliseconds of the last heartbeat. */
  lastBeat: number
}

interface Actor {
  readonly spec: ActorSpec
  readonly budget: RestartBudget
  state: ActorEvent['state']
  reason: string
  incarnation: number
  env: Readonly<Record<string, string>>
  secrets: Readonly<Record<string, string>>
  thread: Thread | undefined
  linkKid: string
  needs: readonly string[]
  loading: Promise<void> | undefined
  serving: Promise<void> | undefined
}

/** Starts, watches, restarts and introduces the actors of one host. */
export class Supervisor {
  readonly trace: Trace
  readonly #options: SupervisorOptions
  readonly #clock: Clock
  readonly #actors = new Map<string, Actor>()
  readonly #threads = new Map<string, Thread>()
  readonly #introducer: Introducer
  readonly #steps: StepEvent[] = []
  /** Names in the order in which they were first asked to serve; stopped in reverse. */
  readonly #started: string[] = []
  #stopping = false
  #release: Cancel = () => {}

  constructor(options: SupervisorOptions, specs: readonly ActorSpec[]) {
    this.#options = options
    this.#clock = options.platform.clock
    this.trace = options.trace
    this.#introducer = createIntroducer(options)
    for (const spec of specs) {
      const name = spec.protocol.name
      if (this.#actors.has(name) || name === SUPERVISOR) throw new StartFailed(`Two actors have the same name: ${name}`)
      this.#actors.set(name, {
        spec, budget: new RestartBudget(options.platform.random.fork(`restart ${name}`)), state: 'stopped', reason: 'not started',
        incarnation: 0, env: spec.env, secrets: spec.secrets, thread: undefined, linkKid: '', needs: [], loading: undefined,
        serving: undefined,
      })
    }
    this.trace.on('step', (event) => void this.#steps.push(event))
  }

  /** Spawns the workers and loads the modules, all at once; nothing serves yet. Their needs must form no circle. */
  async load(): Promise<void> {
    this.#release = this.#options.platform.host.hold()
    await Promise.all([...this.#actors.values()].map((actor) => this.#load(actor)))
    startOrder(this.#graph())
    this.#beat()
  }

  /** Starts every actor that is not manual, each after what it needs. */
  async startAll(): Promise<void> {
    await this.startMany([...this.#actors.values()].filter(({ spec }) => !spec.manual).map(({ spec }) => ({ name: spec.protocol.name })))
  }

  /**
   * Settles when the actor serves. Starting one that serves or starts already waits for it.
   * @throws StartFailed, or what the actor's start function threw
   */
  start(name: string, given: { env?: Readonly<Record<string, string>>; secrets?: Readonly<Record<string, string>> } = {}): Promise<void> {
    const actor = this.#actor(name)
    if (actor.serving && actor.state !== 'failed') return actor.serving
    actor.env = { ...actor.spec.env, ...given.env }
    actor.secrets = { ...actor.spec.secrets, ...given.secrets }
    if (!this.#started.includes(name)) this.#started.push(name)
    return this.#serve(actor)
  }

  /** Starts several, each after what it needs; settles when all serve. @throws the first failure */
  async startMany(given: readonly { name: string; env?: Readonly<Record<string, string>> }[]): Promise<void> {
    const byName = new Map(given.map((each) => [each.name, each]))
    for (const name of byName.keys()) this.#actor(name)
    const ordered = startOrder(this.#graph()).filter((name) => byName.has(name))
    await Promise.all(ordered.map((name) => this.start(name, byName.get(name)!)))
  }

  /** Stops the actor and what needs it, dependents first. */
  async stop(name: string): Promise<readonly string[]> {
    this.#actor(name)
    const affected = withDependents(this.#graph(), [name])
    const order = [...startOrder(this.#graph())].reverse().filter((each) => affected.has(each))
    const stopped: string[] = []
    for (const each of order) {
      const actor = this.#actor(each)
      if (actor.state !== 'serving' && actor.state !== 'starting') continue
      await this.#stopActor(actor, 'asked to stop')
      actor.serving = undefined
      stopped.push(each)
    }
    return stopped
  }

  /** Stops everything in reverse order of start and ends the workers. */
  async stopAll(): Promise<void> {
    this.#stopping = true
    for (const name of [...this.#started].reverse()) {
      const actor = this.#actor(name)
      if (actor.state === 'serving' || actor.state === 'starting') await this.#stopActor(actor, 'the zone stops')
    }
    this.#introducer.close()
    await Promise.all([...this.#threads.values()].map((thread) => thread.worker.terminate()))
    this.#threads.clear()
    this.#release()
  }

  /** A client of an actor; its calls speak for this host's supervisor unless they carry a token. */
  get<P extends Protocol>(protocol: P): Client<P> {
    this.#actor(protocol.name)
    const { client, isNew } = this.#introducer.client(protocol)
    if (isNew) this.#link(protocol.name)
    return client
  }

  #link(name: string): void {
    this.#introduceSupervisor(name).catch((error: unknown) => {
      this.#introducer.gone(name, error instanceof ZonewrightError ? error : undefined)
    })
  }

  list(): readonly { name: string; state: ActorEvent['state']; incarnation: number; reason: string }[] {
    return [...this.#actors].map(([name, { state, incarnation, reason }]) => ({ name, state, incarnation, reason }))
  }

  steps(): readonly StepEvent[] {
    return this.#steps
  }

  /**
   * A bare channel end to a serving actor that was told to expect `peer`, with no handshake done: what an intruder on
   * this host who got hold of a port would have. `prove` attacks the zone through it.
   */
  expose(name: string, peer: { host: string; actor: string; incarnation: number }): { end: unknown; incarnation: number } {
    const actor = this.#actor(name)
    const { end, forCallee } = this.#introducer.bare(name, peer, actor.spec.minimum)
    void actor.thread?.worker.control.introduce(name, forCallee.introduction, forCallee.end).catch(() => {})
    return { end, incarnation: actor.incarnation }
  }

  /** Ends the actor's thread at once, as a crash would; the restart rule does the rest. */
  async kill(name: string): Promise<void> {
    const thread = this.#actor(name).thread
    if (thread) await this.#died(thread, 'killed')
  }

  #actor(name: string): Actor {
    const actor = this.#actors.get(name)
    if (!actor) throw new StartFailed(`There is no such actor: ${name}`, { actor: name })
    return actor
  }

  #graph(): ReadonlyMap<string, readonly string[]> {
    const offered = this.#options.offers?.protocol.name
    return new Map([...this.#actors].map(([name, { needs }]) => [name, needs.filter((need) => need !== offered)]))
  }

  #set(actor: Actor, state: ActorEvent['state'], reason: string): void {
    actor.state = state
    actor.reason = reason
    this.trace.emit('actor', {
      host: this.#options.host, actor: actor.spec.protocol.name, at: this.#clock.now(), state, incarnation: actor.incarnation, reason,
    })
  }

  #threadOf(actor: Actor): Thread {
    const found = this.#threads.get(actor.spec.thread)
    if (found) return found
    const worker = this.#options.platform.host.spawn({
      name: actor.spec.thread, permissions: actor.spec.permissions, heapMbMax: limits.workerHeapMb,
    })
    const thread: Thread = { worker, actors: new Set(), dead: undefined, lastBeat: this.#clock.monotonic() }
    this.#threads.set(actor.spec.thread, thread)
    worker.onExit((reason) => void this.#died(thread, reason))
    // Comlink's generic mapping of events is by type; a pair of type and event always matches
    worker.onEvent((event) => this.trace.emit(event.type, event.event as never))
    return thread
  }

  /** Loads a new incarnation; a load that is under way or not yet used is shared. */
  #load(actor: Actor): Promise<void> {
    actor.loading ??= this.#loadNow(actor)
    return actor.loading
  }

  async #loadNow(actor: Actor): Promise<void> {
    const { platform, zone, host, devices, stores } = this.#options
    const name = actor.spec.protocol.name
    actor.incarnation = this.#introducer.nextIncarnation(name)
    const thread = this.#threadOf(actor)
    actor.thread = thread
    thread.actors.add(name)
    const start: StartMessage = {
      zone, host, actor: name, runtimeType: actor.spec.runtimeType, incarnation: actor.incarnation,
      module: actor.spec.module.href, devices, kernelActors: this.#options.kernelActors, spans: this.#options.spans ?? false,
      ...(stores === undefined ? {} : { stores }),
    }
    const loaded = await this.#whileAlive(actor, thread, 'load', thread.worker.control.load(start))
    actor.needs = loaded.needs
    actor.linkKid = platform.keys.importJwk(loaded.linkKey).kid
    this.#introducer.register({
      actor: name, runtimeType: actor.spec.runtimeType, incarnation: actor.incarnation, key: loaded.linkKey,
    })
  }

  #serve(actor: Actor): Promise<void> {
    this.#set(actor, 'starting', '')
    const serving = this.#serveNow(actor)
    actor.serving = serving
    serving.catch(() => {})
    return serving
  }

  async #serveNow(actor: Actor): Promise<void> {
    const name = actor.spec.protocol.name
    try {
      await this.#load(actor)
      const offered = this.#options.offers?.protocol.name
      const needs = actor.needs.filter((need) => need !== offered)
      await Promise.all(needs.map((need) => this.#needServing(name, need)))
      const thread = actor.thread
      if (!thread || thread.dead !== undefined) throw new StartFailed(`The worker of ${name} died: ${thread?.dead ?? 'not loaded'}`)
      const ends = actor.needs.map((need) => this.#introduce(name, need))
      await this.#whileAlive(actor, thread, 'start', thread.worker.control.run(
        name, { env: actor.env, secrets: actor.secrets }, ends.map(({ introduction }) => introduction), ends.map(({ end }) => end),
      ))
      actor.loading = undefined
      this.#set(actor, 'serving', '')
    } catch (error) {
      actor.loading = undefined
      this.#set(actor, 'failed', error instanceof Error ? error.message : String(error))
      throw error
    }
  }

  async #needServing(name: string, need: string): Promise<void> {
    const actor = this.#actor(need)
    if (!actor.serving) {
      throw new StartFailed(`${name} needs an actor that does not serve: ${need} (${actor.state})`, { actor: name, needs: need })
    }
    await actor.serving
  }

  /** Two channel ends: the callee is told at once, the caller's end is returned for its start. */
  #introduce(caller: string, need: string) {
    if (need === this.#options.offers?.protocol.name) return this.#introducer.offer(caller)
    const callee = this.#actor(need)
    const { forCaller, forCallee } = this.#introducer.pair(caller, need, callee.spec.minimum)
    void callee.thread?.worker.control.introduce(need, forCallee.introduction, forCallee.end).catch(() => {})
    return forCaller
  }

  /** The supervisor's own link to an actor, made when a client is first asked for and again after each restart. */
  async #introduceSupervisor(name: string): Promise<void> {
    const actor = this.#actor(name)
    await actor.serving
    const { forCaller, forCallee } = this.#introducer.pair(SUPERVISOR, name, actor.spec.minimum)
    await Promise.all([
      this.#introducer.connect(forCaller),
      actor.thread?.worker.control.introduce(name, forCallee.introduction, forCallee.end),
    ])
  }

  /** The outcome of a control call, or StartFailed when the worker dies or does not answer: such a call may hang for ever. */
  #whileAlive<T>(actor: Actor, thread: Thread, what: string, work: Promise<T>): Promise<T> {
    const name = actor.spec.protocol.name
    const died = new Promise<never>((_, reject) => {
      thread.worker.onExit((reason) => reject(new StartFailed(`The worker of ${name} died during ${what}: ${reason}`, { actor: name })))
    })
    const late = (): Error => new StartFailed(`${name} did not ${what} within ${limits.startMs} ms`, { actor: name })
    return within(this.#clock, limits.startMs, Promise.race([work, died]), late)
  }

  async #stopActor(actor: Actor, reason: string): Promise<void> {
    const name = actor.spec.protocol.name
    this.#set(actor, 'stopping', reason)
    const thread = actor.thread
    if (thread && thread.dead === undefined) {
      const late = (): Error => new StartFailed(`${name} did not stop within ${limits.stopMs} ms`)
      await within(this.#clock, limits.stopMs * 2, thread.worker.control.stop(name, limits.stopMs), late).catch((error: Error) => {
        this.trace.emit('log', {
          host: this.#options.host, actor: name, at: this.#clock.now(), level: 'warn', message: error.message, fields: {},
        })
      })
      thread.actors.delete(name)
      if (thread.actors.size === 0) {
        thread.dead = 'stopped'
        this.#threads.delete(actor.spec.thread)
        await thread.worker.terminate()
      }
    }
    actor.loading = undefined
    actor.thread = undefined
    this.#introducer.gone(name)
    this.#set(actor, 'stopped', reason)
  }

  /** Restarts what died and what needs it. */
  async #died(thread: Thread, reason: string): Promise<void> {
    if (thread.dead !== undefined) return
    thread.dead = reason
    for (const [name, each] of this.#threads) if (each === thread) this.#threads.delete(name)
    await thread.worker.terminate().catch(() => {})
    if (this.#stopping) return
    const dead = [...thread.actors].map((name) => this.#actor(name))
    const wasServing = dead.filter(({ state }) => state === 'serving')
    for (const actor of dead) {
      actor.loading = undefined
      actor.thread = undefined
      if (actor.state === 'serving') this.#set(actor, 'died', reason)
    }
    const affected = withDependents(this.#graph(), wasServing.map(({ spec }) => spec.protocol.name))
    for (const name of startOrder(this.#graph())) {
      const actor = this.#actor(name)
      if (affected.has(name) && (actor.state === 'serving' || actor.state === 'died')) this.#restart(actor, wasServing.includes(actor))
    }
  }

  #restart(actor: Actor, died: boolean): void {
    // From now on calls to it wait for the next incarnation
    this.#introducer.gone(actor.spec.protocol.name)
    const serving = this.#restartNow(actor, died)
    actor.serving = serving
    serving.catch(() => {})
  }

  async #restartNow(actor: Actor, died: boolean): Promise<void> {
    const name = actor.spec.protocol.name
    if (!died) await this.#stopActor(actor, 'an actor that it needs died')
    for (;;) {
      const waitMs = died ? actor.budget.next(this.#clock.now()) : 0
      if (waitMs === undefined) {
        const error = new RestartLimit(`${name} died more than ${limits.restarts} times in ${limits.restartWindowMs} ms`, { actor: name })
        this.#set(actor, 'failed', error.message)
        throw error
      }
      this.#set(actor, 'restarting', actor.reason)
      await pause(this.#clock, waitMs)
      if (this.#stopping) throw new StartFailed('The zone stops')
      try {
        await this.#serveNow(actor)
        if (this.#introducer.hasClient(name)) this.#link(name)
        return
      } catch (error) {
        // A start that fails is a death: the budget decides
        died = true
        if (error instanceof ZonewrightError && error.code === 'RestartLimit') throw error
      }
    }
  }

  /** Some deaths raise no event (an endless loop; a Deno worker out of memory): a silent worker is ended and restarted. */
  #beat(): void {
    const round = (): void => {
      if (this.#stopping) return
      const now = this.#clock.monotonic()
      for (const thread of this.#threads.values()) {
        if (now - thread.lastBeat > limits.heartbeatSilenceMs) {
          void this.#died(thread, `no heartbeat for ${Math.round(now - thread.lastBeat)} ms`)
          continue
        }
        thread.worker.control.beat().then(() => (thread.lastBeat = this.#clock.monotonic()), () => {})
      }
      this.#clock.after(limits.heartbeatMs, round)
    }
    this.#clock.after(limits.heartbeatMs, round)
  }
}
