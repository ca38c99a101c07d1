import Counter from 'prom-client/lib/counter.js'
import Gauge from 'prom-client/lib/gauge.js'
import Histogram from 'prom-client/lib/histogram.js'
import Registry from 'prom-client/lib/registry.js'
import { limits } from '../../runtime/limits.ts'
import type { ProcessUsage } from '../../runtime/platform/ports.ts'
import type { ActorEvent, SpanEvent } from '../../runtime/trace.ts'
import type { Inspection } from '../../runtime/worker.ts'
import { gaugeHelp } from './gauge-help.ts'
import { parseSample } from './samples.ts'
import { createSeriesLimit, createTotals } from './series.ts'

export interface HostInspection {
  readonly host: string
  readonly actors: readonly Inspection[]
}

/** What is only known when somebody asks. */
export interface Now {
  readonly inspected: readonly HostInspection[]
  readonly usage: ProcessUsage
  readonly lagSeconds: number
  readonly counts: Readonly<Record<'linesDropped' | 'linesSkipped' | 'spansExported' | 'spansDropped', number>>
}

export interface Metrics {
  line(level: string): void
  denial(reason: string): void
  actor(event: ActorEvent): void
  span(event: SpanEvent): void
  booted(seconds: number): void
  text(now: Now): Promise<string>
}

/** A counter of an actor, and the series of it that a sample names. */
interface Counted {
  readonly metric: Counter<string>
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

/** Of calls: from what a mailbox adds to what a slow hash takes. */
const SECONDS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15]

/** What an inspection says, and its metric. */
const gauges = {
  waiting: ['zonewright_actor_mailbox_waiting', 'Calls that wait for the actor'],
  running: ['zonewright_actor_mailbox_running', 'Calls that the actor serves now'],
  links: ['zonewright_actor_links', 'Open links of the actor'],
} as const
const totals = {
  deadLetters: ['zonewright_actor_dead_letters_total', 'One-way messages that were not delivered or not run'],
  framesRejected: ['zonewright_actor_frames_rejected_total', 'Frames that were forged, replayed, reordered or cut'],
  handshakesRefused: ['zonewright_actor_handshakes_refused_total', 'Handshakes that did not come to a link'],
} as const
const ACTOR = ['host', 'actor'] as const

/** In a registry of its own: nothing is registered with the package's global one, and nothing runs by itself. */
export function createMetrics({ version, runtime }: { readonly version: string; readonly runtime: string }): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const series = createSeriesLimit()
  const sums = createTotals()
  const counter = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Counter<string>({ name, help, labelNames, registers })
  const gauge = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Gauge<string>({ name, help, labelNames, registers })

  gauge('zonewright_build_info', 'Always 1', ['version', 'runtime']).set({ version, runtime }, 1)
  const up = gauge('zonewright_actor_up', 'Whether the actor, or the process of a service, serves', ACTOR)
  const restarts = counter('zonewright_actor_restarts_total', 'Restarts of the actor', ACTOR)
  const inspectedGauges = Object.entries(gauges).map(([key, [name, help]]) =>
    ({ key: key as keyof typeof gauges, metric: gauge(name, help, ACTOR) }))
  const inspectedTotals = Object.entries(totals).map(([key, [name, help]]) =>
    ({ key: key as keyof typeof totals, name, metric: counter(name, help, ACTOR) }))
  const denials = counter('zonewright_denials_total', 'Refusals by reason', ['reason'])
  const lines = counter('zonewright_log_lines_total', 'Lines of log', ['level'])
  const bootSeconds = gauge('zonewright_boot_seconds', 'From the start of the boot until every service served')
  const resident = gauge('process_resident_memory_bytes', 'Resident memory of this process')
  const heap = gauge('zonewright_heap_used_bytes', 'JavaScript heap of the main thread')
  const cpu = counter('process_cpu_seconds_total', 'User and system time of this process')
  const lag = gauge('zonewright_event_loop_lag_seconds', 'How late a timer of the main thread was at worst, of late')
  const calls = new Histogram<string>({
    name: 'zonewright_call_duration_seconds', help: 'Calls served, while spans are on',
    labelNames: ['protocol', 'method'], buckets: SECONDS, registers,
  })
  const callErrors = counter('zonewright_call_errors_total', 'Calls that failed, by error code, while spans are on',
    ['protocol', 'method', 'code'])
  const counted = {
    linesDropped: counter('zonewright_log_lines_dropped_total', 'Lines that the disk did not take'),
    linesSkipped: counter('zonewright_log_lines_skipped_total', 'Lines that a reader was too slow for'),
    spansExported: counter('zonewright_spans_exported_total', 'Spans that the collector took'),
    spansDropped: counter('zonewright_spans_dropped_total', 'Spans that the collector did not take'),
  }
  const refusedSamples = counter('zonewright_metric_samples_refused_total',
    'Samples with a bad name, or of more series than are shown')
  const own = new Set(registry.getMetricsAsArray().map(({ name }) => name))
  const ofActors = new Map<string, Counter<string>>()
  const told = new Map<string, Gauge<string>>()
  let badSamples = 0

  const add = (
    metric: Counter<string>, name: string, labels: Record<string, string>, incarnation: number, value: number,
  ): void => {
    if (!Number.isFinite(value) || value < 0) return void badSamples++
    const keys = Object.values(labels)
    if (!series.admits(name, keys)) return
    metric.inc(labels, sums.growth(JSON.stringify([name, ...keys]), incarnation, value))
  }
  /** The counter of a sample; its labels are those that it had first. */
  const counterOf = (sample: string): Counted | undefined => {
    const parsed = parseSample(sample)
    if (!parsed) return undefined
    const name = parsed.name.startsWith('zonewright_') ? parsed.name : `zonewright_${parsed.name}`
    const labels = Object.keys(parsed.labels)
    const key = [name, ...labels.toSorted()].join(' ')
    let metric = ofActors.get(key)
    if (!metric) {
      const clashes = own.has(name) || registry.getSingleMetric(name) !== undefined
      if (clashes || ofActors.size + told.size >= limits.metricNames) return undefined
      metric = counter(name, 'Counted by an actor', [...ACTOR, ...labels])
      ofActors.set(key, metric)
    }
    return { metric, name, labels: { ...parsed.labels } }
  }
  /** The gauge of a sample; its labels are those that it had first. */
  const gaugeOf = (sample: string) => {
    const parsed = parseSample(sample)
    if (!parsed) return undefined
    const name = parsed.name.startsWith('zonewright_') ? parsed.name : `zonewright_${parsed.name}`
    const labels = Object.keys(parsed.labels)
    const key = [name, ...labels.toSorted()].join(' ')
    let metric = told.get(key)
    if (!metric) {
      const clashes = own.has(name) || registry.getSingleMetric(name) !== undefined
      if (clashes || ofActors.size + told.size >= limits.metricNames) return undefined
      metric = gauge(name, gaugeHelp[name] ?? 'Told by an actor', [...ACTOR, ...labels])
      told.set(key, metric)
    }
    return { metric, name, labels: { ...parsed.labels } }
  }
  const inspected = ({ host, actors }: HostInspection): void => {
    for (const one of actors) {
      const { actor, incarnation } = one
      for (const { key, metric } of inspectedGauges) {
        if (series.admits(key, [host, actor])) metric.set({ host, actor }, one[key])
      }
      for (const { key, name, metric } of inspectedTotals) add(metric, name, { host, actor }, incarnation, one[key])
      for (const [sample, value] of Object.entries(one.counters)) {
        const found = counterOf(sample)
        if (found) add(found.metric, found.name, { host, actor, ...found.labels }, incarnation, value)
        else badSamples++
      }
      for (const [sample, value] of Object.entries(one.gauges)) {
        const found = Number.isFinite(value) ? gaugeOf(sample) : undefined
        if (!found) badSamples++
        else if (series.admits(found.name, [host, actor, ...Object.values(found.labels)])) {
          found.metric.set({ host, actor, ...found.labels }, value)
        }
      }
    }
  }
  const setTotal = (metric: Counter<string>, name: string, value: number): void =>
    metric.inc(sums.growth(name, 0, value))
  return {
    line: (level) => lines.inc({ level }),
    denial(reason) {
      if (series.admits('denials', [reason])) denials.inc({ reason })
    },
    actor({ host, actor, state }) {
      if (!series.admits('up', [host, actor])) return
      up.set({ host, actor }, state === 'serving' ? 1 : 0)
      restarts.inc({ host, actor }, state === 'restarting' ? 1 : 0)
    },
    span({ protocol, method, durationMs, code }) {
      if (!series.admits('calls', [protocol, method])) return
      calls.observe({ protocol, method }, durationMs / 1000)
      if (code === '' || !series.admits('call errors', [protocol, method, code])) return
      callErrors.inc({ protocol, method, code })
    },
    booted: (seconds) => bootSeconds.set(seconds),
    text(now) {
      for (const { metric } of inspectedGauges) metric.reset()
      for (const metric of told.values()) metric.reset()
      for (const each of now.inspected) inspected(each)
      resident.set(now.usage.residentBytes)
      heap.set(now.usage.heapBytes)
      setTotal(cpu, 'cpu', now.usage.cpuSeconds)
      lag.set(now.lagSeconds)
      for (const [key, metric] of Object.entries(counted)) {
        setTotal(metric, key, now.counts[key as keyof typeof counted])
      }
      setTotal(refusedSamples, 'refused', series.refused + badSamples)
      return registry.metrics()
    },
  }
}
