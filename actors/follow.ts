import { messageOf } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import type { ActorStart } from '../runtime/actor.ts'
import type { Client, Infer } from '../runtime/protocol.ts'
import { pause } from '../runtime/within.ts'
import { hasExpired, type OwnSession } from './session.ts'
import type { SystemConfig } from './system-config/protocol.ts'

export type ConfigEvent = Infer<typeof SystemConfig.methods.watch.item>

type Items = Infer<typeof SystemConfig.methods.dump.result>['items']

/** Page by page: what a thousand hosts tell of themselves is more than one message holds. */
async function readAll(
  systemConfig: Pick<Client<typeof SystemConfig>, 'dump'>,
  query: { readonly prefixes: string[]; readonly leaves?: string[] }, token: () => string,
): Promise<{ readonly items: Items; readonly revision: number; readonly newer: ReadonlyMap<string, number> }> {
  const all: Items = []
  const newer = new Map<string, number>()
  let first: number | undefined
  for (let after = '', more: boolean | undefined = true; more; after = all.at(-1)?.key ?? '') {
    const page = await systemConfig.dump({ ...query, page: { after } }, { token: token() })
    first ??= page.revision
    // A page may be of a later revision than those before it: the watch goes on from the first
    for (const { key, revision } of page.items) if (revision > first) newer.set(key, revision)
    all.push(...page.items)
    more = page.more === true && page.items.length > 0
  }
  return { items: all, revision: first ?? 0, newer }
}

export interface FollowOptions {
  readonly start: Pick<ActorStart, 'clock' | 'log' | 'stopping'>
  readonly systemConfig: Pick<Client<typeof SystemConfig>, 'dump' | 'watch'>
  readonly session: Pick<OwnSession, 'token'>
  readonly prefix: string
  /** Last segments of its keys; without them, all. */
  readonly leaves?: readonly string[]
  /** What there is now, at each beginning: the watch goes on from its revision. */
  readonly onBegin: (items: Items, revision: number) => void
  readonly onEvent: (event: ConfigEvent) => void
  /** Nothing is heard from now on, until `onBegin`. */
  readonly onLost?: () => void
}

/** Follows a part of `kv://` until the actor stops; a watch that ends begins anew, later from failure to failure. */
export async function follow(options: FollowOptions): Promise<void> {
  const { start: { clock, log, stopping }, systemConfig, session, prefix } = options
  const leaves = options.leaves ? { leaves: [...options.leaves] } : {}
  let after: number | undefined
  let newer: ReadonlyMap<string, number> = new Map()
  let failures = 0
  while (!stopping.aborted) {
    try {
      if (after === undefined) {
        const { items, revision, newer: later } = await readAll(systemConfig, { prefixes: [prefix], ...leaves },
          () => session.token())
        newer = later
        options.onBegin(items, revision)
        after = revision
      }
      const settings = { token: session.token(), signal: stopping }
      for await (const event of systemConfig.watch({ prefix, after, ...leaves }, settings)) {
        after = event.revision
        failures = 0
        // A later page has told of it already, or of what came after it
        if ((newer.get(event.key) ?? 0) < event.revision) options.onEvent(event)
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
