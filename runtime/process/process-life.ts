import { messageOf, RestartLimit, StartFailed } from '../errors.ts'
import { limits } from '../limits.ts'
import type { ProcessOptions, SpawnedProcess } from '../platform/process-ports.ts'
import { RestartBudget } from '../restart.ts'
import type { ProcessStart } from '../supervision.ts'
import type { ActorEvent, LogEvent } from '../trace.ts'
import { deferred, pause, within, type Deferred } from '../within.ts'
import { ProcessNotAllowed } from './allowed.ts'
import { untilHealthy, untilUnhealthy } from './health.ts'
import type { Premises } from './premises.ts'

/** Asked before each start: what it holds may be good for one. */
export type Environment = () => Promise<Readonly<Record<string, string>>>

/** Somebody wants it to serve. */
interface Wish {
  readonly program: ProcessStart
  readonly environment: Environment
  readonly withdrawn: AbortController
  /** Settles when it serves, or is given up; another one once that incarnation has ended. */
  serving: Deferred<void>
}

/** One process, from its start to its end. */
interface Attempt {
  /** It may come to be after the attempt is over, and has to end all the same. */
  spawning: Promise<SpawnedProcess> | undefined
  child: SpawnedProcess | undefined
  hasExited: boolean
  served: boolean
  /** Why it is over. */
  readonly over: Deferred<string>
  readonly isOver: AbortController
  readonly exited: Deferred<void>
}

/** One service of this host that is a program, through all its incarnations: what `Life` is for an actor. */
export class ProcessLife {
  readonly name: string
  state: ActorEvent['state'] = 'stopped'
  reason = 'not started'
  incarnation = 0
  restarts = 0
  /** Of this state, in epoch milliseconds; 0 before the first. */
  since = 0
  readonly #in: Premises
  readonly #budget: RestartBudget
  #wish: Wish | undefined
  #attempt: Attempt | undefined
  #living: Promise<void> = Promise.resolve()

  constructor(name: string, premises: Premises) {
    this.name = name
    this.#in = premises
    this.#budget = new RestartBudget(premises.platform.random.fork(`restart ${name}`))
  }

  get wanted(): boolean {
    return this.#wish !== undefined
  }

  get processId(): number | undefined {
    return this.#attempt?.child?.processId
  }

  /** Settles when it serves; one that is wanted already is only waited for. @throws what it failed with */
  start(program: ProcessStart, environment: Environment): Promise<void> {
    if (this.#wish) return this.#wish.serving.promise
    const wish: Wish = { program, environment, withdrawn: new AbortController(), serving: deferred() }
    this.#wish = wish
    this.#living = this.#living.catch(() => {}).then(() => this.#live(wish))
    this.#living.catch((error: Error) => {
      // A listener of the trace threw: whoever started this is told, and the process
      wish.serving.reject(error)
      throw error
    })
    return wish.serving.promise
  }

  /** Settles when nothing of it runs. */
  stop(reason: string): Promise<void> {
    const wish = this.#wish
    this.#wish = undefined
    wish?.serving.reject(new StartFailed(`${this.name} was stopped: ${reason}`, { actor: this.name }))
    wish?.withdrawn.abort()
    if (this.#attempt) this.#end(this.#attempt, reason, 'stopping')
    else if (wish) this.reason = reason
    return this.#living
  }

  /** As a crash. */
  kill(): void {
    if (!this.#attempt) return
    this.#end(this.#attempt, 'killed', 'died')
    this.#attempt.child?.signal('SIGKILL')
  }

  /** From the wish that it serves until that is withdrawn, or cannot be fulfilled. */
  async #live(wish: Wish): Promise<void> {
    const { clock } = this.#in.platform
    let hasServed = false
    let waitMs: number | undefined
    while (this.#wish === wish) {
      if (waitMs !== undefined) {
        this.#set('restarting', this.reason)
        await pause(clock, waitMs, wish.withdrawn.signal)
        if (this.#wish !== wish) break
      }
      const attempt: Attempt = this.#attempt = {
        spawning: undefined, child: undefined, hasExited: false, served: false, over: deferred(),
        isOver: new AbortController(), exited: deferred(),
      }
      const error = await this.#serve(wish, attempt)
      hasServed ||= attempt.served
      await this.#putAway(attempt, wish.program)
      if (this.#wish !== wish) break
      if (error) this.reason = error.message
      if (!hasServed || error instanceof ProcessNotAllowed) {
        return this.#giveUp(wish, error ?? new StartFailed(this.reason, { actor: this.name }))
      }
      waitMs = this.#budget.next(clock.monotonic())
      if (waitMs === undefined) return this.#giveUp(wish, this.#diedTooOften())
    }
    this.#set('stopped', this.reason)
  }

  /** Settles when the attempt is over, with the error if it did not come to serve. */
  async #serve(wish: Wish, attempt: Attempt): Promise<Error | undefined> {
    try {
      await this.#bringUp(wish, attempt)
      if (attempt.isOver.signal.aborted) return undefined
      attempt.served = true
      this.#set('serving', '')
      wish.serving.resolve()
      const { health } = wish.program
      if (health) void untilUnhealthy(this.#in.platform, health, attempt.isOver.signal)
        .then((fault) => this.#end(attempt, `not healthy: ${fault}`, 'died'))
      await attempt.over.promise
      return undefined
    } catch (error) {
      return error instanceof Error ? error : new StartFailed(String(error))
    }
  }

  /** Settles when it serves. @throws what keeps it from that */
  async #bringUp(wish: Wish, attempt: Attempt): Promise<void> {
    const { platform } = this.#in
    const [command = ''] = wish.program.command
    const details = { actor: this.name, command, next: 'Its log says why' }
    const ended = attempt.over.promise.then((reason): never => {
      throw new StartFailed(`${this.name} ended as it started: ${reason}`, details)
    })
    const unlessOver = <T>(work: Promise<T>): Promise<T> => Promise.race([ended, work])
    this.incarnation++
    this.#set('starting', '')
    const options = await unlessOver(this.#prepare(wish))
    if (attempt.isOver.signal.aborted) return ended
    attempt.spawning = platform.host.spawnProcess(options)
    this.#follow(attempt, await unlessOver(attempt.spawning))
    const { health } = wish.program
    if (!health) return unlessOver(pause(platform.clock, limits.processSettleMs))
    const fault = await unlessOver(untilHealthy(platform, health, attempt.isOver.signal))
    // It ended meanwhile: that is the reason, not what its page said last
    if (attempt.isOver.signal.aborted) return ended
    if (fault === undefined) return
    const text = `${this.name} was not healthy within ${health.startMs} ms: ${fault}`
    throw new StartFailed(text, { ...details, next: `See what it serves on port ${health.port}${health.path}` })
  }

  /** @throws ProcessNotAllowed, StartFailed */
  async #prepare({ program: { command }, environment }: Wish): Promise<ProcessOptions> {
    const { mark, ...place } = await this.#in.placeFor(this.name, command, this.incarnation)
    const late = (): Error => new StartFailed(`Nobody gave ${this.name} its environment`, {
      actor: this.name, next: 'See whether the node daemon serves',
    })
    const given = await within(this.#in.platform.clock, limits.callMs, environment(), late)
    const env = { ...(await this.#in.environment(this.name, given)), [mark.name]: mark.value }
    return { command, env, mark: `${mark.name}=${mark.value}`, ...place }
  }

  #follow(attempt: Attempt, child: SpawnedProcess): void {
    attempt.child = child
    child.onLine((stream, line) => this.#log(stream === 'stdout' ? 'info' : 'warn', line))
    child.onDropped((lines) => {
      this.#log('warn', `${lines} lines were dropped: more than ${limits.processLines} came in a second`)
    })
    child.onExit(({ code, signal }) => {
      attempt.hasExited = true
      attempt.exited.resolve()
      this.#end(attempt, signal === undefined ? `exited with code ${code}` : `ended by ${signal}`, 'died')
    })
  }

  /** Ends the attempt that is under way; the first reason counts. */
  #end(attempt: Attempt, reason: string, state: 'stopping' | 'died'): void {
    if (attempt.isOver.signal.aborted) return
    attempt.isOver.abort()
    if (attempt.served && this.#wish) this.#wish.serving = deferred()
    if (attempt.served || state === 'stopping') this.#set(state, reason)
    attempt.over.resolve(reason)
  }

  /** Nothing of it is left: first it is asked, then it is killed, and with it what it started. */
  async #putAway(attempt: Attempt, { stopMs }: ProcessStart): Promise<void> {
    attempt.isOver.abort()
    const child = attempt.child ?? await attempt.spawning?.catch(() => undefined)
    if (child) {
      if (attempt.child === undefined) this.#follow(attempt, child)
      const left = await child.end(attempt.hasExited ? 0 : await this.#ask(attempt, child, stopMs))
      if (left > 0) this.#log('error', `Processes of it cannot be ended: ${left} still run`)
    }
    this.#attempt = undefined
  }

  /** By SIGTERM. Settles when it has ended, with the milliseconds that what it started has left for the same. */
  async #ask(attempt: Attempt, child: SpawnedProcess, stopMs: number): Promise<number> {
    const { clock } = this.#in.platform
    const asked = clock.monotonic()
    child.signal('SIGTERM')
    const stubborn = new Error(`It did not end within ${stopMs} ms of SIGTERM, and was killed`)
    await within(clock, stopMs, attempt.exited.promise, () => stubborn)
      .catch(({ message }: Error) => this.#log('warn', message))
    return Math.max(0, stopMs - (clock.monotonic() - asked))
  }

  #diedTooOften(): Error {
    const { restarts, restartWindowMs } = limits
    const text = `${this.name} died more than ${restarts} times in ${restartWindowMs / 1000} s: ${this.reason}`
    return new RestartLimit(text, { actor: this.name, next: 'Its log says why' })
  }

  #giveUp(wish: Wish, error: Error): void {
    this.#wish = undefined
    this.#set('failed', messageOf(error))
    wish.serving.reject(error)
  }

  #set(state: ActorEvent['state'], reason: string): void {
    this.state = state
    this.reason = reason
    if (state === 'restarting') this.restarts++
    const { trace, host, platform } = this.#in
    const { name: actor, incarnation } = this
    this.since = platform.clock.now()
    trace.emit('actor', { host, actor, at: this.since, state, incarnation, reason })
  }

  #log(level: LogEvent['level'], message: string): void {
    const { trace, host, platform } = this.#in
    trace.emit('log', { host, actor: this.name, at: platform.clock.now(), level, message, fields: {} })
  }
}
