import { Overloaded } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock, Keys } from '../../runtime/platform/ports.ts'
import type { Store } from '../../runtime/store/store.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { LoginLocked } from './protocol.ts'
import { openTallies } from './tallies.ts'

/**
 * What stands before each password that is tried, whoever it is tried for: names that nobody has are counted and locked
 * alike, so that no answer and no delay tells which names there are.
 */
export interface Lockout {
  /**
   * Counts the attempt as a failure before it is looked at: those that come at the same time are counted too. Then at
   * most one slow hash; when this refuses, none. @throws LoginLocked, Overloaded
   */
  attempt(username: string): Promise<void>
  /** The password was right, or somebody unlocks the name. */
  clear(username: string): Promise<void>
  /** The attempt was counted, and came to nothing. */
  retract(username: string): Promise<void>
  /** No password logs this name in for so long; where that is so already, the longer holds. */
  lock(username: string, forMs: number): Promise<void>
  sweep(): Promise<number>
}

interface Failures {
  /** Since the last right password. */
  readonly count: number
  /** Epoch milliseconds. */
  readonly lockedUntilMs: number
}

const NONE: Failures = { count: 0, lockedUntilMs: 0 }

export function createLockout({ store, clock, keys }: { store: Store; clock: Clock; keys: Keys }): Lockout {
  const tallies = openTallies<Failures>(store, 'locks', limits.loginNames)
  const total = createRate(clock, limits.loginAttempts, limits.loginNames)
  const perName = createRate(clock, limits.loginAttemptsPerName, limits.loginNames)
  // A name that is no user's may be anything
  const nameOf = (username: string): string => toBase64url(keys.hash(new TextEncoder().encode(username)))
  const remembered = (value: Failures, nowMs: number) =>
    ({ value, untilMs: Math.max(value.lockedUntilMs, nowMs) + limits.loginForgetMs })

  return {
    async attempt(username) {
      const name = nameOf(username)
      const nowMs = clock.now()
      const soonMs = perName(name)
      if (soonMs > 0) throw locked(soonMs)
      if (total('') > 0) throw new Overloaded('Too many passwords are tried at once')
      const lockedMs = ({ lockedUntilMs }: Failures = NONE): number => lockedUntilMs - nowMs
      let waitMs = lockedMs(await tallies.get(name))
      // Without a write: who is locked out cannot make it cost more than that
      if (waitMs > 0) throw locked(waitMs)
      await tallies.update(name, (known = NONE) => {
        waitMs = lockedMs(known)
        if (waitMs > 0) return remembered(known, nowMs)
        const count = known.count + 1
        return remembered({ count, lockedUntilMs: count < limits.loginFailures ? 0 : nowMs + lockMs(count) }, nowMs)
      })
      if (waitMs > 0) throw locked(waitMs)
    },
    clear: async (username) => void await tallies.update(nameOf(username), () => undefined),
    async retract(username) {
      const nowMs = clock.now()
      await tallies.update(nameOf(username), (known = NONE) => {
        const count = Math.max(0, known.count - 1)
        return remembered({ count, lockedUntilMs: count < limits.loginFailures - 1 ? known.lockedUntilMs : 0 }, nowMs)
      })
    },
    async lock(username, forMs) {
      const nowMs = clock.now()
      await tallies.update(nameOf(username), ({ count, lockedUntilMs } = NONE) =>
        remembered({ count, lockedUntilMs: Math.max(lockedUntilMs, nowMs + forMs) }, nowMs))
    },
    sweep: () => tallies.sweep(clock.now()),
  }
}

/** Doubles with each failure from the first that locks. */
function lockMs(count: number): number {
  let ms = limits.loginLockMsMin
  for (let step = limits.loginFailures; step < count && ms < limits.loginLockMsMax; step++) ms *= 2
  return Math.min(ms, limits.loginLockMsMax)
}

function locked(ms: number): Error {
  const retryMs = Math.ceil(ms)
  return new LoginLocked(`Too many wrong passwords; try again in ${Math.ceil(retryMs / 1000)} s`, { retryMs })
}

/**
 * So many in `limits.loginAttemptsMs`, for each of the newest `most` names: a bucket that fills evenly. What is asked
 * for beyond costs nothing but the answer, in how many milliseconds to come again.
 */
function createRate(clock: Clock, attempts: number, most: number): (name: string) => number {
  const stepMs = limits.loginAttemptsMs / attempts
  /** When the bucket would be full again, by the monotonic clock. */
  const fullAt = new Map<string, number>()
  return (name) => {
    const now = clock.monotonic()
    const next = Math.max(fullAt.get(name) ?? 0, now) + stepMs
    const early = next - now - limits.loginAttemptsMs
    // Also rounding: a bucket that is exactly full is not too full
    if (early > 1e-6) return early
    if (!fullAt.has(name) && fullAt.size >= most) fullAt.delete(fullAt.keys().next().value!)
    fullAt.set(name, next)
    return 0
  }
}
