import type { ActorStart, Authenticate, CallContext, Handlers } from '../../runtime/actor.ts'
import { NotFound } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import {
  boolean, integer, minValue, number, object, optional, pipe, regex, string, type Infer,
} from '../../runtime/protocol.ts'
import type { HostState, LogLine, Supervision } from '../../runtime/supervision.ts'
import { allowedBy, deniedBy } from '../../runtime/trust/denial.ts'
import { pause } from '../../runtime/within.ts'
import { openEnforcer, type Enforcer } from '../enforcement/enforcer.ts'
import { answering, method, streaming, type KrpcTable } from '../krpc.ts'
import { kv, Name } from '../records.ts'
import type { SystemConfig } from '../system-config/protocol.ts'
import { issuers } from '../trust-matrix.ts'
import type { NodeDaemon } from './protocol.ts'

type Needs = { supervision: typeof Supervision; systemConfig: typeof SystemConfig }
type Cx = CallContext<Needs>

export interface Operator extends Pick<Handlers<typeof NodeDaemon, Needs>, 'krpc' | 'krpcStream'> {
  readonly authenticate: Authenticate
}

const count = pipe(number(), integer(), minValue(0))
const DenialId = pipe(string(), regex(/^D-[0-9a-f]{8}$/))
const LogQuery = object({
  host: optional(Name), actor: optional(Name), after: optional(count), tail: optional(count),
  follow: optional(boolean()),
})

/**
 * What a person may do to the hosts of this process. The daemon checks the session itself, as the matrix says for a
 * node; what its user may do is the policy's to say, by a key for each action: system-config is asked with the user's
 * own token, so that one place decides and `explain` shows its line.
 * @param burn uses up a root token for all OODs
 */
export function createOperator(
  start: ActorStart<Needs>, session: () => string, burn: (token: string) => Promise<unknown>,
): Operator {
  const { needs, clock, denials, self } = start
  const startedSeconds = Math.floor(clock.now() / 1000)
  let opening: Promise<Enforcer> | undefined
  /** Opened by the first who asks: a zone that nobody operates need not follow boot/config here. */
  const enforcer = (): Promise<Enforcer> => {
    opening ??= openEnforcer({
      start, systemConfig: needs.systemConfig, appid: 'node-daemon', verifier: 'node',
      session: { token: session, renew: async () => {} }, onceSinceSeconds: startedSeconds, burn,
    }).catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }

  const demand = async (cx: Cx, act: 'read' | 'write', ...keys: readonly string[]): Promise<void> => {
    if (cx.token === undefined) {
      const detail = `${cx.peer.actor} on ${cx.peer.host}`
      throw denials.denied([
        allowedBy('link', 'link/node-daemon'), deniedBy({ layer: 'token', reason: 'token/absent', rule: '-', detail }),
      ])
    }
    // Its one audience is this verifier, which has accepted it; nothing is above it in the policy
    if (cx.principal.sub === issuers.root) return
    for (const key of keys) await cx.systemConfig.check({ key, act })
  }
  /** Of the stores of this host. */
  const demandMove = (cx: Cx): Promise<void> => demand(cx, 'write', kv.control(self.host))
  /** Speaks as the daemon: the supervisor knows callers by their link, and takes no tokens. */
  const settings = ({ signal, deadline }: Cx) => ({ signal, withinMs: Math.max(0, deadline - clock.now()) })
  const hosts = (cx: Cx): Promise<HostState[]> => needs.supervision.hosts({}, settings(cx))

  const methods: KrpcTable<Cx, unknown> = {
    ps: method(object({ host: optional(Name) }), async ({ host }, cx: Cx) => {
      if (host !== undefined) await demand(cx, 'read', kv.state(host))
      const all = await hosts(cx)
      const found = host === undefined ? all : all.filter((each) => each.host === host)
      if (host === undefined) await demand(cx, 'read', ...found.map((each) => kv.state(each.host)))
      if (host !== undefined && found.length === 0) throw new NotFound(`There is no such host: ${host}`, { host })
      return { zone: self.zone, hosts: found }
    }),
    kill: method(object({ host: Name, actor: optional(Name) }), async ({ host, actor }, cx: Cx) => {
      await demand(cx, 'write', kv.control(host))
      await needs.supervision.kill({ host, ...(actor === undefined ? {} : { actor }) }, settings(cx))
      return {}
    }),
    migrate: method(object({}), async (_, cx: Cx) => {
      await demandMove(cx)
      return await needs.supervision.migrate({}, settings(cx))
    }),
    migration: method(object({}), async (_, cx: Cx) => {
      await demand(cx, 'read', kv.state(self.host))
      return await needs.supervision.migration({}, settings(cx))
    }),
    migration_plan: method(object({}), async (_, cx: Cx) => {
      await demandMove(cx)
      return await needs.supervision.migrationPlan({}, settings(cx))
    }),
    explain: method(object({ id: DenialId }), async ({ id }, cx: Cx) => {
      await demand(cx, 'read', kv.logs(self.host))
      const found = await needs.supervision.denial({ id }, settings(cx))
      if (!found) throw new NotFound(`There is no such denial: ${id}`, { id })
      if (found.host !== self.host) await demand(cx, 'read', kv.logs(found.host))
      return found
    }),
  }

  async function* logs(query: Infer<typeof LogQuery>, cx: Cx): AsyncIterable<LogLine> {
    const { host, actor, after, tail = limits.logLinesKept, follow = false } = query
    const allowed = async (): Promise<void> => {
      const names = host === undefined ? (await needs.supervision.hosts({})).map((each) => each.host) : [host]
      await demand(cx, 'read', ...names.map(kv.logs))
    }
    await allowed()
    const life = new AbortController()
    const end = (): void => life.abort()
    cx.signal.addEventListener('abort', end)
    let refused: unknown
    /** The token or the right may end while lines go on. */
    const ask = async (): Promise<void> => {
      for (;;) {
        await pause(clock, limits.enforcerLeaseMs, life.signal)
        if (life.signal.aborted) return
        await allowed()
      }
    }
    const asking = ask().catch((error: unknown) => {
      refused = error
      life.abort()
    })
    const asked = {
      tail, follow, ...(host === undefined ? {} : { host }), ...(actor === undefined ? {} : { actor }),
      ...(after === undefined ? {} : { after }),
    }
    try {
      yield* needs.supervision.logs(asked, { signal: life.signal })
    } catch (error) {
      throw refused ?? error
    } finally {
      end()
      cx.signal.removeEventListener('abort', end)
      await asking
    }
    if (refused !== undefined) throw refused
  }

  const streams: KrpcTable<Cx, AsyncIterable<LogLine>> = { logs: method(LogQuery, logs) }
  return {
    krpc: answering(methods),
    krpcStream: streaming(streams),
    authenticate: async (token, peer, use) => (await enforcer()).authenticate(token, peer, use),
  }
}
