import type { Lifecycle, Peer, Principal, TraceContext } from './actor.ts'
import type { ZonewrightError } from './errors.ts'
import type { Caller } from './link/caller.ts'
import { planOf, type MethodPlan, type Plan } from './link/rpc.ts'
import type { Lane, Mailbox } from './mailbox.ts'
import type { Clock, Keys } from './platform/ports.ts'
import type { Protocol } from './protocol.ts'
import type { SpanEvent, Trace } from './trace.ts'

/** Something that ends when the call that caused it is cancelled; a member of that call's list. */
export interface Child {
  before: Child | undefined
  after: Child | undefined
  cancel(error: ZonewrightError): void
}

/** Where ids of traces come from when a call brings none: both ends of a link can name them without sending them. */
export interface TraceSeed {
  /** 28 hexadecimal digits of the link's transcript. */
  readonly hex: string
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0').slice(-digits)

/** One call or stream being served: what the context shows of it, and what calls made on its behalf inherit. */
export abstract class Scope {
  abstract readonly principal: Principal
  abstract readonly peer: Peer
  abstract readonly token: string | undefined
  readonly id: number
  readonly deadline: number
  readonly #seed: TraceSeed
  readonly #traceId: string | undefined
  readonly #parentSpanId: string | undefined
  #controller: AbortController | undefined
  /** First of the list. A `Set` under steady change keeps garbage alive: see link/id-table.ts. */
  #child: Child | undefined
  cancelled: ZonewrightError | undefined

  constructor(
    id: number, deadline: number, seed: TraceSeed, traceId: string | undefined, parentSpanId: string | undefined,
  ) {
    this.id = id
    this.deadline = deadline
    this.#seed = seed
    this.#traceId = traceId
    this.#parentSpanId = parentSpanId
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.cancelled) this.#controller.abort(this.cancelled)
      else this.watchDeadline()
    }
    return this.#controller.signal
  }

  get traceId(): string {
    return this.#traceId ?? this.#seed.hex.slice(0, 20) + hex(this.id, 12)
  }

  get spanId(): string {
    return this.#seed.hex.slice(20, 28) + hex(this.id, 8)
  }

  get parentSpanId(): string {
    return this.#parentSpanId ?? ''
  }

  adopt(child: Child): void {
    child.after = this.#child
    if (child.after) child.after.before = child
    this.#child = child
  }

  release(child: Child): void {
    const { before, after } = child
    if (before) before.after = after
    else if (this.#child === child) this.#child = after
    if (after) after.before = before
    child.before = child.after = undefined
  }

  /** Somebody will want to know when the deadline has passed. */
  protected abstract watchDeadline(): void

  cancel(error: ZonewrightError): void {
    if (this.cancelled) return
    this.cancelled = error
    this.#controller?.abort(error)
    for (let child = this.#child; child; child = this.#child) {
      this.release(child)
      child.cancel(error)
    }
  }
}

const SCOPE = Symbol('scope')

/** What a handler sees. Each member is made when it is read, so a handler pays for what it uses. */
class Context {
  readonly [SCOPE]: Scope
  constructor(scope: Scope) {
    this[SCOPE] = scope
  }
  get principal(): Principal { return this[SCOPE].principal }
  get peer(): Peer { return this[SCOPE].peer }
  get token(): string | undefined { return this[SCOPE].token }
  get deadline(): number { return this[SCOPE].deadline }
  get signal(): AbortSignal { return this[SCOPE].signal }
  get trace(): TraceContext { return { traceId: this[SCOPE].traceId, spanId: this[SCOPE].spanId } }
}

type ContextClass = new (scope: Scope) => object

/** A Context with a client for each need: `cx.audit.append(…)` speaks for the call being served. */
function contextClass(callers: Readonly<Record<string, Caller>>): ContextClass {
  class ActorContext extends Context {}
  for (const [need, caller] of Object.entries(callers)) {
    if (need in Context.prototype) throw new Error(`A need cannot have the name of a member of the context: ${need}`)
    Object.defineProperty(ActorContext.prototype, need, {
      get(this: ActorContext) { return caller.within(this[SCOPE]) },
      enumerable: true,
    })
  }
  return ActorContext
}

export type Handler = (args: unknown, cx: object) => unknown

export interface ServiceMethod {
  readonly plan: MethodPlan
  readonly handler: Handler
  readonly lane: Lane
}

export interface ServiceOptions {
  readonly protocol: Protocol
  /** Called as methods of this object. */
  readonly handlers: Readonly<Record<string, unknown>>
  readonly lifecycle?: Lifecycle
  readonly mailbox: Mailbox
  /** By the name of the need. */
  readonly callers: Readonly<Record<string, Caller>>
  readonly clock: Clock
  readonly keys: Keys
  readonly self: { readonly host: string; readonly actor: string }
  readonly trace?: Trace
  /** A handler threw something that is not one of our errors; the caller was told `Internal`. */
  onFault?(error: unknown, method: string): void
}

/** One running actor as its links serve it. */
export interface Service {
  readonly plan: Plan
  readonly methods: readonly ServiceMethod[]
  readonly lifecycle: Lifecycle
  readonly clock: Clock
  context(scope: Scope): object
  fault(error: unknown, method: string): void
  /** One-way messages that were not run. */
  deadLetters: number
  /** Undefined while nobody listens. */
  span(): ((event: Omit<SpanEvent, 'host' | 'actor' | 'at' | 'protocol'>) => void) | undefined
  /**
   * Forgets, on every link, the verdicts about tokens of these principals: their next call is authenticated anew. Their
   * streams end with the error.
   */
  unbind(matches: Matches, error: ZonewrightError): void
  onUnbind(listener: (matches: Matches, error: ZonewrightError) => void): () => void
}

/** Of a principal that a token named; never an actor that speaks for itself. */
export type Matches = (principal: Principal) => boolean

export function createService(options: ServiceOptions): Service {
  const { protocol, handlers, mailbox, clock, self, trace } = options
  const plan = planOf(protocol, options.keys)
  const ActorContext = contextClass(options.callers)
  const unbinders = new Set<(matches: Matches, error: ZonewrightError) => void>()
  const methods = plan.methods.map((method): ServiceMethod => {
    const handler = handlers[method.name]
    if (typeof handler !== 'function') throw new Error(`The actor has no handler for ${protocol.name}.${method.name}`)
    const width = method.entry.kind === 'call' ? method.entry.concurrent : 1
    return {
      plan: method,
      handler: (handler as Handler).bind(handlers),
      lane: width > 1 ? mailbox.lane(width) : mailbox.exclusive,
    }
  })
  const emit = (event: Omit<SpanEvent, 'host' | 'actor' | 'at' | 'protocol'>): void => {
    trace!.emit('span', { host: self.host, actor: self.actor, at: clock.now(), protocol: protocol.name, ...event })
  }
  return {
    plan, methods, clock,
    lifecycle: options.lifecycle ?? {},
    context: (scope) => new ActorContext(scope),
    fault: (error, method) => options.onFault?.(error, method),
    deadLetters: 0,
    span: () => (trace?.all.get('span')?.length ? emit : undefined),
    unbind: (matches, error) => {
      for (const unbinder of unbinders) unbinder(matches, error)
    },
    onUnbind: (listener) => {
      unbinders.add(listener)
      return () => void unbinders.delete(listener)
    },
  }
}
