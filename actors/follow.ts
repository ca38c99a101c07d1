import { messageOf } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import type { ActorStart } from '../runtime/actor.ts'
import type { Client, Infer } from '../runtime/protocol.ts'
import { pause } from '../runtime/within.ts'
import { hasExpired, type OwnSession } from './session.ts'
import type { SystemConfig } from './system-config/protocol.ts'

export type ConfigEvent = Infer<typeof SystemConfig.methods.watch.item>

export interface FollowOptions {
  readonly start: Pick<ActorStart, 'clock' | 'log' | 'stopping'>
  readonly systemConfig: Pick<Client<typeof SystemConfig>, 'dump' | 'watch'>
  readonly session: Pick<OwnSession, 'token'>
  readonly prefix: string
  /** Last segments of its keys; without them, all. */
  readonly leaves?: readonly string[]
  /** What there is now, at each beginning: the watch goes on from its revision. */
  readonly onBegin: (items: Infer<typeof SystemConfig.methods.dump.result>['items'], revision: number) => void
  readonly onEvent: (event: ConfigEvent) => void
  /** Nothing is heard from now on, until `onBegin`. */
  readonly onLost?: () => void
}

/** Follows a part of `kv://` until the actor stops; a watch that ends begins anew, later from failure to failure. */
export async function follow(options: FollowOptions): Promise<void> {
  const { start: { clock, log, stopping }, systemConfig, session, prefix } = options
  const leaves = options.leaves ? { leaves: [...options.leaves] } : {}
  let after: number | undefined
  let failures = 0
  while (!stopping.aborted) {
    try {
      if (after === undefined) {
        const { items, revision } = await systemConfig.dump({ prefixes: [prefix], ...leaves },
          { token: session.token() })
        options.onBegin(items, revision)
        after = revision
      }
      const settings = { token: session.token(), signal: stopping }
      for await (const event of systemConfig.watch({ prefix, after, ...leaves }, settings)) {
        after = event.revision
        failures = 0
        options.onEvent(event)
      }
    } catch (error) {
      if (stopping.aborted) return
      // After the end of a token the next watch goes on where this one stopped
      if (!hasExpired(error)) {
        log.warn(`The watch of ${prefix} ended: ${messageOf(error)}`)
        after = undefined
        failures++
        options.onLost?.()
      }
    }
    const waitMs = Math.min(limits.convergeRoundMs, limits.convergeRetryMs * 2 ** Math.min(failures, 16))
    await pause(clock, waitMs, stopping)
  }
}
