import { Cancelled, DeadlineExceeded, InvalidArgument, PortInUse, Unavailable } from '../errors.ts'
import { createFaults } from '../platform/http-faults.ts'
import type {
  HttpAnswer, HttpCall, HttpConnection, HttpRequest, HttpResponse, HttpServer, HttpTls, TlsTarget, Transport,
} from '../platform/http-ports.ts'
import type { Keys } from '../platform/ports.ts'
import type { TlsCall, TlsPeer } from '../platform/tls-ports.ts'
import { deferred } from '../within.ts'
import { delays } from './delays.ts'
import type { Medium } from './network.ts'
import { SimulatedStream, type Deliver, type Piece } from './http-stream.ts'
import type { SeededRandom } from './random.ts'
import { createLane, type Schedule } from './schedule.ts'
import type { SimulatedThread } from './thread.ts'
import { dialTls, type Dialled } from './tls.ts'
import { shownBy } from './tls-trust.ts'

const FIRST_FREE_PORT = 40_000
const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '::1'])
/** What a server sees of a client on another host (RFC 5737). */
const ELSEWHERE = '192.0.2.1'
/** A port, or the path of a Unix socket. */
type Place = number | string

interface Server {
  readonly thread: SimulatedThread
  readonly options: Parameters<Transport['serveHttp']>[0]
  tls: HttpTls | undefined
  readonly handle: (request: HttpRequest) => Promise<HttpResponse>
  /** Cuts what is not answered yet. */
  readonly running: Set<() => void>
  onIdle: () => void
}

/** A connection by TLS: what the server knows of the client, and which server that is. */
interface Held { readonly peer: TlsPeer; readonly server: Server }

/** All hosts of a run by name: what they have in common is its schedule. */
const networks = new WeakMap<Schedule, Map<string, HttpPorts>>()

/** The TCP ports of one host. */
export class HttpPorts {
  readonly #host: string
  readonly #schedule: Schedule
  readonly #medium: Medium
  readonly #random: SeededRandom
  readonly #keys: Keys
  readonly #servers = new Map<Place, Server>()
  readonly #network: Map<string, HttpPorts>

  constructor(host: string, medium: Medium, random: SeededRandom, keys: Keys) {
    const { schedule } = medium
    this.#host = host
    this.#keys = keys
    this.#medium = medium
    this.#schedule = schedule
    this.#random = random
    this.#network = networks.get(schedule) ?? new Map()
    networks.set(schedule, this.#network.set(host, this))
  }

  transportOf(thread: SimulatedThread): Pick<Transport, 'serveHttp' | 'request' | 'connectHttp' | 'connectTls'> {
    return {
      serveHttp: (options, handle) => thread.whileAlive(() => this.#listen(thread, options, handle)),
      request: (call) => this.#send(thread, call),
      connectHttp: (target, tls) => this.#connect(thread, target, tls),
      connectTls: async (target, tls) => (await this.#dial(thread, target, tls)).connection,
    }
  }

  #listen(thread: SimulatedThread, options: Server['options'], handle: Server['handle']): HttpServer {
    if (options.streams && !options.tls) throw new InvalidArgument('Streams beside HTTP are for a port with TLS')
    let { port } = options
    if (port === 0) for (port = FIRST_FREE_PORT; this.#servers.has(port);) port++
    const place: Place = options.socket ?? port
    if (this.#servers.has(place)) throw new PortInUse(`The port is in use: ${place}`, { port: place })
    if (options.tls) shownBy(options.tls, this.#keys)
    const server: Server = { thread, options, tls: options.tls, handle, running: new Set(), onIdle: () => {} }
    this.#servers.set(place, server)
    const stopListening = (): void => void (this.#servers.get(place) === server && this.#servers.delete(place))
    const cutAll = (): void => { for (const cut of [...server.running]) cut() }
    const leaveThread = thread.onEnd(() => {
      stopListening()
      cutAll()
    })
    return {
      port: options.socket === undefined ? port : 0,
      ...(options.tls ? { renew: (next) => this.#renew(server, { ...server.tls!, ...next }) } : {}),
      close: (withinMs) => new Promise<void>((resolve) => {
        stopListening()
        server.onIdle = () => {
          leaveThread()
          resolve()
        }
        if (server.running.size === 0) return server.onIdle()
        this.#schedule.after({
          to: thread, lane: thread.lane, delayUs: withinMs * 1_000, kind: 'timer', from: 'http close', task: cutAll,
        })
      }),
    }
  }

  #renew(server: Server, tls: HttpTls): void {
    shownBy(tls, this.#keys)
    server.tls = tls
  }

  /** By a connection to `held`, where there is one. @throws Unavailable when nothing listens or it is cut */
  request(from: SimulatedThread, port: Place, request: HttpRequest, held?: Server): Promise<HttpResponse> {
    const what = `${request.method} ${request.path}`
    const done = this.#schedule.waiting(from, `${what} of ${this.#host}:${port}`)
    const lane = createLane(this.#random)
    const answered = new Promise<HttpResponse>((resolve, reject) => {
      const client = from.on?.name ?? this.#host
      // A request whose answer is lost comes to its time limit; a stream of pieces has none, and lacks no piece
      const by = (again: boolean): Deliver => (to, kind, payload, task) => this.#carry(client, to !== from, again,
        (delayUs) => this.#schedule.inOrder({ to, lane, delayUs, kind, from: `http ${what}`, payload, task }))
      const deliver = by(false)
      const cut = (reason: string): void => deliver(from, 'http-cut', reason, () => {
        reject(new Unavailable(`${reason}: ${this.#host}:${port}`))
      })
      const server = this.#servers.get(port)
      if (!server) return cut('Connection refused')
      // Another one listens there by now
      if (held && server !== held) return cut('Connection cut')
      const onCut = (): void => {
        unlisted(server, onCut)
        cut('Connection cut')
      }
      // It reads no handshake in what it is sent
      if (server.tls && !request.tls) return cut('Connection cut')
      server.running.add(onCut)
      const answer = (response: HttpResponse): void => {
        if (!server.running.has(onCut)) return
        const { status, body } = response
        const sent = request.method === 'HEAD' ? '' : isWhole(body) ? body : stream(body)
        deliver(from, `http-${status}`, isWhole(sent) ? sent : '', () => resolve({ ...response, body: sent }))
        unlisted(server, onCut)
      }
      const stream = (pieces: AsyncIterable<Piece>): AsyncIterable<Piece> => {
        const cutStream = (): void => sent.cut(`Connection cut: ${this.#host}:${port}`)
        server.running.add(cutStream)
        const sent: SimulatedStream = new SimulatedStream({
          pieces, schedule: this.#schedule, server: server.thread, client: from, deliver: by(true),
          stallMs: server.options.requestMsMax, onOver: () => unlisted(server, cutStream),
        })
        return sent
      }
      deliver(server.thread, 'http-request', request.body, () => void this.#serve(server, request, onCut).then(answer))
    })
    return answered.finally(done)
  }

  #carry(client: string, toServer: boolean, again: boolean, send: (delayUs: number) => void): void {
    if (client === this.#host) return send(this.#random.within(delays.http))
    const [from, to] = toServer ? [client, this.#host] : [this.#host, client]
    this.#medium.wires.carry(from, to, (delayUs) => send(delayUs + this.#random.within(delays.http)), again)
  }

  async #serve(server: Server, request: HttpRequest, cut: () => void): Promise<HttpResponse> {
    const { thread, options, handle } = server
    const faults = createFaults(options.faultBody)
    if (request.body.length > options.bodyBytesMax) return faults.large
    const cancel = this.#schedule.after({
      to: thread, lane: thread.lane, delayUs: options.requestMsMax * 1_000, kind: 'timer', from: 'http request',
      task: cut,
    })
    try {
      return await handle(request)
    } catch {
      return faults.failed
    } finally {
      cancel()
    }
  }

  async #secured(from: SimulatedThread, call: HttpCall, tls: TlsCall): Promise<HttpRequest['tls']> {
    const { connection, accepted } = await this.#dial(from, call, tls)
    const peer = await accepted
    connection.close('its request has gone out')
    return peer
  }

  async #connect(from: SimulatedThread, target: TlsTarget, tls: TlsCall): Promise<HttpConnection> {
    const { hostname, port } = target
    const { connection, accepted, server } = await this.#dial(from, target, tls)
    const closing = deferred<never>()
    let over: Error | undefined
    const end = (why: string): Error => (over ??= new Unavailable(`${hostname}:${port} is asked no more: ${why}`))
    connection.receive(() => {}, end)
    const held = accepted.then((peer) => ({ peer, server: server! }))
    held.catch(() => {})
    return {
      request: (call) => (over ? Promise.reject(over)
        : Promise.race([closing.promise, this.#send(from, { ...call, hostname, port }, held)])),
      close() {
        closing.reject(end('nothing more is asked'))
        connection.close('nothing more is asked')
      },
    }
  }

  /** @throws what `Transport.connectTls` does */
  async #dial(from: SimulatedThread, target: TlsTarget, tls: TlsCall): Promise<Dialled & { server?: Server }> {
    const { hostname, port, withinMs, signal } = target
    const where = `${hostname}:${port}`
    const ports = LOOPBACK.has(hostname) ? this : this.#network.get(hostname)
    if (!ports) throw new Unavailable(`There is no such host: ${where}`)
    const address = ports === this ? '127.0.0.1' : ELSEWHERE
    const server = ports.#servers.get(port)
    const dialled = await dialTls({
      from, where, hostname, withinMs, signal, medium: this.#medium, random: this.#random, keys: this.#keys,
      addresses: { client: address, server: address },
      listener: server && {
        thread: server.thread, tls: () => server.tls, streams: server.options.streams,
        begun(cut) {
          server.running.add(cut)
          return () => unlisted(server, cut)
        },
      },
    }, tls)
    return { ...dialled, ...(server ? { server } : {}) }
  }

  /** A request of a program of this host, to itself or to another. */
  #send(from: SimulatedThread, call: HttpCall, held?: Promise<Held>): Promise<HttpAnswer> {
    const { hostname, port, method, path, headers, body, withinMs, signal } = call
    const own = call.socket !== undefined || LOOPBACK.has(hostname)
    const where = call.socket ?? `${hostname}:${port}`
    const target = own ? this : this.#network.get(hostname)
    if (!target) return Promise.reject(new Unavailable(`There is no such host: ${where}`))
    const mark = path.indexOf('?')
    const asked: HttpRequest = {
      method, path: mark < 0 ? path : path.slice(0, mark), query: mark < 0 ? '' : path.slice(mark + 1),
      headers: lowerCase(headers), body: isText(body) ? new TextEncoder().encode(body) : body,
      remoteAddress: own || target === this ? '127.0.0.1' : ELSEWHERE,
    }
    const send = (tls?: HttpRequest['tls'], to?: Server): Promise<HttpResponse> =>
      target.request(from, call.socket ?? port, tls ? { ...asked, tls } : asked, to)
    // One connection a request, as in the adapters; whatever is said to the server is said once it is trusted
    const answered = held ? held.then(({ peer, server }) => send(peer, server))
      : call.tls ? this.#secured(from, call, call.tls).then((peer) => send(peer)) : send()
    return new Promise((resolve, reject) => {
      let ended = false
      const cancelled = (): Error => new Cancelled(`The request to ${where} was cancelled`)
      const end = (error: Error): void => {
        ended = true
        reject(error)
      }
      if (signal?.aborted) return end(cancelled())
      const abort = (): void => end(cancelled())
      signal?.addEventListener('abort', abort)
      const late = this.#schedule.after({
        to: from, lane: from.lane, delayUs: withinMs * 1_000, kind: 'timer', from: `http ${method} ${path}`,
        task: () => end(new DeadlineExceeded(`No answer from ${where} within ${withinMs} ms`)),
      })
      answered.finally(() => {
        late()
        signal?.removeEventListener('abort', abort)
      }).then((response) => {
        const { status, cookies = [], body: pieces } = response
        if (ended) return isWhole(pieces) ? undefined : void pieces[Symbol.asyncIterator]().return?.()
        resolve({ status, cookies, headers: lowerCase(response.headers), body: bytesOf(pieces, signal, cancelled) })
      }, end)
    })
  }
}

function unlisted(server: Server, task: () => void): void {
  server.running.delete(task)
  if (server.running.size === 0) server.onIdle()
}

const isWhole = (body: HttpResponse['body']): body is string | Uint8Array =>
  typeof body === 'string' || body instanceof Uint8Array

const isText = (piece: string | Uint8Array): piece is string => typeof piece === 'string'

const lowerCase = (headers: HttpRequest['headers']): HttpRequest['headers'] =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

async function* bytesOf(
  body: HttpResponse['body'], signal: AbortSignal | undefined, cancelled: () => Error,
): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) return yield body
  const encoder = new TextEncoder()
  if (typeof body === 'string') return yield encoder.encode(body)
  const pieces = body[Symbol.asyncIterator]()
  const leave = (): void => void pieces.return?.()
  signal?.addEventListener('abort', leave)
  try {
    for (let step = await pieces.next(); !step.done; step = await pieces.next()) {
      yield isText(step.value) ? encoder.encode(step.value) : step.value
    }
    if (signal?.aborted) throw cancelled()
  } finally {
    signal?.removeEventListener('abort', leave)
    leave()
  }
}
