import type { Channel } from './platform/ports.ts'
import type { Introduction } from './worker.ts'

/**
 * Links between hosts that are not in one process. An actor of the host carries them, in its own worker: its supervisor
 * hands it ends of channels, and gives it ends of channels to actors of this host. What carries a link is trusted with
 * nothing: both ends are sealed, and each checks by certificates of the two hosts who is at the other one.
 */

/** Whom a caller of this host needs elsewhere. */
export interface Wanted {
  readonly protocol: string
  /** On that host and no other; without it, wherever it serves. */
  readonly host?: string
  readonly caller: Introduction['peer']
}

/** Whom the caller must find at the other end. */
export interface Granted {
  readonly host: string
  readonly incarnation: number
}

export interface Carried extends Granted {
  /** Settles when that incarnation has ended, or nothing reaches it any more. */
  readonly gone: Promise<void>
}

/** What an actor of another host is given here. */
export interface Accepted {
  readonly channel: Channel
  readonly incarnation: number
  /** Settles when this incarnation has ended. */
  readonly gone: Promise<void>
  /** The caller has ended without a word. */
  release(): void
}

/** What an actor gives its supervisor (`ActorStart.carry`), of a spec with `carries`. */
export interface Carrier {
  /** Joins the channel to that actor; settles when its host has said yes. @throws Unavailable, Denied, NotFound */
  open(wanted: Wanted, channel: Channel): Promise<Carried>
}

/** What a carrier gets of its supervisor (`ActorStart.accept`). @throws Unavailable while the actor does not serve */
export type Accept = (protocol: string, caller: Introduction['peer']) => Promise<Accepted>
