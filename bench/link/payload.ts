/** 200 bytes as JSON, with what surrounds it. */
export const text = 'x'.repeat(177)

/** Calls per second, with `inFlight` loops that each await one call after the other. */
export async function measure(call: (n: number) => Promise<unknown>, inFlight: number, ms: number): Promise<number> {
  const began = performance.now()
  let calls = 0
  let over = false
  const loop = async (): Promise<void> => {
    while (!over) {
      await call(calls)
      // The clock is looked at rarely: it costs as much as a tenth of a call
      if (++calls % 16 === 0 && performance.now() - began > ms) over = true
    }
  }
  await Promise.all(Array.from({ length: inFlight }, loop))
  return calls / (performance.now() - began) * 1000
}
