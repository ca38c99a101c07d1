import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PortInUse } from '../errors.ts'
import type { HttpRequest, HttpResponse, HttpServer, Transport } from './ports.ts'

type ServeHttp = Transport['serveHttp']

/** `node:http` on both runtimes. Bounded in body, headers and time; a handler that throws is answered 500 without its text. */
export const serveHttp: ServeHttp = async (options, handle) => {
  const server = createServer({ requestTimeout: options.requestMsMax, headersTimeout: options.requestMsMax }, (request, response) => {
    void answer(request, response, options.bodyBytesMax, handle)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: { code?: string }) => {
      reject(error.code === 'EADDRINUSE' ? new PortInUse(`The port is in use: ${options.port}`, { port: options.port }) : error)
    })
    server.listen(options.port, options.hostname, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: (withinMs) => new Promise<void>((resolve) => {
      const cut = setTimeout(() => server.closeAllConnections(), withinMs)
      server.close(() => {
        clearTimeout(cut)
        resolve()
      })
      server.closeIdleConnections()
    }),
  } satisfies HttpServer
}

async function answer(
  request: IncomingMessage, response: ServerResponse, bodyBytesMax: number, handle: (request: HttpRequest) => Promise<HttpResponse>,
): Promise<void> {
  try {
    const body = await readBody(request, bodyBytesMax)
    const reply = body === undefined
      ? { status: 413, headers: { connection: 'close' }, body: 'The request is too large\n' }
      : await handle(toRequest(request, body))
    response.writeHead(reply.status, { ...reply.headers })
    response.end(request.method === 'HEAD' ? undefined : reply.body)
  } catch {
    if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' })
    response.end('The request failed\n')
  }
}

async function readBody(request: IncomingMessage, bytesMax: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > bytesMax) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function toRequest(request: IncomingMessage, body: Uint8Array): HttpRequest {
  const target = request.url ?? '/'
  const mark = target.indexOf('?')
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers)) headers[name] = Array.isArray(value) ? value.join(', ') : (value ?? '')
  return {
    method: request.method ?? 'GET',
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? '' : target.slice(mark + 1),
    headers,
    body,
    remoteAddress: request.socket.remoteAddress ?? '',
  }
}
