import { FrameRejected, fromWire, type ZonewrightError } from '../errors.ts'
import type { Keys } from '../platform/ports.ts'
import type { Entry, Protocol, Suite } from '../protocol.ts'
import { toBase64url } from '../trust/base64url.ts'
import type { Message } from './link.ts'

/**
 * What the two ends of a link say. The initiator calls, the responder serves. `method` is the place of the method in
 * its protocol, which both ends have compared before; `deadline` is in milliseconds after the `epoch` of the caller's
 * greeting, a small number because small ones are quick to write and read; `slot` is 0 or names a bound token. Ids only
 * grow. A call made while another is served carries that one's trace. Requests of a method of suite `signature` are
 * sent signed, so that what was asked can be proved; answers are protected by the link alone.
 */
export const HELLO = 0
export const CALL = 1
export const SEND = 2
export const OPEN = 3
export const CANCEL = 4
export const CREDIT = 5
export const BIND = 6
export const RESULT = 8
export const ERROR = 9
export const ITEM = 10
export const END = 11
export const SHARED = 12

type Untraced<Kind> = readonly [Kind, id: number, method: number, deadline: number, slot: number, args: unknown]
type Request<Kind> = Untraced<Kind> | readonly [...Untraced<Kind>, traceId: string, spanId: string]

export type FromCaller =
  /** `epoch` in epoch milliseconds; without it 0. */
  | readonly [typeof HELLO, protocol: string, methodsHash: string, epoch?: number]
  | Request<typeof CALL>
  | Request<typeof SEND>
  | Request<typeof OPEN>
  | readonly [typeof CANCEL, id: number]
  | readonly [typeof CREDIT, id: number, items: number]
  | readonly [typeof BIND, slot: number, token: string]

export type FromServer =
  | readonly [typeof HELLO, protocol: string, methodsHash: string]
  /** Without the value: undefined. */
  | readonly [typeof RESULT, id: number, value?: unknown]
  | readonly [typeof ERROR, id: number, code: string, message: string, details: Readonly<Record<string, unknown>>]
  | readonly [typeof ITEM, id: number, item: unknown]
  | readonly [typeof END, id: number]
  /** One item of several streams. */
  | readonly [typeof SHARED, ids: readonly number[], item: unknown]

/** A deadline that does not come: of a stream that nobody limited. */
export const NEVER = Number.MAX_SAFE_INTEGER

export interface MethodPlan {
  readonly index: number
  readonly name: string
  readonly entry: Entry
  readonly least: Suite
  readonly signed: boolean
}

export interface Plan {
  readonly protocol: string
  readonly methods: readonly MethodPlan[]
  readonly byName: ReadonlyMap<string, MethodPlan>
  readonly methodsHash: string
}

/** Methods by place, and a hash that differs where the two ends would not understand each other. */
export function planOf(protocol: Protocol, keys: Keys): Plan {
  const methods = Object.entries(protocol.methods).map(([name, entry], index): MethodPlan => {
    const least = entry.suite ?? 'mac'
    return { index, name, entry, least, signed: least === 'signature' }
  })
  const list = JSON.stringify(methods.map(({ name, entry, least }) => [name, entry.kind, least]))
  return {
    protocol: protocol.name,
    methods,
    byName: new Map(methods.map((method) => [method.name, method])),
    methodsHash: toBase64url(keys.hash(new TextEncoder().encode(list))),
  }
}

/** Message that no correct peer sends; thrown out of `Link.receive`, it closes the link. */
export const malformed = (): ZonewrightError => new FrameRejected('Frame rejected: malformed', { reason: 'malformed' })

export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** What an ERROR message says. */
export function errorOf([, , code, message, details]: Message): ZonewrightError {
  if (typeof code !== 'string' || typeof message !== 'string') throw malformed()
  if (typeof details !== 'object' || details === null || Array.isArray(details)) throw malformed()
  return fromWire({ code, message, details: details as Record<string, unknown> })
}
