import { messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { HttpRequest, HttpResponse } from '../../runtime/platform/ports.ts'
import type { CallSettings, Infer } from '../../runtime/protocol.ts'
import { handedHeaders, type HttpCallRequest, type HttpCallResponse } from '../http-protocol.ts'
import { isPassing } from './probes.ts'

/** An actor that answers HTTP itself, and the paths that belong to it. */
export interface Mount {
  readonly paths: readonly string[]
  readonly client: {
    http(request: Infer<typeof HttpCallRequest>, settings: CallSettings): Promise<Infer<typeof HttpCallResponse>>
  }
}

export interface HandedOptions {
  readonly mounts: readonly Mount[]
  readonly originOf: (host: string | undefined) => string
  /** Told of what is nobody's business outside. */
  readonly warn: (message: string) => void
}

export interface Handed {
  readonly routes: ReadonlySet<string>
  /** Undefined: the path belongs to none of them. */
  answer(request: HttpRequest): Promise<HttpResponse> | undefined
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
const HEADERS = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' }

/** Requests that the gateway hands on as they are, within limits; what they mean is for the actor to say. */
export function createHanded({ mounts, originOf, warn }: HandedOptions): Handed {
  const clients = new Map(mounts.flatMap(({ paths, client }) => paths.map((path) => [path, client] as const)))

  const hand = async (client: Mount['client'], request: HttpRequest): Promise<HttpResponse> => {
    const { method, path, query, body } = request
    const headers = Object.fromEntries(handedHeaders.flatMap((name) =>
      (request.headers[name] === undefined ? [] : [[name, request.headers[name]] as const])))
    if (Object.values(headers).some((value) => value.length > limits.httpHandedHeader)) {
      return fault(431, 'LimitExceeded', 'A header is too long')
    }
    if (body.length > limits.httpHandedBody || query.length > limits.httpHandedBody) {
      return fault(413, 'LimitExceeded', 'The request is too large')
    }
    let text: string
    try {
      text = utf8.decode(body)
    } catch {
      return fault(400, 'InvalidArgument', 'The body is not UTF-8')
    }
    const origin = originOf(request.headers['host'])
    try {
      const answer = await client.http(
        { method, path, query, origin, headers, body: text }, { withinMs: limits.gatewayCallMs },
      )
      return { ...answer, headers: { ...HEADERS, ...answer.headers } }
    } catch (error) {
      if (isPassing(error)) return fault(503, 'Unavailable', 'The zone cannot answer now', { 'retry-after': '1' })
      warn(`${method} ${path} failed: ${messageOf(error)}`)
      return fault(500, 'Internal', 'The request failed; the log says why')
    }
  }

  return {
    routes: new Set(clients.keys()),
    answer(request) {
      const client = clients.get(request.path)
      return client && hand(client, request)
    },
  }
}

const fault = (status: number, code: string, error: string, headers: HttpResponse['headers'] = {}): HttpResponse => ({
  status, headers: { ...HEADERS, 'cache-control': 'no-store', ...headers, 'content-type': 'application/json' },
  body: JSON.stringify({ error, code }),
})
