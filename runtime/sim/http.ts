import { PortInUse, Unavailable } from '../errors.ts'
import type { Frame, HttpRequest, HttpResponse, HttpServer, Transport } from '../platform/ports.ts'
import { delays } from './delays.ts'
import type { SeededRandom } from './random.ts'
import { createLane, type Schedule } from './schedule.ts'
import type { SimulatedThread } from './thread.ts'

const FIRST_FREE_PORT = 40_000

interface Server {
  readonly thread: SimulatedThread
  readonly options: Parameters<Transport['serveHttp']>[0]
  readonly handle: (request: HttpRequest) => Promise<HttpResponse>
  readonly running: Set<() => void>
  onIdle: () => void
}

/** The TCP ports of one host. */
export class HttpPorts {
  readonly #host: string
  readonly #schedule: Schedule
  readonly #random: SeededRandom
  readonly #servers = new Map<number, Server>()

  constructor(host: string, schedule: Schedule, random: SeededRandom) {
    this.#host = host
    this.#schedule = schedule
    this.#random = random
  }

  transportOf(thread: SimulatedThread): Transport {
    return {
      serveHttp: (options, handle) => thread.whileAlive(() => this.#listen(thread, options, handle)),
      async request({ method, path }) {
        throw new Unavailable(`The simulator makes no requests: ${method} ${path}`)
      },
    }
  }

  #listen(thread: SimulatedThread, options: Server['options'], handle: Server['handle']): HttpServer {
    let port = options.port
    if (port === 0) for (port = FIRST_FREE_PORT; this.#servers.has(port);) port++
    if (this.#servers.has(port)) throw new PortInUse(`The port is in use: ${port}`, { port })
    const server: Server = { thread, options, handle, running: new Set(), onIdle: () => {} }
    this.#servers.set(port, server)
    const stopListening = (): void => void (this.#servers.get(port) === server && this.#servers.delete(port))
    const leaveThread = thread.onEnd(() => {
      stopListening()
      for (const cut of server.running) cut()
    })
    return {
      port,
      close: (withinMs) => new Promise<void>((resolve) => {
        stopListening()
        server.onIdle = () => {
          leaveThread()
          resolve()
        }
        if (server.running.size === 0) return server.onIdle()
        this.#schedule.after({
          to: thread, lane: thread.lane, delayUs: withinMs * 1_000, kind: 'timer', from: 'http close',
          task: () => { for (const cut of server.running) cut() },
        })
      }),
    }
  }

  /** @throws Unavailable when nothing listens or the connection is cut */
  request(from: SimulatedThread, port: number, request: HttpRequest): Promise<HttpResponse> {
    const what = `${request.method} ${request.path}`
    const done = this.#schedule.waiting(from, `${what} of ${this.#host}:${port}`)
    const lane = createLane(this.#random)
    const answered = new Promise<HttpResponse>((resolve, reject) => {
      type Deliver = (to: SimulatedThread, kind: string, payload: Frame, task: () => void) => void
      const deliver: Deliver = (to, kind, payload, task) => this.#schedule.inOrder({
        to, lane, delayUs: this.#random.within(delays.http), kind, from: `http ${what}`, payload, task,
      })
      const cut = (reason: string): void => deliver(from, 'http-cut', reason, () => {
        reject(new Unavailable(`${reason}: ${this.#host}:${port}`))
      })
      const server = this.#servers.get(port)
      if (!server) return cut('Connection refused')
      const unlist = (): void => void server.running.delete(onCut)
      const onCut = (): void => {
        unlist()
        cut('Connection cut')
        if (server.running.size === 0) server.onIdle()
      }
      server.running.add(onCut)
      deliver(server.thread, 'http-request', request.body, () => {
        void this.#serve(server, request, onCut).then((response) => {
          if (!server.running.has(onCut)) return
          unlist()
          const body = typeof response.body === 'string' || response.body instanceof Uint8Array ? response.body : ''
          deliver(from, `http-${response.status}`, body, () => resolve(response))
          if (server.running.size === 0) server.onIdle()
        })
      })
    })
    return answered.finally(done)
  }

  async #serve(server: Server, request: HttpRequest, cut: () => void): Promise<HttpResponse> {
    const { thread, options, handle } = server
    if (request.body.length > options.bodyBytesMax) {
      return { status: 413, headers: { connection: 'close' }, body: 'The request is too large\n' }
    }
    const cancel = this.#schedule.after({
      to: thread, lane: thread.lane, delayUs: options.requestMsMax * 1_000, kind: 'timer', from: 'http request',
      task: cut,
    })
    try {
      return await handle(request)
    } catch {
      return { status: 500, headers: { 'content-type': 'text/plain' }, body: 'The request failed\n' }
    } finally {
      cancel()
    }
  }
}
