import { actor } from '../../runtime/actor.ts'
import { messageOf, PortInUse } from '../../runtime/errors.ts'
import type { HttpRequest, HttpResponse, HttpServer } from '../../runtime/platform/ports.ts'
import { limits } from '../../runtime/limits.ts'
import { Supervision } from '../../runtime/supervision.ts'
import { bootStep, bootStepText } from '../boot-steps.ts'
import { Enrolment } from '../enrolment/protocol.ts'
import { CertManager } from '../cert-manager/protocol.ts'
import { NodeMonitor } from '../node-monitor/protocol.ts'
import { NodeDaemon } from '../node-daemon/protocol.ts'
import { kv } from '../records.ts'
import { Scheduler } from '../scheduler/protocol.ts'
import { openSession } from '../session.ts'
import { krpcReads, SystemConfig } from '../system-config/protocol.ts'
import { oauthPath, tokenMethods, VerifyHub } from '../verify-hub/protocol.ts'
import { openEnforcer } from '../enforcement/enforcer.ts'
import { bootPage } from './boot-page.ts'
import { createFirstUses } from './first-uses.ts'
import { createHanded } from './handed.ts'
import { createKrpc } from './krpc.ts'
import { originOf } from './origins.ts'
import { createProbes, isPassing } from './probes.ts'
import { Gateway } from './protocol.ts'
import { html, text } from './responses.ts'
import { createWeb } from './web/web.ts'

const APPID = 'gateway'
const withinMs = { withinMs: limits.gatewayCallMs }

/** The zone's way in by HTTP. It routes: what a path means belongs to the actor behind it. */
export default actor(Gateway, {
  needs: {
    supervision: Supervision, systemConfig: SystemConfig, verifyHub: VerifyHub, nodeDaemon: NodeDaemon,
    scheduler: Scheduler, certManager: CertManager, nodeMonitor: NodeMonitor,
    enrolment: Enrolment,
  },
  // One that is down, or runs on another host, takes its own route with it and nothing else
  servesWithout: ['scheduler', 'certManager', 'nodeMonitor', 'enrolment'],
  stateless: true,
}, async (start) => {
  const { needs, transport, clock, random, keys, env, log, stopping, background, step, self, count } = start
  const session = await openSession({
    clock, random, env, needs, appid: APPID, audiences: ['system-config'], stopping, background, step,
  })
  // Before it serves anybody: the zone is what its own store says, not what the ENV says
  const config = await needs.systemConfig.get({ key: kv.bootConfig }, { token: session.token() })

  const page = async (): Promise<HttpResponse> => {
    const steps = await needs.supervision.steps({}, withinMs)
    return html(200, bootPage(self.zone, self.host, steps.filter(({ sequence }) => sequence === 'boot'), bootStepText))
  }
  const routes: Readonly<Record<string, (request: HttpRequest) => Promise<HttpResponse>>> = {
    '/': page,
    ...createProbes({ host: self.host, needs, token: session.token, booted: config !== null }),
  }
  const krpc = createKrpc({
    clock, accepted: createFirstUses(needs.verifyHub), warn: (message) => log.warn(message),
    services: {
      system_config: { client: needs.systemConfig, reads: krpcReads, inBody: true },
      'verify-hub': { client: needs.verifyHub, tokenMethods },
      scheduler: { client: needs.scheduler },
      'node-daemon': { client: needs.nodeDaemon },
      'cert-manager': { client: needs.certManager },
      'node-monitor': { client: needs.nodeMonitor },
    },
  })

  const enforcer = await openEnforcer({
    start, systemConfig: needs.systemConfig, session, appid: APPID, verifier: 'gateway',
  })
  let server: HttpServer | undefined
  const web = createWeb({
    zone: self.zone, host: self.host, clock, random: random.fork('web'), keys, transport, needs, enforcer,
    token: session.token, ownPort: () => server?.port ?? 0, warn: (message) => log.warn(message), step,
  })
  const handed = createHanded({
    warn: (message) => log.warn(message),
    mounts: [{ client: needs.verifyHub, paths: Object.values(oauthPath) }],
    originOf: (host) => originOf({ hostname, port: server?.port ?? 0, origins }, host),
  })

  const routed = async (request: HttpRequest): Promise<HttpResponse> => {
    const { method, path } = request
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined
    if (!route) return text(404, 'There is nothing at this path\n')
    if (method !== 'GET' && method !== 'HEAD') return text(405, 'Only GET is answered here\n', { allow: 'GET, HEAD' })
    return route(request)
  }
  const answer = async (request: HttpRequest): Promise<HttpResponse> => {
    const { method, path } = request
    try {
      // Whatever host they name: who speaks by kRPC says so in the request itself
      return await (krpc.answer(request) ?? web.answer(request) ?? handed.answer(request) ?? routed(request))
    } catch (error) {
      log.warn(`${method} ${path} failed: ${messageOf(error)}`)
      return isPassing(error) ? text(503, 'Not now\n', { 'retry-after': '1' }) : text(500, 'The request failed\n')
    }
  }
  const handle = async (request: HttpRequest): Promise<HttpResponse> => {
    const answered = await answer(request)
    // Few names, whatever paths are asked for
    const ours = [krpc.routes, handed.routes].some((paths) => paths.has(request.path))
    const named = krpc.routes.has(request.path) ? request.path : web.routeOf(request)
    const route = named ?? (ours || Object.hasOwn(routes, request.path) ? request.path : 'other')
    count(`http_requests_total{route="${route}",status="${Math.floor(answered.status / 100)}xx"}`)
    return answered
  }
  const hostname = env['ZONEWRIGHT_HTTP_HOSTNAME'] ?? '127.0.0.1'
  const origins = (env['ZONEWRIGHT_HTTP_ORIGINS'] ?? '').split(' ').filter(Boolean)
  const listen = (port: number): Promise<HttpServer> => transport.serveHttp({
    hostname, port, bodyBytesMax: limits.httpBodyBytes, requestMsMax: limits.httpRequestMs,
  }, handle)
  const [asked, before] = [Number(env['ZONEWRIGHT_HTTP_PORT'] ?? 0), Number(env['ZONEWRIGHT_HTTP_PORT_BEFORE'] ?? 0)]
  const serving = await listen(asked === 0 ? before : asked).catch((error: unknown) => {
    if (asked === 0 && before !== 0 && error instanceof PortInUse) return listen(0)
    throw error
  })
  server = serving
  step('boot', bootStep.gatewayServing, { hostname, port: serving.port })

  return {
    handlers: { address: () => ({ hostname, port: serving.port }) },
    lifecycle: {
      admit: (peer) => peer.host === self.host,
      stop: () => {
        krpc.close()
        web.close()
        return serving.close(limits.httpCloseMs)
      },
    },
  }
})
