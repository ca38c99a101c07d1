/** Of `limits`: what bounds the ways from a gateway to programs of other hosts. */
export const wayLimits = {
  /** Services of other hosts that a gateway reaches at once, each by a socket; one more is answered 503. */
  localWays: 32,
  /** Milliseconds for which a socket leads to the same service after somebody was told of it. */
  localWayMs: 60_000,
} as const
