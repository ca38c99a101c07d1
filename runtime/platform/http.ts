import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { PortInUse } from '../errors.ts'
import { limits } from '../limits.ts'
import { Exchange, LINGER_MS, type Serving } from './http-exchange.ts'
import { createFaults, faultOf } from './http-faults.ts'
import { takeLists } from './http-list.ts'
import type { HttpServer, HttpTls, Transport } from './ports.ts'

/** How often the server looks for requests that have not come whole in time; its own default is half a minute. */
const CHECK_MS = 1_000
/** For a client to finish its part of a TLS handshake. */
const HANDSHAKE_MS = 10_000

const secureContext = ({ certificate, key }: HttpTls) => ({ cert: certificate, key, minVersion: 'TLSv1.2' as const })

/**
 * `node:http` on both runtimes. Bounded in body, headers, connections, requests and time; what goes wrong before a
 * handler could answer is answered as JSON, `{error, code}`; a handler that throws is answered 500, no text.
 */
export const serveHttp: Transport['serveHttp'] = async (options, handle) => {
  const { requestMsMax, tls } = options
  const serving: Serving = {
    options, handle, faults: createFaults(options.faultBody), connections: new WeakMap(), closing: false, requests: 0,
    bodyBytes: 0,
  }
  const timing = {
    requestTimeout: requestMsMax,
    headersTimeout: requestMsMax,
    connectionsCheckingInterval: Math.min(CHECK_MS, requestMsMax),
  }
  const run = (request: IncomingMessage, response: ServerResponse): void =>
    void new Exchange(request, response, serving).run()
  const server = tls
    ? createTlsServer({ ...timing, ...secureContext(tls), handshakeTimeout: HANDSHAKE_MS }, run)
    : createServer(timing, run)
  if (options.lists) takeLists(server, tls ? 'secureConnection' : 'connection')
  server.maxConnections = limits.httpConnections
  server.on('clientError', (error: { code?: string }, socket) => refuse(serving, error, socket as Socket))
  await new Promise<void>((resolve, reject) => {
    // Stays: a connection that cannot be accepted later (no more files) must not end the worker
    server.on('error', (error: { code?: string }) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new PortInUse(`The port is in use: ${options.port}`, { port: options.port })
          : error,
      )
    })
    server.listen(options.port, options.hostname, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: (withinMs) =>
      new Promise<void>((resolve) => {
        serving.closing = true
        const cut = setTimeout(() => server.closeAllConnections(), withinMs)
        server.close(() => {
          clearTimeout(cut)
          resolve()
        })
        server.closeIdleConnections()
      }),
    ...(tls ? { renew: (next: HttpTls) => (server as TlsServer).setSecureContext(secureContext(next)) } : {}),
  } satisfies HttpServer
}

/** What cannot be read as HTTP is answered once, and never into the midst of another answer. */
function refuse({ connections, faults }: Serving, { code }: { code?: string }, socket: Socket): void {
  const open = [...connections.get(socket) ?? []]
  const [only] = open
  if (!socket.writable || open.length > 1 || (only && !only.unread)) return void socket.destroy()
  const { status, headers, body } = faultOf(faults, code)
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.end(`HTTP/1.1 ${status} Refused\r\n${head}content-length: ${body.length}\r\n\r\n${body}`)
  socket.resume()
  setTimeout(() => socket.destroy(), LINGER_MS)
}
