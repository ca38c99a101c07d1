/** OAuth by HTTP: what the gateway hands on, and what verify-hub makes of it. */
import { guardsOf, type Guard } from '../guard.ts'

const meantFor = 'introspection tells an app of the tokens that are meant for it, and nothing of any other'
const faults = 'each fault of a token request has its code'
const bounded = 'a body, a header and a number of parameters at the limit are read, and one more is refused'
const otherClient = 'a token of another client is refused before anything is done with it'
const secrets = 'other content types, parameters in the address and secrets in a header are refused'

export const oauth: readonly Guard[] = [
  ...guardsOf('actors/gateway/handed.ts', 'test/http-oauth-bad-input.test.ts',
    [
      'a header that is handed on is short',
      'if (Object.values(headers).some((value) => value.length > limits.httpHandedHeader)) {', 'if (false) {', bounded,
    ],
    ['a body that is handed on is small', 'body.length > limits.httpHandedBody || ', '', bounded],
  ),
  ...guardsOf('actors/gateway/origins.ts', 'test/http-oauth-bad-input.test.ts',
    [
      'an address is one that was configured', 'if (names.some(', 'if (asked !== \'\' || names.some(',
      'no document names an address that the zone was not given',
    ],
  ),
  ...guardsOf('actors/verify-hub/oauth/form.ts', 'test/http-oauth-bad-input.test.ts',
    ['a parameter is there once', "if (seen.has(name)) return no('a parameter is there twice')", '', faults],
    ['parameters are few', 'if (seen.size >= limits.oauthParameters) return', 'if (false) return', bounded],
    ['a parameter is visible ASCII', 'if (!VALUE.test(value)) return', 'if (false) return', faults],
    ['a request is a form', "if (!FORM_TYPE.test(headers['content-type'] ?? '')) {", 'if (false) {', secrets],
    ['no parameter is in the address', "if (query !== '') return", 'if (false) return', secrets],
  ),
  ...guardsOf('actors/verify-hub/oauth/clients.ts', 'test/http-oauth-bad-input.test.ts',
    ['a client has no secret in a header', 'if (authorization !== undefined) {', 'if (false) {', secrets],
    ['a client has no secret', 'return shown ? fault(', 'return shown && false ? fault(', faults],
  ),
  ...guardsOf('actors/verify-hub/oauth/clients.ts', 'test/http-oauth.test.ts',
    [
      'a token is of the client that names itself', 'client !== undefined && client !== appidOf(token)',
      'client !== undefined && client === appidOf(token) && false', otherClient,
    ],
  ),
  ...guardsOf('actors/verify-hub/oauth/introspect.ts', 'test/http-oauth.test.ts',
    [
      'who asks is known', "if ('refused' in asker) return challenge(asker.refused)",
      "if ('refused' in asker) return json(200, INACTIVE)", 'who asks for an introspection shows a session that lives',
    ],
    [
      'an app learns of its own tokens', 'await checked(hub, caller, token, asker.appid)',
      'await checked(hub, caller, token, appidOf(token))', meantFor,
    ],
    [
      'a suspended user has no active token', 'if (!admission?.admitted) return', 'if (false) return',
      'a session that was revoked and a user who was suspended are not active any more',
    ],
  ),
  ...guardsOf('actors/verify-hub/oauth/revoke.ts', 'test/http-oauth.test.ts',
    [
      'a token that is revoked is good', 'if (!verdict.accepted) return DONE',
      'if (!verdict.accepted) return fault(\'invalid_request\', \'no\')',
      'a session that was revoked and a user who was suspended are not active any more',
    ],
  ),
  ...guardsOf('actors/verify-hub/oauth/revoke.ts', 'test/actors/verify-hub-endings.test.ts',
    [
      'a session that is revoked is told of',
      "await hub.endings.end([verdict.claims.sid!], 'revoked by its holder')",
      "await hub.sessions.end(verdict.claims.sid!, 'revoked by its holder')",
      'who revokes by OAuth is answered when everybody knows that the session has ended',
    ],
  ),
]
