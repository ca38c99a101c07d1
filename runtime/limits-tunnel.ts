/** Of `limits`: what bounds a connection between hosts, and the streams on it. */
export const tunnelLimits = {
  /** Bytes of one frame on a TLS connection; a longer one closes the channel, at the sender as at the receiver. */
  tlsFrameBytes: 128 * 1_024,
  /** Bytes that wait for a flush; then they leave at once. */
  tlsFillBytes: 64 * 1_024,
  /** Bytes under way on a TLS connection from which its senders wait, if they can. */
  tlsUnsentBytes: 256 * 1_024,
  /** Bytes that a TLS connection holds for a peer that does not read; with more it is closed. */
  tlsUnsentBytesMax: 8 * 1_024 * 1_024,
  /** Milliseconds until both ends have said who they are; then the tunnel is closed. */
  tunnelHelloMs: 10_000,
  /** Milliseconds without a message after which a tunnel asks for one, and after which it is closed. */
  tunnelPingMs: 5_000,
  tunnelSilenceMs: 15_000,
  /** Streams of one tunnel, both ways; one more is refused with Overloaded. */
  tunnelStreams: 4_096,
  /** Of these, that wait here for their yes or no; one more is refused with Overloaded. */
  tunnelOpening: 128,
  /** Milliseconds for that yes or no; then DeadlineExceeded. */
  tunnelOpenMs: 10_000,
  /** Bytes of the other end's that one stream may have unread here; the end that sends more is cut off. */
  tunnelWindowBytes: 256 * 1_024,
  /** What the other end may say of its own; anything else is no window. */
  tunnelWindowBytesMin: 4 * 1_024,
  tunnelWindowBytesMax: 16 * 1_024 * 1_024,
  /** Bytes of one piece of a frame: how long the others wait for a stream. */
  tunnelPieceBytes: 16 * 1_024,
  /** Bytes that one stream, and all of a tunnel, hold for an end that does not read; the one with most is closed. */
  tunnelBacklogBytes: 32 * 1_024 * 1_024,
  tunnelBacklogsBytes: 64 * 1_024 * 1_024,
  /** Bytes of frames that are not whole, or that nobody reads, on one tunnel; the stream with most is closed. */
  tunnelUnreadBytes: 64 * 1_024 * 1_024,
  /** Milliseconds that a closed stream has to send what it was given; then the rest is dropped. */
  tunnelLingerMs: 10_000,
  /** Characters of one control message; a longer one closes the tunnel. */
  tunnelMessage: 65_536,
  /** Characters of one document that is told; the tunnel that brings a longer one is closed. */
  tunnelDocument: 1_024 * 1_024,
  /** Certificates of one chain that is told in a renewal, and characters of each as base64url. */
  tunnelChain: 4,
  tunnelCertificate: 8_192,
  /** Milliseconds for the answer to a renewal; then DeadlineExceeded. */
  tunnelRenewMs: 10_000,
} as const
