/** Of `limits`: what bounds how hosts come into a zone. */
export const joinLimits = {
  /** Join tokens of a zone, those that are over included; one more is LimitExceeded. Those long over give way. */
  joinTokens: 4_096,
  /** Seconds that a join token lives when nobody says, at most, and after which one that is over is forgotten. */
  joinTokenSeconds: 3_600,
  joinTokenSecondsMax: 86_400,
  joinTokenKeptSeconds: 7 * 86_400,
  /** Refusals of one token that are counted; the next are refused all the same. */
  joinTokenRefusals: 1_000,
  /** Characters of a token and of a signing request that are looked at; longer is InvalidArgument. */
  joinTokenCharacters: 256,
  joinPemCharacters: 8_192,
  /** Seconds of the certificate of a host that joined, which it renews at 50 to 80 % of that. */
  joinCertificateSeconds: 86_400,
  /** Bytes of a request to the listener, milliseconds from its first byte to its answer; then 413, 408 or 503. */
  enrolmentBodyBytes: 32 * 1_024,
  enrolmentRequestMs: 10_000,
  /** Join requests of one address in one window; one more is answered 429. Addresses that are counted at a time. */
  enrolmentPerSource: 600,
  enrolmentWindowMs: 60_000,
  enrolmentSources: 4_096,
  /** Milliseconds for which the listener goes by the revocation list that it has, before it asks for the next. */
  enrolmentCrlMs: 5_000,
  /** Milliseconds that clocks may be apart; a host that is further off is told so and does not join. */
  joinSkewMs: 600_000,
  /** Attempts of a join, milliseconds of one, and before the next: doubled from the first up to the last. */
  joinAttempts: 6,
  joinAttemptMs: 15_000,
  joinRetryMsMin: 300,
  joinRetryMsMax: 10_000,
} as const
