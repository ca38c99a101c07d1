/** What no stock client sends, to the OAuth routes of a real zone: each is refused as the specifications say. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../runtime/limits.ts'
import { form, oauthZone, send, type OAuthZone } from './oauth-zone.ts'
import { send as sendRaw, statusOf } from './runtime/http-fixture.ts'

const zones = suite('bad input to OAuth')

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const PUBLIC = 'https://zone.example'
let zone: OAuthZone
const url = (path: string): string => `${zone.origin}/oauth/${path}`

zones.before(async () => {
  zone = await oauthZone(`http:\n  origins: [${PUBLIC}, http://zone.example:8080]\n`)
})
zones.after(() => zone.stop())

zones('each fault of a token request has its code', async () => {
  const { session_token: session, refresh_token: refresh } = await zone.login('console')
  const grant = (parameters: Record<string, string>): string => form({ grant_type: JWT_BEARER, ...parameters })
  const rows: readonly (readonly [what: string, body: string, error: string])[] = [
    ['nothing', '', 'invalid_request'],
    ['an empty grant type', 'grant_type=&assertion=x', 'invalid_request'],
    ['an unknown grant', form({ grant_type: 'password', username: 'a', password: 'b' }), 'unsupported_grant_type'],
    ['a grant of every object', form({ grant_type: 'constructor' }), 'unsupported_grant_type'],
    ['the client credentials grant', form({ grant_type: 'client_credentials' }), 'unsupported_grant_type'],
    ['a parameter twice', 'grant_type=refresh_token&grant_type=refresh_token&refresh_token=x', 'invalid_request'],
    ['an empty parameter twice', 'grant_type=refresh_token&x=&x=&refresh_token=x', 'invalid_request'],
    ['no assertion', grant({}), 'invalid_request'],
    ['no refresh token', form({ grant_type: 'refresh_token' }), 'invalid_request'],
    ['a line in a parameter', grant({ assertion: 'a\nb' }), 'invalid_request'],
    ['an umlaut in a parameter', grant({ assertion: 'ä' }), 'invalid_request'],
    ['half an escape', 'grant_type=refresh_token&refresh_token=%e4', 'invalid_request'],
    ['no token at all', grant({ assertion: 'x' }), 'invalid_grant'],
    ['a session token as assertion', grant({ assertion: session }), 'invalid_grant'],
    ['a refresh token as assertion', grant({ assertion: refresh }), 'invalid_grant'],
    ['a session token as refresh token',
      form({ grant_type: 'refresh_token', refresh_token: session }), 'invalid_grant'],
    ['a login token as refresh token',
      form({ grant_type: 'refresh_token', refresh_token: await zone.loginToken() }), 'invalid_grant'],
    ['a login token of another device',
      grant({ assertion: await zone.loginToken({ iss: 'ood2', sub: 'ood2' }) }), 'invalid_grant'],
    ['a login token for a worker', grant({ assertion: await zone.loginToken({ appid: 'service' }) }), 'invalid_grant'],
    ['an audience that the app may not have',
      grant({ assertion: await zone.loginToken(), scope: 'scheduler' }), 'invalid_scope'],
    ['a scope at a refresh',
      form({ grant_type: 'refresh_token', refresh_token: refresh, scope: 'x' }), 'invalid_scope'],
    ['a client secret', grant({ assertion: await zone.loginToken(), client_secret: 'x' }), 'invalid_client'],
    ['a client assertion', grant({ assertion: await zone.loginToken(), client_assertion: 'x' }), 'invalid_client'],
  ]
  for (const [what, body, error] of rows) {
    const told = await send(url('token'), body)
    assert.equal([told.status, told.body['error']], [400, error], what)
    assert.match(String(told.body['error_description']), /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/, what)
    assert.equal([told.headers.get('cache-control'), told.headers.get('pragma')], ['no-store', 'no-cache'], what)
  }
  assert.is((await send(url('token'), form({ grant_type: 'refresh_token', refresh_token: refresh }))).status, 200,
    'nothing of that has used up the token')
})

zones('other content types, parameters in the address and secrets in a header are refused', async () => {
  const body = form({ grant_type: 'refresh_token', refresh_token: 'x' })
  for (const path of ['token', 'introspect', 'revoke']) {
    for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=x',
      'application/x-www-form-urlencoded; charset=latin1', 'application/x-www-form-urlencodedx']) {
      const told = await send(url(path), body, { 'content-type': type })
      assert.equal([told.status, told.body['error']], [400, 'invalid_request'], `${path} ${type}`)
    }
    const inAddress = await send(`${url(path)}?token=x`, body)
    assert.equal([inAddress.status, inAddress.body['error']], [400, 'invalid_request'], path)
  }
  const upper = await send(url('token'), body, { 'content-type': 'Application/X-WWW-Form-Urlencoded;Charset=UTF-8' })
  assert.is(upper.body['error'], 'invalid_grant', 'as registered, in any case')
  for (const path of ['token', 'revoke']) {
    const told = await send(url(path), `${body}&token=x`, { authorization: 'Basic dG9vbDp4' })
    assert.equal([told.status, told.headers.get('www-authenticate')], [401, 'Basic realm="zone"'], path)
    assert.is(told.body['error'], 'invalid_client')
  }
})

zones('only the method of a route is answered', async () => {
  for (const path of ['token', 'introspect', 'revoke']) {
    for (const method of ['GET', 'PUT', 'DELETE', 'HEAD']) {
      const response = await fetch(`${url(path)}?grant_type=refresh_token`, { method })
      await response.arrayBuffer()
      assert.equal([response.status, response.headers.get('allow')], [405, 'POST'], `${method} ${path}`)
    }
  }
  for (const path of ['/oauth/jwks', '/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']) {
    const told = await send(zone.origin + path, '')
    assert.equal([told.status, told.headers.get('allow')], [405, 'GET, HEAD'])
    assert.is((await fetch(zone.origin + path, { method: 'HEAD' })).status, 200)
  }
  for (const path of ['/oauth', '/oauth/', '/oauth/token/', '/oauth/authorize', '/.well-known/jwks.json']) {
    assert.is((await fetch(zone.origin + path, { method: 'POST', body: '' })).status, 404, path)
  }
})

zones('a body, a header and a number of parameters at the limit are read, and one more is refused', async () => {
  const { session_token: own } = await zone.login('console')
  const sized = (bytes: number): string => 'token='.padEnd(bytes, 'x')
  assert.is((await send(url('revoke'), sized(limits.httpHandedBody))).status, 200)
  assert.is((await send(url('revoke'), sized(limits.httpHandedBody + 1))).status, 413)
  const header = (length: number) =>
    send(url('introspect'), 'token=x', { authorization: 'Bearer '.padEnd(length, 'x') })
  assert.is((await header(limits.httpHandedHeader)).status, 401)
  assert.is((await header(limits.httpHandedHeader + 1)).status, 431)
  const many = (count: number): string =>
    Array.from({ length: count }, (_, index) => (index === 0 ? `token=${own}` : `p${index}=1`)).join('&')
  const told = await send(url('revoke'), many(limits.oauthParameters + 1))
  assert.equal([told.status, told.body['error']], [400, 'invalid_request'])
  assert.is((await send(url('revoke'), many(limits.oauthParameters))).status, 200)
  const invalid = await fetch(url('revoke'), {
    method: 'POST', body: new Uint8Array([0x74, 0xff]),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  assert.is(invalid.status, 400)
})

zones('no document names an address that the zone was not given', async () => {
  const { port } = zone.zone.address
  const issuer = async (host: string): Promise<unknown> => {
    const answer = await sendRaw(port, `GET /.well-known/openid-configuration HTTP/1.1\r\nhost: ${host}\r\n`
      + 'x-forwarded-host: evil.example\r\nx-forwarded-proto: https\r\nforwarded: host=evil.example\r\n'
      + 'connection: close\r\n\r\n')
    assert.is(statusOf(answer), '200')
    const document = JSON.parse(answer.text.slice(answer.text.indexOf('{'))) as Record<string, unknown>
    for (const [name, value] of Object.entries(document)) {
      if (/_endpoint$|_uri$/.test(name)) assert.ok(String(value).startsWith(`${document['issuer']}/oauth/`), name)
    }
    return document['issuer']
  }
  assert.is(await issuer(`127.0.0.1:${port}`), `http://127.0.0.1:${port}`)
  assert.is(await issuer(`localhost:${port}`), `http://localhost:${port}`)
  assert.is(await issuer('zone.example'), PUBLIC)
  assert.is(await issuer('ZONE.example:8080'), 'http://zone.example:8080')
  for (const host of ['evil.example', `evil.example:${port}`, 'zone.example:1', 'localhost', 'zone.example@evil', '']) {
    assert.is(await issuer(host), PUBLIC, host)
  }
})

zones('cookies and other headers of a request come to no actor', async () => {
  const { session_token: token } = await zone.login('console')
  const told = await send(url('introspect'), form({ token }), { cookie: `session=${token}`, 'x-session-token': token })
  assert.is(told.status, 401)
})

zones.run()
