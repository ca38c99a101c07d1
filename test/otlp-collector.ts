/** A collector for tests: a real HTTP server that takes traces and refuses whatever is not OTLP's JSON mapping. */
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly startMs: number
  readonly endMs: number
  readonly attributes: Readonly<Record<string, string>>
  readonly resource: Readonly<Record<string, string>>
  readonly status: number
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface TestCollector {
  readonly url: string
  readonly port: number
  readonly spans: ReceivedSpan[]
  /** What was wrong with requests, in words. */
  readonly faults: string[]
  /** Milliseconds at which each request came. */
  readonly requests: number[]
  /** Everything that was sent. */
  readonly bodies: string[]
  /** The next answers, in order; then 200. `never` does not answer. */
  readonly answers: (Answer | 'never')[]
  close(): Promise<void>
}

interface CollectorOptions {
  readonly port?: number
  readonly tls?: { readonly key: string; readonly cert: string }
}

export async function collector(options: CollectorOptions = {}): Promise<TestCollector> {
  const state = {
    spans: [] as ReceivedSpan[], faults: [] as string[], requests: [] as number[], bodies: [] as string[],
    answers: [] as (Answer | 'never')[],
  }
  const handle: Parameters<typeof createServer>[1] = (request, response) => {
    const chunks: Uint8Array[] = []
    request.on('data', (chunk: Uint8Array) => chunks.push(chunk))
    request.on('end', () => {
      state.requests.push(performance.now())
      const body = Buffer.concat(chunks).toString('utf8')
      state.bodies.push(body)
      const answer = state.answers.shift() ?? { status: 200, body: '{"partialSuccess":{}}' }
      const head = `${request.method} ${request.url} ${request.headers['content-type']}`
      if (head !== 'POST /v1/traces application/json') state.faults.push(head)
      try {
        const spans = readExport(body)
        if (answer !== 'never' && answer.status === 200) state.spans.push(...spans)
      } catch (error) {
        state.faults.push((error as Error).message)
      }
      if (answer === 'never') return
      response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
      response.end(answer.body ?? '{}')
    })
  }
  const server: Server = options.tls ? createTlsServer(options.tls, handle) : createServer(handle)
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    ...state, port, url: options.tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`,
    close: () => new Promise<void>((resolve) => {
      server.closeAllConnections()
      server.close(() => resolve())
    }),
  }
}

type Fields = Readonly<Record<string, unknown>>

const check = (condition: boolean, what: string): void => {
  if (!condition) throw new Error(what)
}

/** An object with these keys and no others: what a collector does not know it may ignore, and so hide a mistake. */
function fields(value: unknown, where: string, required: readonly string[], optional: readonly string[] = []): Fields {
  check(typeof value === 'object' && value !== null && !Array.isArray(value), `${where}: no object`)
  const keys = Object.keys(value as object)
  for (const key of required) check(keys.includes(key), `${where}: no ${key}`)
  for (const key of keys) check([...required, ...optional].includes(key), `${where}: unknown ${key}`)
  return value as Fields
}

function list(value: unknown, where: string): readonly unknown[] {
  check(Array.isArray(value) && value.length > 0, `${where}: no list, or an empty one`)
  return value as unknown[]
}

function attributesOf(value: unknown, where: string): Readonly<Record<string, string>> {
  const pairs = list(value, where).map((each) => {
    const { key, value: held } = fields(each, where, ['key', 'value'])
    const { stringValue } = fields(held, `${where} ${String(key)}`, ['stringValue'])
    check(typeof key === 'string' && key !== '' && typeof stringValue === 'string', `${where}: ${String(key)}`)
    return [key as string, stringValue as string] as const
  })
  check(new Set(pairs.map(([key]) => key)).size === pairs.length, `${where}: a key twice`)
  return Object.fromEntries(pairs)
}

/** `bytes` in lower-case hexadecimal, and not all zero. */
function id(value: unknown, bytes: number, where: string): string {
  check(typeof value === 'string' && new RegExp(`^[0-9a-f]{${bytes * 2}}$`).test(value), `${where}: ${String(value)}`)
  check(/[^0]/.test(value as string), `${where}: all zero`)
  return value as string
}

/** fixed64 nanoseconds as a decimal string; of our times. */
function time(value: unknown, where: string): number {
  check(typeof value === 'string' && /^[1-9]\d{18}$/.test(value), `${where}: ${JSON.stringify(value)}`)
  return Number(BigInt(value as string) / 1_000n) / 1_000
}

export function readExport(body: string): readonly ReceivedSpan[] {
  const request = fields(JSON.parse(body), 'request', ['resourceSpans'])
  return list(request['resourceSpans'], 'resourceSpans').flatMap((each) => {
    const ofResource = fields(each, 'resourceSpans', ['resource', 'scopeSpans'])
    const resource = attributesOf(fields(ofResource['resource'], 'resource', ['attributes'])['attributes'], 'resource')
    for (const key of ['service.name', 'service.namespace', 'service.instance.id', 'service.version', 'host.name']) {
      check(resource[key] !== undefined && resource[key] !== '', `resource: no ${key}`)
    }
    return list(ofResource['scopeSpans'], 'scopeSpans').flatMap((scoped) => {
      const { scope, spans } = fields(scoped, 'scopeSpans', ['scope', 'spans'])
      check(fields(scope, 'scope', ['name', 'version'])['name'] === 'zonewright', 'scope')
      return list(spans, 'spans').map((span) => readSpan(span, resource))
    })
  })
}

function readSpan(value: unknown, resource: Readonly<Record<string, string>>): ReceivedSpan {
  const span = fields(value, 'span', [
    'traceId', 'spanId', 'name', 'kind', 'startTimeUnixNano', 'endTimeUnixNano', 'attributes', 'status',
  ], ['parentSpanId'])
  check(span['kind'] === 2, 'span: kind is the number of SPAN_KIND_SERVER')
  check(typeof span['name'] === 'string' && span['name'] !== '', 'span: name')
  const [startMs, endMs] = [time(span['startTimeUnixNano'], 'start'), time(span['endTimeUnixNano'], 'end')]
  check(startMs <= endMs && Math.abs(endMs - Date.now()) < 600_000, 'span: times')
  const status = fields(span['status'], 'status', [], ['code', 'message'])
  check(status['code'] === undefined || status['code'] === 1 || status['code'] === 2, 'status: code is a number')
  return {
    traceId: id(span['traceId'], 16, 'traceId'), spanId: id(span['spanId'], 8, 'spanId'),
    ...(span['parentSpanId'] === undefined ? {} : { parentSpanId: id(span['parentSpanId'], 8, 'parentSpanId') }),
    name: span['name'] as string, startMs, endMs, attributes: attributesOf(span['attributes'], 'span'), resource,
    status: (status['code'] as number | undefined) ?? 0,
  }
}
