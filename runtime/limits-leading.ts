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
  /**
   * Milliseconds from a look at a shared store for which leases are granted by it, and between two looks. A write of
   * what is enforced waits this long and `enforcerLeaseMs` for a host that is dead, cut off or stands still.
   */
  enforcementFreshMs: 2_500,
  enforcementLookMs: 1_000,
  /** Milliseconds after which a host that is not heard of has no enforcers that anybody had to wait for. */
  enforcementHostMs: 10_000,
} as const
