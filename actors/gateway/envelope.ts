import { limits } from '../../runtime/limits.ts'
import { parseStrictly } from '../../runtime/trust/json.ts'

/** `sys` of an answer: the number of the request, and its trace id if it had one. */
export type Sys = readonly [sequence: number, traceId?: string]

/** `{"method","params","sys":[number, token?, trace id?]}`, as the originals send it. */
export interface Envelope {
  readonly method: string
  readonly params: object
  /** Nothing else of a request says who speaks: no header, no cookie. */
  readonly token: string | undefined
  readonly sys: Sys
}

/** Why a body is no envelope: half a sentence. */
export interface NoEnvelope {
  readonly fault: string
  readonly sys: Sys
}

const STRICTNESS = { depthMax: limits.krpcDepth, reserved: new Set(['__proto__', 'constructor', 'prototype']) }
const MEMBERS: ReadonlySet<string> = new Set(['method', 'params', 'sys'])
const METHOD_LENGTH = 64
const TRACE_ID = /^[\x21-\x7e]{1,128}$/

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** The edge: all that is behind it may rely on these shapes. */
export function readEnvelope(body: Uint8Array): Envelope | NoEnvelope {
  const parsed = parseStrictly(body, STRICTNESS)
  if ('fault' in parsed) return { fault: parsed.fault, sys: [0] }
  const { value } = parsed
  if (!isObject(value)) return { fault: 'it is not an object', sys: [0] }
  const { method, params, sys = [0] } = value
  const read = readSys(sys)
  if ('fault' in read) return read
  const no = (fault: string): NoEnvelope => ({ fault, sys: read.sys })
  const other = Object.keys(value).find((name) => !MEMBERS.has(name))
  if (other !== undefined) return no(`it has a member besides method, params and sys: ${JSON.stringify(other)}`)
  if (typeof method !== 'string' || method === '' || method.length > METHOD_LENGTH) {
    return no(`method must be text of 1 to ${METHOD_LENGTH} characters`)
  }
  if (params !== undefined && params !== null && !isObject(params)) return no('params must be an object')
  return { method, params: params ?? {}, ...read }
}

function readSys(sys: unknown): Pick<Envelope, 'sys' | 'token'> | NoEnvelope {
  const no = (fault: string, sequence = 0): NoEnvelope => ({ fault, sys: [sequence] })
  if (!Array.isArray(sys) || sys.length > 3) return no('sys must be an array of number, token and trace id')
  const [sequence, token = null, traceId = null] = sys as readonly unknown[]
  if (!isCount(sequence)) return no(`sys.0 must be a whole number of 0 to ${Number.MAX_SAFE_INTEGER}`)
  if (token !== null && typeof token !== 'string') return no('sys.1 must be a token or null', sequence)
  if (traceId !== null && !(typeof traceId === 'string' && TRACE_ID.test(traceId))) {
    return no('sys.2 must be a trace id of 1 to 128 visible ASCII characters', sequence)
  }
  // The originals' clients write "" when they have none
  return { token: token || undefined, sys: traceId === null ? [sequence] : [sequence, traceId] }
}
