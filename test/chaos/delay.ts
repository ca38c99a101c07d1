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
