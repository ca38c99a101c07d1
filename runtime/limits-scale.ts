/** Of `limits`: what bounds a zone of a thousand hosts. */
export const scaleLimits = {
  /** Bytes of the last changes that one watch of a shared store keeps for who comes back to it; the oldest give way. */
  sharedWatchBytes: 4 * 1_024 * 1_024,
  /** Milliseconds after which a tunnel is judged again though nothing has changed of what it is judged by. */
  tunnelJudgeMs: 30_000,
} as const
