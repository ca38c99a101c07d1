import { ofActors } from './registry-actors.ts'
import { ofCertificates } from './registry-certificates.ts'
import { ofMoves } from './registry-move.ts'
import { etcd } from './registry-etcd.ts'
import { ofServices } from './registry-services.ts'
import { verifyHubCoverage, type Coverage } from './registry-verify-hub.ts'
import { pki } from './registry-pki.ts'
import { vaultHttp } from './registry-vault-http.ts'
import { ofHosts } from './registry-hosts.ts'
import { web } from './registry-web.ts'
import { signIn } from './registry-sign-in.ts'
import { vault } from './registry-vault.ts'

/**
 * Where each limit is tested: the last that is allowed passes, the next has the outcome that `limits.ts` documents.
 * By file, then by the name of the test, which mentions the limit.
 */
export const coverage: Coverage = {
  ...ofActors,
  ...ofHosts,
  ...ofCertificates,
  ...ofMoves,
  ...etcd,
  ...signIn,
  ...vault,
  ...ofServices,
  ...verifyHubCoverage,
  ...vaultHttp,
  ...web,
  ...pki,
  'compliance/store/transactions.ts': {
    'a key may be as long as the limit in bytes, and no longer': ['keyBytes'],
    'a value may be as long as the limit, and no longer': ['valueBytes'],
    'a transaction may have as many operations as the limit, and no more': ['transactionOperations'],
    'a revision, a page and a lease that make no sense are refused': ['leaseMs'],
  },
  'compliance/store/watches.ts': {
    'a reader that is too far behind gets WatchOverrun, and others go on': ['watchBacklog'],
  },
  'krpc-streams.test.ts': {
    'streams are counted: one more than may be is refused for now, and one that is left makes place': ['krpcStreams'],
    'a watch gives each change once and in order, and a blank line while there is none': ['krpcHeartbeatMs'],
  },
  'krpc-verify-hub.test.ts': {
    'a repeat of a refresh gets the same successor within the window, and ends the session after it': [
      'keylessRefreshMs',
    ],
    'a flood of password logins is bounded, and keeps nobody from refreshing': [
      'krpcPasswords', 'krpcPasswordsWaiting',
    ],
  },
  'krpc.test.ts': {
    'what never comes to an actor has its HTTP status and a body that a client can read': ['httpBodyBytes'],
    'a body that is no envelope is refused in the form of one, and says what is wrong': ['krpcDepth'],
  },
  'limits/actors.test.ts': {
    'one sweep takes as many records as the limit says, and leaves the rest to the next': ['sessionSweep'],
    'a transaction that others race is tried as often as the limit says, then Overloaded': ['storeRaces'],
    'as many device documents as the limit are checked once, one more makes the oldest be checked again': [
      'deviceDocuments',
    ],
    'as many lists of devices as the limit are remembered, one more makes the oldest be forgotten': ['deviceLists'],
    'as many records as the limit are remembered parsed, one more makes the oldest be parsed again': [
      'recordsRemembered',
    ],
    'a password as long as the limit costs its slow hash, a longer one is refused before that': ['passwordBytes'],
    'a configuration write that others race is tried as often as the limit says, then Overloaded': ['writeAttempts'],
    'a vault transaction that others overtake is tried as often as the limit says, then Overloaded': [
      'vaultTransactionAttempts',
    ],
  },
  'limits/backup.test.ts': {
    'as many files as the limit, and one more': ['backupFiles'],
    'a manifest of as many bytes as the limit is looked at, one with one more is refused before it is': [
      'backupManifestBytes',
    ],
    'a file that is no store of as many bytes as the limit, and of one more': ['backupFileBytes'],
    'files that are no stores of as many bytes together as the limit, and of one more': ['backupFilesBytes'],
    'a log of as many bytes as the limit, and of one more': ['backupLogBytes'],
    'progress is told once in so many milliseconds': ['backupProgressMs'],
  },
  'limits/client.test.ts': {
    'a call asks for its answer within the limit, unless it says another time': ['clientCallMs'],
    'an answer as long as the limit is read, a byte more is LimitExceeded': ['clientAnswerBytes'],
    'a stream may be silent for as long as the limit, and a byte begins that time anew': ['clientSilenceMs'],
    'a stream of a zone that went away is tried again after each pause, until the limit': [
      'clientReconnectMs', 'clientRetryMs',
    ],
    'a command waits for others that use the session, as long as the limit': ['clientLockMs'],
    'as many sessions as the limit are listed, and one more is LimitExceeded': ['clientSessions'],
  },
  'limits/completion.test.ts': {
    'a shell that asks for names of a zone that does not answer waits for the limit, and offers none': ['completionMs'],
  },
  'limits/etcd.test.ts': {
    'an etcd that takes a call and never answers it is Unavailable when the time of a call is over': ['storeCallMs'],
    'a list of one page is whole, one entry more comes in two pages of one revision': ['storePage'],
    'a member that did not answer is left alone as long as the limit, then one call at a time tries it': [
      'etcdAloneMs',
    ],
    'a member that is silent costs a read as long as the limit, then another one is asked': ['etcdTryMs'],
  },
  'limits/host.test.ts': {
    'as many lines of log as the limit are kept, and one more is at the cost of the oldest': ['logLinesKept'],
    'a process that serves may miss looks in a row, one fewer than the limit': ['healthMs', 'healthMisses'],
    'a process is looked at until it is healthy first, for as long as it may take to start': [
      'healthStartMs', 'healthAnswerMs', 'healthFirstMs',
    ],
    'as many log files as the limit are kept, and the oldest goes for the next': ['logFiles'],
    'as many secrets as the limit are looked for, one more and the oldest is not': ['concealed'],
    'a batch that is not full waits its time, a full one does not': ['otlpDelayMs'],
    'a collector has its time to answer, and to end its answer': ['otlpAnswerMs'],
    'a batch is tried as often as the limit, with pauses up to the maximum, then it is dropped': [
      'otlpRetryMsMax', 'otlpAttempts',
    ],
    'a collector may ask for as long a pause as the limit, and gets no longer one': ['otlpRetryAfterMsMax'],
  },
  'limits/http.test.ts': {
    'as many requests as the limit run at once, one more is answered 503, and then there is place again': [
      'httpRequests',
    ],
  },
  'limits/links.test.ts': {
    'a channel that nobody reads keeps its frames, and one more closes it': ['channelBacklog'],
    'messages leave at once when as many wait as one batch may have, or as many characters': ['frameFill', 'batch'],
    'as many streams as a link may have are open, one more is Overloaded, one that ends makes place': ['streams'],
    'a link certificate of as many characters as the limit is looked at, one with one more is too long': [
      'certificate',
    ],
    'a link certificate is good until its life is over, and not a second longer': ['linkCertificateMs'],
    'the pause before a restart grows up to its maximum and no further': ['restartBackoffMsMax'],
    'an actor may take as long to start as the limit says, and fails the start a little later': ['startMs'],
    'a worker may tell of a heap as large as the limit, of a larger one not too often in a row': [
      'workerHeapMb', 'workerHeapBeats',
    ],
    'as many counters as an actor may have are counted, a name more is not': ['counters'],
    'a link that closed is made anew after pauses that grow up to their maximum': ['relinkMsMin', 'relinkMsMax'],
    'spans of one turn leave together, and at once when as many wait as may': ['spanBatch'],
    'shared items leave at once when as many wait as one frame of streams may have': ['streamBatch'],
  },
  'limits/processes.test.ts': {
    'a process without a health page has to run for as long as the limit to be taken for serving': ['processSettleMs'],
    'a process waits for the address of the gateway as long as the limit, and starts without it then': [
      'processAddressMs',
    ],
    'processes that keep coming back are left when the time of the limit is over, and counted': ['processEndMs'],
  },
  'limits/simulation.test.ts': {
    'an attempt of a proof that takes longer than the limit is neither allowed nor refused': ['proofMs'],
    'as many events as the limit may wait in a simulation, one more fails the run': ['simulatedEvents'],
    'as many frames as the limit may wait for an end that nobody has opened, one more fails the run': [
      'simulatedBacklog',
    ],
  },
  'limits/zone.test.ts': {
    'the gateway waits for an actor as long as the limit, then it answers 503': ['gatewayCallMs'],
    'when the gateway stops, a running request has the time of the limit, then it is cut': ['httpCloseMs'],
    'a request has the time of the limit to be answered, then it is cut or answered in its place': ['httpRequestMs'],
    'as many nodes as the limit start at the same time, and the others wait': ['nodesAtOnce'],
  },
  'observe-logs.test.ts': {
    'full files are put aside, five are kept, and a new process goes on in the same one': ['logFileBytes'],
    'a full disk costs lines, not the zone: they are counted, and told of when there is room again': [
      'logPendingBytes',
    ],
    'when the disk takes lines again, what waited is written in order, and the loss is told': ['logRetryMs'],
    'a disk that hangs holds up neither who logs nor the stop': ['logCloseMs'],
    'one follower more than allowed is refused, and one that leaves makes room': ['logFollowers'],
  },
  'observe-metrics.test.ts': {
    'names and reasons that are made up cannot grow without end': ['metricSeries', 'metricNames'],
    'an actor that does not answer holds nobody up for long, and a late timer shows': ['inspectMs', 'lagMs'],
  },
  'observe-spans.test.ts': {
    'a batch is not larger than allowed, and with the queue full the rest is dropped': ['otlpPending', 'otlpBatch'],
    'what can be tried again is: 503, then 429 with its time, then it is taken once': ['otlpRetryMsMin'],
    'a zone stops in bounded time while the collector is down, or takes and does not answer': ['otlpCloseMs'],
  },
  'processes-end.test.ts': {
    'a line that is too long comes in parts, and no character is divided': ['logLine'],
    'a flood of output is cut, and told how much; the process goes on, and so do others': ['processLines'],
    'one that writes faster than it is read waits as it writes, and is told of': ['processOutputBytes'],
  },
  'processes.test.ts': {
    'is forgotten when it does not run and others come: a host knows so many': ['processes'],
  },
  'robustness-clock.test.ts': {
    'a verdict that was given for seconds is asked for again by a clock that was set back': ['enforcerLeaseMs'],
  },
  'robustness-disk.test.ts': {
    'a lease that ends while there is no room is over, and its keys go once there is': ['leaseEndMs'],
  },
  'robustness.test.ts': {
    'a flood of calls is refused beyond the limits, every call has its answer, and then all is as before': ['mailbox'],
    'handshakes that are begun and never finished end in their time, and hold up nobody': ['handshakeMs'],
  },
  'runtime/divergence.test.ts': {
    'as many lines as the limit are recorded, and a run with more is the same that far or fails': ['recordedLines'],
  },
  'runtime/http-hostile.test.ts': {
    'of 2,000 connections those over the limit are closed, and places come free': ['httpConnections'],
    'requests in a row are answered in order, and too many on one connection are refused': ['httpPipelined'],
    'bodies that come at the same time share what may be held of them': ['httpBodiesBytes'],
  },
  'runtime/http-streams.test.ts': {
    'a body is bounded, save lines and what is not kept; leaving it ends the connection': ['httpAnswerBytes'],
  },
  'runtime/link-handshake.test.ts': {
    'refuses a message that is too long, not JSON, or bytes where text is spoken': ['handshake'],
    'keeps what arrives before anybody reads the link, up to a limit': ['unreadFrames'],
  },
  'runtime/link.test.ts': {
    '${on}: a frame too large, of the wrong kind or that is no list of messages is refused': ['frame'],
    'a thousand messages arrive complete and in order, in frames that are sent as they fill': ['share'],
  },
  'runtime/replay.test.ts': {
    'the ledger holds what lives or expired a while ago, and less than two steps of what is older': [
      'burnSweep', 'usedTokenSeconds',
    ],
  },
  'runtime/rpc-streams.test.ts': {
    'a stream has no deadline of its own, and keeps one that it is given': ['callMs'],
    'a stream runs no further ahead of its reader than its credit': ['streamCredit'],
  },
  'runtime/rpc-tokens.test.ts': {
    'beyond the number that one link binds replace the least recently used': ['boundTokens'],
  },
  'runtime/rpc.test.ts': {
    'of one link are refused with Overloaded beyond the number that may be in flight': ['inFlight'],
    'larger than one message fail with LimitExceeded, there and back': ['message'],
  },
  'runtime/sim-etcd.test.ts': {
    'a list that is overtaken as often as the limit allows is Overloaded, and goes on when it is quiet': ['storeRaces'],
  },
  'runtime/store-commit.test.ts': {
    'history keeps its number of revisions and no more': ['watchHistory'],
    'a full store refuses what makes it larger, and takes what makes it smaller': ['storeBytes'],
    'writes that wait for the disk are bounded: one more is Overloaded, and the others are done': ['storePending'],
    'leases are bounded: one more is Overloaded, and ending one makes room': ['leases'],
  },
  'sim-command.test.ts': {
    'as many seeds as the limit are begun, and Ctrl-C ends them with a summary; one more is refused': [
      'simulatedSeeds',
    ],
  },
  'sim-report.test.ts': {
    'the search ends at its limit of runs, or when a person has had enough, with the shortest so far': ['shrinkRuns'],
    'progress is told on a terminal as often as the limit says, and nowhere else': ['simulationProgressMs'],
  },
  'runtime/store-embedded.test.ts': {
    'the log is written anew when it has grown, and stays within its limit': ['watchHistoryBytes', 'storeLogBytes'],
  },
  'runtime/supervisor-restarts.test.ts': {
    'deaths further apart than the window are forgotten': ['restartWindowMs'],
    'each restart waits as the budget says, twice as long as before, and one too many stays down': [
      'restarts', 'restartBackoffMsMin',
    ],
  },
  'runtime/supervisor-starts.test.ts': {
    'steps are kept up to a limit, and told beyond it': ['steps'],
  },
  'runtime/supervisor-stops.test.ts': {
    'a call that is not done in time is cut, and one that comes while an actor stops is refused': ['stopMs'],
  },
  'runtime/supervisor.test.ts': {
    'workers outlive a pause of the supervisor itself': ['heartbeatMs', 'heartbeatSilenceMs'],
  },
  'runtime/trust.test.ts': {
    'a token of the allowed length is read, one character more is not': ['token'],
    'no document can be made that reads as a token, or that is too long to read': ['document'],
    'the log forgets the oldest beyond its limit': ['denials'],
  },
}

/** Limits whose test is still to be written: none. */
export const pending: readonly string[] = []
