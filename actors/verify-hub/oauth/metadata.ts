import { thumbprint } from '../../../runtime/trust/keys.ts'
import type { Hub } from '../hub.ts'
import { oauthPath } from '../protocol.ts'
import { grants } from './token.ts'

/**
 * RFC 8414 §2, with the members that OpenID Connect Discovery §3 asks for. The issuer is the address that was asked, as
 * both want it; a zone has several, and `iss` of its tokens is `verify-hub` at each. No ID tokens are issued, and
 * nobody is sent anywhere to log in: there is no authorization endpoint.
 */
export const metadata = (origin: string): object => ({
  issuer: origin,
  jwks_uri: origin + oauthPath.jwks,
  token_endpoint: origin + oauthPath.token,
  introspection_endpoint: origin + oauthPath.introspect,
  revocation_endpoint: origin + oauthPath.revoke,
  grant_types_supported: Object.keys(grants),
  response_types_supported: [],
  token_endpoint_auth_methods_supported: ['none'],
  introspection_endpoint_auth_methods_supported: ['Bearer'],
  revocation_endpoint_auth_methods_supported: ['none'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['EdDSA'],
})

/** RFC 7517: what boot/config names now; during a rotation both. */
export const jwks = ({ keys, zone }: Hub): object => ({
  keys: zone.boot.verifyHub.map((jwk) => ({ ...jwk, kid: thumbprint(keys, jwk), alg: 'EdDSA', use: 'sig' })),
})
