import { looseObject, optional, record, safeParse, string, unknown } from 'valibot'
import { DeadlineExceeded, fromWire, LimitExceeded, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock, HttpAnswer, Transport } from '../../runtime/platform/ports.ts'
import { within } from '../../runtime/within.ts'
import { NotAZone } from '../errors.ts'

/** kRPC over HTTP (the originals' envelope): one request one answer, or lines of JSON that go on. */

export type KrpcService =
  'system_config' | 'verify-hub' | 'scheduler' | 'node-daemon' | 'cert-manager' | 'node-monitor'

export interface KrpcRequest {
  readonly service: KrpcService
  readonly method: string
  readonly params: object
  /** In the envelope, not in a header: what logs headers does not see it. */
  readonly token?: string
  readonly withinMs?: number
  readonly signal?: AbortSignal
  /** Told of the head of an answer, whatever it says. */
  readonly answered?: (headers: HttpAnswer['headers']) => void
}

export interface KrpcPort {
  readonly transport: Pick<Transport, 'request'>
  readonly clock: Clock
  readonly hostname: string
  readonly port: number
}

const Failure = looseObject({
  error: string(), code: optional(string()), details: optional(record(string(), unknown())),
})

/** A reason of our own: without one each call would make an error, with its stack. */
const OVER = 'over'

/** Numbers of requests, by what carries them: two runs of one simulation count alike. */
const sequences = new WeakMap<KrpcPort['transport'], number>()

function nextSequence({ transport }: KrpcPort): number {
  const next = (sequences.get(transport) ?? 0) + 1
  sequences.set(transport, next)
  return next
}

function send(port: KrpcPort, request: KrpcRequest, suffix: string, signal: AbortSignal | undefined) {
  const { service, method, params, token = null, withinMs = limits.clientCallMs } = request
  return port.transport.request({
    hostname: port.hostname, port: port.port, method: 'POST', path: `/kapi/${service}${suffix}`, withinMs,
    headers: { 'content-type': 'application/json', accept: 'application/json, application/x-ndjson' },
    body: JSON.stringify({ method, params, sys: [nextSequence(port), token] }), ...(signal ? { signal } : {}),
  })
}

/** @throws what the zone answered, by its class; Unavailable, DeadlineExceeded, NotAZone, LimitExceeded */
export async function krpcCall(port: KrpcPort, request: KrpcRequest): Promise<unknown> {
  const { signal, withinMs = limits.clientCallMs } = request
  const life = new AbortController()
  const end = (): void => life.abort(OVER)
  if (signal?.aborted) end()
  signal?.addEventListener('abort', end)
  const where = `${port.hostname}:${port.port}`
  const late = (): Error => new DeadlineExceeded(`The answer of ${where} did not end within ${withinMs} ms`)
  try {
    // The transport bounds the head only: a body that never ends would hold the command
    return await within(port.clock, withinMs, answerOf(port, request, life.signal), late)
  } finally {
    end()
    signal?.removeEventListener('abort', end)
  }
}

async function answerOf(port: KrpcPort, request: KrpcRequest, signal: AbortSignal): Promise<unknown> {
  const answer = await send(port, request, '', signal)
  request.answered?.(answer.headers)
  const value = await jsonOf(answer)
  throwIfFailure(value)
  if (typeof value === 'object' && value !== null && 'result' in value) return value.result
  throw strange(answer)
}

/** One connection: whoever wants it to outlive one follows (`follow.ts`). @throws also when it was cut */
export async function* krpcStream(port: KrpcPort, request: KrpcRequest): AsyncIterable<unknown> {
  const life = new AbortController()
  const end = (): void => life.abort(OVER)
  if (request.signal?.aborted) return
  request.signal?.addEventListener('abort', end)
  const where = `${port.hostname}:${port.port}`
  let cancel = (): void => {}
  let silent = false
  const listen = (): void => {
    cancel()
    cancel = port.clock.after(limits.clientSilenceMs, () => {
      silent = true
      end()
    })
  }
  try {
    const answer = await send(port, request, '/stream', life.signal)
    listen()
    if (answer.status !== 200) {
      throwIfFailure(await jsonOf(answer))
      throw strange(answer)
    }
    for await (const line of linesOf(answer, listen)) {
      const value = parse(line)
      throwIfFailure(value)
      if (typeof value !== 'object' || value === null) throw strange(answer)
      if ('end' in value) return
      if ('item' in value) yield value.item
    }
    throw new Unavailable(`The stream of ${where} was cut`)
  } catch (error) {
    if (request.signal?.aborted) return
    throw silent ? new Unavailable(`Nothing came from ${where} for ${limits.clientSilenceMs} ms`) : error
  } finally {
    cancel()
    end()
    request.signal?.removeEventListener('abort', end)
  }
}

/** Lines that are not blank: a blank one says that the other end lives. */
async function* linesOf({ body }: HttpAnswer, onBytes: () => void): AsyncIterable<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    onBytes()
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop()!
    if (rest.length > limits.clientAnswerBytes) throw tooLong()
    for (const line of lines) if (line.trim() !== '') yield line
  }
  if (rest.trim() !== '') yield rest
}

async function jsonOf(answer: HttpAnswer): Promise<unknown> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of answer.body) {
    length += chunk.length
    if (length > limits.clientAnswerBytes) throw tooLong()
    chunks.push(chunk)
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return parse(new TextDecoder().decode(bytes)) ?? throwStatus(answer)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function throwIfFailure(value: unknown): void {
  const failure = safeParse(Failure, value)
  if (!failure.success) return
  const { error, code = 'Internal', details = {} } = failure.output
  throw fromWire({ code, message: error.replace(ORIGINALS, ''), details })
}

/** How the originals' texts begin; what follows is ours, and the code says the rest. */
const ORIGINALS =
  /^(?:Failed due to reason|No permission|Parse Request Error|Invalid token|Token expired|User Not Found): ?/

function throwStatus(answer: HttpAnswer): never {
  if (answer.status === 503 || answer.status === 408) throw new Unavailable('The zone cannot answer now')
  throw strange(answer)
}

const tooLong = (): Error => new LimitExceeded(`The answer is longer than ${limits.clientAnswerBytes} bytes`)

const strange = ({ status }: HttpAnswer): Error =>
  new NotAZone(`What answers there is no zone of this kind: HTTP status ${status}`, {
    next: 'Check --url; or the zone is of an older version',
  })
