import { createServer, type RequestListener, type Server } from 'node:http'
import type { Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { limits } from '../limits.ts'
import { holdRoom, type Progress } from './connection-room.ts'
import { Exchange, LINGER_MS, type Serving } from './http-exchange.ts'
import { createFaults, faultOf } from './http-faults.ts'
import { takeLists } from './http-list.ts'
import type { HttpServer, HttpServerOptions, HttpTls, Transport } from './http-ports.ts'
import { listenFault } from './listen-fault.ts'
import { divertStreams } from './tls-connection.ts'
import { createTlsServer, isTlsFault, secureContext } from './tls-server.ts'
import { listenUnix, type UnixListener } from './unix-listener.ts'
import { listenOn } from './unix-socket.ts'

/** How often the server looks for requests that have not come whole in time; its own default is half a minute. */
const CHECK_MS = 1_000
/**
 * `node:http` on both runtimes. Bounded in body, headers, connections, requests and time; what goes wrong before a
 * handler could answer is answered as JSON, `{error, code}`; a handler that throws is answered 500, no text.
 */
export const serveHttp: Transport['serveHttp'] = async (options, handle) => {
  const serving: Serving = {
    options, handle, faults: createFaults(options.faultBody), connections: new WeakMap(), closing: false, requests: 0,
    bodyBytes: 0,
  }
  let { tls } = options
  const server = serverOf(options, (request, response) => {
    void new Exchange(request, response, serving).run()
  })
  const cutStreams = options.streams ? divertStreams(server as TlsServer, options.streams) : () => {}
  if (options.lists) takeLists(server, options.tls ? 'secureConnection' : 'connection')
  const cutHeld = options.room
    ? holdRoom(server, options.room, options.streams, (socket) => progressOf(serving, socket)) : () => {}
  if (!options.room) server.maxConnections = limits.httpConnections
  server.on('clientError', (error: { code?: string }, socket: unknown) => refuse(serving, error, socket as Socket))
  let unix: UnixListener | undefined
  await new Promise<void>((resolve, reject) => {
    // Stays: a connection that cannot be accepted later (no more files) must not end the worker
    server.on('error', (error: Error) => reject(listenFault(error, options)))
    const { socket } = options
    if (socket !== undefined) {
      listenOn(server, socket, () => listenUnix(server as Server, socket, options.requestMsMax)).then((listener) => {
        unix = listener
        resolve()
      }, (error: Error) => reject(listenFault(error, options)))
    } else server.listen(options.port, options.hostname, resolve)
  })
  return {
    port: options.socket === undefined ? (server.address() as AddressInfo).port : 0,
    close: (withinMs) =>
      new Promise<void>((resolve) => {
        serving.closing = true
        if (unix) return void unix.close(withinMs).then(resolve)
        const cut = setTimeout(() => {
          server.closeAllConnections()
          cutHeld()
          cutStreams()
        }, withinMs)
        server.close(() => {
          clearTimeout(cut)
          resolve()
        })
        server.closeIdleConnections()
      }),
    ...('setSecureContext' in server ? {
      renew(next: Partial<HttpTls>) {
        tls = { ...tls!, ...next }
        server.setSecureContext(secureContext(tls))
      },
    } : {}),
  } satisfies HttpServer
}

function progressOf({ connections }: Serving, socket: Socket): Progress {
  const open = [...connections.get(socket) ?? []]
  if (open.length === 0) return 'idle'
  return open.some(({ unread }) => !unread) ? 'answering' : 'unread'
}

function serverOf({ requestMsMax, tls, streams }: HttpServerOptions, listener: RequestListener): Server | TlsServer {
  const bounds = {
    requestTimeout: requestMsMax,
    headersTimeout: requestMsMax,
    connectionsCheckingInterval: Math.min(CHECK_MS, requestMsMax),
  }
  if (!tls) return createServer(bounds, listener)
  return createTlsServer(tls, bounds, listener, streams?.alpn)
}

/** What cannot be read as HTTP is answered once, and never into the midst of another answer. */
function refuse({ connections, faults }: Serving, { code }: { code?: string }, socket: Socket): void {
  const open = [...connections.get(socket) ?? []]
  const [only] = open
  if (isTlsFault(code)) return void socket.destroy()
  if (!socket.writable || open.length > 1 || (only && !only.unread)) return void socket.destroy()
  const { status, headers, body } = faultOf(faults, code)
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.end(`HTTP/1.1 ${status} Refused\r\n${head}content-length: ${body.length}\r\n\r\n${body}`)
  socket.resume()
  setTimeout(() => socket.destroy(), LINGER_MS)
}
