/** Who leads, and what holds at all OODs of a store. */
import { guardsOf, type Guard } from '../guard.ts'

const LEADING = 'test/actors/leading.test.ts'
const SHARED = 'test/actors/shared-enforcement.test.ts'

export const ofLeading: readonly Guard[] = [
  ...guardsOf('actors/system-config/leading.ts', LEADING,
    [
      'a kernel service leads by its own name', 'appid === name && actor === name && host === self.host',
      'host === self.host', 'only a kernel service leads, by its own name and at its own host',
    ],
    [
      'a host leads at its own system-config', 'actor === name && host === self.host', 'actor === name',
      'only a kernel service leads, by its own name and at its own host',
    ],
    [
      'no service leads that is none of the kernel’s', "runtimeType === 'kernel-service' && appid", 'appid',
      'only a kernel service leads, by its own name and at its own host',
    ],
  ),
  ...guardsOf('actors/system-config/leaders.ts', LEADING,
    [
      'nobody takes a term that lasts from another host', 'leaderIn(entry).host !== self.host || isLate', 'isLate',
      'of all hosts of a store one leads, until it is not heard of for the time of its lease',
    ],
    [
      'a late call of one that has ended takes nothing', 'leaderIn(entry).host !== self.host || isLate',
      'leaderIn(entry).host !== self.host',
      'an actor that was started again leads at once where the one before it led, and that one no more',
    ],
    [
      'only its holder gives a term up', 'if (!mine || mine.kid !== peer.kid) return\n      held.delete(name)',
      'if (!mine) return\n      held.delete(name)',
      'a term that is given up is over at once, and only its holder gives it up',
    ],
  ),
  ...guardsOf('actors/system-config/transaction.ts', LEADING,
    [
      'a write joins the compare of its term', 'compare: fence ? [fence.compare] : []', 'compare: []',
      'no write of a leader before goes through, and it is told who leads',
    ],
  ),
  ...guardsOf('actors/scheduler/ask.ts', 'test/actors/scheduler.test.ts',
    [
      'a round that began before does not answer', '.asked ?? 0) >= revision', '.asked ?? 0) >= 0',
      'that follows has the leader do a round, and waits for one that read what was asked, and no other',
    ],
  ),
  ...guardsOf('actors/leading.ts', LEADING,
    [
      'a term counts from before it was asked for', 'endsMs = askedMs + ttlMs / CLOCK_RATE',
      'endsMs = lasting.monotonic() + ttlMs * CLOCK_RATE',
      'one that is not answered stops leading before another may, and that one leads within a second more',
    ],
  ),
  ...guardsOf('actors/system-config/shared/standing.ts', SHARED,
    [
      'time is granted while the store was heard of', 'nowMs < confirmedMs + limits.enforcementFreshMs\n\n/** Whether',
      'confirmedMs < Infinity\n\n/** Whether',
      'one that does not reach the store grants nothing, and decides nothing once its enforcers are over',
    ],
    [
      'one that does not hear the store does not decide',
      'nowMs < confirmedMs + limits.enforcementFreshMs + limits.enforcerLeaseMs', 'confirmedMs < Infinity',
      'one that does not reach the store grants nothing, and decides nothing once its enforcers are over',
    ],
    [
      'what is not in force yet confirms nothing', '(news > standing.seen ? standing :', '(false ? standing :',
      'what a host is confirmed by is its own entry, and all that is new',
    ],
    [
      'a change that was there before it was known has less time',
      'Math.min(nowMs, confirmedMs + limits.enforcementFreshMs - limits.enforcerLagMs)', 'nowMs',
      'a change that may be older than it is known has no time left to be unknown to enforcers',
    ],
    [
      'a writer waits for those who cannot answer', '(limits.enforcementFreshMs + limits.enforcerLeaseMs) * CLOCK_RATE',
      'limits.enforcerRenewMs',
      'no enforcer goes by what a writer was answered to have replaced, whatever hosts and clocks do',
    ],
  ),
  ...guardsOf('actors/system-config/shared/shared.ts', SHARED,
    [
      'others are told what the enforcers of a host go by, and not what it knows',
      'await settled()\n    await withEntry', 'await withEntry',
      'a session that ends at one OOD has ended at the other and its enforcers before that is answered',
    ],
    [
      'a host is confirmed by its own entry',
      'if (entries.find(({ key }) => key === own)?.modRevision === written) return',
      'if (true) return', 'what a host is confirmed by is its own entry, and all that is new',
    ],
    [
      'those who are behind are waited for', 'if (behind.size === 0) return\n    for await', 'return\n    for await',
      'a session that ends at one OOD has ended at the other and its enforcers before that is answered',
    ],
  ),
  ...guardsOf('actors/system-config/state.ts', SHARED,
    [
      'who writes a policy waits for other OODs', 'await Promise.all([enforcers.settled(), others])',
      'await enforcers.settled()',
      'a policy that is written at one OOD holds at the other before that is answered',
    ],
    [
      'who ends a session waits for other OODs',
      'await Promise.all([enforcers.settled(), shared.acknowledged(revision, clock.monotonic())])',
      'await enforcers.settled()',
      'for an OOD that is dead a writer waits as long as its enforcers may go on, and no longer',
    ],
  ),
  ...guardsOf('actors/system-config/sessions.ts', SHARED,
    [
      'nothing is decided by what may be old', 'const fresh = options.fresh()',
      'const fresh = true as true | Promise<void>',
      'one that does not reach the store grants nothing, and decides nothing once its enforcers are over',
    ],
  ),
  ...guardsOf('actors/system-config/enforcers.ts', SHARED,
    [
      'no lease is prolonged by what may be old', 'if (!mayGrant()) return false', '',
      'no enforcer goes by what a writer was answered to have replaced, whatever hosts and clocks do',
    ],
    [
      'none is given by it', "if (!mayGrant()) throw new Unavailable('The store was not heard of",
      "if (false) throw new Unavailable('The store was not heard of",
      'no enforcer goes by what a writer was answered to have replaced, whatever hosts and clocks do',
    ],
  ),
]
