import type { InferOutput } from 'valibot'
import type { Accept, Carrier } from './carrier.ts'
import type { Clock, Files, Keys, Random, Transport } from './platform/ports.ts'
import type { CallEntry, Client, Protocol, SendEntry, StreamEntry } from './protocol.ts'
import type { Store } from './store/store.ts'
import type { ZonewrightError } from './errors.ts'
import { limits } from './limits.ts'
import type { DenialLog } from './trust/denial.ts'

/** Who a call speaks for: from a verified token, or the calling actor itself when there is none. */
export interface Principal {
  readonly sub: string
  readonly appid: string
  readonly runtimeType: string
  /** Session id of a verify-hub login. */
  readonly sid?: string
  readonly sudo: boolean
  /** Epoch milliseconds until which a link may keep this verdict; without it every call is authenticated anew. */
  readonly expires?: number
}

/** What a link certificate says of the actor at the other end, once verified. */
export interface Peer {
  readonly zone: string
  readonly host: string
  readonly actor: string
  readonly runtimeType: string
  readonly incarnation: number
  /** Thumbprint of the link key. */
  readonly kid: string
}

export type Needs = Readonly<Record<string, Protocol>>
type Clients<N extends Needs> = { readonly [K in keyof N]: Client<N[K]> }

/** What a handler is given besides its arguments. Clients of `needs` carry deadline, cancellation and token on. */
export type CallContext<N extends Needs = Needs> = {
  readonly principal: Principal
  readonly peer: Peer
  /** The token that was bound to this call, as text, to speak for the same principal elsewhere. */
  readonly token: string | undefined
  /** Epoch milliseconds. */
  readonly deadline: number
  readonly signal: AbortSignal
  readonly trace: TraceContext
} & Clients<N>

export interface TraceContext {
  readonly traceId: string
  readonly spanId: string
}

/** Evidence of a documented step, told by the side that received it. Never a secret. */
export type Evidence = Readonly<Record<string, string | number | boolean>>

export interface Log {
  info(message: string, fields?: Evidence): void
  warn(message: string, fields?: Evidence): void
  error(message: string, fields?: Evidence): void
}

/** What an actor is started with. Nothing else of the outside is in its reach. */
export interface ActorStart<N extends Needs = Needs> {
  readonly store: Store
  /** Opens the folder of files that is the actor's own; absent where there is none. @throws NotWritable, DiskFull */
  readonly files?: () => Promise<Files>
  readonly clock: Clock
  readonly random: Random
  readonly keys: Keys
  readonly transport: Transport
  readonly log: Log
  /** Clients for work that no call caused. */
  readonly needs: Clients<N>
  /** The documented ENV names and values. */
  readonly env: Readonly<Record<string, string>>
  /** Key material that this actor alone was given. Never in a log, a trace or `kv://`. */
  readonly secrets: Readonly<Record<string, string>>
  /** Aborts when the actor is asked to stop; background work ends on it. */
  readonly stopping: AbortSignal
  /** Runs background work; an error in it ends the actor, and the supervisor restarts it. */
  background(task: () => Promise<void>): void
  /** Marks a documented step as received. */
  step(sequence: string, number: number, evidence: Evidence): void
  /** Where a refusal is recorded for `explain`, and made into the error that the caller gets. */
  readonly denials: DenialLog
  /** Role of a host whose device document this host has checked, as it is now. */
  readonly roleOf: (host: string) => 'ood' | 'node' | undefined
  /**
   * The token of these principals is worth nothing any more: what links remember of it is forgotten, and their streams
   * end with the error. Calls under way go on.
   */
  unbind(matches: (principal: Principal) => boolean, error: ZonewrightError): void
  /** Adds to a counter of this incarnation: `http_requests_total{code="200"}`. Names are few; none holds a secret. */
  count(sample: string, by?: number): void
  /** What is so now, until told otherwise: `certificates{mount="pki"}`; undefined: is told no more. */
  gauge(sample: string, value: number | undefined): void
  /** From now on it carries links of this host's actors to other hosts. @throws Denied unless its spec has `carries` */
  carry(carrier: Carrier): void
  /** A channel of what it carries to an actor of this host. @throws also Denied, as `carry`, and Overloaded */
  readonly accept: Accept
  readonly self: Self
}

export interface Self {
  readonly zone: string
  readonly host: string
  readonly actor: string
  readonly runtimeType: string
  readonly incarnation: number
  /** Thumbprint of this incarnation's link key. */
  readonly linkKid: string
}

/** Decides who a token speaks for. @throws Denied */
export type Authenticate = (token: string, peer: Peer, use: TokenPresented) => Promise<Principal> | Principal

export interface TokenPresented {
  readonly method: string
  /** Names the link that the token was bound to: a token that is good once is good for one link. */
  readonly link: string
}

type HandlerOf<E, N extends Needs> =
  E extends CallEntry<infer A, infer R>
    ? (args: InferOutput<A>, cx: CallContext<N>) => Promise<InferOutput<R>> | InferOutput<R>
    : E extends StreamEntry<infer A, infer I>
      ? (args: InferOutput<A>, cx: CallContext<N>) => AsyncIterable<InferOutput<I>>
      : E extends SendEntry<infer A>
        ? (args: InferOutput<A>, cx: CallContext<N>) => Promise<void> | void
        : never

export type Handlers<P extends Protocol, N extends Needs = Needs> = {
  readonly [K in keyof P['methods']]: HandlerOf<P['methods'][K], N>
}

/** What the start function returns: the handlers, and what the runtime asks of the actor beside them. */
export interface Lifecycle {
  /** Turns a token into a principal. Without it every token is denied. */
  readonly authenticate?: Authenticate
  /** Whether this peer may link at all: the actor's row of the trust matrix. Without it: those that need it. */
  readonly admit?: (peer: Peer, base: 'mac' | 'sealed') => boolean
  /** Runs once, after the last call. */
  readonly stop?: () => Promise<void>
}

export interface ActorOptions<N extends Needs> {
  readonly needs?: N
  /** Of its needs, those that it serves without: linked while they serve, their deaths are not its own. */
  readonly servesWithout?: readonly (keyof N & string)[]
  /** Calls that may wait; default `limits.mailbox`. */
  readonly mailbox?: number
  /** Keeps nothing across restarts: its store is in memory. */
  readonly stateless?: boolean
}

export interface ActorDefinition<P extends Protocol = Protocol, N extends Needs = Needs> {
  readonly protocol: P
  readonly needs: N
  /** Names of protocols. */
  readonly servesWithout?: readonly string[]
  readonly mailbox: number
  readonly stateless: boolean
  readonly start: (start: ActorStart<N>) => Promise<Serving<P, N>> | Serving<P, N>
}

/** Handlers, or handlers with their lifecycle. */
export type Serving<P extends Protocol, N extends Needs> =
  Handlers<P, N> | { readonly handlers: Handlers<P, N>; readonly lifecycle: Lifecycle }

export const isServingWithLifecycle = <P extends Protocol, N extends Needs>(
  serving: Serving<P, N>,
): serving is { handlers: Handlers<P, N>; lifecycle: Lifecycle } => 'lifecycle' in serving && 'handlers' in serving

/** An actor: its protocol, what it needs, and how it starts. The default export of its module. */
export function actor<P extends Protocol, const N extends Needs = {}>(
  protocol: P,
  options: ActorOptions<N>,
  start: (start: ActorStart<N>) => Promise<Serving<P, N>> | Serving<P, N>,
): ActorDefinition<P, N> {
  return {
    protocol,
    needs: options.needs ?? ({} as N),
    servesWithout: (options.servesWithout ?? []).map((name) => options.needs![name]!.name),
    mailbox: options.mailbox ?? limits.mailbox,
    stateless: options.stateless ?? false,
    start,
  }
}
