import type { ActorStart } from '../../../runtime/actor.ts'
import { Compacted, LeaseExpired, messageOf, Unavailable, WatchOverrun } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Entry, Lease } from '../../../runtime/store/store.ts'
import { pause } from '../../../runtime/within.ts'
import { acknowledgement, HOSTS, NEWS, readAcknowledged, readNews, SHARED, type News } from './news.ts'
import { changedAtMs, confirmed, LONGEST_MS, mayDecide, mayGrant, sawNews, unknown } from './standing.ts'

export interface SharedOptions {
  readonly start: Pick<ActorStart, 'store' | 'clock' | 'stopping' | 'self' | 'log'>
  /** What this news says is in force when it settles. */
  readonly apply: (news: News) => Promise<void>
  /** A zone is booted: before that there is nobody to wait for. */
  readonly isActive: () => boolean
  /** Everything that the store says now is in force when it settles. */
  readonly applyAll: () => Promise<void>
  /** Settles when the enforcers of this host go by what was applied until now. */
  readonly settled: () => Promise<void>
}

/**
 * One of several system-configs on one store (DESIGN §7, revocation; §8). A store whose contents are in the memory of
 * this process has one alone, and all of this is at rest; a store that moves is another's as well from then on.
 */
export interface Shared {
  /** Whether enforcers may be granted time. */
  mayGrant(): boolean
  /** Asks the store, so that it may again. @throws Unavailable */
  look(): Promise<void>
  /** Since when a change that is published now may have been there, by the monotonic clock. */
  changedAtMs(): number
  /** True, or settles when it may decide. @throws Unavailable when the store does not answer */
  fresh(): true | Promise<void>
  /** What a transaction that changes what is enforced has to write as well. */
  readonly isShared: boolean
  /**
   * Settles when the enforcers of all other system-configs go by news of this revision, or by nothing any more; without
   * one, by all news of now. @param answeredMs when the write was answered, by the monotonic clock
   */
  acknowledged(revision: number | undefined, answeredMs: number): Promise<void>
  /** Until the actor stops. */
  run(): Promise<void>
}

export function createShared(options: SharedOptions): Shared {
  const { start: { store, clock, stopping, self, log }, isActive, apply, applyAll, settled } = options
  const own = HOSTS + self.host
  let standing = unknown
  let lease: Lease | undefined
  /** Revision of our own entry. */
  let written = 0
  let told = 0
  let looking: Promise<void> | undefined
  const isShared = (): boolean => store.peek === undefined && isActive()

  /** What is new is in force one after the other. */
  const inTurn = turns()
  /** Our entry is read and written by one at a time. */
  const withEntry = turns()

  const register = async (): Promise<void> => {
    const granted = await store.grant(limits.enforcementHostMs)
    written = await store.put(own, acknowledgement(0), { lease: granted.id })
    told = 0
    lease = granted
  }
  /** Our entry is there, and it is ours: those who write know that they have to wait for us. */
  const registered = async (): Promise<void> => {
    if (!lease) return register()
    try {
      await lease.keepAlive()
    } catch (error) {
      if (!(error instanceof LeaseExpired)) throw error
      await register()
    }
  }
  const look = async (): Promise<void> => {
    const askedMs = clock.monotonic()
    const news = await withEntry(async () => {
      await registered()
      const { entries } = await store.list(SHARED)
      if (entries.find(({ key }) => key === own)?.modRevision === written) return newsIn(entries)
      lease = undefined
      throw new Unavailable('The entry of this host is another one')
    })
    await inTurn(async () => {
      if (news > standing.seen) await applyAll()
      standing = sawNews(standing, news)
    })
    standing = confirmed(standing, askedMs, news)
    tellSoon()
  }
  const lookNow = (): Promise<void> => looking ??= look().finally(() => { looking = undefined })

  let toTell = new AbortController()
  const tellSoon = (): void => toTell.abort()
  /** Says what our enforcers go by. */
  const tell = async (): Promise<void> => {
    const { seen } = standing
    if (!lease || seen <= told) return
    await settled()
    await withEntry(async () => {
      if (!lease) return
      const result = await store.transact([{ key: own, modRevision: written }], [
        { type: 'put', key: own, value: acknowledgement(seen), lease: lease.id },
      ])
      // Else the next look finds that it is gone
      if (!result.succeeded) return
      written = result.revision
      told = seen
    })
  }

  /** A loop that waits while the store is this host's alone, and after what failed. */
  const loop = async (what: string, once: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    let failures = 0
    while (!stopping.aborted) {
      if (!isShared()) {
        await pause(clock, limits.enforcementLookMs, stopping)
        continue
      }
      try {
        await once(stopping)
        failures = 0
      } catch (error) {
        if (stopping.aborted) return
        if (failures++ === 0) log.warn(`${what}: ${messageOf(error)}`)
        await pause(clock, limits.convergeRetryMs, stopping)
      }
    }
  }
  const followNews = async (signal: AbortSignal): Promise<void> => {
    await lookNow()
    const after = standing.seen
    try {
      for await (const { value, revision, type } of store.watch(NEWS, { after, signal })) {
        if (type === 'put' && revision > standing.seen) {
          await inTurn(async () => {
            if (revision <= standing.seen) return
            await apply(readNews(value))
            standing = sawNews(standing, revision)
          })
          tellSoon()
        }
      }
    } catch (error) {
      // What was missed is found by the next look
      if (!(error instanceof Compacted || error instanceof WatchOverrun)) throw error
    }
  }

  const othersBehind = (entries: readonly Entry[], revision: number): Set<string> => new Set(entries
    .filter((entry) => entry.key.startsWith(HOSTS) && entry.key !== own && readAcknowledged(entry) < revision)
    .map(({ key }) => key))
  const othersKnow = async (wanted: number | undefined, signal: AbortSignal): Promise<void> => {
    const { entries, revision: listed } = await store.list(SHARED)
    const revision = wanted ?? newsIn(entries)
    const behind = othersBehind(entries, revision)
    if (behind.size === 0) return
    for await (const event of store.watch(HOSTS, { after: listed, signal })) {
      if (event.type === 'delete' || readAcknowledged(event) >= revision) behind.delete(event.key)
      if (behind.size === 0) return
    }
    throw new Unavailable('The watch has ended')
  }

  return {
    look: lookNow,
    get isShared() { return isShared() },
    mayGrant: () => !isShared() || mayGrant(standing, clock.monotonic()),
    changedAtMs: () => (isShared() ? changedAtMs(standing, clock.monotonic()) : clock.monotonic()),
    fresh: () => !isShared() || mayDecide(standing, clock.monotonic()) || lookNow(),
    async acknowledged(revision, answeredMs) {
      if (!isShared()) return
      const over = new AbortController()
      const endsMs = answeredMs + LONGEST_MS
      const waiting = async (): Promise<void> => {
        while (!over.signal.aborted) {
          try {
            return await othersKnow(revision, over.signal)
          } catch {
            // The time goes on, and is enough by itself
            await pause(clock, limits.convergeRetryMs, over.signal)
          }
        }
      }
      const longest = async (): Promise<void> => {
        // A timer may be early
        for (let leftMs; !over.signal.aborted && (leftMs = endsMs - clock.monotonic()) > 0;) {
          await pause(clock, Math.ceil(leftMs), over.signal)
        }
      }
      try {
        await Promise.race([waiting(), longest()])
      } finally {
        over.abort()
      }
    },
    async run() {
      await Promise.all([
        loop('Whether the store has news is not known', async (signal) => {
          const askedMs = clock.monotonic()
          await lookNow()
          await pause(clock, Math.max(1, askedMs + limits.enforcementLookMs - clock.monotonic()), signal)
        }),
        loop('The news of the store are not heard', followNews),
        loop('What is enforced here was not told', async (signal) => {
          toTell = new AbortController()
          await tell()
          const stop = (): void => tellSoon()
          signal.addEventListener('abort', stop, { once: true })
          // News that came meanwhile end it at once
          await pause(clock, limits.enforcementLookMs, toTell.signal)
          signal.removeEventListener('abort', stop)
        }),
      ])
    },
  }
}

const newsIn = (entries: readonly Entry[]): number => entries.find(({ key }) => key === NEWS)?.modRevision ?? 0

/** One after the other. */
function turns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const next = last.then(work)
    last = next.catch(() => {})
    return next
  }
}
