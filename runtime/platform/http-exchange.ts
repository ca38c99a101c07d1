import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { limits } from '../limits.ts'
import type { Fault, Faults } from './http-faults.ts'
import { methodOf } from './http-list.ts'
import { sendPieces } from './http-pieces.ts'
import type { HttpRequest, HttpResponse, Transport } from './ports.ts'

type ServeHttp = Transport['serveHttp']

/** One server, as its requests see it. */
export interface Serving {
  readonly options: Parameters<ServeHttp>[0]
  readonly handle: Parameters<ServeHttp>[1]
  readonly faults: Faults
  /** Requests of each connection that are not answered yet. */
  readonly connections: WeakMap<Socket, Set<Exchange>>
  /** Each connection ends with the answer that it gets now. */
  closing: boolean
  /** Not answered yet. */
  requests: number
  /** Of the bodies of those requests. */
  bodyBytes: number
}

/** What a header may not hold (RFC 9110 §5.5): Deno would send it as it is. */
const NOT_IN_HEADERS = /[^\t\x20-\x7e\x80-\xff]/
/** A client that still sends when it is refused would lose the answer with the connection: it may go on for this. */
export const LINGER_MS = 500

/** One request and its answer. */
export class Exchange {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #serving: Serving
  #timer: ReturnType<typeof setTimeout> | undefined
  #bodyBytes = 0

  constructor(request: IncomingMessage, response: ServerResponse, serving: Serving) {
    this.#request = request
    this.#response = response
    this.#serving = serving
    serving.requests++
    const { socket } = request
    const open = serving.connections.get(socket) ?? new Set()
    serving.connections.set(socket, open.add(this))
    // Of a client that went away while it was answered
    response.on('error', () => {})
    response.on('finish', () => clearTimeout(this.#timer))
    response.on('close', () => {
      clearTimeout(this.#timer)
      open.delete(this)
      serving.requests--
      serving.bodyBytes -= this.#bodyBytes
    })
  }

  /** Its request has not come whole, and nothing was answered. */
  get unread(): boolean {
    return !this.#request.complete && !this.#response.headersSent
  }

  async run(): Promise<void> {
    const { handle, options, requests, connections, faults } = this.#serving
    let late: HttpResponse = faults.slow
    this.#within(options.requestMsMax, () => this.#reply(late))
    try {
      const beside = connections.get(this.#request.socket)?.size ?? 0
      if (namesTwo(this.#request)) return this.#reply(faults.malformed)
      if (requests > limits.httpRequests || beside > limits.httpPipelined) return this.#reply(faults.busy)
      const body = await this.#readBody()
      late = faults.late
      this.#reply(body instanceof Uint8Array ? await handle(toRequest(this.#request, body)) : body)
    } catch {
      this.#reply(faults.failed)
    }
  }

  /** One timer: for the request to come and be answered, then for the client to take the answer. */
  #within(ms: number, otherwise: () => void): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(otherwise, ms)
  }

  /** The first answer counts. */
  #reply({ status, headers, cookies = [], body }: HttpResponse): void {
    const [request, response] = [this.#request, this.#response]
    const { closing, faults, options: { requestMsMax } } = this.#serving
    const pieces = typeof body === 'string' || body instanceof Uint8Array ? undefined : body
    if (response.headersSent || response.destroyed) return void leave(pieces)
    if ([...Object.values(headers), ...cookies].some((value) => NOT_IN_HEADERS.test(value))) {
      leave(pieces)
      return this.#reply(faults.failed)
    }
    const all: Record<string, string | string[]> = closing ? { ...headers, connection: 'close' } : { ...headers }
    if (cookies.length > 0) all['set-cookie'] = [...cookies]
    if (pieces) {
      response.writeHead(status, all)
      clearTimeout(this.#timer)
      if (request.method === 'HEAD') return void leave(pieces), void response.end()
      return void sendPieces(response, pieces, requestMsMax)
    }
    const whole = body as string | Uint8Array
    const hasBody = status !== 204 && status !== 304
    response.writeHead(status, hasBody ? { ...all, 'content-length': Buffer.byteLength(whole) } : all)
    this.#within(requestMsMax, () => request.socket.destroy())
    const sent = hasBody && request.method !== 'HEAD' ? whole : ''
    if (request.complete) return void response.end(sent)
    response.write(sent)
    const end = (): void => void response.end()
    request.once('end', end).resume()
    setTimeout(end, LINGER_MS)
  }

  /** What is wrong with it when it is not taken. */
  async #readBody(): Promise<Uint8Array | Fault> {
    const [request, serving] = [this.#request, this.#serving]
    const { faults, options: { bodyBytesMax } } = serving
    if (Number(request.headers['content-length'] ?? 0) > bodyBytesMax) return faults.large
    const chunks: Uint8Array[] = []
    // Leaving the loop must not destroy the connection: the answer has to go through it
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      this.#bodyBytes += chunk.length
      serving.bodyBytes += chunk.length
      if (this.#bodyBytes > bodyBytesMax) return faults.large
      if (serving.bodyBytes > limits.httpBodiesBytes) return faults.busy
      chunks.push(chunk)
    }
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
  }
}

/** RFC 9112 §3.2: who is meant would be for each reader of the request to choose. */
const namesTwo = ({ rawHeaders }: IncomingMessage): boolean =>
  rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length > 1

/** Of a stream that is not sent. */
const leave = (pieces: AsyncIterable<string | Uint8Array> | undefined): void =>
  void pieces?.[Symbol.asyncIterator]().return?.().catch(() => {})

function toRequest(request: IncomingMessage, body: Uint8Array): HttpRequest {
  const target = request.url ?? '/'
  const mark = target.indexOf('?')
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers))
    headers[name] = Array.isArray(value) ? value.join(', ') : (value ?? '')
  return {
    method: methodOf(request),
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? '' : target.slice(mark + 1),
    headers,
    body,
    remoteAddress: request.socket.remoteAddress ?? '',
  }
}
