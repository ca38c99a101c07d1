/** Of `limits`: what bounds the carrying of links between hosts. */
export const carrierLimits = {
  /** Channels of one host that carriers hold, by direction: opened for its actors, accepted for others; then Overloaded. */
  carriedChannels: 4_096,
  /** Callers of other hosts for whom one carrier waits for its supervisor; one more is Overloaded. */
  carrierAccepts: 256,
  /** Milliseconds until a carrier has joined a channel to another host, and until an actor here is found; Unavailable. */
  carryMs: 10_000,
  carrierAcceptMs: 5_000,
} as const
