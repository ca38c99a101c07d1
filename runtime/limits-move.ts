/** Of `limits`: the move of a store to another place, while it is in use. */
export const moveLimits = {
  /** Operations and bytes of one transaction that copies; etcd applies one as a whole, and others wait meanwhile. */
  moveOperations: 256,
  moveBytes: 512 * 1024,
  /** Transactions that copy at the same time. */
  moveInFlight: 4,
  /** Keys that were written since they were copied; one more, and the move fails with Overloaded: it is outrun. */
  moveBehind: 50_000,
  /**
   * Rounds in which what was written meanwhile follows, until as little is left as can follow while writes wait. After
   * the first of them a write waits for the round that it comes in.
   */
  moveRounds: 200,
  moveFreeRounds: 4,
  /** Milliseconds for which nobody else may move a store once its mover is silent. */
  moveLockMs: 15_000,
  /** Milliseconds that writes wait at most while a store changes its place; then they go on, and it is tried again. */
  moveFenceMs: 150,
  /** How often that is tried; then Overloaded. Milliseconds between two tries, doubled up to the maximum. */
  moveFences: 20,
  moveFencePauseMs: 50,
  moveFencePauseMsMax: 2_000,
  /** Milliseconds that a move waits for an etcd that went away; then Unavailable. */
  moveWaitMs: 60_000,
  /** Milliseconds between two tellings of how far it is, within one phase. */
  moveTellMs: 200,
  /** How often the store of an actor whose worker ends is begun with, and the milliseconds between. */
  moveAttempts: 5,
  moveAttemptMs: 500,
  /** Milliseconds that one member of etcd gets for a call that may be repeated; then another one is asked. */
  etcdTryMs: 2_000,
  /** Milliseconds for which a member of etcd that did not answer is left alone; then one call tries it. */
  etcdAloneMs: 2_000,
  /** Rows of a moved store that are remembered, of those that were read: the oldest is read again. */
  movedRows: 10_000,
  /** Keys whose rows are read at once for a list; the rest follows. */
  movedRowsAtOnce: 1_024,
} as const
