import { actorLimits } from './limits-actors.ts'
import { edgeLimits } from './limits-edge.ts'
import { clientDeviceLimits } from './limits-client-device.ts'
import { carrierLimits } from './limits-carrier.ts'
import { serviceLimits } from './limits-services.ts'
import { spanLimits } from './limits-span.ts'
import { etcdLimits } from './limits-etcd.ts'
import { leadingLimits } from './limits-leading.ts'
import { joinLimits } from './limits-join.ts'
import { joinOodLimits } from './limits-join-ood.ts'
import { registrationLimits } from './limits-registration.ts'
import { relayLimits } from './limits-relay.ts'
import { wayLimits } from './limits-ways.ts'
import { vaultHttpLimits } from './limits-vault-http.ts'
import { pkiLimits } from './limits-pki.ts'
import { certificateLimits } from './limits-certificates.ts'
import { moveLimits } from './limits-move.ts'
import { uplinkLimits } from './limits-uplink.ts'
import { scaleLimits } from './limits-scale.ts'
import { tunnelLimits } from './limits-tunnel.ts'
import { placementLimits } from './limits-placement.ts'

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
  /** Seconds for which a used token is remembered beyond its end: a clock set back by less refuses no new token. */
  usedTokenSeconds: 86_400,
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
  /** Milliseconds until the end of a lease that a full disk did not take is written again. */
  leaseEndMs: 1_000,
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
  /** Heap of one worker; more ends it: at once on Node, after so many heartbeats on Deno, if it answers any. */
  workerHeapMb: 512,
  workerHeapBeats: 3,
  /** Denials kept for `explain`; older ones are forgotten. */
  denials: 1_000,
  ...actorLimits,
  ...carrierLimits,
  ...serviceLimits,
  ...etcdLimits,
  ...leadingLimits,
  ...joinLimits,
  ...joinOodLimits,
  ...registrationLimits,
  ...vaultHttpLimits,
  ...pkiLimits,
  ...certificateLimits,
  ...moveLimits,
  ...uplinkLimits,
  ...tunnelLimits,
  ...clientDeviceLimits,
  ...placementLimits,
  ...relayLimits,
  ...wayLimits,
  ...spanLimits,
  ...edgeLimits,
  ...scaleLimits,
  /** Milliseconds that the command line waits for an answer, and for a head of lines; then DeadlineExceeded. */
  clientCallMs: 30_000,
  /** Bytes of one answer, and of one line of a stream, that the command line reads; more is LimitExceeded. */
  clientAnswerBytes: 64 * 1024 * 1024,
  /** Milliseconds without a line or a heartbeat, after which the command line opens a stream anew. */
  clientSilenceMs: 45_000,
  /** Milliseconds for which the command line tries to reach a zone again that went away; then ZoneNotRunning. */
  clientReconnectMs: 120_000,
  /** Milliseconds between two such attempts, and between two looks at what it waits for. */
  clientRetryMs: 300,
  /** Milliseconds that a command waits for others of the same user to refresh the session; then FolderInUse. */
  clientLockMs: 20_000,
  /** Sessions that the command line collects into one list; more is LimitExceeded. */
  clientSessions: 100_000,
  /** Certificates that the command line collects into one list; more is LimitExceeded. */
  clientCertificates: 200_000,
  /** Milliseconds that the shell waits for names to complete; then it offers none. */
  completionMs: 1_500,
  /** Milliseconds before a link that closed is made anew, doubled from failure to failure up to the maximum. */
  relinkMsMin: 50,
  relinkMsMax: 2_000,
  /** Nodes of a cluster on one host that start at the same time; the others wait. */
  nodesAtOnce: 4,
  /** Files of one backup, and bytes of its manifest; a backup with more is refused when it is made or read. */
  backupFiles: 20_000,
  backupManifestBytes: 8 * 1024 * 1024,
  /** Bytes of one file in a backup that is no store, of all of them, and of one store's log; more is refused. */
  backupFileBytes: 1024 * 1024,
  backupFilesBytes: 64 * 1024 * 1024,
  backupLogBytes: 2 * 1024 * 1024 * 1024,
  /** Milliseconds between two lines that tell how far a long backup or restore is. */
  backupProgressMs: 2_000,
  /** Bytes of one log file; a fuller one is put aside, and of those that were put aside the oldest is removed. */
  logFileBytes: 8 * 1024 * 1024,
  logFiles: 5,
  /** Bytes of log that wait for the disk; lines beyond are dropped, counted, and told of when the disk is back. */
  logPendingBytes: 4 * 1024 * 1024,
  /** Milliseconds before a log file that could not be written is tried again, and that it gets when the zone stops. */
  logRetryMs: 1_000,
  logCloseMs: 2_000,
  /** Readers that follow the log at once; one more fails with Overloaded. */
  logFollowers: 64,
  /** Secrets that are looked for in what is told; one more, and the oldest is known by its form only. */
  concealed: 256,
  /** Series of one metric, and metrics that counters of actors make; more are not shown, and counted. */
  metricSeries: 10_000,
  metricNames: 256,
  /** Milliseconds that metrics wait for the actors' own figures; then the last ones are shown. */
  inspectMs: 2_000,
  /** Milliseconds between looks at how late this process's timers are. */
  lagMs: 500,
  /** Spans that a worker keeps until its turn ends; with more they leave at once. */
  spanBatch: 256,
  /** Spans that wait for the collector, and go to it at once; with more waiting, later ones are dropped and counted. */
  otlpPending: 8_192,
  otlpBatch: 512,
  /** Milliseconds until a batch goes that is not full, and for the collector's answer. */
  otlpDelayMs: 1_000,
  otlpAnswerMs: 10_000,
  /** Milliseconds before a batch is sent again, doubled up to the maximum, and how often; then it is dropped. */
  otlpRetryMsMin: 1_000,
  otlpRetryMsMax: 30_000,
  otlpAttempts: 8,
  /** Milliseconds that a collector may ask us to wait; a longer time is taken for this one. */
  otlpRetryAfterMsMax: 300_000,
  /** Milliseconds that the last spans get when the zone stops; then they are dropped. */
  otlpCloseMs: 2_000,
  /** HTTP requests of one server that are not answered yet, and of one connection; one more is answered 503. */
  httpRequests: 1_024,
  httpPipelined: 16,
  /** Bytes of request bodies that one server holds; a request that would bring more is answered 503. */
  httpBodiesBytes: 64 * 1024 * 1024,
  /** Bytes of the answer to a request of our own, but for one of lines, which has no end; a longer one is cut. */
  httpAnswerBytes: 64 * 1024 * 1024,
  /** Bytes of a body and characters of a header that the gateway hands on to an actor; more is answered 413 or 431. */
  httpHandedBody: 32 * 1024,
  httpHandedHeader: 8_448,
  /** Parameters of one OAuth request; more are refused. */
  oauthParameters: 32,
  /** Levels of JSON in a kRPC request; a deeper one is refused. */
  krpcDepth: 64,
  /** Sign-ins that wait to be fetched by the app's host, and for how long; the oldest is ended as if nobody came. */
  signInCodes: 1_000,
  signInCodeMs: 60_000,
  /** Milliseconds from a page of an app to the sign-in page and back; then people begin anew. */
  signInMs: 600_000,
  /** Bytes of a filled-in sign-in page; more is answered 413. */
  signInBytes: 16 * 1024,
  /** Requests that a gateway hands on to services at once; one more is answered 503. */
  forwards: 512,
  /** Milliseconds until a service begins to answer, then 504, and between two pieces of its answer, then it is cut. */
  forwardMs: 25_000,
  forwardSilenceMs: 60_000,
  /** kRPC streams of one gateway; one more is answered 503. */
  krpcStreams: 256,
  /** Milliseconds without an item after which a kRPC stream sends a blank line. */
  krpcHeartbeatMs: 15_000,
  /** Password logins by kRPC that run and that wait, since each costs a slow hash; one more fails with Overloaded. */
  krpcPasswords: 4,
  krpcPasswordsWaiting: 12,
  /** Items of all streams of one link that are gathered for a frame; then they leave at once. */
  streamBatch: 8_192,
  /** Milliseconds between looks at a process that has not been healthy yet; misses in a row of one that serves, then it
   * is restarted. */
  healthFirstMs: 100,
  healthMisses: 3,
  /** Milliseconds that a process without a health page must run to be taken for serving. */
  processSettleMs: 250,
  /** Milliseconds that a process waits for the address of the zone's gateway; then it starts without. */
  processAddressMs: 10_000,
  /** Milliseconds for killed processes to be gone; what is left then is told in the log. */
  processEndMs: 5_000,
  /** Lines that one process may write a second; more are dropped, and their number is told. */
  processLines: 1_000,
  /** Bytes of output that are read of one process a second; then it waits as it writes. */
  processOutputBytes: 16 * 1024 * 1024,
  /** Services that are processes which one host knows; the oldest that is stopped is forgotten, or StartFailed. */
  processes: 1_000,
  /** Characters of keys and values in one page of a dump; what does not fit is on the next. */
  dumpPage: 512 * 1024,
  /** Milliseconds for one attempt of a proof, and for its preparation; then it is neither allowed nor refused. */
  proofMs: 20_000,
  /** Events that may wait in a simulation, and frames for an end that nobody has opened; one more fails the run. */
  simulatedEvents: 1_000_000,
  simulatedBacklog: 100_000,
  /** Lines kept of a run to compare another with; when these are the same and there are more, LimitExceeded. */
  recordedLines: 4_000_000,
  /** Runs in which a schedule of faults is made shorter; then the shortest that was found is told. */
  shrinkRuns: 60,
  /** Seeds that one command simulates; a longer range is refused. */
  simulatedSeeds: 100_000,
  /** Milliseconds between two lines that tell how far a long simulation is. */
  simulationProgressMs: 2_000,
} as const
