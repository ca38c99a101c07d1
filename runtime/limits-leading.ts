/** Of `limits`: what bounds who leads, and how long a write waits for other hosts of the control plane. */
export const leadingLimits = {
  /**
   * Milliseconds for which a leader leads without being heard of. Longer than etcd stands still when a member of it
   * does: 3 to 6 s were measured.
   */
  leaderLeaseMs: 10_000,
  /** Milliseconds between two renewals of that. */
  leaderRenewMs: 2_500,
  /** Milliseconds between two looks of one who does not lead, and of an attempt that failed. */
  leaderAskMs: 250,
} as const
