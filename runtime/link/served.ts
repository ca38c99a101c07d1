import { safeParse } from 'valibot'
import type { Peer, Principal } from '../actor.ts'
import { Scope, type Service, type ServiceMethod, type TraceSeed } from '../context.ts'
import { DeadlineExceeded, InvalidArgument, ZonewrightError, toWire } from '../errors.ts'
import type { Job } from '../mailbox.ts'
import type { Addressee, ItemBatch } from './item-batch.ts'
import type { Link } from './link.ts'
import { END, ERROR, RESULT } from './rpc.ts'
import { StreamWriter, type StreamSink } from './stream.ts'

/** A token that the caller bound, and what the actor said of it. */
export interface BoundToken {
  readonly token: string
  /** By method. Verdicts of the actor differ by method, and end with the token. */
  readonly verdicts: (Principal | undefined)[]
  /** Wall time when they were last asked for. */
  askedMs: number
}

/** The link that a request came by. */
export interface Server {
  readonly link: Link
  readonly service: Service
  readonly seed: TraceSeed
  /** It is answered, or nobody waits for the answer. */
  finish(served: Served): void
  /** Calls `expire` on what is still under way then. */
  watch(deadline: number): void
  readonly items: ItemBatch
  /** Pumps the stream soon, with all others that are ready then. */
  ready(stream: ServedStream): void
}

/** A request from its arrival to its answer. */
export abstract class Served extends Scope {
  readonly method: ServiceMethod
  /** 0 when the call brought no token. */
  readonly slot: number
  readonly boundToken: BoundToken | undefined
  readonly signed: boolean
  protected readonly server: Server
  #args: unknown
  #startedMs = 0
  principal!: Principal

  constructor(
    server: Server, method: ServiceMethod, id: number, deadline: number, args: unknown, slot: number,
    boundToken: BoundToken | undefined, signed: boolean, traceId: string | undefined, parentSpanId: string | undefined,
  ) {
    super(id, deadline, server.seed, traceId, parentSpanId)
    this.server = server
    this.method = method
    this.slot = slot
    this.boundToken = boundToken
    this.signed = signed
    this.#args = args
  }

  get peer(): Peer { return this.server.link.peer }
  get token(): string | undefined { return this.boundToken?.token }

  /** Runs it, or hands it to the mailbox. */
  protected abstract accept(): void

  /** It ends with this error. */
  protected answerError(error: ZonewrightError): void {
    const refused = this.reply([ERROR, this.id, error.code, error.message, error.details])
    // Details that are not JSON stay here
    if (refused) this.reply([ERROR, this.id, error.code, error.message, {}])
  }

  /** Called once the principal is known. */
  admit(now: number): void {
    if (this.deadline <= now) {
      return this.drop(new DeadlineExceeded('The deadline passed before the call arrived'))
    }
    const args = safeParse(this.method.plan.entry.args, this.#args)
    if (!args.success) {
      const text = `The arguments of ${this.method.plan.name} have the wrong shape: ${args.issues[0].message}`
      return this.drop(new InvalidArgument(text))
    }
    this.#args = args.output
    this.accept()
  }

  drop(error: ZonewrightError): void {
    this.server.finish(this)
    if (!this.cancelled) this.answerError(error)
    this.tell(error.code)
  }

  protected watchDeadline(): void {
    this.server.watch(this.deadline)
  }

  /** The caller's own clock has told it already, unless the two clocks differ. */
  expire(): void {
    const error = new DeadlineExceeded(`The deadline passed while ${this.method.plan.name} ran`)
    this.drop(error)
    this.cancel(error)
  }

  /** The handler, or the check of the token, threw. */
  failed(error: unknown): void {
    if (!(error instanceof ZonewrightError)) this.server.service.fault(error, this.method.plan.name)
    const { code, message, details } = toWire(error)
    this.drop(error instanceof ZonewrightError ? error : new ZonewrightError(code, message, details))
  }

  protected invoke(): unknown {
    if (this.server.service.span()) this.#startedMs = this.server.service.clock.monotonic()
    return this.method.handler(this.#args, this.server.service.context(this))
  }

  /** Never signed: what must be provable later is what the caller asked for. */
  protected reply(message: readonly unknown[]): ZonewrightError | undefined {
    this.server.items.flush()
    return this.server.link.send(message)
  }

  /** The trace of this call, if somebody listens. */
  protected tell(code: string): void {
    const { service } = this.server
    const span = service.span()
    if (!span) return
    span({
      traceId: this.traceId, spanId: this.spanId, parentSpanId: this.parentSpanId, method: this.method.plan.name,
      peer: this.peer.actor, durationMs: this.#startedMs === 0 ? 0 : service.clock.monotonic() - this.#startedMs, code,
    })
  }
}

export const isThenable = <T>(value: unknown): value is PromiseLike<T> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'

export class ServedCall extends Served implements Job {
  protected accept(): void {
    const refused = this.method.lane.admit(this)
    if (refused) this.drop(refused)
  }

  run(): boolean {
    // Its place in the queue was kept, its caller has gone
    if (this.cancelled) return true
    let outcome: unknown
    try {
      outcome = this.invoke()
    } catch (error) {
      this.failed(error)
      return true
    }
    if (!isThenable(outcome)) {
      this.#succeed(outcome)
      return true
    }
    outcome.then((value) => {
      this.#succeed(value)
      this.method.lane.release()
    }, (error) => {
      this.failed(error)
      this.method.lane.release()
    })
    return false
  }

  #succeed(value: unknown): void {
    this.server.finish(this)
    if (this.cancelled) return this.tell('Cancelled')
    const refused = this.reply(value === undefined ? [RESULT, this.id] : [RESULT, this.id, value])
    if (refused) this.answerError(refused)
    this.tell(refused?.code ?? '')
  }
}

export class ServedSend extends Served implements Job {
  protected accept(): void {
    const refused = this.method.lane.admit(this)
    if (refused) this.drop(refused)
  }

  protected override answerError(): void {
    this.server.service.deadLetters++
  }

  run(): boolean {
    let outcome: unknown
    try {
      outcome = this.invoke()
    } catch (error) {
      this.#ended(error)
      return true
    }
    if (!isThenable(outcome)) return true
    outcome.then(() => this.tell(''), (error) => this.#ended(error)).then(this.method.lane.release)
    return false
  }

  /** Nobody is told, so the actor's log is. */
  #ended(error: unknown): void {
    this.server.service.fault(error, this.method.plan.name)
    this.tell(toWire(error).code)
  }
}

export class ServedStream extends Served implements StreamSink, Addressee {
  readonly writer = new StreamWriter(this)
  place = 0
  /** It waits to be pumped. */
  waiting = false

  protected accept(): void {
    let items: AsyncIterable<unknown>
    try {
      items = this.invoke() as AsyncIterable<unknown>
    } catch (error) {
      return this.failed(error)
    }
    // An error while the iterator is being closed has no reader any more
    this.writer.run(items).catch((error) => this.server.service.fault(error, this.method.plan.name))
  }

  override cancel(error: ZonewrightError): void {
    this.writer.stop()
    super.cancel(error)
  }

  ready(): void {
    if (!this.waiting) this.server.ready(this)
  }

  item(value: unknown): boolean {
    return this.#sent(this.server.items.add(this, value))
  }

  shared(value: unknown): boolean {
    return this.#sent(this.server.items.addShared(this, value))
  }

  #sent(refused: ZonewrightError | undefined): boolean {
    if (refused) this.drop(refused)
    return refused === undefined
  }

  end(): void {
    this.server.finish(this)
    this.reply([END, this.id])
    this.tell('')
  }

  fail(error: unknown): void {
    this.failed(error)
  }
}
