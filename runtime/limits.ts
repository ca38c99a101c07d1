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
  /** Frames that wait in a channel that nobody reads; one more closes it. */
  channelBacklog: 10_000,
  /** Characters of one message in a frame; a larger one fails that call with LimitExceeded. */
  message: 4 * 1024 * 1024,
  /** Characters that wait for a flush; then they leave at once. */
  frameFill: 256 * 1024,
  /** Messages that wait for a flush; then they leave at once. A frame with more is rejected. */
  batch: 1_024,
  /** Stream items the receiver lets the sender have under way. */
  streamCredit: 256,
  /** Open streams on one link; one more fails with Overloaded. */
  streams: 10_000,
  /** Messages of one frame; more are divided into several, so that the peer works on one while the next is made. */
  share: 48,
  /** Characters of one link certificate, and of one handshake message; longer ones are HandshakeFailed. */
  certificate: 4_096,
  handshake: 16_384,
  /** Life of a link certificate; each introduction brings a fresh one. */
  linkCertificateMs: 10 * 60_000,
  /** Frames kept for a link that nobody reads yet; one more closes it with FrameRejected. */
  unreadFrames: 64,
  /** Milliseconds for a handshake; then HandshakeFailed. */
  handshakeMs: 10_000,
  /** Tokens bound on one link; one more unbinds the least recently used. */
  boundTokens: 1_024,
  /** Characters of one token; a longer one is Denied. */
  token: 8_192,
  /** Characters of one signed document; a longer one is refused. */
  document: 65_536,
  /** Used tokens forgotten in one step, once as many have expired. */
  burnSweep: 32,
  /** Events a watcher may lag behind; then its watch ends with WatchOverrun. */
  watchBacklog: 100_000,
  /** Revisions of history a store keeps for watches; older ones answer Compacted. */
  watchHistory: 100_000,
  /** Bytes of that history; a store forgets the oldest revisions first. */
  watchHistoryBytes: 8 * 1024 * 1024,
  /** Bytes of one key and of one value; larger ones are InvalidArgument. */
  keyBytes: 1_024,
  valueBytes: 1024 * 1024,
  /** Operations in one transaction; more are InvalidArgument. */
  transactionOperations: 1_024,
  /** Bytes of all keys and values of a store that is held in memory; a write beyond fails with LimitExceeded. */
  storeBytes: 256 * 1024 * 1024,
  /** Writes that wait for one store's disk; one more fails with Overloaded. */
  storePending: 10_000,
  /** Milliseconds that a call to etcd may take, with its retries; then Unavailable. */
  storeCallMs: 5_000,
  /** Entries that a list asks etcd for at once; the rest follows at the same revision. */
  storePage: 256,
  /** Live leases of one store; one more fails with Overloaded. */
  leases: 10_000,
  /** Milliseconds of the longest lease (what a timer can hold); a longer one is InvalidArgument. */
  leaseMs: 2_147_483_647,
  /** Bytes that an embedded store's log may hold beside its contents; then it is written anew. */
  storeLogBytes: 8 * 1024 * 1024,
  /** Milliseconds between heartbeats, and how long a worker may stay silent before it is restarted. */
  heartbeatMs: 1_000,
  heartbeatSilenceMs: 10_000,
  /** Restarts in the window; one more stops the actor and what needs it (RestartLimit). */
  restarts: 5,
  restartWindowMs: 60_000,
  restartBackoffMsMin: 50,
  restartBackoffMsMax: 5_000,
  /** Documented steps that a supervisor keeps; later ones are only told on its trace. */
  steps: 10_000,
  /** Milliseconds an actor may take to start, and to stop before its worker is terminated. */
  startMs: 30_000,
  stopMs: 5_000,
  /** Heap of one worker; more ends it (not enforced by every runtime: see SECURITY.md). */
  workerHeapMb: 512,
  /** Denials kept for `explain`; older ones are forgotten. */
  denials: 1_000,
  /** Milliseconds between rounds of the scheduler when nothing changes; before it tries again, doubled each time. */
  schedulerRoundMs: 30_000,
  schedulerRetryMs: 100,
  /** Milliseconds before the node daemon tries again, doubled up to those between its rounds when nothing changes. */
  convergeRetryMs: 500,
  convergeRoundMs: 30_000,
  /** Milliseconds that the gateway waits for an actor; then it answers 503. */
  gatewayCallMs: 5_000,
  /** Milliseconds that running requests get when the gateway stops. */
  httpCloseMs: 2_000,
  /** HTTP connections of one server at a time; one more is closed. */
  httpConnections: 1_024,
  /** HTTP request body, and time from a request to its answer; more is answered 413, 408 or 503, or cut. */
  httpBodyBytes: 1024 * 1024,
  httpRequestMs: 30_000,
  /** Milliseconds for which a service keeps its verdict about a session; then it looks at the token again. */
  sessionVerdictMs: 5_000,
  /** Live sessions of one subject in one app; one more ends the oldest. */
  sessionsPerApp: 16,
  /** Milliseconds between sweeps of what expired, and records one sweep takes; the rest waits for the next. */
  sessionSweepMs: 60_000,
  sessionSweep: 1_000,
  /** Milliseconds in which a holder without a key may repeat a refresh; it ends when the successor is first used. */
  keylessRefreshMs: 10_000,
  /** Attempts of one transaction that others race; then Overloaded. */
  storeRaces: 16,
  /** Device documents whose signature was checked and is remembered; the oldest is forgotten. */
  deviceDocuments: 1_024,
  /** Records of kv:// that verify-hub remembers parsed; the oldest is forgotten. */
  recordsRemembered: 4_096,
  /** Bytes of a password; a longer one is InvalidPassword. */
  passwordBytes: 1_024,
  /** Milliseconds between attempts to log in or to refresh, doubled each time up to the maximum. */
  loginRetryMsMin: 100,
  loginRetryMsMax: 15_000,
  /** Attempts of one configuration write that others race on the same keys; then Overloaded. */
  writeAttempts: 1_000,
  /** Segments of one JSON path; a longer one is InvalidPath. */
  jsonPathSegments: 32,
  /** Prefixes of one dump; more are InvalidArgument. */
  dumpPrefixes: 64,
  /** Lines of the access policy; a longer one is refused. */
  policyLines: 20_000,
  /** Paths that one principal was allowed to read, or to write, and that are remembered; the oldest is decided anew. */
  accessDecisions: 256,
  /** Versions kept of one vault secret; a put drops the oldest. */
  vaultSecretVersions: 10,
  /** Characters of a vault secret's path; a longer one is InvalidArgument. */
  vaultSecretPath: 512,
  /** Grants of one vault key that are remembered, to answer each incarnation once; the oldest is forgotten. */
  vaultGrants: 64,
  /** Attempts at a vault transaction that others overtake; then Overloaded. */
  vaultTransactionAttempts: 16,
  /** Counters of one actor; what more names would count is not counted. */
  counters: 256,
  /** Lines of log kept in memory for who asks; older ones are in the files only. */
  logLinesKept: 10_000,
  /** Characters of one line of log; a longer one is cut, that of a process divided. */
  logLine: 8_192,
  /** Milliseconds between looks at a process's health, until it must be healthy first, and without an answer. */
  healthMs: 1_000,
  healthStartMs: 15_000,
  healthAnswerMs: 2_000,
  /** Milliseconds for one attempt of a proof, and for its preparation; then it is neither allowed nor refused. */
  proofMs: 20_000,
  /** Events that may wait in a simulation, and frames for an end that nobody has opened; one more fails the run. */
  simulatedEvents: 1_000_000,
  simulatedBacklog: 100_000,
} as const
