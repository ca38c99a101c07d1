import { StartFailed, ZonewrightError, fromWire } from './errors.ts'
import { strikes } from './fault-points.ts'
import { limits } from './limits.ts'
import type { Clock, SpawnedWorker, WorkerPermissions } from './platform/ports.ts'
import { createRedactor, type Redactor } from './redact.ts'
import type { ActorSpec, SupervisorOptions } from './spec.ts'
import { within } from './within.ts'
import type { WorkerEvent } from './worker.ts'

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
  /** Heartbeats in a row that told of a heap over its limit. */
  largeBeats: number
  /** Knows what its actors were given: the last words of a worker are nobody's choice. */
  readonly redactor: Redactor
}

/** The worker threads of one host, and the watch over them. */
export class Threads {
  readonly #options: SupervisorOptions
  readonly #specs: readonly ActorSpec[]
  readonly #clock: Clock
  readonly #threads = new Map<string, Thread>()
  readonly #onDeath: (thread: Thread, reason: string) => void
  readonly #onEvent: (event: WorkerEvent) => void
  #closed = false

  /** `onDeath` runs once a thread, after it has ended; `onEvent` for all that its actors tell of themselves. */
  constructor(
    options: SupervisorOptions, specs: readonly ActorSpec[], onDeath: (thread: Thread, reason: string) => void,
    onEvent: (event: WorkerEvent) => void,
  ) {
    this.#options = options
    this.#specs = specs
    this.#clock = options.platform.clock
    this.#onDeath = onDeath
    this.#onEvent = onEvent
  }

  /** The thread that this actor lives in, started where there is none. @throws StartFailed once closed */
  of(spec: ActorSpec): Thread {
    const found = this.#threads.get(spec.thread)
    if (found) return found
    if (this.#closed) throw new StartFailed(`The supervisor has stopped: ${spec.protocol.name} cannot start`)
    const { platform } = this.#options
    const { thread: name } = spec
    const together = this.#specs.filter(({ thread }) => thread === name)
    const worker = platform.host.spawn({
      name, permissions: union(together.map(({ permissions }) => permissions)),
      modules: together.map(({ module }) => module.href), heapMbMax: limits.workerHeapMb,
    })
    const thread: Thread = {
      name, worker, actors: new Set(), waiting: new Set(), dead: undefined, gone: undefined,
      lastBeat: this.#clock.monotonic(), largeBeats: 0, redactor: createRedactor(),
    }
    this.#threads.set(spec.thread, thread)
    worker.onExit((reason) => void this.end(thread, thread.redactor.text(reason)))
    worker.onEvent((message) => {
      // The worker lives, but background work of an actor in it failed: for its callers that is the same death
      if (message.type === 'actor') return void this.end(thread, message.event.reason)
      this.#onEvent(message)
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

  async close(reason = 'the supervisor stops'): Promise<void> {
    this.#closed = true
    await Promise.all(this.all().map((thread) => this.retire(thread, reason)))
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

  /** Node limits the heap of a worker itself. Deno does not, and would end the whole process with it. */
  #hear(thread: Thread, heapBytes: number): void {
    if (strikes('supervisor/beat-lost')) return
    thread.lastBeat = this.#clock.monotonic()
    thread.largeBeats = heapBytes > limits.workerHeapMb * 1024 * 1024 ? thread.largeBeats + 1 : 0
    if (thread.largeBeats < limits.workerHeapBeats) return
    void this.end(thread, `out of memory: its heap is larger than ${limits.workerHeapMb} MB`)
  }

  /** Some deaths raise no event (an endless loop): a silent worker is ended. */
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
        else thread.worker.control.beat().then((heapBytes) => this.#hear(thread, heapBytes), () => {})
      }
      this.#clock.after(limits.heartbeatMs, round)
    }
    for (const thread of this.all()) thread.lastBeat = last
    this.#clock.after(limits.heartbeatMs, round)
  }
}

/** What actors may that share a worker: what any of them may. */
const union = (all: readonly WorkerPermissions[]): WorkerPermissions => ({
  read: all.flatMap(({ read = [] }) => read),
  write: all.flatMap(({ write = [] }) => write),
  net: all.flatMap(({ net = [] }) => net),
})

/** What an actor throws as it starts tells its own trouble; a person has to know whose. */
function named(error: unknown, actor: string, what: string): unknown {
  if (!(error instanceof ZonewrightError)) return error
  const { code, message, details, stack } = error
  const whose = fromWire({ code, message: `${actor} did not ${what}: ${message}`, details: { ...details, actor } })
  if (stack !== undefined) whose.stack = stack
  return whose
}
