import type { ActorStart } from '../../runtime/actor.ts'
import { messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { backoffMs } from '../../runtime/restart.ts'
import { pause } from '../../runtime/within.ts'
import type { Ended } from './session-records.ts'
import type { Sessions } from './sessions.ts'

/** Tells whoever accepts session tokens; settles when they know. Telling twice does no harm. */
export type Announce = (ended: readonly Ended[]) => Promise<void>

/** How a session ends: in the store first, then everywhere. */
export interface Endings {
  /**
   * How many of them lived until now; settles when all that accept session tokens know that none of them does. @throws
   * what telling them met: the sessions have ended, and it is told again until it is heard
   */
  end(sids: readonly string[], reason: string): Promise<number>
  /**
   * As `end`, for a caller who is refused anyway: that somebody could not be told yet is not its business. @throws when
   * one could not be ended
   */
  endQuietly(sids: readonly string[], reason: string): Promise<number>
  /** Something has ended that nobody waits for. */
  tellSoon(): void
}

type Start = Pick<ActorStart, 'clock' | 'random' | 'log' | 'background' | 'stopping' | 'count'>

const RETRY = { min: limits.convergeRetryMs, max: limits.sessionSweepMs }

/** Begins with what an earlier start left untold, and looks again with each sweep: another OOD may have left some. */
export function createEndings(start: Start, sessions: Sessions, announce: Announce): Endings {
  const { clock, random, log, stopping } = start
  let waiting = new AbortController()
  let isDue = true
  stopping.addEventListener('abort', () => waiting.abort(), { once: true })

  const tell = async (ended: readonly Ended[]): Promise<void> => {
    for (let at = 0; at < ended.length; at += limits.revocationsAtOnce) {
      const some = ended.slice(at, at + limits.revocationsAtOnce)
      await announce(some)
      await sessions.told(some.map(({ sid }) => sid))
    }
  }
  const tellSoon = (): void => {
    isDue = true
    waiting.abort()
  }
  const inStore = async (sids: readonly string[], reason: string): Promise<number> => {
    let count = 0
    try {
      for (const sid of sids) if (await sessions.end(sid, reason)) count++
      return count
    } catch (error) {
      // Some may have ended before this one would not
      tellSoon()
      throw error
    } finally {
      if (count > 0) start.count(`verify_hub_sessions_ended_total{reason="${reason}"}`, count)
    }
  }
  const everywhere = async (sids: readonly string[]): Promise<void> => {
    try {
      // Also those that ended before, if nobody could be told then
      await tell(await sessions.untold(sids))
    } catch (error) {
      tellSoon()
      throw error
    }
  }

  start.background(async () => {
    for (let failures = 0; !stopping.aborted;) {
      isDue = false
      try {
        for (;;) {
          const some = await sessions.untold()
          await tell(some)
          if (some.length < limits.revocationsAtOnce) break
        }
        failures = 0
      } catch (error) {
        if (stopping.aborted) return
        log.warn(`Telling of ended sessions failed: ${messageOf(error)}`)
        failures++
      }
      waiting = new AbortController()
      if (stopping.aborted) return
      if (failures > 0) await pause(clock, backoffMs(random, failures - 1, RETRY), stopping)
      else if (!isDue) await pause(clock, limits.sessionSweepMs, waiting.signal)
    }
  })

  return {
    async end(sids, reason) {
      const count = await inStore(sids, reason)
      await everywhere(sids)
      return count
    },
    async endQuietly(sids, reason) {
      const count = await inStore(sids, reason)
      await everywhere(sids).catch((error: unknown) => {
        log.warn(`Telling of ended sessions failed: ${messageOf(error)}`)
      })
      return count
    },
    tellSoon,
  }
}
