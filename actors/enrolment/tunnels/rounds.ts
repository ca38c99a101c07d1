import { limits } from '../../../runtime/limits.ts'
import type { Clock } from '../../../runtime/platform/ports.ts'

/** One look at all tunnels. */
export interface Round {
  /** @param notAfter of its certificate, epoch milliseconds */
  isDue(tunnel: object, notAfter: number): boolean
  /** It was judged by what this round knows. */
  judged(tunnel: object): void
}

/**
 * Which tunnels a look judges: all of them when anything has changed of authorities, revocation lists or
 * registrations; else those whose certificate has ended, and each once in a while all the same, since a certificate
 * can also be one too many of its host. A thousand certificates every two seconds were most of a core.
 * @param news the same for as long as nothing has changed
 */
export function createRounds(clock: Pick<Clock, 'monotonic' | 'now'>, news: () => Promise<string>) {
  const last = new WeakMap<object, { readonly by: string; readonly atMs: number }>()
  return async (): Promise<Round> => {
    const atMs = clock.monotonic()
    // Where nobody says what has changed, each is asked about by itself
    const by = await news().catch(() => undefined)
    return {
      isDue(tunnel, notAfter) {
        const before = last.get(tunnel)
        return by === undefined || before?.by !== by || atMs - before.atMs >= limits.tunnelJudgeMs
          || clock.now() > notAfter
      },
      judged(tunnel) {
        if (by !== undefined) last.set(tunnel, { by, atMs })
      },
    }
  }
}
