import type { Peer } from '../actor.ts'
import type { ZonewrightError } from '../errors.ts'
import type { ChannelKind } from '../platform/ports.ts'
import type { Suite } from '../protocol.ts'

/** Anything JSON whose first element is a number; rpc.ts says what the messages are. */
export type Message = readonly unknown[]

export type Base = 'mac' | 'sealed'

/**
 * An authenticated, ordered connection between two actors. Its base protection is `mac` or `sealed`; a frame that holds
 * a message sent with `signed` is signed as well, and its receiver is told so.
 */
export interface Link {
  readonly peer: Peer
  readonly base: Base
  readonly channel: ChannelKind
  /** SHA-256 of the handshake, base64url: names this link in traces. */
  readonly transcript: string
  /**
   * Takes the message as it is now; all that is queued when the flush comes leaves in one frame. Never throws: returns
   * InvalidArgument or LimitExceeded for a message that cannot be sent, and is silent on a closed link.
   */
  send(message: Message, signed?: boolean): ZonewrightError | undefined
  /** As `send`, of a message that the caller has made into JSON, no longer than `limits.message` save its head. */
  sendText(text: string): void
  /** Called once. Messages arrive in order; after `onClose` none does. */
  receive(onMessage: (message: Message, signed: boolean) => void, onClose: (error: ZonewrightError) => void): void
  /** Tells the peer `error` in an authenticated frame after all that is queued, then closes. Runs `onClose` too. */
  close(error: ZonewrightError): void
}

/** Weaker to stronger. */
export const satisfies = (base: Base, signed: boolean, least: Suite): boolean =>
  least === 'mac' || (least === 'sealed' ? base === 'sealed' : signed)
