import { defineError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock, Keys, Random } from '../../runtime/platform/ports.ts'
import {
  array, integer, literal, maxLength, maxValue, minLength, minValue, number, object, optional, picklist, pipe, string,
  variant, type Infer,
} from '../../runtime/protocol.ts'
import type { Channel, PacedChannel } from '../channel.ts'

/**
 * A tunnel carries many streams over one channel between two hosts. Each stream is a channel of its own (kind
 * `tunnel`) with credit of its own, so that one whose reader is slow holds up no other. Who may open what is for the
 * two ends: the tunnel itself trusts its peer with nothing.
 */

/** The other end spoke out of turn, or no such language; the tunnel is closed. `details.reason` says what it did. */
export const TunnelViolation = defineError('TunnelViolation')
/** A next certificate that is not of the same host, not signed by its key, or that the other end does not take. */
export const RenewalRefused = defineError('RenewalRefused')

const text = (charactersMax: number) => pipe(string(), minLength(1), maxLength(charactersMax))
const name = text(255)
const count = pipe(number(), integer(), minValue(0), maxValue(Number.MAX_SAFE_INTEGER))

/** For whom a stream is led on, by the host that leads it on: see `By`. */
const by = pipe(array(name), minLength(1), maxLength(2))

/** A link between two actors: to `protocol`, on `host` and no other if it is there. */
export const LinkRequest = object({
  type: literal('link'),
  protocol: name,
  host: optional(name),
  caller: object({ host: name, actor: name, incarnation: count }),
  by: optional(by),
})
/** Bytes to and from a service's HTTP port, for a client device; from host to host with where that is. */
export const HttpRequest = object({
  type: literal('http'), service: name, host: optional(name),
  port: optional(pipe(number(), integer(), minValue(1), maxValue(65_535))),
  by: optional(by),
})

/** What a stream is to lead to. */
export const StreamRequest = variant('type', [LinkRequest, HttpRequest])
export type StreamRequest = Infer<typeof StreamRequest>

/** Whom it has led to. `incarnation` is 0 for `http`. */
export const StreamGranted = object({ host: name, incarnation: count })
export type StreamGranted = Infer<typeof StreamGranted>

/** What each end says of itself first. Whether it is so is for the certificate of the connection to say. */
export const Greeting = object({
  zone: name,
  host: name,
  /** 32 bytes as base64url: of this tunnel alone. */
  nonce: pipe(string(), minLength(43), maxLength(43)),
  /** Bytes of each stream that the other end may send before it is given credit. */
  window: pipe(number(), integer(), minValue(limits.tunnelWindowBytesMin), maxValue(limits.tunnelWindowBytesMax)),
})
export type Greeting = Infer<typeof Greeting>

/** Signed documents that one end passes to the other; the latest of a kind counts. Whoever gets one verifies it. */
export const TellKind = picklist(['roots', 'revocation-lists', 'hosts'])
export type TellKind = Infer<typeof TellKind>

/** Certificates by DER: that of the host first, then those between it and the root. */
export type Chain = readonly Uint8Array[]

/** An end of a stream. */
export interface StreamChannel extends PacedChannel {
  /** While it is held no frame is delivered, and once its window is full the other end may send no more. */
  hold(held: boolean): void
}

export interface OpenedStream {
  /** To be received from at once. */
  readonly channel: StreamChannel
  readonly granted: StreamGranted
}

/** An answer to a request: what the stream is joined to, here. */
export interface AcceptedStream {
  readonly granted: StreamGranted
  readonly channel: Channel
  /** Runs once, when the stream is over. */
  release(): void
}

/** The next certificate of this end, and a signature of `statement` by its key. */
export interface NextCertificate {
  readonly chain: Chain
  sign(statement: Uint8Array): Uint8Array
}

export interface TunnelEnd {
  /** What the other end said of itself. */
  readonly peer: Greeting
  /** That are open or opening, both ways. */
  readonly streams: number
  /** Bytes that are kept for readers of this end, and for an end that gives no credit. */
  readonly held: number
  /**
   * Settles when the other end has said yes or no; an aborted `signal` takes it back.
   * @throws what the other end threw, Overloaded, Unavailable once the tunnel is closed, DeadlineExceeded, Cancelled
   */
  open(request: StreamRequest, signal?: AbortSignal): Promise<OpenedStream>
  /** Passes a document on, if the tunnel lasts; one that is under way gives way to a later one of its kind. */
  tell(kind: TellKind, document: string): void
  /**
   * From now on this end is who that certificate names: the same host as before. One at a time.
   * @throws RenewalRefused, or what `onRenew` of the other end threw, Unavailable, DeadlineExceeded
   */
  renew(next: NextCertificate): Promise<void>
  /** All streams close with it. */
  close(reason: string): void
  /** Settles with the reason. */
  readonly closed: Promise<string>
}

export interface TunnelOptions {
  readonly channel: Channel & Partial<PacedChannel>
  readonly role: 'dialer' | 'listener'
  readonly clock: Clock
  readonly random: Random
  readonly hello: Pick<Greeting, 'zone' | 'host'>
  /**
   * DER, as the connection had them; of a tunnel without, no certificate can be renewed. When that of the peer has
   * ended and no other came in its place, the tunnel closes.
   */
  readonly certificates?: { readonly own: Uint8Array; readonly peer: Uint8Array; readonly keys: Keys }
  /** Whether there is to be a tunnel with that peer. What it throws is told to the peer: refused. */
  onHello(peer: Greeting): Promise<void>
  /**
   * Of a stream that the peer wants. What it throws is told to the peer. `signal`: the peer takes it back. This and the
   * next two may run before whoever opened the tunnel was told that it is open.
   */
  onOpen(request: StreamRequest, signal: AbortSignal): Promise<AcceptedStream>
  /** One of a kind at a time: a later one waits, in place of one that waits already. Nobody hears what it throws. */
  onTell(kind: TellKind, document: string): Promise<void>
  /**
   * The peer's next certificate, whose key has signed for this tunnel, of the same names as its last one. That it ends
   * at a root and is not revoked is to be checked. What it throws is told to the peer, and the last one counts on.
   */
  onRenew(chain: Chain): Promise<void>
}

/**
 * `openTunnel` of `tunnel.ts`: settles when both ends have said who they are; the channel is closed when it fails.
 * @throws what `onHello` of either end threw, TunnelViolation, DeadlineExceeded, Unavailable
 */
export type OpenTunnel = (options: TunnelOptions) => Promise<TunnelEnd>
