import { messageOf, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Files, Platform } from '../../runtime/platform/ports.ts'
import { createRedactor } from '../../runtime/redact.ts'
import type { LogLine } from '../../runtime/supervision.ts'
import type { DenialEvent, Trace, TraceEvents } from '../../runtime/trace.ts'
import { within } from '../../runtime/within.ts'
import { collectorAt } from './collector.ts'
import { watchLag } from './lag.ts'
import { createLineRing } from './line-ring.ts'
import { createLogFile } from './log-file.ts'
import { cleaned, denied, hostChanged, logged, stateChanged } from './log-lines.ts'
import { createMetrics, type HostInspection } from './metrics.ts'
import { createSpanExport, type SpanExport } from './span-export.ts'

export interface LogQuery {
  readonly host?: string | undefined
  readonly actor?: string | undefined
  /** Sequence number of the last line that is known already. */
  readonly after?: number | undefined
  /** At most so many of those that are kept. */
  readonly tail: number
  readonly follow: boolean
}

export interface ObserverOptions {
  readonly platform: Pick<Platform, 'clock' | 'random' | 'host' | 'transport'>
  readonly trace: Trace
  /** The zone's folder, and in it the folder of the log. */
  readonly files: Files
  readonly folder: string
  readonly zone: string
  /** Under whose name the observer itself speaks. */
  readonly host: string
  readonly version: string
  /** OpenTelemetry collector; its supervisors have to be told to tell spans. */
  readonly otlp: string | undefined
  /** Of every host of this process. */
  inspect(): Promise<readonly HostInspection[]>
}

/** Keeps what the trace of this process tells, for people and for programs that watch the zone. */
export interface Observer {
  logs(query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>
  denial(id: string): DenialEvent | undefined
  /** Prometheus text exposition format. */
  metrics(): Promise<string>
  /** A secret of this process: from now on no line has it. */
  conceal(value: string): void
  /** Every service served after so long. */
  booted(milliseconds: number): void
  /** Tells no more, and writes and sends what waits, in bounded time. */
  close(): Promise<void>
}

const ACTOR = 'observer'

/** @throws ConfigInvalid */
export function createObserver(options: ObserverOptions): Observer {
  const { platform, trace, files, folder, zone, host, version } = options
  const { clock, random } = platform
  const { runtime } = platform.host
  const redactor = createRedactor()
  const ring = createLineRing()
  const denials = new Map<string, DenialEvent>()
  const metrics = createMetrics({ version, runtime })
  const lag = watchLag(clock)

  const enter = (line: Omit<LogLine, 'sequence'>): void => {
    const numbered = ring.add(cleaned(line, redactor))
    metrics.line(numbered.level)
    logFile.write(JSON.stringify(numbered))
  }
  const tell = (level: LogLine['level'], message: string, fields: LogLine['fields'] = {}): void =>
    enter({ at: clock.now(), host, actor: ACTOR, level, message, fields })
  const logFile = createLogFile({
    files, clock, folder,
    onFailed: (reason) => tell('error', `The log cannot be written: ${reason}`),
    onBack: (dropped) => tell('warn', `The log can be written again; ${dropped} lines are missing in it`, { dropped }),
  })
  const spans = options.otlp === undefined ? undefined : createSpanExport({
    collector: collectorAt(options.otlp, platform), origin: { zone, version, runtime }, clock,
    random: random.fork('spans'),
    onFailed: (reason) => tell('warn', `Spans do not reach the collector: ${reason}`),
    onBack: (dropped) => tell('info', `Spans reach the collector again; ${dropped} are lost`, { dropped }),
  })

  const stopListening = listen(trace, {
    log: (event) => enter(logged(event)),
    host: (event) => enter(hostChanged(event)),
    actor(event) {
      metrics.actor(event)
      enter(stateChanged(event))
    },
    denial(event) {
      const chain = redactor.data(event.chain) as DenialEvent['chain']
      metrics.denial(chain.at(-1)?.reason ?? '')
      enter(denied(event))
      denials.set(event.id, { ...event, chain })
      if (denials.size > limits.denials) for (const oldest of denials.keys()) return void denials.delete(oldest)
    },
    ...(spans ? {
      span(event: TraceEvents['span']) {
        metrics.span(event)
        spans.add(event)
      },
    } : {}),
  })

  let lastInspected: readonly HostInspection[] = []
  const inspect = async (): Promise<readonly HostInspection[]> => {
    const late = (): Error => new Unavailable(`The actors did not tell their figures within ${limits.inspectMs} ms`)
    try {
      lastInspected = await within(clock, limits.inspectMs, options.inspect(), late)
    } catch (error) {
      tell('warn', `Metrics show earlier figures: ${messageOf(error)}`)
    }
    return lastInspected
  }
  const write = async (): Promise<string> => {
    const inspected = await inspect()
    return metrics.text({
      inspected, usage: platform.host.usage(), lagSeconds: lag.takeSeconds(),
      counts: { linesDropped: logFile.dropped, linesSkipped: ring.skipped, ...countsOf(spans) },
    })
  }
  let writing: Promise<string> | undefined
  return {
    logs: (query, signal) => ring.read(query, signal),
    denial: (id) => denials.get(id),
    metrics() {
      // Who asks meanwhile gets the same answer
      writing ??= write().finally(() => { writing = undefined })
      return writing
    },
    conceal: redactor.conceal,
    booted: (milliseconds) => metrics.booted(milliseconds / 1_000),
    async close() {
      lag.stop()
      stopListening()
      await spans?.close()
      ring.close()
      await logFile.close()
    },
  }
}

const countsOf = (spans: SpanExport | undefined) =>
  ({ spansExported: spans?.exported ?? 0, spansDropped: spans?.dropped ?? 0 })

type Listeners = { readonly [K in keyof TraceEvents]?: (event: TraceEvents[K]) => void }

function listen(trace: Trace, listeners: Listeners): () => void {
  const kinds = Object.keys(listeners) as (keyof TraceEvents)[]
  for (const kind of kinds) trace.on(kind, listeners[kind] as never)
  return () => {
    for (const kind of kinds) trace.off(kind, listeners[kind] as never)
  }
}
