import { defineError } from '../../runtime/errors.ts'
import { httpCall } from '../http-protocol.ts'
import { krpcCall } from '../krpc-protocol.ts'
import {
  array, boolean, call, integer, maxLength, nullable, number, object, optional, picklist, pipe, protocol, string,
} from '../../runtime/protocol.ts'

const seconds = pipe(number(), integer())

/** RFC 7523 grant: what a login gives. */
export const TokenPair = object({
  sessionToken: string(), refreshToken: string(), sid: string(),
  /** Epoch seconds. */
  sessionExpires: seconds, refreshExpires: seconds,
})

/** As it lies in the store, without what its tokens are made from. */
export const SessionInfo = object({
  sid: string(), sub: string(), appid: string(), runtimeType: string(),
  /** Host whose device logged in; null for a person. */
  host: nullable(string()),
  /** Thumbprint of the key that holds its tokens; null where nobody could show one. */
  holder: nullable(string()),
  /** Epoch milliseconds, and seconds. */
  createdMs: number(), expires: seconds,
  state: picklist(['live', 'ended']), reason: string(),
  /** The caller's own. */
  current: boolean(),
})

/** Names and ids, from outside. */
const word = pipe(string(), maxLength(128))

export const VerifyHub = protocol('verify-hub', {
  /** `audiences` beside the app's own: only `system-config` may be asked for. */
  loginByJwt: call(object({ jwt: string(), audiences: optional(array(string())) }), TokenPair, { concurrent: 64 }),
  loginByPassword: call(
    object({ username: string(), password: string(), appid: string(), audiences: optional(array(string())) }),
    TokenPair, { concurrent: 4 },
  ),
  refreshToken: call(object({ refreshToken: string() }), TokenPair, { concurrent: 64 }),
  /** Claims of a session token that is valid now and whose session lives; else Denied. */
  verifyToken: call(object({ sessionToken: string(), audience: string() }), object({
    iss: string(), sub: string(), appid: string(), runtimeType: string(), sid: string(), exp: seconds,
    /** Thumbprint of the link key that must present the token, for who asked to compare; null for a cookie. */
    holder: nullable(string()),
  }), { concurrent: 256 }),
  verifySession: call(object({ sid: string() }), object({ active: boolean(), expires: seconds }), { concurrent: 256 }),
  /** For gateways: a token of at most a minute for one service, in place of the cookie that was shown to them. */
  serviceToken: call(
    object({ sessionToken: string(), audience: string() }), object({ token: string(), expires: seconds }),
    { concurrent: 256 },
  ),
  logout: call(object({ refreshToken: string() }), object({ sid: string() }), { concurrent: 64 }),
  /** Good once: a service's sudo or root token, which is used up by this. Only for the caller itself as audience. */
  burn: call(object({ token: string(), audience: word }), object({
    sub: string(), appid: string(), runtimeType: string(), sudo: boolean(), root: boolean(), jti: string(),
    exp: seconds,
  }), { concurrent: 64 }),
  /** These need a session token with `verify-hub` in its audiences, or a sudo token for it. */
  whoami: call(object({}), object({
    sub: string(), appid: string(), runtimeType: string(),
    /** Empty for sudo. */
    sid: string(), aud: array(string()), exp: seconds,
    /** Empty for who is no user. */
    userType: string(), state: string(), sudo: boolean(),
  }), { concurrent: 64 }),
  /** Of `user`, by default one's own; `*`: everybody's. `after`: the last sid of the page before. */
  listSessions: call(
    object({ user: optional(word), after: optional(word) }),
    object({ sessions: array(SessionInfo), more: boolean() }), { concurrent: 16 },
  ),
  /** These two settle when every service that accepts session tokens has heard of it. */
  revokeSession: call(object({ sid: word }), object({ sid: string(), ended: boolean() }), { concurrent: 16 }),
  revokeSessions: call(object({ user: word }), object({ ended: number() }), { concurrent: 4 }),
  setPassword: call(
    object({ username: word, password: string(), oldPassword: optional(string()) }), object({}),
    { concurrent: 4, suite: 'sealed' },
  ),
  unlock: call(object({ username: word }), object({}), { concurrent: 4 }),
  /** The originals' methods, as the gateway hands them on: whoever logs in this way holds no link key. */
  krpc: krpcCall(),
  /** OAuth (`oauthPath`), likewise. */
  http: httpCall(),
  /**
   * A new first password for the owner as a person, until one was used: then `issued` is false. Only for this OOD's
   * supervisor.
   */
  issueFirstPassword: call(
    object({}), object({ username: string(), password: string(), issued: boolean() }), { suite: 'sealed' },
  ),
})

/** Where OAuth is spoken: the gateway mounts these. */
export const oauthPath = {
  openid: '/.well-known/openid-configuration',
  metadata: '/.well-known/oauth-authorization-server',
  jwks: '/oauth/jwks',
  token: '/oauth/token',
  introspect: '/oauth/introspect',
  revoke: '/oauth/revoke',
} as const

export const InvalidPassword = defineError('InvalidPassword')
/** Too many wrong passwords; `details.retryMs` says when it may be tried again. */
export const LoginLocked = defineError('LoginLocked')
export const VerifyHubKeyMismatch = defineError('VerifyHubKeyMismatch')

/** kRPC methods that ask who calls, by the token of the envelope. What comes with others is for other services. */
export const tokenMethods: ReadonlySet<string> = new Set([
  'whoami', 'list_sessions', 'revoke_session', 'revoke_sessions', 'set_password', 'unlock', 'verify_session',
  'prepare_key', 'list_keys', 'list_users',
])
