import type { Scope } from '../context.ts'
import {
  Cancelled, Denied, HandshakeFailed, Overloaded, Restarted, Unavailable, type ZonewrightError,
} from '../errors.ts'
import { limits } from '../limits.ts'
import type { Clock } from '../platform/ports.ts'
import type { CallSettings, Client, Protocol } from '../protocol.ts'
import { boundClient, plainClient, type Caller, type CallerOptions, type Invocable } from './client.ts'
import { Deadlines } from './deadlines.ts'
import { IdTable } from './id-table.ts'
import { satisfies, type Link, type Message } from './link.ts'
import {
  BIND, CALL, CANCEL, CREDIT, END, ERROR, HELLO, ITEM, NEVER, OPEN, RESULT, SEND, SHARED, errorOf, isCount, malformed,
  planOf, type MethodPlan, type Plan,
} from './rpc.ts'
import { PendingCall, late, type Pending, type PendingOwner } from './pending.ts'
import { StreamReader } from './stream.ts'
import { TokenSlots } from './token-slots.ts'

export type { Caller, CallerOptions } from './client.ts'

export const createCaller = <P extends Protocol>(protocol: P, options: CallerOptions): Caller<P> =>
  new LinkCaller<P>(protocol, options)

class LinkCaller<P extends Protocol> implements Caller<P>, Invocable, PendingOwner {
  readonly client: Client<P>
  readonly #clock: Clock
  readonly #plan: Plan
  readonly #name: string
  readonly #deadlines: Deadlines
  readonly #Bound: new (scope: Scope) => object
  /** Sent, by id. */
  readonly #sent = new IdTable<Pending>()
  /** Made while there was no link. */
  readonly #waiting = new Set<Pending>()
  #slots = new TokenSlots()
  #link: Link | undefined
  /** Of this link: deadlines are sent relative to it. */
  #epoch = 0
  #greeted = false
  #closed: ZonewrightError | undefined
  #lastId = 0
  /** Of those sent. */
  #streams = 0
  deadLetters = 0

  constructor(protocol: P, { clock, keys, name }: CallerOptions) {
    this.#clock = clock
    this.#plan = planOf(protocol, keys)
    this.#name = name ?? protocol.name
    this.#deadlines = new Deadlines(clock, (now) => this.#expire(now))
    this.#Bound = boundClient(this.#plan, this)
    this.client = plainClient(this.#plan, this) as Client<P>
  }

  get pending(): number {
    return this.#sent.size + this.#waiting.size
  }

  within(scope: Scope): Client<P> {
    return new this.#Bound(scope) as Client<P>
  }

  attach(link: Link, onClose?: (error: ZonewrightError) => void): void {
    const old = this.#link
    if (old) {
      const text = `A new link to ${this.#name} took the place of the old one`
      old.close(old.peer.incarnation === link.peer.incarnation ? new Unavailable(text) : new Restarted(text))
    }
    if (this.#closed) return link.close(this.#closed)
    this.#link = link
    this.#greeted = false
    this.#slots = new TokenSlots()
    this.#epoch = Math.floor(this.#clock.now())
    link.send([HELLO, this.#plan.protocol, this.#plan.methodsHash, this.#epoch])
    link.receive((message) => this.#receive(link, message), (error) => {
      if (this.#link === link) this.#lose(error)
      onClose?.(error)
    })
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const pending of waiting) this.#post(link, pending)
  }

  #lose(error: ZonewrightError): void {
    this.#link = undefined
    const lost = this.#sent.values()
    this.#sent.clear()
    this.#streams = 0
    for (const pending of lost) this.#fail(pending, error)
  }

  detach(error: ZonewrightError): void {
    this.#link?.close(error)
  }

  close(error: ZonewrightError): void {
    this.#closed ??= error
    this.detach(error)
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const pending of waiting) this.#fail(pending, error)
    this.#deadlines.close()
  }

  call(
    plan: MethodPlan, args: unknown, settings: CallSettings | undefined, scope: Scope | undefined,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const now = this.#clock.now()
      const asked = now + (settings?.withinMs ?? limits.callMs)
      const deadline = scope !== undefined && scope.deadline < asked ? scope.deadline : asked
      this.#start(new PendingCall(this, plan, args, deadline, settings, scope, resolve, reject), now)
    })
  }

  /** Each iteration opens a stream of its own; it has a deadline only if it was given or inherits one. */
  stream(
    plan: MethodPlan, args: unknown, settings: CallSettings | undefined, scope: Scope | undefined,
  ): AsyncIterable<unknown> {
    return {
      [Symbol.asyncIterator]: () => {
        const now = this.#clock.now()
        const asked = settings?.withinMs === undefined ? NEVER : now + settings.withinMs
        const reader = new StreamReader(this, plan, args, Math.min(asked, scope?.deadline ?? NEVER), settings, scope)
        this.#start(reader, now)
        return reader
      },
    }
  }

  send(plan: MethodPlan, args: unknown, settings: CallSettings | undefined, scope: Scope | undefined): void {
    const link = this.#link
    if (!link || !satisfies(link.base, plan.signed, plan.least)) {
      this.deadLetters++
      return
    }
    const asked = this.#clock.now() + (settings?.withinMs ?? limits.callMs)
    const slot = this.#bind(link, settings?.token ?? scope?.token)
    const deadline = Math.min(asked, scope?.deadline ?? NEVER)
    const message = scope === undefined
      ? [SEND, ++this.#lastId, plan.index, deadline - this.#epoch, slot, args]
      : [SEND, ++this.#lastId, plan.index, deadline - this.#epoch, slot, args, scope.traceId, scope.spanId]
    if (slot < 0 || link.send(message, plan.signed)) this.deadLetters++
  }

  #start(pending: Pending, now: number): void {
    if (this.#closed) return pending.fail(this.#closed)
    if (pending.aborted) return pending.fail(new Cancelled(`The call was cancelled: ${pending.plan.name}`))
    if (!(pending.deadline > now)) return pending.fail(late(pending))
    const link = this.#link
    if (!link) {
      if (this.#waiting.size >= limits.inFlight) return pending.fail(this.#overloaded())
      this.#waiting.add(pending)
    }
    pending.begin()
    if (pending.deadline < NEVER) this.#deadlines.add(pending.deadline)
    if (link) this.#post(link, pending)
  }

  #post(link: Link, pending: Pending): void {
    const { plan, scope } = pending
    if (this.#full(pending.kind)) return this.#fail(pending, this.#overloaded())
    if (!satisfies(link.base, plan.signed, plan.least)) {
      return this.#fail(pending, new Denied(`${plan.name} asks for suite ${plan.least}: the link has ${link.base}`))
    }
    const slot = this.#bind(link, pending.token)
    if (slot < 0) return this.#fail(pending, new Denied(`The token is longer than ${limits.token} characters`))
    const id = pending.id = ++this.#lastId
    this.#sent.add(pending)
    if (pending.kind === OPEN) this.#streams++
    const deadline = pending.deadline - this.#epoch
    const refused = link.send(scope === undefined
      ? [pending.kind, id, plan.index, deadline, slot, pending.args]
      : [pending.kind, id, plan.index, deadline, slot, pending.args, scope.traceId, scope.spanId], plan.signed)
    if (refused === undefined) return
    this.#forget(pending)
    this.#fail(pending, refused)
  }

  /** The token's slot on this link, bound now if it was not; -1 for a token that no link takes. */
  #bind(link: Link, token: string | undefined): number {
    if (token === undefined) return 0
    if (token.length > limits.token) return -1
    const known = this.#slots.find(token)
    if (known > 0) return known
    const slot = this.#slots.take(token)
    link.send([BIND, slot, token])
    return slot
  }

  #full(kind: typeof CALL | typeof OPEN): boolean {
    return kind === OPEN ? this.#streams >= limits.streams : this.#sent.size - this.#streams >= limits.inFlight
  }

  /** It is no longer under way; false when it was not. */
  #forget(pending: Pending): boolean {
    if (!this.#sent.delete(pending.id)) return false
    if (pending.kind === OPEN) this.#streams--
    return true
  }

  #overloaded(): ZonewrightError {
    return new Overloaded(`Too many calls are in flight to ${this.#name}: ${this.pending}`)
  }

  #fail(pending: Pending, error: ZonewrightError): void {
    pending.finish()
    pending.fail(error)
  }

  abandon(pending: Pending, error: ZonewrightError): void {
    if (this.#waiting.delete(pending)) return this.#fail(pending, error)
    if (!this.#forget(pending)) return
    this.#link?.send([CANCEL, pending.id])
    this.#fail(pending, error)
  }

  credit(pending: Pending, items: number): void {
    if (this.#sent.get(pending.id)) this.#link?.send([CREDIT, pending.id, items])
  }

  #expire(now: number): number {
    let next = Infinity
    for (const pending of this.#waiting) {
      if (pending.deadline <= now) {
        this.#waiting.delete(pending)
        const text = `There was no link to ${this.#name} until the deadline of the call: ${pending.plan.name}`
        this.#fail(pending, new Unavailable(text))
      } else if (pending.deadline < next) next = pending.deadline
    }
    for (const pending of this.#sent.values()) {
      if (pending.deadline <= now) this.abandon(pending, late(pending))
      else if (pending.deadline < next) next = pending.deadline
    }
    return next === NEVER ? Infinity : next
  }

  #receive(link: Link, message: Message): void {
    if (!this.#greeted) return this.#greet(link, message)
    if (message[0] === SHARED) return this.#share(message[1], message[2])
    const id = message[1] as number
    const pending = this.#sent.get(id)
    // An answer to a call that was cancelled meanwhile is no fault; one to a call that was never made is.
    if (!pending) {
      if (!isCount(id) || id > this.#lastId) throw malformed()
      return
    }
    switch (message[0]) {
      case RESULT:
        if (pending.kind !== CALL) throw malformed()
        this.#forget(pending)
        pending.finish()
        return pending.succeed(message[2])
      case ITEM:
        if (pending.kind !== OPEN) throw malformed()
        return pending.succeed(message[2])
      case END:
        if (!(pending instanceof StreamReader)) throw malformed()
        this.#forget(pending)
        pending.finish()
        return pending.end()
      case ERROR:
        this.#forget(pending)
        return this.#fail(pending, errorOf(message))
      default:
        throw malformed()
    }
  }

  #share(ids: unknown, item: unknown): void {
    if (!Array.isArray(ids)) throw malformed()
    for (const id of ids as readonly unknown[]) {
      const pending = this.#sent.get(id as number)
      if (pending) {
        if (pending.kind !== OPEN) throw malformed()
        pending.succeed(copyOf(item))
      } else if (!isCount(id) || id > this.#lastId) throw malformed()
    }
  }

  #greet(link: Link, message: Message): void {
    if (message[0] !== HELLO) throw malformed()
    this.#greeted = true
    if (message[1] === this.#plan.protocol && message[2] === this.#plan.methodsHash) return
    const text = `The peer serves another version of ${this.#plan.protocol}`
    link.close(new HandshakeFailed(text, { reason: 'protocol differs' }))
  }
}

/** Each reader gets what it may keep and change: its own. */
function copyOf(item: unknown): unknown {
  if (typeof item !== 'object' || item === null) return item
  for (const key in item) {
    if (typeof (item as Record<string, unknown>)[key] === 'object') return JSON.parse(JSON.stringify(item))
  }
  return Array.isArray(item) ? [...item] : { ...item }
}
