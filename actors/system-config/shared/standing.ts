import { limits } from '../../../runtime/limits.ts'

/**
 * What one system-config knows of a store that others write as well, and what it may do by that. Pure: the times are
 * its own, by the monotonic clock.
 *
 * A write that changes what is enforced is *news* with a revision. Who has asked the store at a moment, and has seen
 * all news of the answer, was up to date at that moment; so it grants leases for `enforcementFreshMs` from then on, and
 * they are over `enforcerLeaseMs` later. Whoever writes news need not wait longer for anybody, dead or alive.
 */
export interface Standing {
  /** When the store was asked last for what had been seen; by this much it is known to be up to date. */
  readonly confirmedMs: number
  /** Revision of the last news that is in force here. */
  readonly seen: number
}

export const unknown: Standing = { confirmedMs: -Infinity, seen: 0 }

/** One clock may be so much faster than another. */
export const CLOCK_RATE = 1.05

/** Milliseconds, by the clock of who has written: then nobody goes by what was before, whatever became of them. */
export const LONGEST_MS = (limits.enforcementFreshMs + limits.enforcerLeaseMs) * CLOCK_RATE

export const sawNews = (standing: Standing, revision: number): Standing =>
  ({ ...standing, seen: Math.max(standing.seen, revision) })

/** Asked at `askedMs`, the store said that `news` is the last. What is not in force yet confirms nothing. */
export const confirmed = (standing: Standing, askedMs: number, news: number): Standing =>
  (news > standing.seen ? standing : { ...standing, confirmedMs: Math.max(standing.confirmedMs, askedMs) })

/** Whether an enforcer may be granted time now. */
export const mayGrant = ({ confirmedMs }: Standing, nowMs: number): boolean =>
  nowMs < confirmedMs + limits.enforcementFreshMs

/** Whether it may decide by itself: for as long as an enforcer that was granted time last. */
export const mayDecide = ({ confirmedMs }: Standing, nowMs: number): boolean =>
  nowMs < confirmedMs + limits.enforcementFreshMs + limits.enforcerLeaseMs

/**
 * Since when a change that is learned of now may have been there, as far as enforcers are given time to learn of it:
 * that time is over with what the last confirmation allows.
 */
export const changedAtMs = ({ confirmedMs }: Standing, nowMs: number): number =>
  Math.min(nowMs, confirmedMs + limits.enforcementFreshMs - limits.enforcerLagMs)
