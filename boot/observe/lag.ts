import { limits } from '../../runtime/limits.ts'
import type { Cancel, Clock } from '../../runtime/platform/ports.ts'

/** How late timers of this thread run. */
export interface Lag {
  /** The worst since it was last asked for. */
  takeSeconds(): number
  stop(): void
}

export function watchLag(clock: Clock): Lag {
  let worstMs = 0
  let cancel: Cancel = () => {}
  const look = (): void => {
    const due = clock.monotonic() + limits.lagMs
    cancel = clock.after(limits.lagMs, () => {
      worstMs = Math.max(worstMs, clock.monotonic() - due)
      look()
    })
  }
  look()
  return {
    takeSeconds() {
      const seconds = worstMs / 1_000
      worstMs = 0
      return seconds
    },
    stop: () => cancel(),
  }
}
