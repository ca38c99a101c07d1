import { actor } from '../../runtime/actor.ts'
import { messageOf, ZonewrightError } from '../../runtime/errors.ts'
import type { HttpRequest, HttpResponse } from '../../runtime/platform/ports.ts'
import { limits } from '../../runtime/limits.ts'
import { Supervision } from '../../runtime/supervision.ts'
import { bootStep, bootStepText } from '../boot-steps.ts'
import { NodeDaemon } from '../node-daemon/protocol.ts'
import { kv } from '../records.ts'
import { openSession } from '../session.ts'
import { SystemConfig } from '../system-config/protocol.ts'
import { VerifyHub } from '../verify-hub/protocol.ts'
import { bootPage } from './boot-page.ts'
import { Gateway } from './protocol.ts'

const APPID = 'gateway'
const withinMs = { withinMs: limits.gatewayCallMs }

const PASSING = new Set(['Unavailable', 'DeadlineExceeded', 'Overloaded', 'Restarted', 'Cancelled'])
/** What is behind the gateway is away for a moment. */
const isPassing = (error: unknown): boolean => error instanceof ZonewrightError && PASSING.has(error.code)

/** The zone's way in by HTTP. It routes: what a path means belongs to the actor behind it. */
export default actor(Gateway, {
  needs: { supervision: Supervision, systemConfig: SystemConfig, verifyHub: VerifyHub, nodeDaemon: NodeDaemon },
  stateless: true,
}, async (start) => {
  const { needs, transport, clock, random, env, log, stopping, background, step, self } = start
  const session = await openSession({
    clock, random, env, needs, appid: APPID, audiences: ['system-config'], stopping, background, step,
  })
  // Before it serves anybody: the zone is what its own store says, not what the ENV says
  const config = await needs.systemConfig.get({ key: kv.bootConfig }, { token: session.token() })

  const page = async (): Promise<HttpResponse> => {
    const steps = await needs.supervision.steps({}, withinMs)
    return html(200, bootPage(self.zone, self.host, steps.filter(({ sequence }) => sequence === 'boot'), bootStepText))
  }
  const health = async (): Promise<HttpResponse> => {
    const services = await needs.nodeDaemon.services({}, withinMs)
    const ok = config !== null && services.every(({ state }) => state === 'serving' || state === 'stopped')
    return text(ok ? 200 : 503, ok ? 'ok\n' : 'starting\n')
  }
  const routes: Readonly<Record<string, () => Promise<HttpResponse>>> = { '/': page, '/healthz': health }

  const handle = async ({ method, path }: HttpRequest): Promise<HttpResponse> => {
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined
    if (!route) return text(404, 'There is nothing at this path\n')
    if (method !== 'GET' && method !== 'HEAD') return text(405, 'Only GET is answered here\n', { allow: 'GET, HEAD' })
    try {
      return await route()
    } catch (error) {
      log.warn(`${method} ${path} failed: ${messageOf(error)}`)
      return isPassing(error) ? text(503, 'Not now\n', { 'retry-after': '1' }) : text(500, 'The request failed\n')
    }
  }
  const hostname = env['ZONEWRIGHT_HTTP_HOSTNAME'] ?? '127.0.0.1'
  const server = await transport.serveHttp({
    hostname, port: Number(env['ZONEWRIGHT_HTTP_PORT'] ?? 0),
    bodyBytesMax: limits.httpBodyBytes, requestMsMax: limits.httpRequestMs,
  }, handle)
  step('boot', bootStep.gatewayServing, { hostname, port: server.port })

  return {
    handlers: { address: () => ({ hostname, port: server.port }) },
    lifecycle: {
      admit: (peer) => peer.host === self.host,
      stop: () => server.close(limits.httpCloseMs),
    },
  }
})

const security = {
  'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer',
  'content-security-policy': [
    "default-src 'none'", "style-src 'unsafe-inline'",
    "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'",
  ].join('; '),
}

const html = (status: number, body: string): HttpResponse =>
  ({ status, headers: { ...security, 'content-type': 'text/html; charset=utf-8' }, body })

const text = (status: number, body: string, headers: Readonly<Record<string, string>> = {}): HttpResponse =>
  ({ status, headers: { ...security, ...headers, 'content-type': 'text/plain; charset=utf-8' }, body })
