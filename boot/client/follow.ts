import { ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { pause } from '../../runtime/within.ts'
import { ZoneNotRunning } from '../errors.ts'
import { isStale } from './session.ts'
import type { ZoneClient } from './zone-client.ts'

/** What a stream that was cut may mean: the zone, or what is behind its gateway, is away for a moment. */
const PASSING = new Set(['Unavailable', 'DeadlineExceeded', 'Overloaded', 'Restarted', 'Cancelled', 'ZoneNotRunning'])

export const isPassing = (error: unknown): boolean => error instanceof ZonewrightError && PASSING.has(error.code)

/**
 * Opens a stream again and again, each time from where it stopped, until `signal` aborts or the stream ends by itself.
 * Whoever makes it says where that is. @throws what is not a passing failure; a passing one after `clientReconnectMs`
 */
export async function* follow(
  client: ZoneClient, signal: AbortSignal, open: () => AsyncIterable<unknown>,
): AsyncIterable<unknown> {
  const { clock } = client.platform
  let awaySince: number | undefined
  while (!signal.aborted) {
    try {
      for await (const item of open()) {
        awaySince = undefined
        yield item
      }
      return
    } catch (error) {
      if (signal.aborted) return
      // The stream has renewed its token
      if (isStale(error) && awaySince === undefined) {
        awaySince = clock.monotonic()
        continue
      }
      if (!isPassing(error) && !isStale(error)) throw error
      awaySince ??= clock.monotonic()
      if (clock.monotonic() - awaySince > limits.clientReconnectMs) throw error
      await pause(clock, limits.clientRetryMs, signal)
      await client.relocate().catch((gone: unknown) => {
        if (!(gone instanceof ZoneNotRunning)) throw gone
      })
    }
  }
}
