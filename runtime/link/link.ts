import type { Peer } from '../actor.ts'
import type { ZonewrightError } from '../errors.ts'
import type { Suite } from '../protocol.ts'

/** Anything JSON; rpc.ts and stream.ts say what the messages are. */
export type Message = readonly unknown[]

/**
 * An authenticated, ordered connection between two actors. Its base protection is `mac` or `sealed`; a frame that holds
 * a message sent with `signed` is signed as well, and its receiver is told so.
 */
export interface Link {
  readonly peer: Peer
  readonly base: 'mac' | 'sealed'
  /** SHA-256 of the handshake, base64url: names this link in traces. */
  readonly transcript: string
  /** Queues; all that is queued when the flush comes leaves in one frame. Never throws. */
  send(message: Message, signed?: boolean): void
  /** Called once. Messages arrive in order; after `onClose` none does. */
  receive(onMessage: (message: Message, signed: boolean) => void, onClose: (error: ZonewrightError) => void): void
  close(error: ZonewrightError): void
}

/** Weaker to stronger. */
export const satisfies = (base: 'mac' | 'sealed', signed: boolean, least: Suite): boolean =>
  least === 'mac' || (least === 'sealed' ? base === 'sealed' : signed)
