import type { Cancel, Clock } from '../../runtime/platform/ports.ts'

export const START_MS = 1_795_000_000_000

export interface ManualClock extends Clock {
  /** Moves on, and runs what falls due in between. */
  advance(ms: number): Promise<void>
  /** Wall time alone: somebody set the clock. */
  set(ms: number): void
}

export function manualClock(): ManualClock {
  let now = START_MS
  let timers: { at: number; task: () => void }[] = []
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0))
  return {
    now: () => now,
    monotonic: () => now,
    after(delayMs, task): Cancel {
      const timer = { at: now + delayMs, task }
      timers.push(timer)
      return () => { timers = timers.filter((one) => one !== timer) }
    },
    soon: (task) => queueMicrotask(task),
    set(ms) { now = ms },
    async advance(ms) {
      const end = now + ms
      await settle()
      for (;;) {
        const next = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
        if (!next) break
        timers = timers.filter((one) => one !== next)
        now = Math.max(now, next.at)
        next.task()
        await settle()
      }
      now = end
    },
  }
}
