/** The metrics: what a Prometheus reads is well-formed, counts up only, and cannot be made to grow without end. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseSample } from '../boot/observe/samples.ts'
import { version } from '../boot/version.ts'
import { limits } from '../runtime/limits.ts'
import type { Inspection } from '../runtime/worker.ts'
import { parseExposition } from './exposition.ts'
import { inFolder, inspection, observed, pause } from './observe-fixture.ts'

const test = suite('metrics')
const inside = (title: string, task: (folder: string) => Promise<void>): void => test(title, () => inFolder(task))

const hasPromtool = spawnSync('promtool', ['--version']).status === 0

/** By the format's definition, and by Prometheus' own judge where it is there. */
function judged(text: string) {
  if (hasPromtool) execFileSync('promtool', ['check', 'metrics'], { input: text })
  return parseExposition(text)
}

inside('what is told becomes metrics that a Prometheus can read', async (folder) => {
  let actors: readonly Inspection[] = [inspection('vault', 1, { waiting: 3, running: 1, links: 4, deadLetters: 2 })]
  const { observer, trace, log } = await observed(folder, { inspect: async () => [{ host: 'ood1', actors }] })
  const origin = { host: 'ood1', actor: 'vault', at: Date.now() }
  const chain = [{ layer: 'token', verdict: 'denied', rule: '-', reason: 'token/expired' }]
  log('one')
  log('two', { level: 'warn' })
  trace.emit('actor', { ...origin, state: 'serving', incarnation: 1, reason: '' })
  trace.emit('actor', { ...origin, state: 'died', incarnation: 1, reason: 'x' })
  trace.emit('actor', { ...origin, state: 'restarting', incarnation: 1, reason: 'x' })
  trace.emit('denial', { ...origin, id: 'D-1', chain })
  observer.booted(1_250)
  const metrics = judged(await observer.metrics())
  const at = { host: 'ood1', actor: 'vault' }
  const expected: readonly (readonly [string, Readonly<Record<string, string>>, number])[] = [
    ['zonewright_actor_up', at, 0], ['zonewright_actor_restarts_total', at, 1],
    ['zonewright_actor_mailbox_waiting', at, 3], ['zonewright_actor_mailbox_running', at, 1],
    ['zonewright_actor_links', at, 4], ['zonewright_actor_dead_letters_total', at, 2],
    ['zonewright_denials_total', { reason: 'token/expired' }, 1], ['zonewright_boot_seconds', {}, 1.25],
    ['zonewright_log_lines_total', { level: 'info' }, 2], ['zonewright_log_lines_total', { level: 'error' }, 1],
    ['zonewright_log_lines_dropped_total', {}, 0], ['zonewright_spans_dropped_total', {}, 0],
  ]
  for (const [name, labels, value] of expected) assert.is(metrics.value(name, labels), value, name)
  assert.ok((metrics.value('process_resident_memory_bytes') ?? 0) > 1e6)
  assert.ok((metrics.value('process_cpu_seconds_total') ?? 0) > 0)
  assert.is(metrics.type('zonewright_actor_restarts_total'), 'counter')
  assert.is(metrics.type('zonewright_actor_up'), 'gauge')
  assert.is(metrics.labelsOf('zonewright_build_info')[0]?.['version'], '0.0.0')
  // An actor that is gone has no mailbox any more; that it is down stays told
  actors = []
  const later = judged(await observer.metrics())
  assert.is(later.value('zonewright_actor_links', at), undefined)
  assert.is(later.value('zonewright_actor_up', at), 0)
  await observer.close()
})

inside('counters of a restarted actor add up over its incarnations, also if an old answer is late', async (folder) => {
  let answer = inspection('gateway', 1)
  const { observer } = await observed(folder, { inspect: async () => [{ host: 'ood1', actors: [answer] }] })
  const counts = async (incarnation: number, deadLetters: number, requests: number): Promise<readonly unknown[]> => {
    const counters = { 'http_requests_total{code="2xx"}': requests }
    answer = inspection('gateway', incarnation, { deadLetters, counters })
    const metrics = judged(await observer.metrics())
    const at = { host: 'ood1', actor: 'gateway' }
    return [
      metrics.value('zonewright_actor_dead_letters_total', at),
      metrics.value('zonewright_http_requests_total', { ...at, code: '2xx' }),
    ]
  }
  assert.equal(await counts(10, 5, 100), [5, 100])
  assert.equal(await counts(10, 6, 110), [6, 110])
  assert.equal(await counts(20, 1, 7), [7, 117])
  assert.equal(await counts(10, 6, 110), [7, 117])
  assert.equal(await counts(20, 8, 200), [14, 310], 'more than the one before had')
  await observer.close()
})

test('samples are parsed by the rules of the format', () => {
  assert.equal(parseSample('a_total'), { name: 'a_total', labels: {} })
  assert.equal(parseSample('a{b="c",d="e\\"\\\\\\n}{,"}'), { name: 'a', labels: { b: 'c', d: 'e"\\\n}{,' } })
  const bad = [
    '', 'A', '1a', 'a b', 'a{', 'a}', 'a{}x', 'a{b}', 'a{b=c}', 'a{b="c}', 'a{b="c"', 'a{b="c" }',
    'a{b="c"d="e"}', 'a{,}', 'a{b="c",b="d"}', 'a{host="x"}', 'a{actor="x"}', 'a{le="1"}', 'a{__x="1"}', 'a{b="\\q"}',
    'a{b="c\n"}', 'a\n# HELP x', 'é', `a${'b'.repeat(200)}`, `a{b="${'c'.repeat(300)}"}`, 'a{b="c"} 5',
    '__proto__', 'a{__proto__="x"}',
  ]
  for (const sample of bad) assert.is(parseSample(sample), undefined, sample)
})

inside('bad names are skipped and counted, and never make the text unreadable', async (folder) => {
  const counters = {
    'fine_total{path="a\\"b\\\\c\\nd"}': 1, 'fine_total{other="x"}': 1, 'a b': 1, 'x{y="': 1,
    'evil 1\n# TYPE x gauge\nx': 1, 'zonewright_build_info': 1, 'zonewright_actor_up': 1, 'call_duration_seconds': 1,
    'nan_total': Number.NaN, 'down_total': -1,
  }
  const { observer } = await observed(folder, {
    inspect: async () => [{ host: 'ood1', actors: [inspection('svc', 1, { counters })] }],
  })
  const metrics = judged(await observer.metrics())
  assert.is(metrics.value('zonewright_fine_total', { host: 'ood1', actor: 'svc', path: 'a"b\\c\nd' }), 1)
  assert.is(metrics.value('zonewright_metric_samples_refused_total'), 9)
  assert.is(metrics.labelsOf('zonewright_build_info').length, 1)
  await observer.close()
})

inside('names and reasons that are made up cannot grow without end', async (folder) => {
  const names = Array.from({ length: limits.metricNames + 40 }, (_, index) => `made_up_${index}_total`)
  const actors = [inspection('svc', 1, { counters: Object.fromEntries(names.map((name) => [name, 1])) })]
  const { observer, trace } = await observed(folder, { inspect: async () => [{ host: 'ood1', actors }] })
  for (let index = 0; index < limits.metricSeries + 25; index++) {
    trace.emit('denial', { host: 'ood1', actor: 'svc', at: 1, id: `D-${index}`, chain: [
      { layer: 'token', verdict: 'denied', rule: '-', reason: `reason ${index}` },
    ] })
  }
  const metrics = judged(await observer.metrics())
  assert.is(metrics.labelsOf('zonewright_denials_total').length, limits.metricSeries)
  assert.is(metrics.names.filter((name) => name.startsWith('zonewright_made_up_')).length, limits.metricNames)
  assert.is(metrics.value('zonewright_metric_samples_refused_total'), 40 + 25)
  await observer.close()
})

inside('an actor that does not answer holds nobody up for long, and a late timer shows', async (folder) => {
  const { observer } = await observed(folder, { inspect: () => new Promise(() => {}) })
  const alive = setInterval(() => {}, 1_000)
  for (const end = performance.now() + limits.lagMs + 400; performance.now() < end;);
  await pause(50)
  const began = performance.now()
  const [one, two] = await Promise.all([observer.metrics(), observer.metrics()])
  assert.ok(performance.now() - began < limits.inspectMs + 2_000)
  assert.is(one, two, 'who asks meanwhile gets the same answer')
  assert.ok((judged(one).value('zonewright_event_loop_lag_seconds') ?? 0) > 0.2)
  clearInterval(alive)
  await observer.close()
})

inside('spans become a histogram by protocol and method, and errors by code', async (folder) => {
  const { observer, trace } = await observed(folder, { otlp: 'http://127.0.0.1:9/' })
  const span = (durationMs: number, code: string): void => trace.emit('span', {
    host: 'ood1', actor: 'vault', at: Date.now(), traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), parentSpanId: '',
    protocol: 'vault', method: 'status', peer: 'supervisor', durationMs, code,
  })
  span(2, '')
  span(700, 'Denied')
  const metrics = judged(await observer.metrics())
  const of = { protocol: 'vault', method: 'status' }
  assert.is(metrics.value('zonewright_call_duration_seconds_count', of), 2)
  assert.is(metrics.value('zonewright_call_duration_seconds_bucket', { ...of, le: '0.005' }), 1)
  assert.is(metrics.value('zonewright_call_duration_seconds_bucket', { ...of, le: '+Inf' }), 2)
  assert.is(metrics.value('zonewright_call_errors_total', { ...of, code: 'Denied' }), 1)
  await observer.close()
})

test('nothing is left in the registry that all users of the package share', async () => {
  const { register } = await import('prom-client')
  assert.is(register.getMetricsAsArray().length, 0)
})

test('the version that is told is that of the package', () => {
  assert.is(version, (JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version)
})

test('the parser of this test refuses what the format does not allow', () => {
  const good = '# HELP a_total x\n# TYPE a_total counter\na_total{b="c"} 1\n'
  assert.is(parseExposition(good).value('a_total', { b: 'c' }), 1)
  const bad = [
    'a_total 1', 'a_total 1\n\na b', `${good}a_total{b="c"} 2\n`, `${good}# TYPE a_total gauge\n`,
    'a_total{b="c} 1\n', '# TYPE a\n',
    'a_total{b=c} 1\n', 'a_total x\n', '# TYPE a counter\nb 1\n# TYPE a counter\n', 'a{b="\\q"} 1\n',
    'a{b="c",b="d"} 1\n',
    '# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
    '# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 1\nh_count 1\n', '# TYPE a counter\na -1\n',
    '# TYPE a counter\na{x="1"} 1\n# TYPE b counter\nb 1\na{x="2"} 1\n',
  ]
  for (const text of bad) assert.throws(() => parseExposition(text), undefined, text)
})

test.run()
