import mitt, { type Emitter } from 'mitt'
import type { Evidence } from './actor.ts'
import { limits } from './limits.ts'
import type { Clock } from './platform/ports.ts'
import type { MoveProgress } from './store/move/move.ts'
import type { WorkerEvent } from './worker.ts'

/** What happened, told on the program's one event bus and forwarded from workers to their supervisor. */
export type TraceEvents = {
  /** A documented step, told by the side that received it. */
  step: StepEvent
  log: LogEvent
  /** A call served, if somebody listens. */
  span: SpanEvent
  /** An actor's state as its supervisor sees it. */
  actor: ActorEvent
  /** A link that opened or closed. */
  link: LinkEvent
  /** A host of this process, as its life goes on. */
  host: HostEvent
  /** A store on its way to another place. */
  move: MoveEvent
  /** Something refused. The chain stays on this host; the caller is given the id. */
  denial: DenialEvent
}

interface Origin {
  readonly host: string
  readonly actor: string
  /** Epoch milliseconds. */ readonly at: number
}
export interface StepEvent extends Origin {
  readonly sequence: string
  readonly number: number
  readonly evidence: Evidence
}
export interface LogEvent extends Origin {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: Evidence
}
export interface SpanEvent extends Origin {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly protocol: string
  readonly method: string
  readonly peer: string
  readonly durationMs: number
  readonly code: string
}
export interface ActorEvent extends Origin {
  readonly state: 'starting' | 'serving' | 'stopping' | 'stopped' | 'died' | 'restarting' | 'failed'
  readonly incarnation: number
  readonly reason: string
}
export interface LinkEvent extends Origin {
  readonly peer: string
  readonly peerHost: string
  readonly peerIncarnation: number
  /** What the callee serves. */
  readonly protocol: string
  readonly role: 'initiator' | 'responder'
  readonly state: 'open' | 'closed'
  readonly suite: string
  readonly reason: string
}
export interface HostEvent {
  readonly host: string
  /** Epoch milliseconds. */
  readonly at: number
  readonly state: 'starting' | 'serving' | 'restarting' | 'failed' | 'stopped'
  readonly reason: string
  /** How often it was started in this process. */
  readonly starts: number
}
export interface MoveEvent extends Origin, MoveProgress {}
export interface DenialEvent extends Origin {
  readonly id: string
  readonly chain: readonly {
    readonly layer: string; readonly verdict: string; readonly rule: string
    readonly reason?: string; readonly detail?: string
  }[]
}

export type Trace = Emitter<TraceEvents>

// mitt's type file reads as CommonJS to NodeNext, though what is imported is the function itself
const createEmitter = mitt as unknown as typeof mitt.default
export const createTrace = (): Trace => createEmitter<TraceEvents>()

/** Tells what came from a worker: a type and its event always match. */
export function tellAll(trace: Trace, { type, event }: Exclude<WorkerEvent, { type: 'carriage' }>): void {
  if (type !== 'spans') return trace.emit(type, event as never)
  for (const span of JSON.parse(event) as SpanEvent[]) trace.emit('span', span)
}

/** The trace of one actor's spans; what they are told to gets them together, once a turn. */
export function spanTrace(clock: Clock, emit: (event: WorkerEvent) => void): { trace: Trace; flush(): void } {
  const trace = createTrace()
  let spans: SpanEvent[] = []
  const flush = (): void => {
    if (spans.length === 0) return
    // Text crosses to another thread several times faster than objects
    const event = JSON.stringify(spans)
    spans = []
    emit({ type: 'spans', event })
  }
  trace.on('span', (span) => {
    if (spans.push(span) >= limits.spanBatch) flush()
    else if (spans.length === 1) clock.soon(flush)
  })
  return { trace, flush }
}
