import { actor } from '../../runtime/actor.ts'
import { messageOf, PortInUse } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { HttpRequest, HttpResponse, HttpServer } from '../../runtime/platform/ports.ts'
import { krpcReads, SystemConfig } from '../system-config/protocol.ts'
import { tokenMethods, VerifyHub } from '../verify-hub/protocol.ts'
import { createFirstUses } from './first-uses.ts'
import { createKrpc } from './krpc.ts'
import { isPassing } from './probes.ts'
import { Gateway } from './protocol.ts'
import { text } from './responses.ts'

/**
 * The gateway of a node: on loopback, for programs of its own host. What they may ask there is kRPC of the two that
 * judge each call themselves; no session of this host stands behind it.
 */
export default actor(Gateway, {
  needs: { systemConfig: SystemConfig, verifyHub: VerifyHub }, stateless: true,
}, async ({ needs, transport, clock, env, log, self, count }) => {
  const krpc = createKrpc({
    clock, accepted: createFirstUses(needs.verifyHub), warn: (message) => log.warn(message),
    services: {
      system_config: { client: needs.systemConfig, reads: krpcReads, inBody: true },
      'verify-hub': { client: needs.verifyHub, tokenMethods },
    },
  })
  const routed = async ({ method, path }: HttpRequest): Promise<HttpResponse> => {
    if (path !== '/livez') return text(404, 'There is nothing at this path\n')
    if (method !== 'GET' && method !== 'HEAD') return text(405, 'Only GET is answered here\n', { allow: 'GET, HEAD' })
    return text(200, 'ok\n')
  }
  const handle = async (request: HttpRequest): Promise<HttpResponse> => {
    const { method, path } = request
    const route = krpc.routes.has(path) ? path : 'other'
    try {
      const answered = await (krpc.answer(request) ?? routed(request))
      count(`http_requests_total{route="${route}",status="${Math.floor(answered.status / 100)}xx"}`)
      return answered
    } catch (error) {
      log.warn(`${method} ${path} failed: ${messageOf(error)}`)
      return isPassing(error) ? text(503, 'Not now\n', { 'retry-after': '1' }) : text(500, 'The request failed\n')
    }
  }
  const hostname = env['ZONEWRIGHT_HTTP_HOSTNAME'] ?? '127.0.0.1'
  const listen = (port: number): Promise<HttpServer> => transport.serveHttp({
    hostname, port, bodyBytesMax: limits.httpBodyBytes, requestMsMax: limits.httpRequestMs,
  }, handle)
  const [asked, before] = [Number(env['ZONEWRIGHT_HTTP_PORT'] ?? 0), Number(env['ZONEWRIGHT_HTTP_PORT_BEFORE'] ?? 0)]
  const serving = await listen(asked === 0 ? before : asked).catch((error: unknown) => {
    if (asked === 0 && before !== 0 && error instanceof PortInUse) return listen(0)
    throw error
  })
  log.info('Programs of this host reach the zone here', { hostname, port: serving.port })
  return {
    handlers: { address: () => ({ hostname, port: serving.port }) },
    lifecycle: {
      admit: (peer) => peer.host === self.host,
      stop: () => {
        krpc.close()
        return serving.close(limits.httpCloseMs)
      },
    },
  }
})
