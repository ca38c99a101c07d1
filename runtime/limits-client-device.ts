/** Of `limits`: what bounds client devices, and the streams of bytes that they open. */
export const clientDeviceLimits = {
  /** Bytes under way on a TCP connection from which its senders wait, if they can. More than a runtime's own mark. */
  tcpUnsentBytes: 256 * 1_024,
  /** Milliseconds for a connection to a service on its host; then DeadlineExceeded. */
  httpStreamConnectMs: 5_000,
  /** Streams of bytes that one client device has open; one more is refused with Overloaded. */
  deviceStreams: 512,
  /** Local connections that are forwarded at once; one more is closed. */
  forwardedConnections: 256,
  /** Milliseconds that a stream waits for a tunnel while there is none; then Unavailable. */
  deviceWaitMs: 10_000,
} as const
