/** Every queue, table and loop has its limit here. Each says what happens when it is hit. */
export const limits = {
  /** Calls that wait for one actor; one more fails with Overloaded. */
  mailbox: 1_000,
  /** Calls in flight on one link, per direction; one more fails with Overloaded at the caller. */
  inFlight: 4_096,
  /** Milliseconds a call may take when the caller does not say. Then DeadlineExceeded. */
  callMs: 15_000,
  /** Characters (port) or bytes (elsewhere) of one frame; a larger one closes the link with FrameRejected. */
  frame: 16 * 1024 * 1024,
  /** Characters of one message in a frame; a larger one fails that call with LimitExceeded. */
  message: 4 * 1024 * 1024,
  /** Messages in one frame; the rest waits for the next. */
  batch: 1_024,
  /** Stream items the receiver lets the sender have under way. */
  streamCredit: 256,
  /** Open streams on one link; one more fails with Overloaded. */
  streams: 10_000,
  /** Milliseconds for a handshake; then HandshakeFailed. */
  handshakeMs: 10_000,
  /** Tokens bound on one link; one more unbinds the least recently used. */
  boundTokens: 1_024,
  /** Characters of one token; a longer one is Denied. */
  token: 8_192,
  /** Events a watcher may lag behind; then its watch ends with WatchOverrun. */
  watchBacklog: 100_000,
  /** Revisions of history a store keeps for watches; older ones answer Compacted. */
  watchHistory: 100_000,
  /** Bytes of one key and of one value; larger ones are InvalidArgument. */
  keyBytes: 1_024,
  valueBytes: 1024 * 1024,
  /** Operations in one transaction; more are InvalidArgument. */
  transactionOperations: 1_024,
  /** Milliseconds between heartbeats, and how long a worker may stay silent before it is restarted. */
  heartbeatMs: 1_000,
  heartbeatSilenceMs: 10_000,
  /** Restarts in the window; one more stops the actor and what needs it (RestartLimit). */
  restarts: 5,
  restartWindowMs: 60_000,
  restartBackoffMsMin: 50,
  restartBackoffMsMax: 5_000,
  /** Milliseconds an actor may take to start, and to stop before its worker is terminated. */
  startMs: 30_000,
  stopMs: 5_000,
  /** Heap of one worker; more ends it (not enforced by every runtime: see SECURITY.md). */
  workerHeapMb: 512,
  /** Denials kept for `explain`; older ones are forgotten. */
  denials: 1_000,
  /** HTTP request body, request time and header time; more is answered 413 or cut. */
  httpBodyBytes: 1024 * 1024,
  httpRequestMs: 30_000,
} as const
