import { messageOf, NotFound, StartFailed, Unavailable } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import type { Platform } from '../runtime/platform/ports.ts'
import type { Processes } from '../runtime/process/processes.ts'
import { Restarts } from '../runtime/restart.ts'
import type { HostState } from '../runtime/supervision.ts'
import type { Supervisor } from '../runtime/supervisor.ts'
import type { Trace } from '../runtime/trace.ts'
import { deferred, pause, type Deferred } from '../runtime/within.ts'
import type { Cluster } from './cluster.ts'
import { actorsOf, type Managed } from './supervision.ts'

/** One start of a host, from its folder. */
export interface HostRun extends Managed {
  /** Settles when all that its config names serves. `signal` aborts when the host ends before that. */
  run(signal: AbortSignal): Promise<void>
}

export interface HostOptions {
  readonly name: string
  readonly role: HostState['role']
  readonly platform: Platform
  readonly trace: Trace
  readonly make: () => HostRun
}

/** One host of this process, through all its starts. */
export class HostLife {
  readonly name: string
  readonly role: HostState['role']
  state: HostState['state'] = 'stopped'
  reason = 'not started'
  starts = 0
  readonly #options: HostOptions
  readonly #restarts: Restarts
  readonly #stopping = new AbortController()
  #run: HostRun | undefined
  /** Of the start that is under way or serves: ends it. */
  #end: Deferred<string> | undefined
  /** Settles when what was ended is gone. */
  #gone: Deferred<void> | undefined
  #living: Promise<void> = Promise.resolve()

  constructor(options: HostOptions) {
    this.#options = options
    this.name = options.name
    this.role = options.role
    const { name: host, platform: { clock, random }, trace } = options
    this.#restarts = new Restarts(host, random.fork(`restart host ${host}`), (message) => trace.emit('log', {
      host, actor: 'supervisor', at: clock.now(), level: 'warn', message, fields: {},
    }))
  }

  /** The last start: its actors may have ended. @throws Unavailable before the first */
  get current(): HostRun {
    if (!this.#run) throw new Unavailable(`The host was not started yet: ${this.name}`)
    return this.#run
  }

  get supervisor(): Supervisor {
    return this.current.supervisor()
  }

  get processes(): Processes {
    return this.current.processes
  }

  /** Settles when it serves. @throws what its first start met; nothing of it is left then */
  start(): Promise<void> {
    const first = deferred<void>()
    this.#living = this.#live(first).catch((error: Error) => {
      // A listener of the trace threw: whoever started this is told, and whoever stops it
      first.reject(error)
      throw error
    })
    return first.promise
  }

  /** Ends it at once, as a loss of power would; the restart rule brings it back. @throws Unavailable when it is down */
  async kill(reason = 'killed'): Promise<void> {
    if (!this.#end) throw new Unavailable(`The host does not run: ${this.name} (${this.state})`)
    this.#end.resolve(reason)
    await this.#gone?.promise
  }

  /** Stops what it runs, in order. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#end?.resolve('the zone stops')
    await this.#living
  }

  list(): HostState {
    const { name: host, role, state, reason, starts } = this
    const actors = this.#run ? actorsOf(this.#run) : []
    return { host, role, state, reason: reason.slice(0, limits.logLine), starts, actors }
  }

  async #live(first: Deferred<void>): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const { failed, reason } = await this.#serve(first)
      if (this.#stopping.signal.aborted) break
      if (failed && this.starts === 1) {
        first.reject(failed)
        return this.#set('failed', failed.message)
      }
      const { clock } = this.#options.platform
      const next = this.#restarts.after(reason, failed, clock.monotonic())
      if (next instanceof Error) return this.#set('failed', next.message)
      await pause(clock, next.waitMs, this.#stopping.signal)
    }
    first.reject(new StartFailed(`${this.name} was stopped as it started`))
    this.#set('stopped', '')
  }

  /** One start, from its making until nothing of it is left. */
  async #serve(first: Deferred<void>): Promise<{ failed: Error | undefined; reason: string }> {
    const end = this.#end = deferred<string>()
    const gone = this.#gone = deferred<void>()
    const ended = new AbortController()
    let failed: Error | undefined
    let reason = ''
    try {
      this.starts++
      this.#set('starting', '')
      const run = this.#run = this.#options.make()
      const over = end.promise.then((why): never => {
        throw new StartFailed(`${this.name} ended as it started: ${why}`)
      })
      over.catch(() => {})
      await Promise.race([run.run(ended.signal), over])
      this.#set('serving', '')
      first.resolve()
      reason = await end.promise
    } catch (error) {
      failed = error instanceof Error ? error : new StartFailed(messageOf(error))
      reason = failed.message
    }
    this.#end = undefined
    ended.abort()
    // From now on it does not serve, although it takes a moment until nothing of it is left
    if (!this.#stopping.signal.aborted && !(failed && this.starts === 1)) this.#set('restarting', reason)
    try {
      await this.#putAway(reason)
    } finally {
      // Whoever killed it waits for this, whatever comes of it
      gone.resolve()
    }
    return { failed, reason }
  }

  async #putAway(reason: string): Promise<void> {
    const run = this.#run
    if (!run) return
    const supervisor = run.supervisor()
    if (this.#stopping.signal.aborted) {
      await run.processes.close()
      return supervisor.stopAll()
    }
    await Promise.all([
      supervisor.crash(reason),
      ...run.processes.list().map(({ name }) => run.processes.kill(name).catch(() => {})),
    ])
    await run.processes.close()
  }

  #set(state: HostState['state'], reason: string): void {
    this.state = state
    this.reason = reason
    const { platform, trace, name: host } = this.#options
    trace.emit('host', { host, at: platform.clock.now(), state, reason, starts: this.starts })
  }
}

/** All hosts of this process. */
export class Hosts implements Cluster {
  readonly #lives = new Map<string, HostLife>()
  #stopping = false

  /** @throws StartFailed when they stop: nobody would stop this one */
  add(life: HostLife): HostLife {
    if (this.#stopping) throw new StartFailed(`The zone stops: ${life.name} cannot start`)
    this.#lives.set(life.name, life)
    return life
  }

  get stopping(): boolean {
    return this.#stopping
  }

  all(): readonly HostLife[] {
    return [...this.#lives.values()]
  }

  hosts(): readonly HostState[] {
    return this.all().map((life) => life.list())
  }

  async kill(host: string, actor?: string): Promise<void> {
    const life = this.#lives.get(host)
    if (!life) throw new NotFound(`There is no such host: ${host}`, { host })
    if (actor === undefined) return life.kill()
    const found = life.list().actors.find(({ name }) => name === actor)
    if (!found) throw new NotFound(`There is no such actor on ${host}: ${actor}`, { host, actor })
    await (found.kind === 'process' ? life.processes.kill(actor) : life.supervisor.kill(actor))
  }

  /** What a host sees and may do of it: itself. */
  of(host: string): Cluster {
    return {
      hosts: () => this.hosts().filter((each) => each.host === host),
      kill: (which, actor) => {
        if (which !== host) throw new NotFound(`There is no such host here: ${which}`, { host: which })
        return this.kill(which, actor)
      },
    }
  }

  /** Those that came last go first; the first one is what the others need. */
  async stop(): Promise<void> {
    this.#stopping = true
    const [first, ...others] = this.all()
    const stopped = await Promise.allSettled(others.map((life) => life.stop()))
    await first?.stop()
    const failed = stopped.find((one) => one.status === 'rejected')
    if (failed) throw failed.reason
  }
}
