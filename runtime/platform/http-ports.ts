import type { Tcp } from './tcp-ports.ts'
import type { Sockets } from './socket-ports.ts'
import type { ConnectionRoom, TlsCall, TlsConnection, TlsPeer, TlsServing, TlsStreams } from './tls-ports.ts'

export interface HttpRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly remoteAddress: string
  /** Of a server with `tls`. */
  readonly tls?: TlsPeer
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** A `set-cookie` line each: the one header that may stand there more than once (RFC 6265 §3). */
  readonly cookies?: readonly string[]
  /**
   * A stream is sent piece by piece as the client reads; it ends early, by its `return`, when the client has gone or
   * the server closes. What it throws cuts the connection.
   */
  readonly body: string | Uint8Array | AsyncIterable<string | Uint8Array>
}

/** A request of our own: to a service's health page, or of the command line to a zone. */
export interface HttpCall {
  readonly hostname: string
  readonly port: number
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
  /** Milliseconds until the head of the answer. */
  readonly withinMs: number
  /** Bytes of the answer, of which nothing is kept here; default `limits.httpAnswerBytes`, and no end for lines. */
  readonly bytesMax?: number
  /** Ends the call, and the body that is being read. */
  readonly signal?: AbortSignal
  /** By TLS. @throws TlsNotTrusted before anything is sent */
  readonly tls?: TlsCall
  /** Absolute path of a Unix socket, in place of `hostname` and `port`. */
  readonly socket?: string
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Its `set-cookie` lines. */
  readonly cookies?: readonly string[]
  readonly body: AsyncIterable<Uint8Array>
}

/** A request over a connection that is there. */
export type HttpAsk = Omit<HttpCall, 'hostname' | 'port' | 'tls' | 'socket'>

/**
 * One connection by TLS for several requests, one after another: the next is sent when an answer has been read, which
 * has to be whole within `withinMs` of its head.
 */
export interface HttpConnection {
  /** @throws as `Transport.request`; Unavailable also where the connection has ended meanwhile, which it then stays */
  request(call: HttpAsk): Promise<HttpAnswer>
  /** Ends what is under way as well; a second time is nothing. */
  close(): void
}

export interface TlsTarget {
  readonly hostname: string
  readonly port: number
  /** Milliseconds until the handshake is done. */
  readonly withinMs: number
  readonly signal?: AbortSignal
}

export interface HttpServer {
  readonly port: number
  /** Of a server with TLS: for connections that come from now on. Those that are open go on. */
  renew?(tls: Partial<HttpTls>): void
  /** Stops accepting, lets running requests end for at most `withinMs`, then cuts them. */
  close(withinMs: number): Promise<void>
}

export type HttpTls = TlsServing

export interface HttpServerOptions {
  readonly hostname: string
  readonly port: number
  readonly bodyBytesMax: number
  readonly requestMsMax: number
  readonly tls?: HttpTls
  /** Beside HTTP, by the same port. Only with `tls`, whose `alpn` need not name them. */
  readonly streams?: TlsStreams
  /** Only with `tls`. Without it all connections share `limits.httpConnections`. */
  readonly room?: ConnectionRoom
  /** Absolute path of a Unix socket, in place of `hostname` and `port`: for this user alone (0600). */
  readonly socket?: string
  /** Takes the method LIST, which no HTTP parser knows. */
  readonly lists?: boolean
  /** What it says itself where no handler could answer, default `{error, code}`. */
  readonly faultBody?: (error: string, code: string) => object
}

export interface Transport extends Sockets {
  /** @throws PortInUse when `port` is not 0 and taken. `port` 0 takes a free one. */
  serveHttp(
    options: HttpServerOptions, handle: (request: HttpRequest) => Promise<HttpResponse>,
  ): Promise<HttpServer>
  /** @throws Unavailable when nothing listens or the connection is cut, DeadlineExceeded */
  request(call: HttpCall): Promise<HttpAnswer>
  /** The server is judged once, for all that is asked of it. @throws as `connectTls` */
  connectHttp(target: TlsTarget, tls: TlsCall): Promise<HttpConnection>
  /** @throws TlsNotTrusted, Unavailable, DeadlineExceeded, InvalidArgument; what aborted `signal` */
  connectTls(target: TlsTarget, tls: TlsCall): Promise<TlsConnection>
  /** A simulated host has none. */
  readonly tcp?: Tcp
}
