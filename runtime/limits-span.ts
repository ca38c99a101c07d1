/** Of `limits`: what holds while a part is away, and when a host that slept notices it. */
export const spanLimits = {
  /** Milliseconds between two attempts of an actor whose store is away, doubled up to the maximum: no restarts. */
  storeAwayMsMin: 500,
  storeAwayMsMax: 5_000,
  /** Milliseconds that the vault is waited for where what it said last will do for a while. */
  enrolmentListsMs: 2_000,
  /** Milliseconds that it is waited for where a host waits that asks; then 503. Less than `enrolmentRequestMs`. */
  enrolmentVaultMs: 8_000,
  /**
   * Milliseconds over which hosts come back, each at its moment by chance, whose good tunnel has ended: all of an OOD
   * lose theirs at once.
   */
  uplinkSpreadMs: 2_000,
  /** Milliseconds by which the wall clock may get ahead of the monotonic one; more has passed in a sleep. */
  clockAheadMs: 1_000,
  /** Milliseconds between two looks whether that is so, while something is held for a time. */
  clockLookMs: 1_000,
  /** Milliseconds between two looks of a host that joined whether its zone has another epoch: it was restored then. */
  hostEpochLookMs: 5_000,
} as const
