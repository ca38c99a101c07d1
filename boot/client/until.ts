import { limits } from '../../runtime/limits.ts'
import { pause } from '../../runtime/within.ts'
import { ZoneNotRunning } from '../errors.ts'
import { isPassing } from './follow.ts'
import type { ZoneClient } from './zone-client.ts'

/**
 * Looks again and again until `look` answers; a zone that is away meanwhile is waited for. Undefined when the time is
 * over. @throws what `look` throws and is not passing
 */
export async function until<T>(
  client: ZoneClient, withinMs: number, look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const { clock } = client.platform
  const end = clock.monotonic() + withinMs
  for (;;) {
    try {
      const found = await look()
      if (found !== undefined) return found
    } catch (error) {
      if (!isPassing(error)) throw error
      await client.relocate().catch((gone: unknown) => {
        if (!(gone instanceof ZoneNotRunning)) throw gone
      })
    }
    if (clock.monotonic() >= end) return undefined
    await pause(clock, limits.clientRetryMs)
  }
}
