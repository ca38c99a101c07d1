/**
 * Reasons of a close that say what became of whoever had the other end. All others are words for people.
 * `ended`: that incarnation of an actor is gone, and whoever carries a channel passes that on. `alone`: a port whose
 * thread ended, so that nobody could say anything.
 */
export const closeReason = { ended: 'Restarted', closed: 'the peer closed its end', alone: 'the peer is gone' } as const
