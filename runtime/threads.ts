import { StartFailed, ZonewrightError, fromWire } from './errors.ts'
import { limits } from './limits.ts'
import type { Clock, SpawnedWorker } from './platform/ports.ts'
import type { ActorSpec, SupervisorOptions } from './spec.ts'
import { within } from './within.ts'

/** One worker thread and the actors in it. */
export interface Thread {
  readonly name: string
  readonly worker: SpawnedWorker
  readonly actors: Set<string>
  /** Control calls on their way: each is told when the thread ends. */
  readonly waiting: Set<(reason: string) => void>
  /** Why it is no longer used. */
  dead: string | undefined
  /** Settles when its worker has ended. */
  gone: Promise<void> | undefined
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

  /** The thread that this actor lives in, started where there is none. @throws StartFailed once closed */
  of(spec: ActorSpec): Thread {
    const found = this.#threads.get(spec.thread)
    if (found) return found
    if (this.#closed) throw new StartFailed(`The supervisor has stopped: ${spec.protocol.name} cannot start`)
    const { platform, trace } = this.#options
    const { thread: name, permissions } = spec
    const worker = platform.host.spawn({ name, permissions, heapMbMax: limits.workerHeapMb })
    const thread: Thread = {
      name, worker, actors: new Set(), waiting: new Set(), dead: undefined, gone: undefined,
      lastBeat: this.#clock.monotonic(),
    }
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
    if (thread.dead !== undefined) return thread.gone
    await this.retire(thread, reason)
    if (!this.#closed) this.#onDeath(thread, reason)
  }

  /** Ends a thread that nobody needs any more; no death. */
  retire(thread: Thread, reason: string): Promise<void> {
    thread.gone ??= this.#retire(thread, reason)
    return thread.gone
  }

  async #retire(thread: Thread, reason: string): Promise<void> {
    thread.dead = reason
    if (this.#threads.get(thread.name) === thread) this.#threads.delete(thread.name)
    for (const died of [...thread.waiting]) died(reason)
    // A thread that is stuck in native code may take for ever to end; nobody waits for that
    const late = (): Error => new Error('It did not end')
    await within(this.#clock, limits.stopMs, thread.worker.terminate(), late).catch(() => {})
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.all().map((thread) => this.retire(thread, 'the supervisor stops')))
  }

  /**
   * The outcome of a control call. Comlink's promise of a dead worker never settles: death and silence settle it here.
   * `ms` defaults to what a start may take.
   */
  whileAlive<T>(
    thread: Thread, actor: string, what: string, work: Promise<T>, ms = this.#options.startMs ?? limits.startMs,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const end = <V>(settle: (value: V) => void) => (value: V): void => {
        thread.waiting.delete(died)
        cancel()
        settle(value)
      }
      const died = end((reason: string) => reject(new StartFailed(
        `The worker of ${actor} died during ${what}: ${reason}`, { actor, next: 'Its log says why' },
      )))
      const cancel = this.#clock.after(ms, end<void>(() => reject(new StartFailed(
        `${actor} did not ${what} within ${ms} ms`, { actor, next: 'See what it waits for' },
      ))))
      thread.waiting.add(died)
      if (thread.dead !== undefined) died(thread.dead)
      work.then(end(resolve), end((error: unknown) => reject(named(error, actor, what))))
    })
  }

  /** Some deaths raise no event (an endless loop; a Deno worker out of memory): a silent worker is ended. */
  watch(): void {
    let last = this.#clock.monotonic()
    const round = (): void => {
      if (this.#closed) return
      const now = this.#clock.monotonic()
      // While this thread itself stood still it heard nobody: that is not the silence of its workers
      const stalledMs = Math.max(0, now - last - limits.heartbeatMs)
      last = now
      for (const thread of this.all()) {
        thread.lastBeat = Math.min(now, thread.lastBeat + stalledMs)
        const silentMs = now - thread.lastBeat
        if (silentMs > limits.heartbeatSilenceMs) void this.end(thread, `no heartbeat for ${Math.round(silentMs)} ms`)
        else thread.worker.control.beat().then(() => { thread.lastBeat = this.#clock.monotonic() }, () => {})
      }
      this.#clock.after(limits.heartbeatMs, round)
    }
    for (const thread of this.all()) thread.lastBeat = last
    this.#clock.after(limits.heartbeatMs, round)
  }
}

/** What an actor throws as it starts tells its own trouble; a person has to know whose. */
function named(error: unknown, actor: string, what: string): unknown {
  if (!(error instanceof ZonewrightError)) return error
  const { code, message, details, stack } = error
  const whose = fromWire({ code, message: `${actor} did not ${what}: ${message}`, details: { ...details, actor } })
  if (stack !== undefined) whose.stack = stack
  return whose
}
