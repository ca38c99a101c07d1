import { limits } from './limits.ts'
import type { Clock } from './platform/ports.ts'

/**
 * A clock for who holds something for a time: a lease, or that a host was not called lost. The monotonic clock stands
 * still while a machine sleeps, and the wall clock does not: what that is ahead by counts as passed. So one that is set
 * forward ends things early, and one that is set back lengthens nothing. A machine that slept while its wall clock was
 * set back by as much tells nobody. Not for who waits until the time of another is over: that must not end early.
 */
export function lastingClock(clock: Clock): Clock {
  let offsetMs = clock.now() - clock.monotonic()
  let sleptMs = 0
  return {
    ...clock,
    monotonic() {
      const at = clock.monotonic()
      const aheadMs = clock.now() - at - offsetMs
      if (aheadMs > limits.clockAheadMs) sleptMs += aheadMs
      if (aheadMs > limits.clockAheadMs || aheadMs < 0) offsetMs += aheadMs
      return at + sleptMs
    },
  }
}
