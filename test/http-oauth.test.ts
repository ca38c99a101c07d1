/** Stock OAuth clients and resource servers on a real zone: `jose`, `oauth4webapi` and `openid-client` over HTTP. */
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../actors/records.ts'
import { form, oauthZone, send, type OAuthZone } from './oauth-zone.ts'

const zones = suite('OAuth of a real zone')

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const insecure = { [oauth.allowInsecureRequests]: true }
const client: oauth.Client = { client_id: 'tool' }
const bearer = (token: string): oauth.ClientAuth => (_server, _client, _body, headers) =>
  headers.set('authorization', `Bearer ${token}`)

let zone: OAuthZone
let server: oauth.AuthorizationServer

zones.before(async () => {
  zone = await oauthZone()
})
zones.after(() => zone.stop())

async function toolLogin(): Promise<oauth.TokenEndpointResponse> {
  const parameters = { assertion: await zone.loginToken() }
  const response = await oauth.genericTokenEndpointRequest(
    server, client, oauth.None(), JWT_BEARER, new URLSearchParams(parameters), insecure)
  return oauth.processGenericTokenEndpointResponse(server, client, response)
}

async function introspect(asker: string, token: string): Promise<oauth.IntrospectionResponse> {
  const response = await oauth.introspectionRequest(server, client, bearer(asker), token, insecure)
  return oauth.processIntrospectionResponse(server, client, response)
}

const refresh = async (token: string): Promise<oauth.TokenEndpointResponse> =>
  oauth.processRefreshTokenResponse(server, client,
    await oauth.refreshTokenGrantRequest(server, client, oauth.None(), token, insecure))

const refusal = async (run: () => Promise<unknown>): Promise<oauth.ResponseBodyError> => {
  const error = await run().then(() => undefined, (thrown: unknown) => thrown)
  assert.instance(error, oauth.ResponseBodyError)
  return error as oauth.ResponseBodyError
}

zones('discovery is accepted by both its specifications, and names the address that was asked', async () => {
  for (const algorithm of ['oidc', 'oauth2'] as const) {
    for (const origin of [zone.origin, zone.origin.replace('127.0.0.1', 'localhost')]) {
      const issuer = new URL(origin)
      const response = await oauth.discoveryRequest(issuer, { algorithm, ...insecure })
      assert.match(response.headers.get('cache-control') ?? '', /^public, max-age=60$/)
      server = await oauth.processDiscoveryResponse(issuer, response)
      assert.equal([server.issuer, server.token_endpoint], [origin, `${origin}/oauth/token`])
    }
  }
  const issuer = new URL(zone.origin)
  server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure))
})

zones('jose verifies a session token by the published keys, and refuses every other use and audience', async () => {
  const keys = createRemoteJWKSet(new URL(server.jwks_uri!))
  const { session_token: token, refresh_token: other } = await zone.login('tool')
  const check = { issuer: 'verify-hub', audience: 'tool', typ: 'zw-session+jwt', algorithms: ['EdDSA'] }
  const { payload, protectedHeader } = await jwtVerify(token, keys, check)
  assert.equal([payload.sub, payload['appid'], protectedHeader.alg], [zone.user.username, 'tool', 'EdDSA'])
  for (const [text, changes] of [
    [token, { audience: 'other' }], [other, {}], [other, { audience: 'verify-hub' }],
    [await zone.loginToken(), { audience: 'verify-hub', issuer: 'ood1', typ: 'zw-login+jwt' }],
  ] as const) {
    const outcome = await jwtVerify(text, keys, { ...check, ...changes }).then(() => 'accepted', () => 'refused')
    assert.is(outcome, 'refused')
  }
})

zones('a program logs in by its token, once, and refreshes with rotation', async () => {
  const first = await toolLogin()
  assert.equal([first.token_type, first.scope], ['bearer', 'system-config'])
  assert.ok(first.expires_in! > 890 && first.expires_in! <= 900)
  const next = await refresh(first.refresh_token!)
  assert.ok(next.refresh_token !== first.refresh_token && next.access_token !== first.access_token)
  assert.is((await introspect(next.access_token, next.access_token)).active, true)
  const reused = await refusal(() => refresh(first.refresh_token!))
  assert.equal([reused.status, reused.error], [400, 'invalid_grant'])
  assert.match(reused.error_description!, /used before.*\(D-[0-9a-f]{8}\)/)
  assert.is((await refusal(() => refresh(next.refresh_token!))).error, 'invalid_grant', 'a copy ended the session')
  const assertion = await zone.loginToken()
  const login = () => send(server.token_endpoint!, form({ grant_type: JWT_BEARER, assertion, scope: 'system-config' }))
  assert.equal([(await login()).status, (await login()).body['error']], [200, 'invalid_grant'])
})

zones('introspection tells an app of the tokens that are meant for it, and nothing of any other', async () => {
  const tool = await toolLogin()
  const user = await zone.login('tool')
  const told = await introspect(tool.access_token, user.session_token)
  const { iat, exp, jti, ...rest } = told
  assert.equal(rest, {
    active: true, token_type: 'Bearer', iss: 'verify-hub', sub: zone.user.username, aud: ['tool', 'system-config'],
    client_id: 'tool', username: zone.user.username, sid: user.sid, runtime_type: 'user', token_use: 'session',
  })
  assert.ok(exp! - iat! === 900 && typeof jti === 'string')
  const strangers = [await zone.login('other'), await zone.login('console')]
  for (const token of [
    ...strangers.map((pair) => pair.session_token), user.refresh_token, await zone.loginToken(), 'x', 'a.b.c',
    `${user.session_token.slice(0, -4)}AAAA`,
  ]) assert.equal(await introspect(tool.access_token, token), { active: false })
  assert.equal(await introspect(strangers[0]!.session_token, user.session_token), { active: false })
})

zones('a session that was revoked and a user who was suspended are not active any more', async () => {
  const tool = await toolLogin()
  const [one, two, three] = [await zone.login('tool'), await zone.login('tool'), await zone.login('tool')]
  const active = async ({ session_token: token }: { session_token: string }) =>
    (await introspect(tool.access_token, token)).active
  const revoke = async (token: string, hint: string) => oauth.processRevocationResponse(
    await oauth.revocationRequest(server, client, oauth.None(), token, {
      ...insecure, additionalParameters: { token_type_hint: hint },
    }))
  await revoke(one.refresh_token, 'refresh_token')
  // A hint that is wrong is no more than that (RFC 7009 §2.1)
  await revoke(two.session_token, 'refresh_token')
  for (const token of ['unknown', one.refresh_token, await zone.loginToken()]) await revoke(token, 'access_token')
  assert.equal([await active(one), await active(two), await active(three)], [false, false, true])
  assert.is((await refusal(() => refresh(one.refresh_token))).error, 'invalid_grant')
  const settings = { name: zone.user.username, type: 'admin', state: 'suspended' }
  await zone.put(kv.user(zone.user.username), settings)
  assert.is(await active(three), false)
  await zone.put(kv.user(zone.user.username), { ...settings, state: 'active' })
  assert.equal([await active(three), await active(await zone.login('tool'))], [false, true], 'it has ended for good')
})

zones('who asks for an introspection shows a session that lives', async () => {
  const tool = await toolLogin()
  const ask = (headers: Record<string, string>) =>
    send(server.introspection_endpoint!, form({ token: tool.access_token }), headers)
  for (const [authorization, error] of [
    ['Basic dG9vbDp4', 'invalid_token'], ['Bearer x', 'invalid_token'],
    [`Bearer ${tool.refresh_token}`, 'invalid_token'],
    [`Bearer ${await zone.loginToken()}`, 'invalid_token'], [`Bearer ${'x'.repeat(8_200)}`, 'invalid_token'],
  ] as const) {
    const { status, body, headers } = await ask({ authorization })
    assert.equal([status, body['error']], [401, error], authorization.slice(0, 30))
    assert.match(headers.get('www-authenticate') ?? '', /^Bearer realm="zone", error="invalid_token"/)
  }
  const without = await ask({})
  assert.equal([without.status, without.headers.get('www-authenticate')], [401, 'Bearer realm="zone"'])
  await send(server.revocation_endpoint!, form({ token: tool.access_token }))
  assert.is((await ask({ authorization: `Bearer ${tool.access_token}` })).status, 401)
})

zones('openid-client finds the zone, logs in, refreshes, introspects and revokes', async () => {
  const options = { execute: [openid.allowInsecureRequests], algorithm: 'oauth2' as const }
  const config = await openid.discovery(new URL(zone.origin), 'tool', undefined, openid.None(), options)
  const tokens = await openid.genericGrantRequest(config, JWT_BEARER, { assertion: await zone.loginToken() })
  const next = await openid.refreshTokenGrant(config, tokens.refresh_token!)
  const asking = await openid.discovery(new URL(zone.origin), 'tool', undefined, bearer(next.access_token), options)
  assert.is((await openid.tokenIntrospection(asking, next.access_token)).sub, 'ood1')
  await openid.tokenRevocation(config, next.refresh_token!)
  const after = await openid.refreshTokenGrant(config, next.refresh_token!)
    .then(() => 'accepted', (error: unknown) => (error as openid.ResponseBodyError).error)
  assert.is(after, 'invalid_grant')
})

zones('a token of another client is refused before anything is done with it', async () => {
  const tool = await toolLogin()
  const other = { client_id: 'other' }
  const token = tool.refresh_token!
  for (const [url, parameters] of [
    [server.token_endpoint, { grant_type: 'refresh_token', refresh_token: token }],
    [server.token_endpoint, { grant_type: JWT_BEARER, assertion: await zone.loginToken() }],
    [server.revocation_endpoint, { token }], [server.revocation_endpoint, { token: tool.access_token }],
  ] as const) {
    const { status, body } = await send(url!, form({ ...parameters, ...other }))
    assert.equal([status, body['error']], [400, 'invalid_grant'])
  }
  assert.is((await introspect(tool.access_token, tool.access_token)).active, true)
  assert.ok((await refresh(token)).access_token)
})

zones.run()
