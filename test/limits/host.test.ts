/** What one host bounds beside its actors: logs, secrets, processes and telemetry. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { collectorAt } from '../../boot/observe/collector.ts'
import { createLineRing } from '../../boot/observe/line-ring.ts'
import { createLogFile } from '../../boot/observe/log-file.ts'
import { createSpanExport, type SpanExportOptions } from '../../boot/observe/span-export.ts'
import { Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Files, HttpAnswer, HttpCall } from '../../runtime/platform/ports.ts'
import { untilHealthy, untilUnhealthy } from '../../runtime/process/health.ts'
import { createRedactor } from '../../runtime/redact.ts'
import type { SpanEvent } from '../../runtime/trace.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { countingRandom, keys, quiet, testClock, type TestClock } from '../runtime/link-fixture.ts'

const test = suite('limits of a host')

/** What was begun comes to its first wait, then time passes. */
async function pass(clock: TestClock, ms: number): Promise<void> {
  await quiet()
  await clock.advance(ms)
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(() => 'done', (error: unknown) => (error as { code?: string }).code ?? String(error))

test('as many lines of log as the limit are kept, and one more is at the cost of the oldest', async () => {
  const ring = createLineRing()
  const add = (message: string): unknown =>
    ring.add({ at: 1, host: 'h1', actor: 'a', level: 'info', message, fields: {} })
  for (let line = 1; line <= limits.logLinesKept; line++) add(`${line}`)
  const first = async (): Promise<string> => {
    const query = { tail: 2 * limits.logLinesKept, follow: false }
    for await (const { message } of ring.read(query, new AbortController().signal)) return message
    return ''
  }
  assert.is(await first(), '1')
  add('one more')
  assert.is(await first(), '2')
  ring.close()
})

test('as many log files as the limit are kept, and the oldest goes for the next', async () => {
  const contents = new Map<string, Uint8Array>()
  const folder = 'logs'
  const files = {
    makeFolder: async () => {},
    read: async (name: string) => contents.get(name),
    list: async () => [...contents.keys()].map((name) => ({ name: name.slice(folder.length + 1), directory: false })),
    rename: async (name: string, to: string) => {
      contents.set(to, contents.get(name)!)
      contents.delete(name)
    },
    append: async (name: string, bytes: Uint8Array) => {
      const grown = new Uint8Array([...(contents.get(name) ?? []), ...bytes])
      contents.set(name, grown)
      return grown.length
    },
  } as unknown as Files
  // A whole file a line, without writing one
  const full = { ...files, append: async (name: string, bytes: Uint8Array) => {
    await files.append(name, bytes, { mode: 0o600 })
    return limits.logFileBytes
  } }
  const file = createLogFile({ files: full, clock: testClock(), folder, onFailed: () => {}, onBack: () => {} })
  for (let line = 1; line <= limits.logFiles + 1; line++) {
    file.write(`line ${line}`)
    await quiet()
    assert.is(contents.size, Math.min(line, limits.logFiles))
  }
  const text = [...contents.values()].map((bytes) => new TextDecoder().decode(bytes)).join('')
  assert.not.match(text, 'line 1\n')
  assert.match(text, 'line 2\n')
  await file.close()
})

test('as many secrets as the limit are looked for, one more and the oldest is not', () => {
  const redactor = createRedactor()
  const secret = (index: number): string => toBase64url(keys.hash(new TextEncoder().encode(`secret ${index}`)))
  for (let index = 0; index < limits.concealed; index++) redactor.conceal(secret(index))
  const isTold = (index: number): boolean => redactor.text(`it is ${secret(index)}`).includes(secret(index))
  assert.equal([isTold(0), isTold(limits.concealed - 1)], [false, false])
  redactor.conceal(secret(limits.concealed))
  assert.equal([isTold(0), isTold(1), isTold(limits.concealed)], [true, false, false])
})

/** A process whose page answers with this status, when it is given one in time. */
function page(answer: () => number | undefined) {
  const calls: HttpCall[] = []
  const transport = {
    calls, serveHttp: async () => { throw new Error('It serves nothing') },
    request: async (call: HttpCall): Promise<HttpAnswer> => {
      calls.push(call)
      const status = answer()
      if (status === undefined) throw new Unavailable('Nothing listens')
      return { status, headers: {}, body: (async function* none() {})() }
    },
  }
  return transport
}

const health = { port: 1, path: '/', everyMs: limits.healthMs, startMs: limits.healthStartMs }

test('a process is looked at until it is healthy first, for as long as it may take to start', async () => {
  const clock = testClock()
  const transport = page(() => undefined)
  const first = untilHealthy({ clock, transport }, health, new AbortController().signal)
  await pass(clock, 2 * limits.healthStartMs)
  assert.is(await first, 'Nothing listens')
  const looks = Math.floor((limits.healthStartMs - 1) / limits.healthFirstMs) + 1
  assert.is(transport.calls.length, looks, 'it is looked at more often before it was healthy')
  assert.ok(transport.calls.every(({ withinMs }) => withinMs === limits.healthAnswerMs))
  const late = page(() => (clock.monotonic() - began >= limits.healthStartMs - 2 * limits.healthFirstMs ? 200 : 503))
  const began = clock.monotonic()
  const second = untilHealthy({ clock, transport: late }, health, new AbortController().signal)
  await pass(clock, 2 * limits.healthStartMs)
  assert.is(await second, undefined, 'one that comes just in time is healthy')
})

test('a process that serves may miss looks in a row, one fewer than the limit', async () => {
  for (const [missed, isUnhealthy] of [[limits.healthMisses - 1, false], [limits.healthMisses, true]] as const) {
    const clock = testClock()
    const over = new AbortController()
    let look = 0
    const transport = page(() => (++look <= missed ? 500 : 200))
    const ended = untilUnhealthy({ clock, transport }, health, over.signal)
    await pass(clock, 10 * limits.healthMs)
    assert.is(await Promise.race([ended.then(() => true), quiet().then(() => false)]), isUnhealthy)
    over.abort()
  }
})

test('a collector has its time to answer, and to end its answer', async () => {
  const clock = testClock()
  const given: HttpCall[] = []
  const transport = {
    serveHttp: async () => { throw new Error('It serves nothing') },
    request: async (call: HttpCall): Promise<HttpAnswer> => {
      given.push(call)
      return { status: 200, headers: {}, body: (async function* never() { await new Promise(() => {}) })() }
    },
  }
  const sent = codeOf(collectorAt('http://127.0.0.1:4318', { transport, clock })('{}', new AbortController().signal))
  await quiet()
  assert.is(given[0]?.withinMs, limits.otlpAnswerMs)
  await pass(clock, limits.otlpAnswerMs - 1)
  assert.is(await Promise.race([sent, quiet().then(() => 'it waits')]), 'it waits')
  await pass(clock, 1)
  assert.is(await sent, 'DeadlineExceeded')
})

const span = (): SpanEvent => ({
  host: 'h1', actor: 'a', at: 1_800_000_000_000, protocol: 'counter', method: 'add', peer: 'b', code: '',
  traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', parentSpanId: '', durationMs: 1,
})

function exporting(collector: SpanExportOptions['collector']) {
  const clock = testClock()
  const origin = { zone: 'z1', version: '1', runtime: 'test' }
  const spans = createSpanExport({
    collector, origin, clock, random: countingRandom(), onFailed: () => {}, onBack: () => {},
  })
  return { clock, spans }
}

test('a batch that is not full waits its time, a full one does not', async () => {
  let batches = 0
  const { clock, spans } = exporting(async () => {
    batches++
    return { status: 200, retryAfter: undefined, body: '' }
  })
  spans.add(span())
  await pass(clock, limits.otlpDelayMs - 1)
  assert.is(batches, 0)
  await pass(clock, 1)
  assert.is(batches, 1)
  for (let count = 0; count < limits.otlpBatch; count++) spans.add(span())
  await pass(clock, limits.otlpDelayMs)
  assert.is(spans.exported, 1 + limits.otlpBatch)
})

test('a batch is tried as often as the limit, with pauses up to the maximum, then it is dropped', async () => {
  const at: number[] = []
  const { clock, spans } = exporting(async () => {
    at.push(clock.monotonic())
    throw new Unavailable('It is away')
  })
  spans.add(span())
  await pass(clock, 2 * limits.otlpAttempts * limits.otlpRetryMsMax)
  assert.is(at.length, limits.otlpAttempts)
  assert.is(spans.dropped, 1)
  const pauses = at.slice(1).map((time, index) => time - at[index]!)
  assert.ok(pauses.every((ms) => ms <= limits.otlpRetryMsMax), pauses.join())
  assert.ok(pauses.at(-1)! >= limits.otlpRetryMsMax / 2, pauses.join())
})

test('a collector may ask for as long a pause as the limit, and gets no longer one', async () => {
  for (const [asked, pause] of [[1, 1_000], [limits.otlpRetryAfterMsMax / 1_000 + 60, limits.otlpRetryAfterMsMax]]) {
    const at: number[] = []
    const { clock, spans } = exporting(async () => {
      at.push(clock.monotonic())
      return { status: 503, retryAfter: String(asked), body: '' }
    })
    spans.add(span())
    await pass(clock, limits.otlpDelayMs + 2 * Number(pause) + 10)
    assert.is(at[1]! - at[0]!, pause)
  }
})

test.run()
