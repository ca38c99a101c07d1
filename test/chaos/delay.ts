export const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Milliseconds until it holds; undefined when it does not in time. What throws does not hold. */
export async function holdsWithin(msMax: number, holds: () => Promise<boolean>): Promise<number | undefined> {
  const began = performance.now()
  for (;;) {
    if (await holds().catch(() => false)) return performance.now() - began
    if (performance.now() - began > msMax) return undefined
    await delay(500)
  }
}

/** A read that is tried again: everybody is back, and the machine may be slow. */
export async function answered<T>(read: () => Promise<T>, msMax = 60_000): Promise<T> {
  for (const until = performance.now() + msMax;;) {
    try {
      return await read()
    } catch (error) {
      if (performance.now() > until) throw error
      await delay(500)
    }
  }
}
