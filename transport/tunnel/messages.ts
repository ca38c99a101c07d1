import { safeParse } from 'valibot'
import { TunnelViolation, Greeting, StreamGranted, StreamRequest, TellKind } from './protocol.ts'
import { fromWire, toWire, type WireError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import {
  array, boolean, integer, literal, maxLength, maxValue, minLength, minValue, number, object, optional, pipe, record,
  string, unknown, variant, type Infer,
} from '../../runtime/protocol.ts'
import type { Frame } from '../channel.ts'

/*
 * A frame of text is one control message, JSON:
 *
 *   dialer                          listener
 *   hello                       →
 *                               ←   welcome, or end
 *   ready, or end               →
 *
 *   open        →   opened, refused                   a stream: odd ids are the dialer's, even ones the listener's;
 *   close       ↔   once by each end                  they grow, and none is used twice
 *   ping        →   pong
 *   tell        →                                     a document in pieces
 *   renew       →   renewed, renewal-refused
 *   end         →   and the channel is closed
 *
 * A frame of bytes is of one stream: kind 1 | flags 1 | 0 0 | id 4, then for DATA a piece of a frame, and for CREDIT
 * how many more bytes may be sent, 4.
 */

export const VERSION = 1
/** An id has 31 bits; a tunnel that has used them up is closed, and dialled anew. */
export const ID_MAX = 0x7fff_ffff
export const CREDIT_MAX = 0x7fff_ffff

const id = pipe(number(), integer(), minValue(1), maxValue(ID_MAX))
const count = pipe(number(), integer(), minValue(0), maxValue(Number.MAX_SAFE_INTEGER))
const ordinal = pipe(number(), integer(), minValue(1), maxValue(Number.MAX_SAFE_INTEGER))
const text = (charactersMax: number) => pipe(string(), maxLength(charactersMax))
const fault = object({ code: text(255), message: text(4_096), details: optional(record(string(), unknown())) })
const base64url = (charactersMax: number) => pipe(string(), minLength(1), maxLength(charactersMax))

const Control = variant('t', [
  object({ t: literal('hello'), v: literal(VERSION), greeting: Greeting }),
  object({ t: literal('welcome'), v: literal(VERSION), greeting: Greeting }),
  object({ t: literal('ready') }),
  object({ t: literal('open'), id, request: StreamRequest }),
  object({ t: literal('opened'), id, granted: StreamGranted }),
  object({ t: literal('refused'), id, error: fault }),
  object({ t: literal('close'), id, reason: text(1_024) }),
  object({ t: literal('ping'), n: ordinal }),
  object({ t: literal('pong'), n: ordinal }),
  object({ t: literal('tell'), kind: TellKind, at: count, text: text(limits.tunnelMessage), last: boolean() }),
  object({
    t: literal('renew'), n: ordinal, signature: base64url(1_024),
    chain: pipe(array(base64url(limits.tunnelCertificate)), minLength(1), maxLength(limits.tunnelChain)),
  }),
  object({ t: literal('renewed'), n: ordinal }),
  object({ t: literal('renewal-refused'), n: ordinal, error: fault }),
  object({ t: literal('end'), error: fault }),
])
export type Control = Infer<typeof Control>
export type ControlOf<T extends Control['t']> = Extract<Control, { t: T }>

export const encodeControl = (message: Control): string => JSON.stringify(message)

/** @throws TunnelViolation */
export function decodeControl(frame: string): Control {
  if (frame.length > limits.tunnelMessage) throw violation('a message is too long')
  let value: unknown
  try {
    value = JSON.parse(frame)
  } catch {
    throw violation('a message is no JSON')
  }
  const shape = safeParse(Control, value)
  if (!shape.success) throw violation('a message has no such form')
  return shape.output
}

export const violation = (reason: string): Error =>
  new TunnelViolation(`The tunnel is closed: ${reason}`, { reason })

/** What was thrown, cut so that it fits a message. */
export function faultOf(error: unknown): WireError {
  const { code, message, details } = toWire(error)
  const cut = { code: code.slice(0, 255), message: message.slice(0, 4_096) }
  if (details === undefined) return cut
  const whole = { ...cut, details }
  return JSON.stringify(whole).length > limits.tunnelMessage / 2 ? cut : whole
}

/** As its class. */
export const thrownOf = (fault: ControlOf<'end'>['error']): Error => fromWire(fault as WireError)

export const asText = (reason: string): string => reason.slice(0, 1_024)

// ---- of one stream

export const DATA = 1
export const CREDIT = 2
/** The frame goes on in the next piece. */
export const MORE = 1
export const TEXT = 2
const HEAD = 8

export interface StreamMessage {
  readonly kind: typeof DATA | typeof CREDIT
  readonly flags: number
  readonly id: number
  /** Of DATA: a view. */
  readonly piece: Uint8Array
  /** Of CREDIT. */
  readonly amount: number
}

export function encodeData(id: number, flags: number, frame: Uint8Array, from: number, to: number): Frame {
  const bytes = new Uint8Array(HEAD + to - from)
  bytes[0] = DATA
  bytes[1] = flags
  writeId(bytes, id)
  bytes.set(from === 0 && to === frame.length ? frame : frame.subarray(from, to), HEAD)
  return bytes
}

export function encodeCredit(id: number, amount: number): Frame {
  const bytes = new Uint8Array(HEAD + 4)
  bytes[0] = CREDIT
  writeId(bytes, id)
  new DataView(bytes.buffer).setUint32(HEAD, amount)
  return bytes
}

const writeId = (bytes: Uint8Array, id: number): void => new DataView(bytes.buffer).setUint32(4, id)

/** @throws TunnelViolation */
export function decodeStreamMessage(bytes: Uint8Array): StreamMessage {
  if (bytes.length < HEAD) throw violation('a message of a stream is cut')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [kind, flags, id] = [bytes[0]!, bytes[1]!, view.getUint32(4)]
  if (view.getUint16(2) !== 0 || id === 0 || id > ID_MAX) throw violation('a message of a stream has no such form')
  if (kind === DATA && flags <= (MORE | TEXT)) return { kind, flags, id, piece: bytes.subarray(HEAD), amount: 0 }
  if (kind === CREDIT && flags === 0 && bytes.length === HEAD + 4) {
    const amount = view.getUint32(HEAD)
    if (amount > 0 && amount <= CREDIT_MAX) return { kind, flags, id, piece: NOTHING, amount }
  }
  throw violation('a message of a stream has no such form')
}

const NOTHING = new Uint8Array(0)
