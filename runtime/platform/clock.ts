import type { Clock } from './ports.ts'

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs)
    // A timer by number is the web's kind (Deno); node's object has unref itself
    if (typeof timer === 'object') timer.unref()
    else (globalThis as unknown as { Deno: { unrefTimer(id: number): void } }).Deno.unrefTimer(timer as number)
    return () => clearTimeout(timer)
  },
  soon: (task) => void setImmediate(task),
}
