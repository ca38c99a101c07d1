import type { Introduction } from './worker.ts'

/** An actor of another host, as a host reaches it. What carries the link is its own business. */
export interface RemoteActor {
  /**
   * A channel to its present incarnation, which was told to expect this caller. Both ends are sealed: what carries the
   * channel reads and alters nothing.
   * @throws Unavailable while none serves
   */
  open(caller: Introduction['peer']): Promise<RemoteChannel>
}

export interface RemoteChannel {
  readonly end: unknown
  /** That the caller must find at the other end. */
  readonly host: string
  readonly incarnation: number
  /** The channel leads out of this process: its frames are bytes. */
  readonly carried: boolean
  /** Settles when that incarnation has ended, or its host, or the way there; true: it was told that it has ended. */
  readonly gone: Promise<boolean | void>
  /** The caller has died without a word. */
  release(): void
}
