import type { Random } from '../../../runtime/platform/ports.ts'

/** What a route answers with. `undefined`: 204. */
export type Answer = Secret | Bare | Raw | undefined

/** In the envelope that every client of Vault reads. */
export interface Secret {
  readonly kind: 'secret'
  readonly data: object | null
  readonly auth?: object
  readonly warnings?: readonly string[]
  /** Said beside the envelope once more: clients from before it had `data` read it there. */
  readonly beside?: object
  /** Default 200. */
  readonly status?: number
}

/** Without an envelope: what is answered while there is nothing to be let in to. */
export interface Bare {
  readonly kind: 'bare'
  readonly status: number
  readonly body: object
}

export interface Raw {
  readonly kind: 'raw'
  readonly contentType: string
  readonly body: Uint8Array
}

export const secret = (data: object | null, more: Omit<Secret, 'kind' | 'data'> = {}): Secret =>
  ({ kind: 'secret', data, ...more })
/** Said twice, as Vault does below `sys/`. */
export const twice = (data: object): Secret => secret(data, { beside: data })
export const bare = (body: object, status = 200): Bare => ({ kind: 'bare', status, body })

/** A refusal that is told to the caller as it is: its status and `{"errors": […]}`. Nothing secret is in it. */
export class Fault extends Error {
  readonly status: number
  readonly errors: readonly string[]
  constructor(status: number, ...errors: readonly string[]) {
    super(errors[0] ?? `HTTP ${status}`)
    this.name = 'Fault'
    this.status = status
    this.errors = errors
  }
}

/** One for all that a token may not do, and for a token that is none: nobody learns which it was. */
export const forbidden = (why = 'permission denied'): Fault => new Fault(403, why)
/** There is nothing of that name: Vault gives no reason. */
export const nothingThere = (): Fault => new Fault(404)
export const unsupportedPath = (): Fault => new Fault(404, 'unsupported path')
export const badRequest = (...errors: readonly string[]): Fault => new Fault(400, ...errors)

export interface HttpAnswer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
  /** The body is base64 of what is no text. */
  readonly base64?: boolean
}

/** Nothing of it stays in a cache. */
const HEADERS = { 'cache-control': 'no-store', 'content-type': 'application/json' }

const json = (status: number, body: object, headers: Record<string, string> = {}): HttpAnswer =>
  ({ status, headers: { ...HEADERS, ...headers }, body: `${JSON.stringify(body)}\n` })

export function encode(answer: Answer, random: Random): HttpAnswer {
  if (answer === undefined) return { status: 204, headers: { 'cache-control': 'no-store' }, body: '' }
  switch (answer.kind) {
    case 'bare': return json(answer.status, answer.body)
    case 'raw': return {
      status: 200, headers: { 'content-type': answer.contentType }, body: base64(answer.body), base64: true,
    }
    case 'secret': {
      const { data, auth = null, warnings, beside, status = 200 } = answer
      return json(status, {
        ...beside, request_id: uuid(random), lease_id: '', renewable: false, lease_duration: 0, data,
        wrap_info: null, warnings: warnings && warnings.length > 0 ? warnings : null, auth,
      })
    }
  }
}

export const encodeFault = ({ status, errors }: Fault, headers: Record<string, string> = {}): HttpAnswer =>
  json(status, { errors }, headers)

export function uuid(random: Random): string {
  const bytes = random.bytes(16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const text = hex(bytes)
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join('-')
}

const digits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
export const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => digits[byte]!).join('')

const base64 = (bytes: Uint8Array): string => {
  let text = ''
  for (let at = 0; at < bytes.length; at += 8_192) text += String.fromCharCode(...bytes.subarray(at, at + 8_192))
  return btoa(text)
}
