import { call, number, object, optional, stream, string, unknown, type Suite } from '../runtime/protocol.ts'

/**
 * How the gateway hands a kRPC request on to the actor that its path names: method and parameters of the envelope; the
 * token of the envelope is bound to the call. The actor's own table says what the methods are. `sequence` is the number
 * of the envelope, which the originals' clients hash a password with.
 */
const Request = object({ method: string(), params: unknown(), sequence: optional(number()) })

export const krpcCall = (options: { suite?: Suite } = {}) =>
  call(Request, object({ result: unknown() }), { concurrent: 64, ...options })

/** For methods whose answer goes on: one JSON line an item. */
export const krpcStream = () => stream(Request, object({ item: unknown() }))
