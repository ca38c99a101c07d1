/** What comes by HTTP. */
import { guardsOf, type Guard } from '../guard.ts'

export const gateway: readonly Guard[] = [
  ...guardsOf('actors/gateway/boot-page.ts', 'test/actors/gateway-guards.test.ts',
    [
      'a page shows text as text', `text.replace(/[&<>"']/g, (letter) => escapes[letter]!)`, 'text',
      'the page shows what it is told as text',
    ],
  ),
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
  ...guardsOf('actors/gateway/first-uses.ts', 'test/actors/gateway-guards.test.ts',
    [
      'a first use is told once', 'if (seen.has(token)) return', '',
      'verify-hub is told once of a session without a key, and of nothing else',
    ],
    [
      'first uses that are remembered are few',
      'if (seen.size >= limits.boundTokens) seen.delete(seen.keys().next().value!)', '',
      'what was told of is forgotten, the oldest first, when there is too much',
    ],
    [
      'a first use that was not heard is told again', 'if (!(error instanceof Denied)) seen.delete(token)', '',
      'of a first use that verify-hub did not hear of it is told again; not of one that it refused',
    ],
    [
      'only sessions without a key are told of', "use === 'session' && cnf === undefined && Array.isArray(aud)",
      'Array.isArray(aud)', 'verify-hub is told once of a session without a key, and of nothing else',
    ],
  ),
  ...guardsOf('actors/gateway/krpc.ts', 'test/actors/gateway-guards.test.ts',
    [
      'a token goes to who takes one',
      'if (token === undefined || tokenMethods?.has(method) === false) return {}', 'if (token === undefined) return {}',
      'a token that a client sends along is given to the methods that take one, and to no others',
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
      'only routes that there are', 'if (!routes.has(route)) return fault(404', 'if (!services[name]) return fault(404',
      'what never comes to an actor has its HTTP status and a body that a client can read',
    ],
  ),
  ...guardsOf('actors/gateway/probes.ts', 'test/actors/gateway-guards.test.ts',
    [
      'metrics are for this machine', 'if (brought || !named || !LOOPBACK.test(remoteAddress)) return',
      'if (brought || !named) return',
      'metrics are for this machine: not for others, not through a proxy, not under another name',
    ],
    [
      'metrics are for no proxy', 'if (brought || !named || !LOOPBACK.test(remoteAddress)) return',
      'if (!named || !LOOPBACK.test(remoteAddress)) return',
      'metrics are for this machine: not for others, not through a proxy, not under another name',
    ],
    [
      'metrics are for no other name', 'if (brought || !named || !LOOPBACK.test(remoteAddress)) return',
      'if (brought || !LOOPBACK.test(remoteAddress)) return',
      'metrics are for this machine: not for others, not through a proxy, not under another name',
    ],
  ),
  ...guardsOf('actors/gateway/refusals.ts', 'test/actors/gateway-guards.test.ts',
    [
      'what is not expected is told to nobody outside',
      'const known = thrown instanceof ZonewrightError && !isUnexpected(thrown)',
      'const known = thrown instanceof ZonewrightError',
      'what nobody expected is told to nobody outside, and of details only those that are meant for them',
    ],
    [
      'of details some are told', 'details: Object.fromEntries(told.map((name) => [name, details[name]])), sys,',
      'details, sys,',
      'what nobody expected is told to nobody outside, and of details only those that are meant for them',
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
  ...guardsOf('runtime/platform/http-exchange.ts', 'test/runtime/http-hostile.test.ts',
    [
      'all bodies are not too long', 'else if (serving.bodyBytes > limits.httpBodiesBytes) refuse(faults.busy)', '',
      'bodies that come at the same time share what may be held of them',
    ],
    [
      'requests are few', 'if (requests > limits.httpRequests || beside > limits.httpPipelined) return',
      'if (false) return', 'requests in a row are answered in order, and too many on one connection are refused',
    ],
  ),
  ...guardsOf('runtime/platform/http-exchange.ts', 'test/runtime/http.test.ts',
    [
      'a body is not too long', 'if (this.#bodyBytes > bodyBytesMax) refuse(faults.large)', 'if (false) {}',
      'a body over the limit is answered 413, whether it says its length or not, and the handler never sees it',
    ],
    [
      'a body that says it is too long is not read',
      "if (Number(request.headers['content-length'] ?? 0) > bodyBytesMax) return Promise.resolve(faults.large)",
      '',
      'a body over the limit is answered 413, whether it says its length or not, and the handler never sees it',
    ],
  ),
  ...guardsOf('runtime/platform/http.ts', 'test/runtime/http-hostile.test.ts',
    [
      'connections are few', 'server.maxConnections = limits.httpConnections', '',
      'of 2,000 connections those over the limit are closed, and places come free',
    ],
  ),
]
