import {
  Cancelled, DeadlineExceeded, InvalidArgument, messageOf, Overloaded, Unavailable,
} from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Clock, HttpAnswer, HttpRequest, HttpResponse, Transport } from '../../../runtime/platform/ports.ts'
import { text } from '../responses.ts'
import { ownCookie, withoutOurs } from './cookies.ts'
import type { AppPlace } from './session.ts'
import type { Mark } from './steps.ts'

export interface Onward {
  readonly place: AppPlace
  /** On this host; of another one, what leads to it is a Unix socket. */
  readonly port: number
  readonly socket?: string
  /** For the service in place of the cookie; without it, whoever comes is let through. */
  readonly token?: string
}

/** Hands a request on to a service, and its answer back. @throws Overloaded */
export type Forward = (request: HttpRequest, onward: Onward) => Promise<HttpResponse>

/** What belongs to one connection and not to the message (RFC 9110 §7.6.1), and what each end writes for itself. */
const HOP: ReadonlySet<string> = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization',
  'proxy-authentication-info', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings', 'expect',
])
/** What only we may say of who came and how. */
const TOLD_BY_US = /^(?:forwarded|via|x-real-ip|x-forwarded(?:-.*)?)$/

export function createForward(options: {
  readonly transport: Transport
  readonly clock: Clock
  readonly warn: (message: string) => void
  readonly mark: Mark
}): Forward {
  const { transport, clock, warn, mark } = options
  let running = 0
  return async (request, onward) => {
    if (running >= limits.forwards) throw new Overloaded('Too many requests of services at once')
    running++
    const over = once(() => void running--)
    const leave = new AbortController()
    try {
      const { method, path, query, body } = request
      const answer = await transport.request({
        hostname: '127.0.0.1', port: onward.port, method, path: query === '' ? path : `${path}?${query}`,
        ...(onward.socket === undefined ? {} : { socket: onward.socket }),
        headers: headersTo(request, onward), body, withinMs: limits.forwardMs, bytesMax: Infinity,
        signal: leave.signal,
      })
      mark('serviceAnswered', onward.place.app, { status: answer.status })
      return handBack(answer, { clock, over, leave, head: method === 'HEAD' })
    } catch (error) {
      over()
      if (error instanceof InvalidArgument) return text(400, 'The request cannot be handed on\n')
      if (error instanceof DeadlineExceeded) return text(504, `${onward.place.app} takes too long to answer\n`)
      if (!(error instanceof Unavailable)) throw error
      warn(`${onward.place.app} does not answer at port ${onward.port}: ${messageOf(error)}`)
      return text(502, `${onward.place.app} does not answer\n`)
    }
  }
}

function headersTo({ headers, remoteAddress }: HttpRequest, { place, token }: Onward): Record<string, string> {
  const sent = onlyEndToEnd(headers, (name) => !TOLD_BY_US.test(name) && name !== 'content-length')
  const cookie = withoutOurs(headers['cookie'] ?? '')
  delete sent['cookie']
  if (cookie !== '') sent['cookie'] = cookie
  if (token !== undefined) sent['authorization'] = `Bearer ${token}`
  return {
    ...sent, host: place.origin.slice(place.origin.indexOf('//') + 2),
    'x-forwarded-for': remoteAddress, 'x-forwarded-proto': place.scheme,
    'x-forwarded-host': place.origin.slice(place.origin.indexOf('//') + 2),
  }
}

/** RFC 9110 §7.6.1: and not what `connection` names. */
function onlyEndToEnd(headers: HttpRequest['headers'], keeps: (name: string) => boolean): Record<string, string> {
  const named = new Set((headers['connection'] ?? '').toLowerCase().split(',').map((name) => name.trim()))
  const stays = (name: string): boolean => !HOP.has(name) && !named.has(name) && keeps(name)
  return Object.fromEntries(Object.entries(headers).filter(([name]) => stays(name)))
}

interface Carried {
  readonly clock: Clock
  /** Runs once the body has gone, or will not. */
  readonly over: () => void
  readonly leave: AbortController
  /** Only the head is asked for. */
  readonly head: boolean
}

function handBack({ status, headers, cookies = [], body }: HttpAnswer, carried: Carried): HttpResponse {
  const { over, leave, head } = carried
  const bare = head || status === 204 || status === 304
  if (bare) {
    leave.abort()
    over()
  }
  if (status < 200 || status > 599) {
    leave.abort()
    over()
    return text(502, 'The service answers what is no answer\n')
  }
  return {
    status, headers: onlyEndToEnd(headers, () => true),
    cookies: cookies.flatMap((line) => ownCookie(line) ?? []),
    body: bare && !head ? '' : bare ? nothing() : carry(body, carried),
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Piece by piece, as the browser takes them; one that is silent for too long is cut. */
function carry(
  body: AsyncIterable<Uint8Array>, { clock, over, leave }: Carried,
): AsyncIterableIterator<Uint8Array> {
  const pieces = body[Symbol.asyncIterator]()
  const end = (): void => {
    leave.abort()
    over()
  }
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    async next() {
      const cancel = clock.after(limits.forwardSilenceMs, end)
      try {
        const step = await pieces.next()
        if (leave.signal.aborted) throw new Cancelled('The service was silent for too long')
        if (step.done) over()
        return step
      } catch (error) {
        end()
        throw error
      } finally {
        cancel()
      }
    },
    // Also of one that was never begun
    return() {
      end()
      return Promise.resolve({ done: true, value: undefined })
    },
  }
}

function once(task: () => void): () => void {
  let done = false
  return () => {
    if (!done) task()
    done = true
  }
}
