import type { AcceptOutcome } from './carriage.ts'
import type { Granted, Wanted } from './carrier.ts'
import type { TraceEvents } from './trace.ts'
import type { PublicJwk } from './platform/ports.ts'
import type { EtcdCredentials } from './store/etcd/connection.ts'
import type { StoreLocation } from './store/location.ts'
import type { Moved } from './store/move/move.ts'

/**
 * What the supervisor may ask of a worker. On threads Comlink carries it; in simulation it is called directly.
 * One worker hosts one or several actors, each named in every call.
 */
export interface WorkerControl {
  /** Loads the actor's module and makes its link key. The private half never leaves the worker. */
  load(start: StartMessage): Promise<Loaded>
  /**
   * Hands over the links to what the actor needs, then runs its start function; settles when it serves. `ends` are the
   * channel ends of `introductions`, in order.
   */
  run(actor: string, given: Given, introductions: readonly Introduction[], ends: readonly unknown[]): Promise<void>
  /** Hands over one end of a channel to a peer. */
  introduce(actor: string, introduction: Introduction, end: unknown): Promise<void>
  /** From now on these hosts and no others may certify peers; links to any other close. */
  trust(devices: readonly TrustedDevice[]): Promise<void>
  /**
   * The callee of this protocol is gone: pending calls fail with the reason, as Restarted when it is known to have
   * ended; later ones wait for the next link.
   */
  detach(actor: string, protocol: string, reason: string, hasEnded: boolean): Promise<void>
  /** This caller has died without a word: its links close. Not every runtime tells the other end of a port. */
  release(actor: string, caller: Introduction['peer']): Promise<void>
  /** Of a carrier: joins the end to an actor of another host. @throws what `Carrier.open` does */
  carry(actor: string, id: number, wanted: Wanted, end: unknown): Promise<Granted>
  /** The caller of what it carries by that number has ended. */
  releaseCarried(actor: string, id: number): Promise<void>
  /** The answer to its `accept` of that number; `end` where that is no error. */
  accepted(actor: string, id: number, outcome: AcceptOutcome, end: unknown): Promise<void>
  /** What it accepted by that number leads to an incarnation that has ended. */
  acceptedGone(actor: string, id: number): Promise<void>
  inspect(): Promise<readonly Inspection[]>
  /** Heartbeat; bytes of its heap. */
  beat(): Promise<number>
  /**
   * Moves the actor's store there while it serves; settles when it has gone. Told as `move` events.
   * @throws what `moveStore` does
   */
  moveStore(actor: string, to: StoreLocation): Promise<Moved>
  /** From now on etcd is reached by these, for the stores that lie there. */
  renewCredentials(credentials: EtcdCredentials): Promise<void>
  /** Serves what it has accepted, for at most `withinMs`, then runs the actor's stop. */
  stop(actor: string, withinMs: number): Promise<void>
}

export interface Loaded {
  readonly linkKey: PublicJwk
  /** Names of the protocols that the actor declares in `needs`. */
  readonly needs: readonly string[]
  /** Those that it serves without; not among `needs`. */
  readonly uses: readonly string[]
}

/** One trace event on its way to the supervisor; spans, of which there is one a call, come together, as JSON. */
export type WorkerEvent = {
  [K in keyof TraceEvents]: { readonly type: K; readonly event: TraceEvents[K] }
}[keyof TraceEvents] | { readonly type: 'spans'; readonly event: string }
  | { readonly type: 'carriage'; readonly event: CarriageEvent }

/** What a carrier asks of its supervisor, and what it tells of its channels. */
export type CarriageEvent = { readonly actor: string; readonly incarnation: number; readonly id: number } & (
  | { readonly what: 'accept'; readonly protocol: string; readonly caller: Introduction['peer'] }
  | { readonly what: 'released' }
  /** True: it was told that what was called has ended. */
  | { readonly what: 'gone'; readonly hasEnded: boolean }
)

export interface StartMessage {
  readonly zone: string
  readonly host: string
  readonly actor: string
  readonly runtimeType: string
  readonly incarnation: number
  /** Absolute URL of the module whose default export is the actor. */
  readonly module: string
  /** Where the stores of this host's actors lie; without it the actor's store is in memory. */
  readonly stores?: StoreLocation
  /** Absolute folder of the actor's own files. */
  readonly files?: string
  /** Device keys that may certify peers. */
  readonly devices: readonly TrustedDevice[]
  /** Actor names, and runtime types, that only an OOD may certify. */
  readonly kernelActors: readonly string[]
  readonly kernelRuntimeTypes: readonly string[]
  /** Tell of every call served. */
  readonly spans: boolean
  /** Carries links to other hosts. */
  readonly carries?: boolean
}

/** What an actor is handed when it starts to run. */
export interface Given {
  /** The documented ENV of the actor. */
  readonly env: Readonly<Record<string, string>>
  /** Key material that this actor alone is given; never inspected, traced or logged. */
  readonly secrets: Readonly<Record<string, string>>
}

/** A host whose device document this host has checked. */
export interface TrustedDevice {
  readonly host: string
  readonly role: 'ood' | 'node'
  readonly jwk: PublicJwk
}

export interface Introduction {
  readonly role: 'initiator' | 'responder'
  /** Protocol spoken on the link: the responder serves it. */
  readonly protocol: string
  readonly peer: { readonly host: string; readonly actor: string; readonly incarnation: number }
  /** The actor's own link certificate, fresh from its host. */
  readonly certificate: string
  readonly minimum: 'mac' | 'sealed'
  /** The channel leads out of this process: its frames are bytes. */
  readonly carried?: boolean
}

export interface Inspection {
  readonly actor: string
  /** Whose counters these are: a new incarnation counts from nothing. */
  readonly incarnation: number
  readonly state: 'loaded' | 'serving' | 'stopping' | 'stopped'
  readonly waiting: number
  readonly running: number
  readonly links: number
  readonly deadLetters: number
  readonly framesRejected: number
  readonly handshakesRefused: number
  /** Of `ActorStart.count`. */
  readonly counters: Readonly<Record<string, number>>
  /** Of `ActorStart.gauge`. */
  readonly gauges: Readonly<Record<string, number>>
  /** Of a carrier, and of the supervisor: open to other hosts, from them, and from them on their way. */
  readonly channels?: { readonly carried: number; readonly accepted: number; readonly waiting: number }
}
