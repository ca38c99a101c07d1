/** Of `limits`: what bounds the join of a host that becomes an OOD. */
export const joinOodLimits = {
  /** Milliseconds until a host asks again whether the owner has decided: doubled from the first up to the last. */
  oodPollMsMin: 1_000,
  oodPollMsMax: 15_000,
} as const
