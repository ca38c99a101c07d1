import type { Frame } from '../channel.ts'
import type { Kind } from './held.ts'
import type { Source } from './outbox.ts'
import type { Stream } from './stream.ts'

/** What a stream needs of its tunnel. */
export interface StreamGround {
  /** Bytes that the other end may send to a stream before it is given credit, and this end. */
  readonly window: number
  readonly peerWindow: number
  send(message: Frame): void
  /** It has something to send. */
  ready(source: Source): void
  soon(task: () => void): void
  /** So many bytes more that it holds of this tunnel's, or fewer. */
  hold(stream: Stream, kind: Kind, bytes: number): void
  /** Ends streams while there are too many: this one, it may be. */
  relieve(): void
  /** This end has closed and still has to send. */
  lingers(stream: Stream): void
  /** Says so to the other end. */
  close(stream: Stream, reason: string): void
}
