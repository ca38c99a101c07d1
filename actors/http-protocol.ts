import {
  boolean, call, integer, number, object, optional, pipe, record, string, type Suite,
} from '../runtime/protocol.ts'

/**
 * How the gateway hands an HTTP request on to the actor that its path belongs to. Of its headers only those that an
 * actor may go by: no cookie, and nothing that a proxy on the way is believed for.
 */
export const handedHeaders = ['authorization', 'content-type'] as const

const Headers = record(string(), string())

export const HttpCallRequest = object({
  method: string(), path: string(), query: optional(string()),
  /** `http://127.0.0.1:8080`: where the caller has reached the gateway, as its configuration says, not the caller. */
  origin: string(),
  /** By their names in lower case. */
  headers: Headers,
  body: string(),
})

export const HttpCallResponse = object({
  status: pipe(number(), integer()), headers: Headers, body: string(),
  /** The body is base64 of what is no text. */
  base64: optional(boolean()),
})

export const httpCall = (options: { suite?: Suite } = {}) =>
  call(HttpCallRequest, HttpCallResponse, { concurrent: 64, ...options })
