/** Of `limits`: what bounds the ways between the hosts of a control plane, and what hosts know of them. */
export const relayLimits = {
  /** Addresses of one host of the control plane; it tells no more. */
  oodServers: 4,
  /** Milliseconds after which a host of the control plane looks for others that it is to be connected to. */
  oodLookMs: 2_500,
  /** Milliseconds before it tries another one again: doubled from the first up to the last, by chance. */
  oodRetryMsMin: 200,
  oodRetryMsMax: 5_000,
  /** Hosts of a service that one link is tried with through other hosts of the control plane; then Unavailable. */
  relayedHosts: 4,
  /**
   * Streams that wait, by each other OOD, for one host that is connected there, of one origin `relayedWaitingRatio` for
   * each such place that is free; one more is Overloaded.
   */
  relayWaiting: 64,
  /** Streams by one tunnel for one origin, the host or device by whose tunnel they came; one more is Overloaded. */
  relayedPerOrigin: 512,
  /** The part of a tunnel's free streams that an origin may have: what some take leaves places for others. */
  relayedPart: 4,
  /** How many of its streams may wait for their answer for each such place that is free; one more is Overloaded. */
  relayedWaitingRatio: 3,
  /** Milliseconds for which one that was taken back keeps its place among those that wait. */
  relayedBackMs: 100,
  /** Streams of devices to the programs of one node; one more is Overloaded. */
  nodeHttpStreams: 1_024,
} as const
