import { messageOf } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Clock, Transport } from '../platform/ports.ts'

type Requests = Pick<Transport, 'request'>
import type { ProcessStart } from '../supervision.ts'
import { pause } from '../within.ts'

export type Health = NonNullable<ProcessStart['health']>

const LOOPBACK = '127.0.0.1'
const HEALTHY = { from: 200, to: 399 } as const

/** What is wrong with it, or undefined when it is healthy. */
export async function healthFault(transport: Requests, { port, path }: Health): Promise<string | undefined> {
  const answered = new AbortController()
  try {
    const { status } = await transport.request({
      hostname: LOOPBACK, port, path, method: 'GET', headers: { host: `${LOOPBACK}:${port}` }, body: '',
      withinMs: limits.healthAnswerMs, signal: answered.signal,
    })
    return status >= HEALTHY.from && status <= HEALTHY.to ? undefined : `its health page answers ${status}`
  } catch (error) {
    return messageOf(error)
  } finally {
    // Only the status is read
    answered.abort()
  }
}

/** Settles with undefined when it is healthy for the first time, else with the last fault, or when `over` aborts. */
export async function untilHealthy(
  { clock, transport }: { readonly clock: Clock; readonly transport: Requests }, health: Health, over: AbortSignal,
): Promise<string | undefined> {
  const began = clock.monotonic()
  for (;;) {
    const fault = await healthFault(transport, health)
    if (fault === undefined || over.aborted) return fault
    const waitMs = Math.min(limits.healthFirstMs, health.everyMs)
    if (clock.monotonic() - began + waitMs >= health.startMs) return fault
    await pause(clock, waitMs, over)
    if (over.aborted) return fault
  }
}

/** Settles with the last fault once it has missed `limits.healthMisses` looks in a row, or when `over` aborts. */
export async function untilUnhealthy(
  { clock, transport }: { readonly clock: Clock; readonly transport: Requests }, health: Health, over: AbortSignal,
): Promise<string> {
  for (let misses = 0, fault = ''; ;) {
    await pause(clock, health.everyMs, over)
    if (over.aborted) return fault
    const found = await healthFault(transport, health)
    misses = found === undefined ? 0 : misses + 1
    fault = found ?? ''
    if (misses >= limits.healthMisses) return fault
  }
}
