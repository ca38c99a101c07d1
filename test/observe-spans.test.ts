/** Traces out: what a collector gets is OTLP, in whole trees, and one that is away costs spans and nothing else. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { collectorAt } from '../boot/observe/collector.ts'
import { retryAfterMs } from '../boot/observe/retry-after.ts'
import { ZonewrightError } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { worker } from '../runtime/spec.ts'
import { supervise } from '../runtime/supervise.ts'
import type { SpanEvent, Trace } from '../runtime/trace.ts'
import { runChild } from './boot-fixtures/child.ts'
import { Audit, Counter } from './examples/protocol.ts'
import { inFolder, observed, pause, until, type Observed } from './observe-fixture.ts'
import { collector, readExport, type ReceivedSpan, type TestCollector } from './otlp-collector.ts'
import { etcdCertificates } from './runtime/etcd-certificates.ts'

const test = suite('spans')

const span = (index: number, given: Partial<SpanEvent> = {}): SpanEvent => ({
  host: 'ood1', actor: 'vault', at: Date.now(), traceId: (index + 1).toString(16).padStart(32, '0'),
  spanId: (index + 1).toString(16).padStart(16, '0'), parentSpanId: '', protocol: 'vault', method: 'status',
  peer: 'supervisor', durationMs: 1.5, code: '', ...given,
})
const emit = (trace: Trace, count: number): void => {
  for (let index = 0; index < count; index++) trace.emit('span', span(index))
}
const counted = async ({ observer }: Observed, name: string): Promise<number> =>
  Number(new RegExp(`^zonewright_spans_${name}_total (\\d+)$`, 'm').exec(await observer.metrics())?.[1])

/** With a collector, and whatever was sent to it must be OTLP. */
async function collected(task: (to: TestCollector, from: Observed, folder: string) => Promise<void>): Promise<void> {
  const to = await collector()
  const alive = setInterval(() => {}, 1_000)
  try {
    await inFolder(async (folder) => {
      const from = await observed(folder, { otlp: to.url })
      await task(to, from, folder)
      await from.observer.close()
    })
    assert.equal(to.faults, [])
  } finally {
    clearInterval(alive)
    await to.close()
  }
}

const collecting = (title: string, task: Parameters<typeof collected>[0]): void => test(title, () => collected(task))

if (process.argv[2] === '--export-to') {
  await inFolder(async (folder) => {
    const from = await observed(folder, { otlp: process.argv[3]! })
    emit(from.trace, 3)
    await from.observer.close()
    console.log(JSON.stringify({ exported: await counted(from, 'exported') }))
  })
  process.exit(0)
}

collecting('spans arrive as OTLP, each actor a service of its own', async (to, { trace, observer }) => {
  const at = Date.now()
  trace.emit('span', span(0, { at, durationMs: 12.25 }))
  trace.emit('span', span(1, { host: 'node1', actor: 'gateway', code: 'Internal', parentSpanId: 'ab'.repeat(8) }))
  trace.emit('span', span(2, { code: 'Denied' }))
  await observer.close()
  const [first, denied, other] = ['vault', 'vault', 'gateway'].map((name, index) =>
    to.spans.filter(({ resource }) => resource['service.name'] === name)[index === 1 ? 1 : 0]!)
  assert.equal([first!.name, first!.endMs, first!.startMs], ['vault/status', at, at - 12.25])
  assert.is(first!.parentSpanId, undefined)
  assert.equal([first!.status, denied!.status, other!.status], [0, 0, 2])
  assert.is(denied!.attributes['error.type'], 'Denied')
  assert.equal(other!.resource, {
    ...first!.resource, 'service.name': 'gateway', 'service.instance.id': 'node1/gateway', 'host.name': 'node1',
  })
})

collecting('a call through two actors is one tree, whose parts lie within their parents', async (to, from) => {
  const { trace, observer } = from
  const zone = await supervise([
    worker(Audit, new URL('./examples/audit.ts', import.meta.url)),
    worker(Counter, new URL('./examples/counter.ts', import.meta.url)),
  ], { trace, spans: true })
  await Promise.all([zone.get(Counter).add({ by: 1 }), zone.get(Counter).add({ by: 2 })])
  await zone.stop()
  await observer.close()
  const named = (name: string): readonly ReceivedSpan[] => to.spans.filter((each) => each.name === name)
  assert.is(named('counter/add').length, 2)
  assert.is(new Set(to.spans.map(({ spanId }) => spanId)).size, to.spans.length)
  for (const root of named('counter/add')) {
    assert.is(root.parentSpanId, undefined)
    const children = to.spans.filter(({ parentSpanId }) => parentSpanId === root.spanId)
    assert.equal(children.map(({ name, traceId }) => [name, traceId]), [['audit/append', root.traceId]])
    // Both clocks are that of this machine, to the millisecond
    assert.ok(children[0]!.startMs >= root.startMs - 2 && children[0]!.endMs <= root.endMs + 2)
  }
})

collecting('an id that is none is dropped and counted, and spoils nothing', async (to, from) => {
  const bad = [{ traceId: '0'.repeat(32) }, { traceId: 'A'.repeat(32) }, { spanId: 'ab' }, { parentSpanId: 'x' }]
  for (const ids of bad) from.trace.emit('span', span(0, ids))
  from.trace.emit('span', span(7))
  await until('sent', () => to.spans.length === 1)
  assert.is(await counted(from, 'dropped'), 4)
})

collecting('what can be tried again is: 503, then 429 with its time, then it is taken once', async (to, from) => {
  to.answers.push({ status: 503 }, { status: 429, headers: { 'retry-after': '2' } })
  emit(from.trace, 10)
  await until('taken', () => to.spans.length === 10, 15_000)
  const [first, second, third] = to.requests as [number, number, number]
  assert.ok(second - first >= limits.otlpRetryMsMin / 2 - 20, `${second - first} ms`)
  assert.ok(third - second >= 1_980, `${third - second} ms`)
  assert.is(to.bodies[0], to.bodies[2])
  await until('counted', async () => await counted(from, 'exported') === 10)
  assert.is(await counted(from, 'dropped'), 0)
  const told = (await from.kept()).filter(({ actor }) => actor === 'observer').map(({ message }) => message)
  assert.equal(told, [
    'Spans do not reach the collector: The collector answered 503', 'Spans reach the collector again; 0 are lost',
  ])
})

collecting('what cannot be tried again is dropped, and so is what the collector says it refused', async (to, from) => {
  to.answers.push({ status: 400 }, { status: 200, body: '{"partialSuccess":{"rejectedSpans":"3","errorMessage":"x"}}' })
  emit(from.trace, 5)
  await until('first', () => to.requests.length === 1)
  await pause(50)
  emit(from.trace, 5)
  await until('second', () => to.requests.length === 2)
  await pause(50)
  assert.equal([await counted(from, 'exported'), await counted(from, 'dropped')], [2, 8])
})

collecting('a batch is not larger than allowed, and with the queue full the rest is dropped', async (to, from) => {
  to.answers.push('never')
  emit(from.trace, limits.otlpBatch)
  await until('the first batch is under way', () => to.requests.length === 1)
  emit(from.trace, limits.otlpPending + 100)
  assert.is(await counted(from, 'dropped'), 100)
  for (const body of to.bodies) assert.ok(readExport(body).length <= limits.otlpBatch)
})

test('a zone stops in bounded time while the collector is down, or takes and does not answer', async () => {
  const to = await collector()
  const alive = setInterval(() => {}, 1_000)
  try {
    await to.close()
    for (const silent of [false, true]) {
      const again = silent ? await collector() : undefined
      again?.answers.push('never', 'never', 'never')
      await inFolder(async (folder) => {
        const from = await observed(folder, { otlp: again?.url ?? to.url })
        emit(from.trace, 2_000)
        await pause(30)
        const began = performance.now()
        await from.observer.close()
        const tookMs = performance.now() - began
        const dropped = await counted(from, 'dropped')
        await again?.close()
        assert.ok(tookMs < limits.otlpCloseMs + limits.logCloseMs + 1_000, `${tookMs} ms`)
        assert.is(dropped, 2_000)
      })
    }
  } finally {
    clearInterval(alive)
  }
})

test('a collector that comes up later gets what waited', async () => {
  const first = await collector()
  const { port } = first
  await first.close()
  const alive = setInterval(() => {}, 1_000)
  await inFolder(async (folder) => {
    const from = await observed(folder, { otlp: `http://127.0.0.1:${port}` })
    emit(from.trace, 20)
    await until('told', async () => (await from.kept()).some(({ message }) => message.includes('do not reach')))
    const second = await collector({ port })
    await until('taken', () => second.spans.length === 20, 15_000)
    await from.observer.close()
    assert.equal(second.faults, [])
    await second.close()
  })
  clearInterval(alive)
})

test('a collector behind TLS gets them when its certificate is good, and nothing otherwise', async () => {
  const { server } = await etcdCertificates()
  const to = await collector({ tls: { key: server.key, cert: server.certificate } })
  try {
    await inFolder(async (folder) => {
      const authority = join(folder, 'authority.pem')
      await writeFile(authority, server.authority)
      for (const [trusted, exported] of [['', 0], [authority, 3]] as const) {
        process.env['NODE_EXTRA_CA_CERTS'] = process.env['DENO_CERT'] = trusted
        if (trusted === '') {
          delete process.env['NODE_EXTRA_CA_CERTS']
          delete process.env['DENO_CERT']
        }
        const child = await runChild(['--export-to', to.url], { msMax: 20_000 })
        assert.equal([child.code, child.lines[0]?.['exported'], to.spans.length], [0, exported, exported], child.noise)
      }
    })
    assert.equal(to.faults, [])
  } finally {
    await to.close()
  }
})

test('an address that is none is refused without being repeated', async () => {
  const platform = await openPlatform()
  for (const url of ['http://user:hunter2@localhost', 'https://localhost/?key=hunter2', 'ftp://hunter2', 'hunter2']) {
    try {
      collectorAt(url, platform)
      assert.unreachable(url)
    } catch (error) {
      assert.is((error as ZonewrightError).code, 'ConfigInvalid', url)
      assert.not((error as Error).message.includes('hunter2'))
    }
  }
})

test('a time to wait is read in both of its forms', () => {
  const now = Date.UTC(2026, 10, 21, 12, 0, 0)
  assert.is(retryAfterMs('120', now), 120_000)
  for (const at of [now + 90_000, Date.UTC(2028, 1, 29, 23, 59, 59), Date.UTC(2100, 2, 1)]) {
    assert.is(retryAfterMs(new Date(at).toUTCString(), now), at - now)
  }
  assert.is(retryAfterMs(new Date(now - 5_000).toUTCString(), now), 0)
  const none = [undefined, '', '-1', '1.5', 'soon', 'Sun, 06 Foo 1994 08:49:37 GMT']
  for (const text of none) assert.is(retryAfterMs(text, now), undefined)
})

test('the reader of this test refuses what is not OTLP', async () => {
  const good = JSON.parse(JSON.stringify({ resourceSpans: [{
    resource: { attributes: ['service.name', 'service.namespace', 'service.instance.id', 'service.version', 'host.name']
      .map((key) => ({ key, value: { stringValue: 'x' } })) },
    scopeSpans: [{ scope: { name: 'zonewright', version: '1' }, spans: [{
      traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), name: 'n', kind: 2, startTimeUnixNano: `${Date.now()}000000`,
      endTimeUnixNano: `${Date.now()}000000`, attributes: [{ key: 'a', value: { stringValue: 'b' } }], status: {},
    }] }],
  }] }))
  assert.is(readExport(JSON.stringify(good)).length, 1)
  const of = (changes: object): string => {
    const copy = structuredClone(good)
    Object.assign(copy.resourceSpans[0].scopeSpans[0].spans[0], changes)
    return JSON.stringify(copy)
  }
  const bad = [
    { traceId: 'A'.repeat(32) }, { traceId: '0'.repeat(32) }, { spanId: 'b'.repeat(32) },
    { parentSpanId: '' }, { kind: 'SERVER' },
    { startTimeUnixNano: Date.now() * 1e6 }, { trace_id: 'x' }, { status: { code: 'ERROR' } }, { endTimeUnixNano: '5' },
  ]
  for (const changes of bad) assert.throws(() => readExport(of(changes)), undefined, JSON.stringify(changes))
})

test.run()
