import type { PublicJwk, SigningKey, VerifyKey } from './platform/ports.ts'

/**
 * What the supervisor may ask of a worker. On threads Comlink carries it; in simulation it is called directly.
 * One worker hosts one or several actors, each named in every call.
 */
export interface WorkerControl {
  /** Loads the actor's module and makes its link key. The private half never leaves the worker. */
  load(start: StartMessage): Promise<{ readonly linkKey: PublicJwk }>
  /** Installs the certificate of the link key, then runs the actor's start function; settles when it serves. */
  run(actor: string, certificate: string): Promise<void>
  /** Hands over one end of a channel to a peer. */
  introduce(actor: string, introduction: Introduction, end: unknown): Promise<void>
  inspect(): Promise<readonly Inspection[]>
  /** Heartbeat. */
  beat(): Promise<number>
  /** Serves what it has accepted, for at most `withinMs`, then runs the actor's stop. */
  stop(actor: string, withinMs: number): Promise<void>
}

export interface StartMessage {
  readonly zone: string
  readonly host: string
  readonly actor: string
  readonly runtimeType: string
  readonly incarnation: number
  /** Absolute URL of the module whose default export is the actor. */
  readonly module: string
  /** The documented ENV of the actor. */
  readonly env: Readonly<Record<string, string>>
  /** Key material that this actor alone is given; never inspected, traced or logged. */
  readonly secrets: Readonly<Record<string, string>>
  /** Absolute folder of the embedded stores. */
  readonly stores: string
  /** Device keys that may certify peers. */
  readonly devices: readonly TrustedDevice[]
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
  readonly minimum: 'mac' | 'sealed'
}

export interface Inspection {
  readonly actor: string
  readonly state: 'loaded' | 'serving' | 'stopping' | 'stopped'
  readonly waiting: number
  readonly running: number
  readonly links: number
  readonly deadLetters: number
  readonly framesRejected: number
}

/** The link key of one incarnation with the certificate that its host signed. */
export interface LinkCredential {
  readonly key: SigningKey
  readonly certificate: string
}

export interface DeviceTrust {
  readonly role: 'ood' | 'node'
  readonly key: VerifyKey
}
