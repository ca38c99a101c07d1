import type { Scope } from '../context.ts'
import type { CallSettings } from '../protocol.ts'
import type { MethodPlan, Plan } from './rpc.ts'

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
