import { Denied, InvalidArgument, messageOf, Overloaded, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock, HttpRequest, HttpResponse } from '../../runtime/platform/ports.ts'
import type { CallSettings } from '../../runtime/protocol.ts'
import { denialReasons } from '../../runtime/trust/denial.ts'
import { parseCompact } from '../../runtime/trust/jws.ts'
import { readEnvelope, type Envelope, type Sys } from './envelope.ts'
import { Lines } from './lines.ts'
import { isUnexpected, refusalOf } from './refusals.ts'

/**
 * kRPC over HTTP: `POST /kapi/{service}` and `POST /kapi/{service}/stream`.
 *
 * Who speaks is what the token of the envelope says to the actor behind it; no header and no cookie is looked at. An
 * envelope that cannot be read, and what the actor refuses, is answered in the originals' form: by system-config with
 * status 200, as theirs does it, by the others with the status that the error has in HTTP. What never came to an actor
 * (404, 405, 413, 415, 503) has its status everywhere, and a body of the same form.
 */

interface Request {
  readonly method: string
  readonly params: object
  readonly sequence: number
}

/** An actor that answers kRPC, as the gateway's needs name it. */
export interface KrpcClient {
  krpc(request: Request, settings: CallSettings): Promise<{ readonly result?: unknown }>
  krpcRead?(request: Request, settings: CallSettings): Promise<{ readonly result?: unknown }>
  krpcStream?(request: Request, settings: CallSettings): AsyncIterable<{ readonly item?: unknown }>
}

export interface KrpcService {
  readonly client: KrpcClient
  /** Methods that go to `krpcRead`. */
  readonly reads?: ReadonlySet<string>
  /** Its refusals have status 200. */
  readonly inBody?: true
  /** Of its methods, those that ask who calls. The others judge their parameters: what is sent along is for others. */
  readonly tokenMethods?: ReadonlySet<string>
}

export interface KrpcOptions {
  readonly clock: Clock
  /** By the name in the path. */
  readonly services: Readonly<Record<string, KrpcService>>
  /** Told of every token that an actor accepted. */
  readonly accepted: (token: string) => void
  /** Told of what is nobody's business outside. */
  readonly warn: (message: string) => void
}

export interface Krpc {
  /** Paths that are answered. */
  readonly routes: ReadonlySet<string>
  /** Undefined: the path is not one of kRPC. */
  answer(request: HttpRequest): Promise<HttpResponse> | undefined
  /** Ends every stream, each with a last line that says so. */
  close(): void
}

/** The originals' browser clients end it with a slash. */
const PATH = /^\/kapi\/([^/]+)(\/stream|\/)?$/
const JSON_TYPE = /^application\/json *(;|$)/i
const NO_NUMBER: Sys = [0]

export function createKrpc({ clock, services, accepted, warn }: KrpcOptions): Krpc {
  const streams = new Set<Lines>()

  const refuse = (error: unknown, name: string, sys: Sys, inBody: boolean): HttpResponse => {
    if (isUnexpected(error)) warn(`kRPC of ${name} failed: ${messageOf(error)}`)
    const { status, body } = refusalOf(error, name, sys)
    return json(inBody && status !== 503 ? 200 : status, body)
  }

  const serve = async (
    service: KrpcService, name: string, goesOn: boolean, body: Uint8Array,
  ): Promise<HttpResponse> => {
    const { client, reads, inBody = false } = service
    const envelope = readEnvelope(body)
    const { sys } = envelope
    try {
      if ('fault' in envelope) throw new InvalidArgument(envelope.fault)
      const settings = settingsOf(service, envelope)
      const { method, params } = envelope
      const request = { method, params, sequence: sys[0] }
      if (goesOn) return stream(client, request, settings, name, sys)
      const given = { ...settings, withinMs: limits.gatewayCallMs }
      const call = reads?.has(method) ? client.krpcRead! : client.krpc
      const { result = null } = await call(request, given)
      if (settings.token !== undefined) accepted(settings.token)
      return json(200, { result, sys })
    } catch (error) {
      return refuse(error, name, sys, inBody)
    }
  }

  const stream = (
    client: KrpcClient, request: Request, settings: CallSettings, name: string, sys: Sys,
  ): HttpResponse => {
    if (streams.size >= limits.krpcStreams) throw new Overloaded('Too many streams at once')
    const lines: Lines = new Lines({
      items: client.krpcStream!(request, settings), clock, heartbeatMs: limits.krpcHeartbeatMs,
      failure: (error) => {
        if (isUnexpected(error)) warn(`A kRPC stream of ${name} failed: ${messageOf(error)}`)
        return refusalOf(error, name, sys).body
      },
      onOver: () => void streams.delete(lines),
    })
    streams.add(lines)
    return { status: 200, headers: { ...HEADERS, 'content-type': 'application/x-ndjson' }, body: lines }
  }

  const routes = new Set<string>()
  for (const [name, { client }] of Object.entries(services)) {
    routes.add(`/kapi/${name}`)
    if (client.krpcStream) routes.add(`/kapi/${name}/stream`)
  }

  return {
    routes,
    answer({ method, path, headers, body }) {
      const [, name, end = ''] = PATH.exec(path) ?? []
      if (name === undefined) return undefined
      const goesOn = end === '/stream'
      const route = `/kapi/${name}${goesOn ? end : ''}`
      if (!routes.has(route)) return fault(404, 'NotFound', `Service not valid: ${name.slice(0, 64)}${end}`)
      if (method !== 'POST') {
        return fault(405, 'MethodNotAllowed', 'Parse Request Error: only POST is answered here', { allow: 'POST' })
      }
      // What a page of another site can make a browser send without asking has other types
      if (!JSON_TYPE.test(headers['content-type'] ?? '')) {
        return fault(415, 'UnsupportedMediaType', 'Parse Request Error: content-type must be application/json')
      }
      return serve(services[name]!, name, goesOn, body)
    },
    close() {
      for (const lines of [...streams]) lines.fail(new Unavailable('The gateway stops'))
    },
  }
}

function settingsOf({ tokenMethods }: KrpcService, { method, token }: Envelope): CallSettings {
  if (token === undefined || tokenMethods?.has(method) === false) return {}
  const refuse = (reason: 'token/too-long' | 'token/holder'): Error => new Denied(denialReasons[reason], { reason })
  if (token.length > limits.token) throw refuse('token/too-long')
  const parsed = parseCompact(token, limits.token)
  // By HTTP nobody shows a key. The link that carries the call is the gateway's: its key must not count as the caller's
  if ('jws' in parsed && parsed.jws.payload['cnf'] !== undefined) throw refuse('token/holder')
  return { token }
}

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

const json = (status: number, body: object, headers: HttpResponse['headers'] = {}): HttpResponse => ({
  status,
  headers: {
    ...HEADERS, ...headers, 'content-type': 'application/json', ...(status === 503 ? { 'retry-after': '1' } : {}),
  },
  body: JSON.stringify(body),
})

const fault = async (
  status: number, code: string, error: string, headers?: HttpResponse['headers'],
): Promise<HttpResponse> => json(status, { error, code, details: {}, sys: NO_NUMBER }, headers)
