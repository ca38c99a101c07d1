/** The actor runtime: protocols, actors, links, supervision. It knows nothing of zones. */
export { actor } from './actor.ts'
export type {
  ActorDefinition, ActorStart, Authenticate, CallContext, Evidence, Handlers, Lifecycle, Log, Peer, Principal, Self,
} from './actor.ts'
export type { Accept, Accepted, Carried, Carrier, Granted, Wanted } from './carrier.ts'
export * from './errors.ts'
export { limits } from './limits.ts'
export * from './protocol.ts'
export { splice } from './splice.ts'
export { supervise, type Supervised, type SuperviseOptions } from './supervise.ts'
export { worker, type ActorSpec } from './spec.ts'
export { createTrace, type Trace, type TraceEvents } from './trace.ts'
