import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PortInUse } from '../errors.ts'
import { limits } from '../limits.ts'
import type { HttpRequest, HttpResponse, HttpServer, Transport } from './ports.ts'

type ServeHttp = Transport['serveHttp']
type Handle = Parameters<ServeHttp>[1]

/** How often the server looks for requests that have not come whole in time; its own default is half a minute. */
const CHECK_MS = 1_000

/** `node:http` on both runtimes. Bounded in body, headers and time; a handler that throws is answered 500, no text. */
export const serveHttp: ServeHttp = async (options, handle) => {
  const { requestMsMax, bodyBytesMax } = options
  let closing = false
  const server = createServer(
    {
      requestTimeout: requestMsMax,
      headersTimeout: requestMsMax,
      connectionsCheckingInterval: Math.min(CHECK_MS, requestMsMax),
    },
    (request, response) => {
      void answer(request, response, { bodyBytesMax, requestMsMax, isLast: () => closing }, handle)
    },
  )
  server.maxConnections = limits.httpConnections
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
        closing = true
        const cut = setTimeout(() => server.closeAllConnections(), withinMs)
        server.close(() => {
          clearTimeout(cut)
          resolve()
        })
        server.closeIdleConnections()
      }),
  } satisfies HttpServer
}

interface AnswerOptions {
  readonly bodyBytesMax: number
  readonly requestMsMax: number
  /** The connection ends with this answer. */
  isLast(): boolean
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: AnswerOptions,
  handle: Handle,
): Promise<void> {
  let late: HttpResponse = closed(408, 'The request took too long\n')
  const reply = (answered: HttpResponse): void => send(request, response, answered, options.isLast())
  const timer = setTimeout(() => reply(late), options.requestMsMax)
  response.on('close', () => clearTimeout(timer))
  try {
    const body = await readBody(request, options.bodyBytesMax)
    late = closed(503, 'The answer took too long\n')
    reply(body === undefined ? closed(413, 'The request is too large\n') : await handle(toRequest(request, body)))
  } catch {
    reply(closed(500, 'The request failed\n'))
  }
}

const closed = (status: number, body: string): HttpResponse => ({
  status,
  headers: { connection: 'close', 'content-type': 'text/plain; charset=utf-8' },
  body,
})

/** What a header may not hold (RFC 9110 §5.5): Deno would send it as it is. */
const NOT_IN_HEADERS = /[^\t\x20-\x7e\x80-\xff]/

/** The first answer counts. */
function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: HttpResponse,
  isLast: boolean,
): void {
  if (response.headersSent || response.destroyed) return
  const bad = Object.values(headers).some((value) => NOT_IN_HEADERS.test(value))
  if (bad) return send(request, response, closed(500, 'The request failed\n'), isLast)
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) {
    return send(request, response, closed(501, 'Streams are not sent yet\n'), isLast)
  }
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  const hasBody = status !== 204 && status !== 304
  response.writeHead(status, {
    ...headers,
    ...(isLast ? { connection: 'close' } : {}),
    ...(hasBody ? { 'content-length': bytes.length } : {}),
  })
  if (request.method === 'HEAD' || !hasBody) response.end()
  else response.end(bytes)
}

/** Undefined when it is too long; what is left of it is not read. */
async function readBody(request: IncomingMessage, bytesMax: number): Promise<Uint8Array | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return undefined
  const chunks: Uint8Array[] = []
  let length = 0
  // Leaving the loop must not destroy the connection: the answer has to go through it
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
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
  for (const [name, value] of Object.entries(request.headers))
    headers[name] = Array.isArray(value) ? value.join(', ') : (value ?? '')
  return {
    method: request.method ?? 'GET',
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? '' : target.slice(mark + 1),
    headers,
    body,
    remoteAddress: request.socket.remoteAddress ?? '',
  }
}
