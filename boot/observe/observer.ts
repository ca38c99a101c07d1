import { limits } from '../../runtime/limits.ts'
import type { LogLine } from '../../runtime/supervision.ts'
import type { DenialEvent, Trace } from '../../runtime/trace.ts'
import type { Inspection } from '../../runtime/worker.ts'

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
  readonly trace: Trace
  /** Of every host of this process. */
  inspect(): Promise<readonly { readonly host: string; readonly actors: readonly Inspection[] }[]>
}

/** Keeps what the trace of this process tells, for people and for programs that watch the zone. */
export interface Observer {
  logs(query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>
  denial(id: string): DenialEvent | undefined
  /** Prometheus text exposition format. */
  metrics(): Promise<string>
  close(): Promise<void>
}

export function createObserver({ trace }: ObserverOptions): Observer {
  const lines: LogLine[] = []
  const denials = new Map<string, DenialEvent>()
  let sequence = 0
  trace.on('log', ({ at, host, actor, level, message, fields }) => {
    lines.push({ sequence: ++sequence, at, host, actor, level, message, fields: { ...fields } })
    if (lines.length > limits.logLinesKept) lines.shift()
  })
  trace.on('denial', (event) => {
    denials.set(event.id, event)
    if (denials.size > limits.denials) for (const oldest of denials.keys()) return void denials.delete(oldest)
  })
  return {
    async *logs({ host, actor, after = 0, tail }) {
      const found = lines.filter((line) => line.sequence > after
        && (host === undefined || line.host === host) && (actor === undefined || line.actor === actor))
      yield* tail === 0 ? [] : found.slice(-tail)
    },
    denial: (id) => denials.get(id),
    metrics: async () => '',
    close: async () => {},
  }
}
