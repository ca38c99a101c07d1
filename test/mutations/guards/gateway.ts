/** What comes by HTTP. */
import { guardsOf, type Guard } from '../guard.ts'

export const gateway: readonly Guard[] = [
  ...guardsOf('actors/gateway/envelope.ts', 'test/krpc.test.ts',
    [
      'an envelope has no other member', 'if (other !== undefined) return no(', 'if (false) return no(',
      'a body that is no envelope is refused in the form of one, and says what is wrong',
    ],
    [
      'an envelope has so many levels', 'depthMax: limits.krpcDepth', 'depthMax: Infinity',
      'a body that is no envelope is refused in the form of one, and says what is wrong',
    ],
    [
      'an envelope has no reserved name', "reserved: new Set(['__proto__', 'constructor', 'prototype'])",
      'reserved: new Set<string>()', 'a body that is no envelope is refused in the form of one, and says what is wrong',
    ],
    [
      'a method has a length', "if (typeof method !== 'string' || method === '' || method.length > METHOD_LENGTH) {",
      "if (typeof method !== 'string') {",
      'a body that is no envelope is refused in the form of one, and says what is wrong',
    ],
    [
      'a trace id is visible ASCII',
      "if (traceId !== null && !(typeof traceId === 'string' && TRACE_ID.test(traceId))) {",
      "if (traceId !== null && typeof traceId !== 'string') {",
      'a body that is no envelope is refused in the form of one, and says what is wrong',
    ],
  ),
  ...guardsOf('actors/gateway/krpc.ts', 'test/krpc-edge.test.ts',
    [
      'a token that is bound to a key is refused by HTTP',
      "if ('jws' in parsed && parsed.jws.payload['cnf'] !== undefined) throw", 'if (false) throw',
      "a token that is bound to a key is refused before any actor sees it: the link is the gateway's",
    ],
  ),
  ...guardsOf('actors/gateway/krpc.ts', 'test/krpc-streams.test.ts',
    [
      'streams are few', 'if (streams.size >= limits.krpcStreams) throw', 'if (false) throw',
      'streams are counted: one more than may be is refused for now, and one that is left makes place',
    ],
  ),
  ...guardsOf('actors/gateway/krpc.ts', 'test/krpc-verify-hub.test.ts',
    [
      'a first use is told', 'if (settings.token !== undefined) accepted(settings.token)', '',
      'by HTTP, the first use of a session anywhere closes the window of its refresh',
    ],
  ),
  ...guardsOf('actors/gateway/krpc.ts', 'test/krpc.test.ts',
    [
      'a token by HTTP is not too long', 'if (token.length > limits.token) throw', 'if (false) throw',
      'refusals have the display text of the originals, our code, and the id that explain takes',
    ],
    [
      'only POST', "if (method !== 'POST') {", 'if (false) {',
      'what never comes to an actor has its HTTP status and a body that a client can read',
    ],
    [
      'only JSON, which no page sends unasked', "if (!JSON_TYPE.test(headers['content-type'] ?? '')) {", 'if (false) {',
      'what never comes to an actor has its HTTP status and a body that a client can read',
    ],
    [
      'only routes that there are', 'if (!routes.has(path)) return fault(404', 'if (!services[name]) return fault(404',
      'what never comes to an actor has its HTTP status and a body that a client can read',
    ],
  ),
  ...guardsOf('actors/krpc.ts', 'test/krpc.test.ts',
    [
      'a kRPC method is one of the table', 'const found = Object.hasOwn(table, name) ? table[name] : undefined',
      'const found = table[name]',
      'refusals have the display text of the originals, our code, and the id that explain takes',
    ],
    [
      'parameters of kRPC have their shape', 'if (!parsed.success) {', 'if (!parsed.success && false) {',
      'refusals have the display text of the originals, our code, and the id that explain takes',
    ],
  ),
  ...guardsOf('runtime/platform/http-exchange.ts', 'test/runtime/http.test.ts',
    [
      'a body is not too long', 'if (this.#bodyBytes > bodyBytesMax) return faults.large', '',
      'a body over the limit is answered 413, whether it says its length or not, and the handler never sees it',
    ],
    [
      'a body that says it is too long is not read',
      "if (Number(request.headers['content-length'] ?? 0) > bodyBytesMax) return faults.large", '',
      'a body over the limit is answered 413, whether it says its length or not, and the handler never sees it',
    ],
  ),
]
