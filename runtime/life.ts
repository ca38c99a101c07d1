import type { Attempt, Cause, Wish } from './attempt.ts'
import { RestartLimit, StartFailed } from './errors.ts'
import { Incarnation, type Surroundings } from './incarnation.ts'
import { SUPERVISOR, type Side } from './introduce.ts'
import { limits } from './limits.ts'
import { NeedLinks } from './need-links.ts'
import { AT_ONCE, Restarts, type Next } from './restart.ts'
import type { ActorSpec } from './spec.ts'
import type { Thread } from './threads.ts'
import type { ActorEvent, LinkEvent } from './trace.ts'
import { deferred, pause, type Deferred } from './within.ts'
import type { Given, Introduction } from './worker.ts'

/**
 * One actor of this host, through all its incarnations. Only `#live` starts and stops it, one step after another, so
 * two of these never overlap; what happens to it meanwhile only ends the attempt that is under way.
 */
export class Life {
  readonly name: string
  readonly spec: ActorSpec
  state: ActorEvent['state'] = 'stopped'
  reason = 'not started'
  /** Number of the last incarnation. */
  incarnation = 0
  restarts = 0
  /** Of this state, in epoch milliseconds; 0 before the first. */
  since = 0
  needs: readonly string[] = []
  #uses: readonly string[] = []
  readonly #in: Surroundings
  readonly #restarts: Restarts
  #wish: Wish | undefined
  #attempt: Attempt | undefined
  /** Loaded, or on its way to be. */
  #current: Incarnation | undefined
  #links: NeedLinks | undefined
  #living: Promise<void> = Promise.resolve()
  /** Settles when the attempt that ends now is put away. */
  #ending: Deferred<void> | undefined
  #failure: Error | undefined

  constructor(spec: ActorSpec, surroundings: Surroundings) {
    this.name = spec.protocol.name
    this.spec = spec
    this.#in = surroundings
    const random = surroundings.options.platform.random.fork(`restart ${this.name}`)
    this.#restarts = new Restarts(this.name, random, (message) => this.#warn(message))
  }

  get wanted(): boolean {
    return this.#wish !== undefined
  }

  get current(): Incarnation | undefined {
    return this.#current
  }

  /** Settles when it serves; one that is wanted already is only waited for. @throws what it failed with */
  start(given: Partial<Given>): Promise<void> {
    if (this.#wish) return this.#wish.serving.promise
    const wish: Wish = {
      given: { env: given.env ?? {}, secrets: given.secrets ?? {} },
      withdrawn: new AbortController(), serving: deferred(),
    }
    this.#wish = wish
    this.#living = this.#living.catch(() => {}).then(() => this.#live(wish))
    this.#living.catch((error: Error) => {
      wish.serving.reject(error)
      // A listener of the trace threw: the process is told as well
      throw error
    })
    return wish.serving.promise
  }

  /** Settles when it is down. What needs it must be told to stop as well, and is waited for. */
  stop(reason: string): Promise<void> {
    const wish = this.#wish
    this.#wish = undefined
    wish?.serving.reject(new StartFailed(`${this.name} was stopped: ${reason}`, { actor: this.name }))
    wish?.withdrawn.abort()
    if (this.#attempt) this.#end('stop', reason)
    else if (wish) this.reason = reason
    return this.#living
  }

  /** Its thread has ended. True when that ended an incarnation which others may be linked to. */
  lost(thread: Thread, reason: string): boolean {
    if (this.#current?.thread !== thread) return false
    if (this.#attempt) return this.#end('died', reason)
    this.#current = undefined
    return false
  }

  /** Something that it needs has ended. */
  lostNeed(): void {
    if (this.#attempt?.linked) this.#end('a need died', 'an actor that it needs died')
  }

  /** Loads a new incarnation; one that is on its way or not yet run is used. @throws StartFailed */
  async load(): Promise<Incarnation> {
    if (!this.#current) {
      this.#current = new Incarnation(this.spec, this.#in)
      this.incarnation = this.#current.number
    }
    const current = this.#current
    const { needs, uses } = await current.loaded
    this.needs = needs
    this.#uses = uses
    return current
  }

  /** Hands over one end of a channel; settles when the link is up. @throws when it does not come up */
  async tell(side: Side): Promise<void> {
    if (!this.#current) throw new StartFailed(`The actor does not run: ${this.name}`, { actor: this.name })
    await this.#current.tell(side)
  }

  /** Settles when the incarnation that serves now has ended. */
  get over(): Promise<void> {
    return this.#attempt?.over.promise ?? Promise.resolve()
  }

  /** A caller of it has died without a word. */
  release(caller: Introduction['peer']): void {
    this.#current?.release(caller)
  }

  /** A link of its own that it opened has closed. */
  linkClosed(event: LinkEvent): void {
    if (!this.#attempt?.cause) this.#links?.closed(event)
  }

  /** The supervisor's own link to it: made when a client is first asked for, and by each incarnation that serves. */
  linkOwn(): void {
    const { introducer } = this.#in
    if (this.state !== 'serving' || this.#attempt?.cause || !introducer.hasClient(this.name)) return
    const { incarnation } = this
    const { forCaller, forCallee } = introducer.pair(SUPERVISOR, this.name, this.spec.minimum)
    // A link that does not come up fails at both ends, and is reported once
    this.tell(forCallee).catch(() => {})
    introducer.connect(forCaller).catch((error: Error) => {
      if (this.state !== 'serving' || this.incarnation !== incarnation) return
      this.#warn(`The supervisor has no link to it: ${error.message}`)
    })
  }

  /** It may have been one frame that did not fit: while both ends live, they are linked again. */
  ownLinkClosed({ peerIncarnation }: LinkEvent): void {
    if (this.incarnation !== peerIncarnation) return
    this.#in.options.platform.clock.after(limits.relinkMsMax, () => {
      if (this.incarnation === peerIncarnation) this.linkOwn()
    })
  }

  /** Ends the attempt that is under way; true when it served. */
  #end(cause: Cause, reason: string): boolean {
    const attempt = this.#attempt
    if (!attempt || attempt.cause) return false
    attempt.cause = cause
    attempt.over.resolve()
    this.#ending = deferred()
    if (attempt.served && this.#wish) this.#wish.serving = deferred()
    // From now on calls to it wait for the next incarnation
    if (cause !== 'stop') this.#in.ended(this.name, this.incarnation)
    if (cause !== 'died') this.#set('stopping', reason)
    else if (attempt.served) this.#set('died', reason)
    return attempt.served
  }

  /** From the wish that it serves until that is withdrawn, or cannot be fulfilled. */
  async #live(wish: Wish): Promise<void> {
    let hasServed = false
    let next: Next | undefined
    while (this.#wish === wish) {
      if (next) {
        if (!next.isWait) this.restarts++
        this.#set('restarting', this.reason)
        await pause(this.#in.options.platform.clock, next.waitMs, wish.withdrawn.signal)
        if (this.#wish !== wish) break
      }
      const awaited = next?.isWait ? this.reason : ''
      const attempt: Attempt = this.#attempt = {
        awaited, linked: false, served: false, cause: undefined, over: deferred(),
      }
      const error = await this.#serve(wish, attempt)
      hasServed ||= attempt.served
      await this.#putAway(attempt)
      if (this.#wish !== wish) break
      if (error) this.reason = error.message
      const followed = attempt.cause === 'a need died' ? AT_ONCE
        : !hasServed || error instanceof RestartLimit ? error ?? new StartFailed(this.reason, { actor: this.name })
          : this.#restarts.after(this.reason, error, this.#in.options.platform.clock.monotonic())
      if (followed instanceof Error) return this.#giveUp(wish, followed)
      next = followed
    }
    this.#set('stopped', this.reason)
  }

  /** Settles when the attempt is over, with the error if it did not come to serve. */
  async #serve(wish: Wish, attempt: Attempt): Promise<Error | undefined> {
    try {
      await this.#bringUp(wish, attempt)
      if (attempt.cause) return undefined
      attempt.served = true
      this.#set('serving', '')
      wish.serving.resolve()
      this.linkOwn()
      await attempt.over.promise
      return undefined
    } catch (error) {
      attempt.cause ??= 'failed'
      return error instanceof Error ? error : new StartFailed(String(error))
    }
  }

  async #bringUp(wish: Wish, attempt: Attempt): Promise<void> {
    const stopped = attempt.over.promise.then((): never => {
      throw new StartFailed(`${this.name} ended as it started: ${this.reason}`)
    })
    const unlessOver = <T>(work: Promise<T>): Promise<T> => Promise.race([stopped, work])
    this.#set('starting', attempt.awaited)
    const incarnation = await unlessOver(this.load())
    if (this.spec.lazy) this.#in.checkNeeds()
    // One that served when this began to wait may have died meanwhile
    for (let waited = this.#absentNeeds(); waited.length > 0; waited = this.#absentNeeds()) {
      await unlessOver(Promise.all(waited.map((need) => need.#servesFor(this.name))))
    }
    incarnation.assertAlive()
    attempt.linked = true
    this.#links = new NeedLinks(this.name, incarnation, this.#in, (message) => this.#warn(message))
    const given = {
      env: { ...this.spec.env, ...wish.given.env }, secrets: { ...this.spec.secrets, ...wish.given.secrets },
    }
    await unlessOver(incarnation.run(given, this.#links.begin(this.needs, this.#uses)))
  }

  /** Of this host: for what other hosts have, nobody here waits. */
  #absentNeeds(): readonly Life[] {
    const offered = this.#in.options.offers?.protocol.name
    const needed = this.needs.filter((need) => need !== offered && !this.#in.remote(need))
    return needed.map((need) => this.#in.life(need)).filter(({ state }) => state !== 'serving')
  }

  async #servesFor(dependent: string): Promise<void> {
    if (this.#wish) return this.#wish.serving.promise
    if (this.state === 'failed' && this.#failure) throw this.#failure
    const text = `${dependent} needs an actor that does not serve: ${this.name} (${this.state})`
    throw new StartFailed(text, { actor: dependent, needs: this.name })
  }

  /** Nothing of the attempt is left: neither in its worker nor on links. */
  async #putAway(attempt: Attempt): Promise<void> {
    if (attempt.cause === 'stop' || attempt.cause === 'a need died') {
      // What needs it stops before it
      await Promise.all(this.#in.dependents(this.name).map((dependent) => dependent.#ending?.promise))
    }
    this.#links?.end()
    this.#links = undefined
    await this.#current?.leave(attempt.served, (message) => this.#warn(message))
    this.#current = this.#attempt = undefined
    this.#in.ended(this.name, this.incarnation)
    this.#ending?.resolve()
    this.#ending = undefined
  }

  #giveUp(wish: Wish, error: Error): void {
    this.#failure = error
    this.#wish = undefined
    this.#set('failed', error.message)
    wish.serving.reject(error)
  }

  #set(state: ActorEvent['state'], reason: string): void {
    this.state = state
    this.reason = reason
    const { trace, host, platform } = this.#in.options
    const { name: actor, incarnation } = this
    this.since = platform.clock.now()
    trace.emit('actor', { host, actor, at: this.since, state, incarnation, reason })
  }

  #warn(message: string): void {
    const { trace, host, platform } = this.#in.options
    trace.emit('log', { host, actor: this.name, at: platform.clock.now(), level: 'warn', message, fields: {} })
  }
}
