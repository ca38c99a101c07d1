import { messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock, Random } from '../../runtime/platform/ports.ts'
import type { SpanEvent } from '../../runtime/trace.ts'
import { pause, within } from '../../runtime/within.ts'
import { parseJson } from '../parse-json.ts'
import type { Collector } from './collector.ts'
import { retryAfterMs } from './retry-after.ts'
import { exportRequest, isValid, type Origin } from './otlp.ts'

export interface SpanExport {
  /** Never waits and never throws: with `limits.otlpPending` waiting, the span is dropped and counted. */
  add(span: SpanEvent): void
  readonly exported: number
  readonly dropped: number
  /** Sends what waits, for at most `limits.otlpCloseMs`. */
  close(): Promise<void>
}

export interface SpanExportOptions {
  readonly collector: Collector
  readonly origin: Origin
  readonly clock: Clock
  readonly random: Random
  /** Told once when the collector cannot be reached, or refuses, until it takes spans again. */
  onFailed(reason: string): void
  onBack(dropped: number): void
}

/** OTLP specification, "OTLP/HTTP response": these and no others may be tried again. */
const RETRYABLE = new Set([429, 502, 503, 504])

export function createSpanExport(options: SpanExportOptions): SpanExport {
  const { collector, origin, clock, random, onFailed, onBack } = options
  const closing = new AbortController()
  const ended = new AbortController()
  const waiting: SpanEvent[] = []
  let exported = 0
  let dropped = 0
  let failedSince: number | undefined
  let sending: Promise<void> | undefined

  const fail = (reason: string): void => {
    if (failedSince === undefined) onFailed(reason)
    failedSince ??= dropped
  }
  const drop = (count: number, reason: string): void => {
    fail(reason)
    dropped += count
  }
  /** Half of it random, so that many zones do not come back at once. */
  const backoffMs = (attempt: number): number => {
    const full = Math.min(limits.otlpRetryMsMax, limits.otlpRetryMsMin * 2 ** attempt)
    return Math.floor(full / 2 + (full / 2) * (random.bytes(1)[0]! / 255))
  }
  /** @returns milliseconds after which to try again, or undefined when the batch is done with */
  const attempt = async (body: string, count: number, tried: number): Promise<number | undefined> => {
    try {
      const { status, retryAfter, body: answer } = await collector(body, ended.signal)
      if (status >= 200 && status < 300) {
        const rejected = Math.min(count, rejectedIn(answer))
        exported += count - rejected
        if (rejected > 0) drop(rejected, `The collector refused ${rejected} of ${count} spans`)
        else if (failedSince !== undefined) {
          const since = failedSince
          failedSince = undefined
          onBack(dropped - since)
        }
        return undefined
      }
      const reason = `The collector answered ${status}`
      if (!RETRYABLE.has(status)) return void drop(count, reason)
      fail(reason)
      return Math.min(retryAfterMs(retryAfter, clock.now()) ?? backoffMs(tried), limits.otlpRetryAfterMsMax)
    } catch (error) {
      fail(messageOf(error))
      return backoffMs(tried)
    }
  }
  const sendBatch = async (): Promise<void> => {
    const batch = waiting.splice(0, limits.otlpBatch)
    const body = exportRequest(batch, origin)
    for (let tried = 0; tried < limits.otlpAttempts; tried++) {
      const waitMs = await attempt(body, batch.length, tried)
      if (waitMs === undefined) return
      if (ended.signal.aborted) break
      // A zone that stops does not wait for a collector that is away: one more try, and no more
      if (closing.signal.aborted && tried > 0) break
      await pause(clock, waitMs, closing.signal)
    }
    drop(batch.length, 'The collector could not be reached')
  }
  const sendAll = async (): Promise<void> => {
    while (waiting.length > 0 && !ended.signal.aborted) {
      if (waiting.length < limits.otlpBatch) await pause(clock, limits.otlpDelayMs, closing.signal)
      await sendBatch()
    }
  }
  const start = (): void => {
    sending ??= sendAll().finally(() => { sending = undefined })
  }
  return {
    add(span) {
      if (waiting.length >= limits.otlpPending || closing.signal.aborted || !isValid(span)) return void dropped++
      waiting.push(span)
      start()
    },
    get exported() { return exported },
    get dropped() { return dropped },
    async close() {
      closing.abort()
      const late = (): Error => new Error('late')
      const done = sending ?? Promise.resolve()
      await within(clock, limits.otlpCloseMs, done, late).catch(() => {})
      ended.abort()
      // What was under way is counted as soon as it is cut
      await within(clock, limits.otlpCloseMs, done, late).catch(() => {})
      dropped += waiting.splice(0).length
    },
  }
}

/** ExportTraceServiceResponse.partialSuccess: a 64-bit number is a string, or absent. */
function rejectedIn(body: string): number {
  type Answer = { partialSuccess?: { rejectedSpans?: unknown } } | null | undefined
  const answer = parseJson(new TextEncoder().encode(body)) as Answer
  const count = Number(answer?.partialSuccess?.rejectedSpans ?? 0)
  return Number.isSafeInteger(count) && count > 0 ? count : 0
}
