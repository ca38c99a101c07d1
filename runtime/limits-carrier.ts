/** Of `limits`: what bounds the carrying of links between hosts. */
export const carrierLimits = {
  /** Channels to other hosts of one host, and from them of one carrier; one more is Overloaded. */
  carriedChannels: 16_384,
  /** Callers of other hosts for whom one carrier waits for its supervisor; one more is Overloaded. */
  carrierAccepts: 256,
  /** Milliseconds until a carrier has joined a channel to another host; then StartFailed, and it lets go of it. */
  carryMs: 10_000,
  /** Milliseconds until its supervisor has found whom a caller wants; then Unavailable. */
  carrierAcceptMs: 5_000,
} as const
