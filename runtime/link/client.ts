import type { Scope } from '../context.ts'
import type { ZonewrightError } from '../errors.ts'
import type { Clock, Keys } from '../platform/ports.ts'
import type { CallSettings, Client, Protocol } from '../protocol.ts'
import type { Link } from './link.ts'
import type { MethodPlan, Plan } from './rpc.ts'

/**
 * The calling side of one need. It outlives links: when the peer restarts, `attach` gives it the new one, and calls
 * made meanwhile wait for that until their deadline.
 */
export interface Caller<P extends Protocol = Protocol> {
  /** Inherits nothing: for work that no call caused. */
  readonly client: Client<P>
  /** Speaks for the call being served: its deadline, cancellation, trace and token. */
  within(scope: Scope): Client<P>
  /** What is pending on an older link fails: Restarted when the peer is a new incarnation, else Unavailable. */
  attach(link: Link, onClose?: (error: ZonewrightError) => void): void
  /** Closes the link with `error`, with which pending calls fail; later calls wait for the next link. */
  detach(error: ZonewrightError): void
  /** As `detach`, and every later call fails with `error`. */
  close(error: ZonewrightError): void
  readonly pending: number
  /** One-way messages that found no link. */
  readonly deadLetters: number
}

export interface CallerOptions {
  readonly clock: Clock
  readonly keys: Keys
  /** Names the peer in messages; default: the protocol's name. */
  readonly name?: string
}

type Arguments = [plan: MethodPlan, args: unknown, settings: CallSettings | undefined, scope: Scope | undefined]

/** What a client's methods come down to. */
export interface Invocable {
  call(...call: Arguments): Promise<unknown>
  stream(...call: Arguments): AsyncIterable<unknown>
  send(...call: Arguments): void
}

type Invoke = (args: unknown, settings?: CallSettings) => unknown

function invoker(plan: MethodPlan, caller: Invocable, scope: Scope | undefined): Invoke {
  switch (plan.entry.kind) {
    case 'call': return (args, settings) => caller.call(plan, args, settings, scope)
    case 'stream': return (args, settings) => caller.stream(plan, args, settings, scope)
    case 'send': return (args, settings) => caller.send(plan, args, settings, scope)
  }
}

export const plainClient = (plan: Plan, caller: Invocable): object =>
  Object.freeze(Object.fromEntries(plan.methods.map((method) => [method.name, invoker(method, caller, undefined)])))

/** Made for each call served, so its methods are made when they are read. */
export function boundClient(plan: Plan, caller: Invocable): new (scope: Scope) => object {
  class Bound {
    readonly #scope: Scope
    constructor(scope: Scope) {
      this.#scope = scope
    }
    static scope(bound: Bound): Scope { return bound.#scope }
  }
  for (const method of plan.methods) {
    Object.defineProperty(Bound.prototype, method.name, {
      get(this: Bound) { return invoker(method, caller, Bound.scope(this)) },
      enumerable: true,
    })
  }
  return Bound
}
