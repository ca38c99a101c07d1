import { ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { HttpRequest, HttpResponse } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import type { Supervision } from '../../runtime/supervision.ts'
import type { NodeDaemon } from '../node-daemon/protocol.ts'
import { kv, NodeConfig, readRecord } from '../records.ts'
import type { SystemConfig } from '../system-config/protocol.ts'
import type { VerifyHub } from '../verify-hub/protocol.ts'
import { text } from './responses.ts'

export interface ProbeOptions {
  readonly host: string
  readonly needs: {
    readonly supervision: Client<typeof Supervision>
    readonly systemConfig: Client<typeof SystemConfig>
    readonly verifyHub: Client<typeof VerifyHub>
    readonly nodeDaemon: Client<typeof NodeDaemon>
  }
  /** The gateway's own session. */
  readonly token: () => string
  /** Whether the gateway found `boot/config`. */
  readonly booted: boolean
}

type Page = (request: HttpRequest) => Promise<HttpResponse>

const withinMs = { withinMs: limits.gatewayCallMs }

const PASSING = new Set(['Unavailable', 'DeadlineExceeded', 'Overloaded', 'Restarted', 'Cancelled', 'DiskFull'])
/** What is behind the gateway is away for a moment. */
export const isPassing = (error: unknown): boolean => error instanceof ZonewrightError && PASSING.has(error.code)

/** Pages for programs that watch over this one. */
export function createProbes({ host, needs, token, booted }: ProbeOptions): Readonly<Record<string, Page>> {
  const states = async (): Promise<ReadonlyMap<string, string>> =>
    new Map((await needs.nodeDaemon.services({}, withinMs)).map(({ name, state }) => [name, state]))

  return {
    /** This process answers: whoever restarts it otherwise need not. */
    '/livez': async () => text(200, 'ok\n'),
    /** Nothing of this host is failing; what is meant to be down is not. */
    '/healthz': async () => {
      const ok = booted && [...(await states()).values()].every((state) => state === 'serving' || state === 'stopped')
      return text(ok ? 200 : 503, ok ? 'ok\n' : 'starting\n')
    },
    /** Everything that this host should run serves, and logins are answered: it may be given work. */
    '/readyz': async () => {
      const [config, running] = await Promise.all([
        needs.systemConfig.get({ key: kv.node(host) }, { ...withinMs, token: token() }), states(),
        // Goes all the way: verify-hub asks system-config what it trusts, then its own store
        needs.verifyHub.verifySession({ sid: '-' }, withinMs),
      ])
      const wanted = config ? readRecord(NodeConfig, kv.node(host), config.value) : undefined
      const names = Object.keys(wanted?.services ?? {}).filter((name) => wanted!.services[name]?.target === 'running')
      const ready = wanted?.state === 'running' && names.every((name) => running.get(name) === 'serving')
      return text(ready ? 200 : 503, ready ? 'ready\n' : 'not ready\n')
    },
    /** For a collector on this machine. */
    '/metrics': async ({ remoteAddress, headers }) => {
      // A proxy on this machine may bring anybody: it says so, and is believed only when that is to its disadvantage
      const brought = FORWARDED.some((name) => headers[name] !== undefined)
      // A page that a browser here has open may come by a name of its own that leads to this machine
      const named = LOCAL_NAME.test(headers['host'] ?? 'localhost')
      if (brought || !named || !LOOPBACK.test(remoteAddress)) return text(403, 'Only for this machine\n')
      const { text: metrics } = await needs.supervision.metrics({}, withinMs)
      return { ...text(200, metrics), headers: { ...text(200, '').headers, 'content-type': METRICS_TYPE } }
    },
  }
}

const LOOPBACK = /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$|^::1$/
const LOCAL_NAME = /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d+)?$/i
const FORWARDED = ['forwarded', 'via', 'x-forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip']
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
