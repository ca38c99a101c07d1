import { DeadlineExceeded } from '../../runtime/errors.ts'
import type { HttpCall, Platform, Transport } from '../../runtime/platform/ports.ts'
import { limits } from '../../runtime/limits.ts'
import { within } from '../../runtime/within.ts'
import { ConfigInvalid } from '../errors.ts'
import { httpsRequest } from './https.ts'

export interface CollectorAnswer {
  readonly status: number
  readonly retryAfter: string | undefined
  /** So much of it as is worth reading. */
  readonly body: string
}

/** Sends one request of OTLP over HTTP. @throws Unavailable, DeadlineExceeded */
export type Collector = (body: string, signal: AbortSignal) => Promise<CollectorAnswer>

const BODY_BYTES_MAX = 65_536
const TRACES = '/v1/traces'

type CollectorPorts = Pick<Platform, 'clock'> & { readonly transport: Pick<Transport, 'request'> }

/** `url` is the collector's base, or ends with the path of traces. @throws ConfigInvalid */
export function collectorAt(url: string, { transport, clock }: CollectorPorts): Collector {
  const { protocol, hostname, port, pathname, username, password, search } = parsed(url)
  if (`${username}${password}${search}` !== '') throw invalid('a user, a password and a query are not supported')
  const secure = protocol === 'https:'
  const base = pathname.replace(/\/+$/, '')
  const call = (body: string, signal: AbortSignal): HttpCall => ({
    hostname: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? (secure ? 443 : 80) : Number(port), method: 'POST',
    path: base.endsWith(TRACES) ? base : `${base}${TRACES}`,
    headers: { 'content-type': 'application/json', 'user-agent': 'zonewright', host: hostOf(hostname, port) }, body,
    withinMs: limits.otlpAnswerMs, signal,
  })
  if (secure) return (body, signal) => httpsRequest(call(body, signal), BODY_BYTES_MAX)
  return async (body, signal) => {
    const life = new AbortController()
    const end = (): void => life.abort()
    if (signal.aborted) end()
    signal.addEventListener('abort', end)
    try {
      const answer = await transport.request(call(body, life.signal))
      const late = (): Error => new DeadlineExceeded(`The answer of ${hostname} did not end`)
      return {
        status: answer.status, retryAfter: answer.headers['retry-after'],
        body: await within(clock, limits.otlpAnswerMs, read(answer.body), late),
      }
    } finally {
      // One that never ends would keep its connection, and each export would add one
      end()
      signal.removeEventListener('abort', end)
    }
  }
}

const hostOf = (hostname: string, port: string): string => (port === '' ? hostname : `${hostname}:${port}`)

async function read(body: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > BODY_BYTES_MAX) break
  }
  return text
}

function parsed(url: string): URL {
  let result: URL
  try {
    result = new URL(url)
  } catch {
    throw invalid('it is no URL')
  }
  if (!/^https?:$/.test(result.protocol)) throw invalid('it must begin with http:// or https://')
  return result
}

/** Without the URL: it may hold a password. */
const invalid = (what: string): Error => new ConfigInvalid(`telemetry.otlp: ${what}`, {
  next: 'Give the address of an OpenTelemetry collector, as http://127.0.0.1:4318',
})
