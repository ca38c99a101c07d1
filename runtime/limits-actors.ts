/** Of `limits`: what bounds the actors of a zone, and who speaks to them. */
export const actorLimits = {
  /** Milliseconds between rounds of the scheduler when nothing changes; before it tries again, doubled each time. */
  schedulerRoundMs: 30_000,
  schedulerRetryMs: 100,
  /** Milliseconds after a round for which changes are gathered before the next; the first change waits for nothing. */
  schedulerGatherMs: 200,
  /** Milliseconds before the node daemon tries again, doubled up to those between its rounds when nothing changes. */
  convergeRetryMs: 500,
  convergeRoundMs: 30_000,
  /** Milliseconds that the gateway waits for an actor; then it answers 503. */
  gatewayCallMs: 10_000,
  /** Milliseconds that running requests get when the gateway stops. */
  httpCloseMs: 2_000,
  /** HTTP connections of one server at a time; one more is closed. */
  httpConnections: 1_024,
  /** HTTP request body, and time from a request to its answer; more is answered 413, 408 or 503, or cut. */
  httpBodyBytes: 1024 * 1024,
  httpRequestMs: 30_000,
  /** Milliseconds of a TLS handshake; then the connection is cut. */
  tlsHandshakeMs: 5_000,
  /** Milliseconds for which an enforcer may go by the trust, policy and revocations that it has; then it denies. */
  enforcerLeaseMs: 5_000,
  /** Milliseconds between its renewals, and before it opens its stream again. */
  enforcerRenewMs: 1_500,
  /** Milliseconds that a change may be unknown to an enforcer that renews its lease; longer, and it is not renewed. */
  enforcerLagMs: 1_000,
  /** Leases of one system-config; one more is Overloaded. Changes that wait for one enforcer; more end its stream. */
  enforcerLeases: 10_000,
  enforcerBacklog: 10_000,
  /** Revoked sessions that are remembered, and told to an enforcer in one message; one more is Overloaded. */
  revocations: 50_000,
  /** Seconds for which one is remembered beyond its tokens: a clock set back by less brings none to life. */
  revokedSeconds: 3_600,
  /** Verdicts about tokens that an enforcer keeps; the older half is checked anew. */
  tokenVerdicts: 16_384,
  /** Live sessions of one subject in one app; one more ends the oldest. */
  sessionsPerApp: 16,
  /** Milliseconds between sweeps of what expired, and records one sweep takes; the rest waits for the next. */
  sessionSweepMs: 60_000,
  sessionSweep: 1_000,
  /** Milliseconds in which a holder without a key may repeat a refresh; it ends when the successor is first used. */
  keylessRefreshMs: 10_000,
  /** Attempts of one transaction that others race, and of a list whose revision etcd forgets; then Overloaded. */
  storeRaces: 16,
  /** Device documents whose signature was checked and is remembered; the oldest is forgotten. */
  deviceDocuments: 4_096,
  /** Lists of devices that a process remembers by the digest of their documents; the oldest is sent again in full. */
  deviceLists: 8,
  /** Keys that are read one by one for the digest of a dump; where more have changed all of it is read. */
  dumpDigestReads: 16,
  /** Records of kv:// that verify-hub remembers parsed; the oldest is forgotten. */
  recordsRemembered: 4_096,
  /** Bytes of a password; a longer one is InvalidPassword. */
  passwordBytes: 1_024,
  /** Characters of a password that is set; with fewer it is InvalidArgument. */
  passwordCharactersMin: 8,
  /** Wrong passwords in a row for one name that lock it; then LoginLocked. */
  loginFailures: 5,
  /** Milliseconds of the first lock; doubled with each wrong password after it, up to the maximum. */
  loginLockMsMin: 30_000,
  loginLockMsMax: 15 * 60_000,
  /** Milliseconds after the last attempt, or the lock's end, until the failures of a name are forgotten. */
  loginForgetMs: 60 * 60_000,
  /** Names whose failures are remembered, whether somebody has them or not; the one that is due first is forgotten. */
  loginNames: 16_384,
  /** Passwords tried in this many milliseconds: in all, then Overloaded; for one name, then LoginLocked. */
  loginAttemptsMs: 10_000,
  loginAttempts: 100,
  loginAttemptsPerName: 30,
  /** Milliseconds by which the number that the originals' clients hash a password with may be off our clock. */
  compatNonceMs: 5 * 60_000,
  /** Ended sessions that system-config is told of in one call; the others follow in the next. */
  revocationsAtOnce: 256,
  /** Sessions of one page of a list; the others are on the next. */
  sessionPage: 100,
  /** Rules of the risk monitor, what one may count to, and over how many milliseconds; more is InvalidArgument. */
  riskRules: 32,
  riskCount: 100,
  riskMs: 7 * 24 * 60 * 60_000,
  /** Subjects that the risk monitor counts for; the one that would be forgotten first gives way. */
  riskSubjects: 16_384,
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
  /** The same of a policy that another model than the built-in one decides by, since casbin walks them all. */
  modelPolicyLines: 2_000,
  /** Characters of an access model; a longer one is refused. */
  modelCharacters: 16_384,
  /** Lines of the policy that an explanation names beside the one that decided; others are counted. */
  explainedLines: 20,
  /** Paths, or folders, that one principal was allowed to read, or to write; the older half is decided anew. */
  accessDecisions: 256,
  /** Versions kept of one vault secret; a put drops the oldest. */
  vaultSecretVersions: 10,
  /** Characters of a vault secret's path; a longer one is InvalidArgument. */
  vaultSecretPath: 512,
  /** Grants of one vault key that are remembered, to answer each incarnation once; the oldest is forgotten. */
  vaultGrants: 64,
  /** Versions of one vault key at a time; one more is LimitExceeded. */
  vaultKeyVersions: 4,
  /** Terms of the vault's barrier; one more is LimitExceeded. */
  vaultTerms: 1_000,
  /** Entries that are sealed anew under the barrier's newest term in one transaction. */
  vaultReencryptPage: 64,
  /** Attempts at a vault transaction that others overtake; then Overloaded. */
  vaultTransactionAttempts: 16,
  /** Bytes of one segment of the audit; then the next one is begun. */
  auditSegmentBytes: 16 * 1024 * 1024,
  /** Records that wait for the audit's disk; one more fails its call with Overloaded. */
  auditPending: 10_000,
  /** Characters of one field of a record, and fields of its own that it may have; more is cut. */
  auditField: 512,
  auditFields: 16,
  /** Attempts of strangers (shares, join tokens) that are recorded one by one in such a window; more are counted. */
  auditStrangers: 60,
  auditStrangersMs: 60_000,
  /** Faults of an audit that are told one by one; more are counted. */
  auditFindings: 100,
  /** Records, and milliseconds, until the audit is signed again. */
  auditSignRecords: 1_000,
  auditSignMs: 60_000,
  /** Counters of one actor; what more names would count is not counted. */
  counters: 256,
  /** Gauges of one actor; one more is not shown. */
  gauges: 2_048,
  /** Lines of log kept in memory for who asks; older ones are in the files only. */
  logLinesKept: 10_000,
  /** Characters of one line of log; a longer one is cut, that of a process divided. */
  logLine: 8_192,
  /** Milliseconds between looks at a process's health, until it must be healthy first, and without an answer. */
  healthMs: 1_000,
  healthStartMs: 15_000,
  healthAnswerMs: 2_000,
} as const
