import type { Clock } from './ports.ts'

/** What a timer takes; with more it would run at once. */
const DELAY_MS_MAX = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, Math.min(delayMs, DELAY_MS_MAX))
    // A timer by number is the web's kind (Deno); node's object has unref itself
    if (typeof timer === 'object') timer.unref()
    else (globalThis as unknown as { Deno: { unrefTimer(id: number): void } }).Deno.unrefTimer(timer as number)
    return () => clearTimeout(timer)
  },
  soon: (task) => void setImmediate(task),
}
