/** Of `limits`: what bounds the vault's HTTP API. */
export const vaultHttpLimits = {
  /** Bytes of a request's body; more is answered 413. Milliseconds from a request to its answer; then 408 or 503. */
  vaultHttpBody: 1024 * 1024,
  vaultHttpMs: 30_000,
  /** Milliseconds between two looks of the listener for its certificate: while it has none, at most, and at the clock. */
  vaultListenerRetryMs: 5_000,
  vaultListenerLookMs: 60_000,
  /** Requests of the listener that are under way in the vault; one more is answered 429. */
  vaultHttpRequests: 512,
  /** Characters of a path, and of a header that is handed on; more is answered 400 and 431. */
  vaultHttpPath: 512,
  vaultHttpHeader: 8_192,
  /** Parameters of a query, words of a list in a body, and levels of its JSON; more are answered 400. */
  vaultHttpParameters: 32,
  vaultHttpWords: 256,
  vaultHttpDepth: 64,
  /** Seconds that a token lives, unless it says less or is renewed in time; a longer life is cut to it. */
  vaultTokenSeconds: 32 * 24 * 60 * 60,
  /** Uses that a token may be bounded to; more is answered 400. */
  vaultTokenUses: 1_000_000,
  /** Expired tokens, children and unfinished revocations that one look takes; the others follow in the next. */
  vaultTokenSweep: 256,
  /** Milliseconds between two looks for expired tokens when none is known to be due earlier, while there are any. */
  vaultTokenSweepMs: 60_000,
  /** Token roles, policies, and mounts beside those that every vault has; one more is answered 400. */
  vaultTokenRoles: 1_000,
  vaultPolicies: 1_000,
  vaultMounts: 64,
  /** Characters of a policy, its paths, and levels of its values; more is answered 400. */
  vaultPolicyCharacters: 64 * 1024,
  vaultPolicyRules: 256,
  vaultPolicyDepth: 8,
  /** Policies, and sets of them, that are kept ready to decide by; the oldest is read again. */
  vaultCompiledPolicies: 256,
  /** Versions of a secret that its metadata or its mount may ask for; more is answered 400. */
  vaultKvVersions: 100,
  /** Names of one list; the others follow with `after`. Keys that one look at the store takes for it. */
  vaultListNames: 10_000,
  vaultListPage: 256,
  /** Entries of a mount that is taken away which go in one transaction. */
  vaultClearBatch: 512,
} as const
