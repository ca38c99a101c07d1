import type { Channel } from '../runtime/platform/ports.ts'

/**
 * A channel carries frames in order between two ends, and promises nothing about who is at the other one: that is a
 * link's business. Three methods; `test/compliance/transport.ts` holds every kind to what they say.
 *
 * * `send` never throws and never waits. After close it does nothing. A frame is not to be changed after it was sent.
 * * `receive` is called once. What arrived before waits for it. Frames come in the order in which they were sent,
 *   whole, and none twice. `onClose` runs at most once, after the last frame.
 * * `close` may be called by either end, and twice. What was sent before it still
 *   arrives, unless the other end closed as well; both ends see the close.
 */
export type { Channel, ChannelKind, Frame } from '../runtime/platform/ports.ts'

/** A channel that tells a sender who can wait when to. */
export interface PacedChannel extends Channel {
  /** Bytes that were sent and have not left yet. */
  readonly unsent: number
  /** So many are under way that whoever can wait should, until `onDrained` runs. */
  readonly full: boolean
  /** Set once. */
  onDrained(listener: () => void): void
}
