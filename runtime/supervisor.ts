import { RestartLimit, StartFailed, ZonewrightError } from './errors.ts'
import { createIntroducer, SUPERVISOR, type Introducer, type Side } from './introduce.ts'
import { limits } from './limits.ts'
import { startOrder, withDependents, type NeedsGraph } from './needs.ts'
import type { Cancel, Clock } from './platform/ports.ts'
import type { Client, Protocol } from './protocol.ts'
import { RestartBudget } from './restart.ts'
import type { ActorSpec, SupervisorOptions } from './spec.ts'
import { Threads, type Thread } from './threads.ts'
import type { ActorEvent, StepEvent, Trace } from './trace.ts'
import { pause, within } from './within.ts'
import type { Given, Inspection, Introduction } from './worker.ts'

interface Actor {
  readonly name: string
  readonly spec: ActorSpec
  readonly budget: RestartBudget
  state: ActorEvent['state']
  reason: string
  incarnation: number
  given: Given
  thread: Thread | undefined
  needs: readonly string[]
  /** A new incarnation on its way to be loaded, or loaded and not yet run. */
  loading: Promise<void> | undefined
  /** Settles when the incarnation that was asked for last serves. */
  serving: Promise<void> | undefined
}

export interface ActorState {
  readonly name: string
  readonly state: ActorEvent['state']
  readonly incarnation: number
  readonly reason: string
}

/** Starts, watches, restarts and introduces the actors of one host. */
export class Supervisor {
  readonly trace: Trace
  readonly #options: SupervisorOptions
  readonly #clock: Clock
  readonly #actors = new Map<string, Actor>()
  readonly #threads: Threads
  readonly #introducer: Introducer
  readonly #steps: StepEvent[] = []
  /** In the order in which they were first asked to serve; stopped in reverse. */
  readonly #started: Actor[] = []
  #stopping = false
  #release: Cancel = () => {}

  constructor(options: SupervisorOptions, specs: readonly ActorSpec[]) {
    this.#options = options
    this.#clock = options.platform.clock
    this.trace = options.trace
    this.#introducer = createIntroducer(options)
    this.#threads = new Threads(options, (thread, reason) => this.#died(thread, reason))
    for (const spec of specs) {
      const { name } = spec.protocol
      if (this.#actors.has(name) || name === SUPERVISOR) throw new StartFailed(`Two actors have the same name: ${name}`)
      this.#actors.set(name, {
        name, spec, budget: new RestartBudget(options.platform.random.fork(`restart ${name}`)), state: 'stopped',
        reason: 'not started', incarnation: 0, given: { env: spec.env, secrets: spec.secrets }, thread: undefined, needs: [],
        loading: undefined, serving: undefined,
      })
    }
    this.trace.on('step', (event) => void this.#steps.push(event))
  }

  /** Spawns the workers and loads the modules, all at once; nothing serves yet. @throws NeedsCycle, StartFailed */
  async load(): Promise<void> {
    this.#release = this.#options.platform.host.hold()
    await Promise.all([...this.#actors.values()].map((actor) => this.#load(actor)))
    startOrder(this.#graph())
    this.#threads.watch()
  }

  /** Starts every actor that is not manual, each after what it needs. */
  startAll(): Promise<void> {
    return this.startMany([...this.#actors.values()].filter(({ spec }) => !spec.manual))
  }

  /** Starts several, each after what it needs; settles when all serve. @throws the first failure */
  async startMany(wanted: readonly { readonly name: string; readonly env?: Given['env'] }[]): Promise<void> {
    const byName = new Map(wanted.map((each) => [this.#actor(each.name).name, each]))
    const ordered = startOrder(this.#graph()).filter((name) => byName.has(name))
    await Promise.all(ordered.map((name) => this.start(name, { env: byName.get(name)?.env ?? {} })))
  }

  /**
   * Settles when the actor serves. One that serves or starts already is only waited for.
   * @throws StartFailed, or what the actor's start function threw
   */
  start(name: string, given: Partial<Given> = {}): Promise<void> {
    const actor = this.#actor(name)
    if (actor.serving && actor.state !== 'failed') return actor.serving
    actor.given = { env: { ...actor.spec.env, ...given.env }, secrets: { ...actor.spec.secrets, ...given.secrets } }
    if (!this.#started.includes(actor)) this.#started.push(actor)
    return this.#keep(actor, this.#serve(actor))
  }

  /** Stops the actor and what needs it, dependents first. Answers with their names. */
  async stop(name: string): Promise<readonly string[]> {
    const affected = withDependents(this.#graph(), [this.#actor(name).name])
    const order = [...startOrder(this.#graph())].reverse().map((each) => this.#actor(each))
    const stopped: string[] = []
    for (const actor of order) {
      if (!affected.has(actor.name) || !isUp(actor)) continue
      await this.#stop(actor, 'asked to stop')
      actor.serving = undefined
      stopped.push(actor.name)
    }
    return stopped
  }

  /** Stops everything in reverse order of start and ends the workers. */
  async stopAll(): Promise<void> {
    this.#stopping = true
    for (const actor of [...this.#started].reverse()) {
      if (isUp(actor)) await this.#stop(actor, 'the zone stops')
    }
    this.#introducer.close()
    await this.#threads.close()
    this.#release()
  }

  /** A client of an actor; its calls speak for this host's supervisor unless they carry a token. */
  get<P extends Protocol>(protocol: P): Client<P> {
    const actor = this.#actor(protocol.name)
    const { client, isNew } = this.#introducer.client(protocol)
    if (isNew) this.#linkOwn(actor)
    return client
  }

  list(): readonly ActorState[] {
    return [...this.#actors.values()].map(({ name, state, incarnation, reason }) => ({ name, state, incarnation, reason }))
  }

  /** Mailboxes, links and counters of every actor that answers. */
  async inspect(): Promise<readonly Inspection[]> {
    const answers = this.#threads.all().map((thread) =>
      this.#threads.whileAlive(thread, thread.name, 'answer', thread.worker.control.inspect()).catch(() => []))
    return (await Promise.all(answers)).flat()
  }

  steps(): readonly StepEvent[] {
    return this.#steps
  }

  /** Ends the actor's thread at once, as a crash would; the restart rule does the rest. */
  async kill(name: string): Promise<void> {
    const { thread } = this.#actor(name)
    if (thread) await this.#threads.end(thread, 'killed')
  }

  /**
   * A bare channel end to a serving actor that was told to expect `peer`, with no handshake done: what an intruder on
   * this host who got hold of a port would have. `prove` attacks the zone through it. `accepted` is what the actor's own
   * end makes of it.
   */
  expose(name: string, peer: Introduction['peer']): { end: unknown; incarnation: number; accepted: Promise<void> } {
    const actor = this.#actor(name)
    const { end, forCallee } = this.#introducer.bare(name, peer, actor.spec.minimum)
    const accepted = actor.thread?.worker.control.introduce(name, forCallee.introduction, forCallee.end)
      ?? Promise.reject(new StartFailed(`The actor does not run: ${name}`))
    accepted.catch(() => {})
    return { end, incarnation: actor.incarnation, accepted }
  }

  #actor(name: string): Actor {
    const actor = this.#actors.get(name)
    if (!actor) throw new StartFailed(`There is no such actor: ${name}`, { actor: name })
    return actor
  }

  /** Without what the supervisor itself offers, which is always there. */
  #needsOf(actor: Actor): readonly string[] {
    return actor.needs.filter((need) => need !== this.#options.offers?.protocol.name)
  }

  #graph(): NeedsGraph {
    return new Map([...this.#actors.values()].map((actor) => [actor.name, this.#needsOf(actor)]))
  }

  #set(actor: Actor, state: ActorEvent['state'], reason: string): void {
    actor.state = state
    actor.reason = reason
    const { name, incarnation } = actor
    this.trace.emit('actor', { host: this.#options.host, actor: name, at: this.#clock.now(), state, incarnation, reason })
  }

  /** Loads a new incarnation; one that is on its way or not yet run is used. */
  #load(actor: Actor): Promise<void> {
    actor.loading ??= this.#loadNow(actor)
    return actor.loading
  }

  async #loadNow(actor: Actor): Promise<void> {
    const { zone, host, devices, stores, kernelActors, spans } = this.#options
    const { name, spec: { runtimeType, module } } = actor
    actor.incarnation = this.#introducer.nextIncarnation(name)
    const thread = this.#threads.of(actor.spec)
    actor.thread = thread
    thread.actors.add(name)
    const loaded = await this.#threads.whileAlive(thread, name, 'load', thread.worker.control.load({
      zone, host, actor: name, runtimeType, incarnation: actor.incarnation, module: module.href, devices, kernelActors,
      spans: spans ?? false, ...(stores === undefined ? {} : { stores }),
    }))
    actor.needs = loaded.needs
    this.#introducer.register({ actor: name, runtimeType, incarnation: actor.incarnation, key: loaded.linkKey })
  }

  #keep(actor: Actor, serving: Promise<void>): Promise<void> {
    serving.catch(() => {})
    actor.serving = serving
    return serving
  }

  async #serve(actor: Actor): Promise<void> {
    this.#set(actor, 'starting', '')
    try {
      await this.#load(actor)
      await Promise.all(this.#needsOf(actor).map((need) => this.#servingNeed(actor, need)))
      const { thread, name } = actor
      if (!thread || thread.dead !== undefined) throw new StartFailed(`The worker of ${name} died: ${thread?.dead ?? 'not loaded'}`)
      const sides = actor.needs.map((need) => this.#introduce(actor, need))
      await this.#threads.whileAlive(thread, name, 'start', thread.worker.control.run(
        name, actor.given, sides.map(({ introduction }) => introduction), sides.map(({ end }) => end),
      ))
      this.#set(actor, 'serving', '')
    } catch (error) {
      this.#set(actor, 'failed', error instanceof Error ? error.message : String(error))
      throw error
    } finally {
      actor.loading = undefined
    }
  }

  async #servingNeed(actor: Actor, need: string): Promise<void> {
    const { serving, state } = this.#actor(need)
    if (!serving) {
      throw new StartFailed(`${actor.name} needs an actor that does not serve: ${need} (${state})`, { actor: actor.name, needs: need })
    }
    await serving
  }

  /** Tells the callee to expect the caller, and gives the caller's side. */
  #introduce(caller: Actor, need: string): Side {
    if (need === this.#options.offers?.protocol.name) return this.#introducer.offer(caller.name)
    const callee = this.#actor(need)
    const { forCaller, forCallee } = this.#introducer.pair(caller.name, need, callee.spec.minimum)
    this.#tell(callee, forCallee)
    return forCaller
  }

  /** A link that does not come up fails at the caller's end as well, and there it is reported. */
  #tell(callee: Actor, { introduction, end }: Side): void {
    callee.thread?.worker.control.introduce(callee.name, introduction, end).catch(() => {})
  }

  /** The supervisor's own link to an actor: made when a client is first asked for, and again after each restart. */
  #linkOwn(actor: Actor): void {
    const link = async (): Promise<void> => {
      await actor.serving
      const { forCaller, forCallee } = this.#introducer.pair(SUPERVISOR, actor.name, actor.spec.minimum)
      this.#tell(actor, forCallee)
      await this.#introducer.connect(forCaller)
    }
    link().catch((error: unknown) => {
      if (error instanceof ZonewrightError) this.#introducer.gone(actor.name, error)
    })
  }

  async #stop(actor: Actor, reason: string): Promise<void> {
    this.#set(actor, 'stopping', reason)
    const { thread, name } = actor
    if (thread && thread.dead === undefined) {
      const late = (): Error => new StartFailed(`${name} did not stop within ${limits.stopMs} ms`)
      await within(this.#clock, limits.stopMs * 2, thread.worker.control.stop(name, limits.stopMs), late).catch((error: Error) => {
        const at = this.#clock.now()
        this.trace.emit('log', { host: this.#options.host, actor: name, at, level: 'warn', message: error.message, fields: {} })
      })
      thread.actors.delete(name)
      if (thread.actors.size === 0) await this.#threads.retire(thread, 'stopped')
    }
    actor.loading = undefined
    actor.thread = undefined
    this.#introducer.gone(name)
    this.#set(actor, 'stopped', reason)
  }

  /** Restarts what died and what needs it. */
  #died(thread: Thread, reason: string): void {
    if (this.#stopping) return
    const dead = [...thread.actors].map((name) => this.#actor(name))
    const served = new Set(dead.filter(({ state }) => state === 'serving'))
    for (const actor of dead) {
      actor.loading = undefined
      actor.thread = undefined
      if (served.has(actor)) this.#set(actor, 'died', reason)
    }
    const affected = withDependents(this.#graph(), [...served].map(({ name }) => name))
    const restarted = startOrder(this.#graph()).map((name) => this.#actor(name))
      .filter((actor) => affected.has(actor.name) && (actor.state === 'serving' || actor.state === 'died'))
    for (const actor of restarted) {
      // From now on calls to it wait for the next incarnation
      this.#introducer.gone(actor.name)
      void this.#keep(actor, this.#restart(actor, served.has(actor)))
    }
  }

  async #restart(actor: Actor, died: boolean): Promise<void> {
    if (!died) await this.#stop(actor, 'an actor that it needs died')
    for (let first = true; ; first = false) {
      const waitMs = first && !died ? 0 : actor.budget.next(this.#clock.now())
      if (waitMs === undefined) {
        const error = new RestartLimit(
          `${actor.name} died more than ${limits.restarts} times in ${limits.restartWindowMs / 1000} s`, { actor: actor.name },
        )
        this.#set(actor, 'failed', error.message)
        throw error
      }
      this.#set(actor, 'restarting', actor.reason)
      await pause(this.#clock, waitMs)
      if (this.#stopping) throw new StartFailed('The zone stops')
      try {
        await this.#serve(actor)
        if (this.#introducer.hasClient(actor.name)) this.#linkOwn(actor)
        return
      } catch (error) {
        // A start that fails counts as a death, unless what it needs has given up
        if (error instanceof RestartLimit) throw error
      }
    }
  }
}

const isUp = ({ state }: Actor): boolean => state === 'serving' || state === 'starting'
