import { Agent, request as send, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import type { Socket } from 'node:net'
import { Cancelled, DeadlineExceeded, InvalidArgument, LimitExceeded, messageOf, Unavailable } from '../errors.ts'
import { limits } from '../limits.ts'
import type { HttpAnswer, HttpCall, TlsTarget, Transport } from './http-ports.ts'
import type { TlsCall } from './tls-ports.ts'
import { connectTls } from './tls-client.ts'

/** Bytes of the head of an answer; a longer one is Unavailable. */
const HEAD_BYTES_MAX = 16 * 1024

/**
 * `node:http` on both runtimes. One connection a request: nothing is kept open behind the caller's back, and an answer
 * whose body nobody has begun to read within `withinMs` is cut.
 */
export const httpRequest: Transport['request'] = async (call) =>
  (call.tls ? over(call, only(await connected(call, call.tls))) : over(call, { agent: false }))

/** An agent would make a connection of its own. */
const only = (secured: Socket): Way => ({ createConnection: () => secured })

/** Open until it is closed, or the server has had enough of it. */
export const connectHttp: Transport['connectHttp'] = async (target, tls) => {
  const secured = await connected(target, tls)
  const where = whereOf(target)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  let isTaken = false
  agent.createConnection = (_options, done) => {
    if (isTaken) done?.(new Unavailable(`The connection to ${where} has ended`), undefined as never)
    else done?.(null, secured)
    isTaken = true
    return undefined
  }
  return {
    request: async (call) => {
      if (secured.destroyed) throw new Unavailable(`The connection to ${where} has ended`)
      return over({ ...call, hostname: target.hostname, port: target.port }, { agent }, true)
    },
    close() {
      agent.destroy()
      secured.destroy()
    },
  }
}

/** Whatever is said to the server is said once it is trusted. */
async function connected(call: TlsTarget, tls: TlsCall): Promise<Socket> {
  const { withinMs, signal } = call
  const ending = new AbortController()
  const late = setTimeout(() => {
    ending.abort(new DeadlineExceeded(`No answer from ${whereOf(call)} within ${withinMs} ms`))
  }, withinMs)
  const cancel = (): void => ending.abort(new Cancelled(`The request to ${whereOf(call)} was cancelled`))
  if (signal?.aborted) cancel()
  signal?.addEventListener('abort', cancel)
  try {
    return await connectTls(call, tls, ending.signal)
  } finally {
    clearTimeout(late)
    signal?.removeEventListener('abort', cancel)
  }
}

const whereOf = ({ hostname, port, socket }: Pick<HttpCall, 'hostname' | 'port' | 'socket'>): string =>
  socket ?? `${hostname}:${port}`

/** By which connection. */
type Way = Pick<RequestOptions, 'agent' | 'createConnection'>

/** @param isWhole its answer has to be whole in time too: the next one waits for that */
const over = (call: HttpCall, way: Way, isWhole = false): Promise<HttpAnswer> => new Promise((resolve, reject) => {
  const { hostname, port, method, path, headers, body, withinMs, signal } = call
  const where = whereOf(call)
  const cancelled = (): Error => new Cancelled(`The request to ${where} was cancelled`)
  if (signal?.aborted) return reject(cancelled())
  let request: ClientRequest
  try {
    request = send({
      ...(call.socket === undefined ? { hostname, port } : { socketPath: call.socket }), ...way,
      method, path, maxHeaderSize: HEAD_BYTES_MAX,
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    })
  } catch (error) {
    // A header or a path that HTTP cannot carry
    return reject(new InvalidArgument(`The request to ${where} cannot be sent: ${messageOf(error)}`))
  }
  let cause: Error | undefined
  const end = (error: Error): void => {
    cause ??= error
    request.destroy()
    // One that still waits for its connection tells of no end
    reject(cause)
  }
  const abort = (): void => end(cancelled())
  signal?.addEventListener('abort', abort)
  const late = setTimeout(() => end(new DeadlineExceeded(`No answer from ${where} within ${withinMs} ms`)), withinMs)
  const unavailable = (error: unknown): Error =>
    cause ?? new Unavailable(`No answer from ${where}: ${messageOf(error)}`)
  let isAnswered = false
  request.on('error', (error) => reject(unavailable(error)))
  request.on('close', () => {
    clearTimeout(late)
    signal?.removeEventListener('abort', abort)
    if (!isAnswered) reject(unavailable('the connection was closed'))
  })
  request.on('response', (response) => {
    isAnswered = true
    clearTimeout(late)
    const why = isWhole ? `No whole answer from ${where} within ${withinMs} ms` : `Nobody read the answer of ${where}`
    const unread = setTimeout(() => end(new DeadlineExceeded(why)), withinMs)
    const read = (): void => clearTimeout(unread)
    request.on('close', read)
    resolve({
      status: response.statusCode ?? 0, headers: headersOf(response), cookies: response.headers['set-cookie'] ?? [],
      body: bodyOf(response, call, { begun: isWhole ? () => {} : read, over: read, cause: () => cause, end }),
    })
  })
  request.end(body)
})

function headersOf({ headers }: IncomingMessage): HttpAnswer['headers'] {
  const all = Object.entries(headers).filter(([name]) => name !== 'set-cookie')
  return Object.fromEntries(all.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value ?? '']))
}

interface Reading {
  /** Somebody reads it. */
  begun(): void
  /** Nobody does any more. */
  over(): void
  cause(): Error | undefined
  end(error: Error): void
}

/** Lines have no end: whoever reads them says how much is too much. */
const isLines = ({ headers }: IncomingMessage): boolean =>
  headers['content-type']?.startsWith('application/x-ndjson') === true

/** Leaving it ends the connection. */
async function* bodyOf(
  response: IncomingMessage, call: HttpCall, { begun, over: ended, cause, end }: Reading,
): AsyncIterable<Uint8Array> {
  const bytesMax = call.bytesMax ?? (isLines(response) ? Infinity : limits.httpAnswerBytes)
  const where = whereOf(call)
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
  } finally {
    ended()
  }
  // A connection that ends in the midst of the body is told as its end on some runtimes
  if (!response.complete) throw cause() ?? new Unavailable(`The answer of ${where} was cut`)
}
