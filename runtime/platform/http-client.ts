import { request as send, type ClientRequest, type IncomingMessage } from 'node:http'
import { request as sendByTls } from 'node:https'
import { isIP } from 'node:net'
import { Cancelled, DeadlineExceeded, InvalidArgument, LimitExceeded, messageOf, Unavailable } from '../errors.ts'
import { limits } from '../limits.ts'
import type { HttpAnswer, HttpCall, Transport } from './ports.ts'

/** Bytes of the head of an answer; a longer one is Unavailable. */
const HEAD_BYTES_MAX = 16 * 1024

/**
 * `node:http` on both runtimes. One connection a request: nothing is kept open behind the caller's back, and an answer
 * whose body nobody has begun to read within `withinMs` is cut.
 */
export const httpRequest: Transport['request'] = (call) => new Promise<HttpAnswer>((resolve, reject) => {
  const { hostname, port, method, path, headers, body, withinMs, signal, tls } = call
  const where = `${hostname}:${port}`
  const cancelled = (): Error => new Cancelled(`The request to ${where} was cancelled`)
  if (signal?.aborted) return reject(cancelled())
  let request: ClientRequest
  try {
    const options = {
      hostname, port, method, path, agent: false, maxHeaderSize: HEAD_BYTES_MAX,
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    } as const
    request = tls ? sendByTls({ ...options, ...secured(hostname, tls) }) : send(options)
  } catch (error) {
    // A header or a path that HTTP cannot carry
    return reject(new InvalidArgument(`The request to ${where} cannot be sent: ${messageOf(error)}`))
  }
  let cause: Error | undefined
  const end = (error: Error): void => {
    cause ??= error
    request.destroy()
  }
  const abort = (): void => end(cancelled())
  signal?.addEventListener('abort', abort)
  const late = setTimeout(() => end(new DeadlineExceeded(`No answer from ${where} within ${withinMs} ms`)), withinMs)
  const unavailable = (error: unknown): Error =>
    cause ?? new Unavailable(`No answer from ${where}: ${messageOf(error)}`)
  request.on('error', (error) => reject(unavailable(error)))
  request.on('close', () => {
    clearTimeout(late)
    signal?.removeEventListener('abort', abort)
    reject(unavailable('the connection was closed'))
  })
  request.on('response', (response) => {
    clearTimeout(late)
    const unread = setTimeout(() => end(new DeadlineExceeded(`Nobody read the answer of ${where}`)), withinMs)
    request.on('close', () => clearTimeout(unread))
    resolve({
      status: response.statusCode ?? 0, headers: headersOf(response), cookies: response.headers['set-cookie'] ?? [],
      body: bodyOf(response, call, { begun: () => clearTimeout(unread), cause: () => cause, end }),
    })
  })
  request.end(body)
})

/** An address is no server name (RFC 6066 §3), and is looked for in the certificate all the same. */
const secured = (hostname: string, { roots }: NonNullable<HttpCall['tls']>) => ({
  minVersion: 'TLSv1.2' as const, ...(roots === undefined ? {} : { ca: roots }),
  ...(isIP(hostname) === 0 ? { servername: hostname } : { servername: '' }),
})

function headersOf({ headers }: IncomingMessage): HttpAnswer['headers'] {
  const all = Object.entries(headers).filter(([name]) => name !== 'set-cookie')
  return Object.fromEntries(all.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value ?? '']))
}

interface Reading {
  /** Somebody reads it. */
  begun(): void
  cause(): Error | undefined
  end(error: Error): void
}

/** Lines have no end: whoever reads them says how much is too much. */
const isLines = ({ headers }: IncomingMessage): boolean =>
  headers['content-type']?.startsWith('application/x-ndjson') === true

/** Leaving it ends the connection. */
async function* bodyOf(
  response: IncomingMessage, { hostname, port, bytesMax: given }: HttpCall, { begun, cause, end }: Reading,
): AsyncIterable<Uint8Array> {
  const bytesMax = given ?? (isLines(response) ? Infinity : limits.httpAnswerBytes)
  const where = `${hostname}:${port}`
  let length = 0
  begun()
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      length += chunk.length
      if (length > bytesMax) end(new LimitExceeded(`The answer of ${where} is longer than ${bytesMax} bytes`))
      const reason = cause()
      if (reason) throw reason
      yield chunk
    }
  } catch (error) {
    throw cause() ?? new Unavailable(`The answer of ${where} was cut: ${messageOf(error)}`)
  }
  // A connection that ends in the midst of the body is told as its end on some runtimes
  if (!response.complete) throw cause() ?? new Unavailable(`The answer of ${where} was cut`)
}
