import { fromWire, StartFailed, ZonewrightError } from './errors.ts'
import { limits } from './limits.ts'
import type { Clock, SpawnedWorker } from './platform/ports.ts'
import type { ActorSpec, SupervisorOptions } from './spec.ts'
import { within } from './within.ts'

/** One worker thread and the actors in it. */
export interface Thread {
  readonly name: string
  readonly worker: SpawnedWorker
  readonly actors: Set<string>
  /** Why it is no longer used. */
  dead: string | undefined
  /** Monotonic milliseconds of the last heartbeat. */
  lastBeat: number
}

/** The worker threads of one host, and the watch over them. */
export class Threads {
  readonly #options: SupervisorOptions
  readonly #clock: Clock
  readonly #threads = new Map<string, Thread>()
  readonly #onDeath: (thread: Thread, reason: string) => void
  #closed = false

  /** `onDeath` runs once a thread, after it has ended. */
  constructor(options: SupervisorOptions, onDeath: (thread: Thread, reason: string) => void) {
    this.#options = options
    this.#clock = options.platform.clock
    this.#onDeath = onDeath
  }

  /** The thread that this actor lives in, started where there is none. */
  of(spec: ActorSpec): Thread {
    const found = this.#threads.get(spec.thread)
    if (found) return found
    const { platform, trace } = this.#options
    const worker = platform.host.spawn({ name: spec.thread, permissions: spec.permissions, heapMbMax: limits.workerHeapMb })
    const thread: Thread = { name: spec.thread, worker, actors: new Set(), dead: undefined, lastBeat: this.#clock.monotonic() }
    this.#threads.set(spec.thread, thread)
    worker.onExit((reason) => void this.end(thread, reason))
    worker.onEvent((message) => {
      // The worker lives, but background work of an actor in it failed: for its callers that is the same death
      if (message.type === 'actor') void this.end(thread, message.event.reason)
      // A pair of type and event always matches
      else trace.emit(message.type, message.event as never)
    })
    return thread
  }

  all(): readonly Thread[] {
    return [...this.#threads.values()]
  }

  /** Ends a thread that died, or is to die. */
  async end(thread: Thread, reason: string): Promise<void> {
    if (thread.dead !== undefined) return
    await this.retire(thread, reason)
    if (!this.#closed) this.#onDeath(thread, reason)
  }

  /** Ends a thread that nobody needs any more; no death. */
  async retire(thread: Thread, reason: string): Promise<void> {
    thread.dead = reason
    if (this.#threads.get(thread.name) === thread) this.#threads.delete(thread.name)
    await thread.worker.terminate().catch(() => {})
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.all().map((thread) => this.retire(thread, 'the supervisor stops')))
  }

  /** The outcome of a control call. Comlink's promise of a dead worker never settles: death and silence settle it here. */
  whileAlive<T>(thread: Thread, actor: string, what: string, work: Promise<T>): Promise<T> {
    const ms = this.#options.startMs ?? limits.startMs
    const died = new Promise<never>((_, reject) => {
      thread.worker.onExit((reason) => {
        reject(new StartFailed(`The worker of ${actor} died during ${what}: ${reason}`, { actor, next: 'Its log says why' }))
      })
    })
    return within(this.#clock, ms, Promise.race([work.catch(sayWhose(actor, what)), died]), () => new StartFailed(
      `${actor} did not ${what} within ${ms} ms`, { actor, next: 'See what its start function waits for' },
    ))
  }

  /** Some deaths raise no event (an endless loop; a Deno worker out of memory): a silent worker is ended. */
  watch(): void {
    const round = (): void => {
      if (this.#closed) return
      const now = this.#clock.monotonic()
      for (const thread of this.all()) {
        const silentMs = now - thread.lastBeat
        if (silentMs > limits.heartbeatSilenceMs) void this.end(thread, `no heartbeat for ${Math.round(silentMs)} ms`)
        else thread.worker.control.beat().then(() => { thread.lastBeat = this.#clock.monotonic() }, () => {})
      }
      this.#clock.after(limits.heartbeatMs, round)
    }
    for (const thread of this.all()) thread.lastBeat = this.#clock.monotonic()
    this.#clock.after(limits.heartbeatMs, round)
  }
}

/** What an actor throws as it starts tells its own trouble; a person has to know whose. */
const sayWhose = (actor: string, what: string) => (error: unknown): never => {
  if (!(error instanceof ZonewrightError)) throw error
  const { code, message, details, stack } = error
  const named = fromWire({ code, message: `${actor} did not ${what}: ${message}`, details: { ...details, actor } })
  if (stack !== undefined) named.stack = stack
  throw named
}
