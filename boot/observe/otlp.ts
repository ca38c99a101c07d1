import type { SpanEvent } from '../../runtime/trace.ts'

/**
 * OTLP 1.x traces as JSON (opentelemetry-proto, "OTLP/HTTP JSON"): ids in hexadecimal, 64-bit numbers as strings,
 * enums as numbers. A page, where the SDK is 33 MB and needs Node 22.
 */
interface KeyValue {
  readonly key: string
  readonly value: { readonly stringValue: string }
}

export interface Origin {
  readonly zone: string
  readonly version: string
  readonly runtime: string
}

const SPAN_KIND_SERVER = 2
const STATUS_CODE_ERROR = 2
/** What the callee is to blame for; a refusal or a wrong argument is an answer (semantic conventions for RPC). */
const FAULTS = new Set([
  'Internal', 'InvalidResult', 'DeadlineExceeded', 'Overloaded', 'Unavailable', 'Restarted', 'LimitExceeded',
  'StoreDamaged',
])

const attributes = (values: Readonly<Record<string, string>>): readonly KeyValue[] =>
  Object.entries(values).map(([key, stringValue]) => ({ key, value: { stringValue } }))

/** Each actor of each host is a service of its own, in the namespace of the zone. */
export function exportRequest(spans: readonly SpanEvent[], origin: Origin): string {
  const services = new Map<string, SpanEvent[]>()
  for (const span of spans) {
    const key = `${span.host}/${span.actor}`
    const found = services.get(key)
    if (found) found.push(span)
    else services.set(key, [span])
  }
  return JSON.stringify({
    resourceSpans: [...services].map(([instance, ofService]) => ({
      resource: { attributes: resourceOf(instance, ofService[0]!, origin) },
      scopeSpans: [{ scope: { name: 'zonewright', version: origin.version }, spans: ofService.map(spanOf) }],
    })),
  })
}

function resourceOf(instance: string, { host, actor }: SpanEvent, origin: Origin): readonly KeyValue[] {
  const { zone, version, runtime } = origin
  const [name = '', runtimeVersion = ''] = runtime.split(' ')
  return attributes({
    'service.namespace': zone, 'service.name': actor, 'service.instance.id': instance, 'service.version': version,
    'host.name': host, 'process.runtime.name': name, 'process.runtime.version': runtimeVersion,
  })
}

function spanOf(span: SpanEvent) {
  const { traceId, spanId, parentSpanId, protocol, method, peer, durationMs, at, code } = span
  const end = nanoseconds(at)
  return {
    traceId, spanId, ...(parentSpanId === '' ? {} : { parentSpanId }),
    name: `${protocol}/${method}`, kind: SPAN_KIND_SERVER,
    startTimeUnixNano: String(end - nanoseconds(durationMs)), endTimeUnixNano: String(end),
    attributes: attributes({
      'rpc.system': 'zonewright', 'rpc.service': protocol, 'rpc.method': method, 'zonewright.peer': peer,
      ...(code === '' ? {} : { 'error.type': code }),
    }),
    status: FAULTS.has(code) ? { code: STATUS_CODE_ERROR } : {},
  }
}

/** Of milliseconds, with their fraction. */
const nanoseconds = (ms: number): bigint =>
  BigInt(Math.floor(ms)) * 1_000_000n + BigInt(Math.floor((ms - Math.floor(ms)) * 1_000_000))

const isHex = (text: string, digits: number): boolean =>
  text.length === digits && /^[0-9a-f]+$/.test(text) && /[^0]/.test(text)

/** What a collector would refuse, with all that is sent beside it. */
export const isValid = ({ traceId, spanId, parentSpanId, at, durationMs }: SpanEvent): boolean =>
  isHex(traceId, 32) && isHex(spanId, 16) && (parentSpanId === '' || isHex(parentSpanId, 16))
  && at >= durationMs && durationMs >= 0 && Number.isFinite(at)
