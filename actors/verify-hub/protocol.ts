import { defineError } from '../../runtime/errors.ts'
import { httpCall } from '../http-protocol.ts'
import { krpcCall } from '../krpc-protocol.ts'
import {
  array, boolean, call, integer, nullable, number, object, optional, pipe, protocol, string,
} from '../../runtime/protocol.ts'

const seconds = pipe(number(), integer())

/** RFC 7523 grant: what a login gives. */
export const TokenPair = object({
  sessionToken: string(), refreshToken: string(), sid: string(),
  /** Epoch seconds. */
  sessionExpires: seconds, refreshExpires: seconds,
})

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

/** Methods of `krpc` for which it matters who asks: the token of the envelope is bound to these calls and no others. */
export const tokenMethods: ReadonlySet<string> = new Set(['prepare_key', 'list_keys'])

export const InvalidPassword = defineError('InvalidPassword')
/** Too many wrong passwords; `details.retryMs` says when it may be tried again. */
export const LoginLocked = defineError('LoginLocked')
export const VerifyHubKeyMismatch = defineError('VerifyHubKeyMismatch')
