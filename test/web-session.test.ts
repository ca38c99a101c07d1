/** Sessions in cookies, at a zone in virtual time: which are good, for whom, and for what. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { judgeOf } from '../actors/gateway/web/session.ts'
import { VerifyHub } from '../actors/verify-hub/protocol.ts'
import { Denied, Unavailable } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import { Browser, claimsOf, cookieOf, inWebZone, signedIn } from './web-fixture.ts'

const test = suite('sessions in cookies')

test('a session is one of verify-hub, for this app, that lives: anything else is sent to sign in', async () => {
  await inWebZone(async (web) => {
    const { port, asked } = web
    const [mine, other] = [await cookieOf(web), await cookieOf(web, 'notes')]
    const count = asked.length
    const status = async (cookie: string, more: Record<string, string> = {}, host = `web.localhost:${port}`) =>
      (await web.send(host, '/', { headers: { cookie, ...more } })).status
    assert.is(await status(`a=b; zw_session=${mine.zw_session}; c=d`), 200)
    assert.is(asked.length, count + 1)
    assert.is(asked.at(-1)!.headers['cookie'], 'a=b; c=d')
    for (const cookie of [
      '', 'zw_session=', 'zw_session=none', `zw_session=${mine.zw_session}x`, `zw_session=${mine.zw_refresh}`,
      `zw_session=${other.zw_session}`, `zw_session="${mine.zw_session}"`, `ZW_SESSION=${mine.zw_session}`,
      `zw_session=${mine.zw_session}; zw_session=${other.zw_session}`,
      `zw_session=${mine.zw_session}; zw_session=${mine.zw_session}`,
      `__Host-zw_session=${mine.zw_session}`, `session=${mine.zw_session}`,
    ]) assert.is(await status(cookie), 302, cookie)
    assert.is(await status(''), 302)
    assert.is(await status('', { authorization: `Bearer ${mine.zw_session}` }), 302, 'no header says who speaks')
    // A proxy on this machine says that it was HTTPS: then only cookies count that HTTPS has set
    const https = { 'x-forwarded-proto': 'https' }
    assert.is(await status(`__Host-zw_session=${mine.zw_session}`, https, 'web.localhost'), 200)
    assert.is(await status(`zw_session=${mine.zw_session}`, https, 'web.localhost'), 302)
    const far = { headers: { ...https, cookie: `__Host-zw_session=${mine.zw_session}` }, remoteAddress: '192.0.2.7' }
    assert.is((await web.send(`web.localhost:${port}`, '/', far)).status, 302, 'nobody else is believed')
    const begun = await web.send('web.localhost', '/', { headers: https })
    assert.ok(begun.headers['location']!.startsWith(
      'https://localhost/login?redirect_url=https%3A%2F%2Fweb.localhost%2F&'), begun.headers['location'])
    assert.match(begun.cookies!.join(), /^__Host-zw_sign_in=[^;]{22}; Path=\/; Max-Age=600; /)
    assert.match(begun.cookies!.join(), /; HttpOnly; SameSite=Lax; Secure$/)
    assert.is(limits.signInMs, 600_000)
    assert.is(asked.length, count + 2)
  })
})

test('a session that has ended is refused at once, whatever the gateway has kept', async () => {
  await inWebZone(async (web) => {
    const browser = await signedIn(web)
    assert.is((await browser.open('/a')).status, 200)
    const { zw_refresh: refresh } = Object.fromEntries(browser.cookies(browser.url))
    await web.live.zone.get(VerifyHub).logout({ refreshToken: refresh! })
    browser.cookies(browser.url).delete('zw_refresh')
    assert.is((await browser.fetch('GET', '/b')).status, 401)
    await browser.open('/c')
    assert.is(new URL(browser.url).pathname, '/login')
    assert.is(browser.cookies(`http://web.localhost:${web.port}/`).has('zw_session'), false)
  })
})

test('a token for the service is kept for half of its life, a session goes on by the refresh cookie', async () => {
  await inWebZone(async (web) => {
    const { live, asked } = web
    const browser = await signedIn(web)
    const jti = (): string => claimsOf(asked.at(-1)!.headers['authorization']!.slice(7)).jti
    const first = jti()
    await live.pause(25_000)
    await browser.open('/')
    assert.is(jti(), first)
    await live.pause(10_000)
    await browser.open('/')
    assert.is.not(jti(), first)
    // The session token is over, the session is not
    await live.pause(16 * 60_000)
    assert.is((await browser.fetch('GET', '/data')).status, 401)
    browser.way.length = 0
    assert.is((await browser.open('/page?x=1')).status, 200)
    assert.is(browser.way.join(), '302 GET web.localhost/page,200 GET web.localhost/page')
    assert.is(asked.at(-1)!.query, 'x=1')
    // Two tabs find out at once
    await live.pause(16 * 60_000)
    const both = await Promise.all([browser.fetch('POST', '/sso_refresh'), browser.fetch('POST', '/sso_refresh')])
    assert.is(both.map(({ status }) => status).join(), '200,200')
    assert.is((await browser.open('/')).status, 200)
  })
})

test('a gateway that has lost touch with the zone says so, and takes no session away', async () => {
  const judging = (reason: string): Promise<string> =>
    judgeOf({ judge: () => Promise.reject(new Denied('No', { reason })) })('token', 'web').then(
      () => 'accepted', (error: unknown) => (error instanceof Unavailable ? 'for now' : 'refused'))
  assert.is(await judging('policy/lapsed'), 'for now')
  assert.is(await judging('token/revoked'), 'refused')
})

test('what is wrong with a session never sends a browser round in circles', async () => {
  await inWebZone(async (web) => {
    const notes = await cookieOf(web, 'notes')
    const browser = new Browser(web)
    const address = `http://web.localhost:${web.port}/`
    for (const [name, value] of Object.entries(notes)) browser.cookies(address).set(name, value)
    const answer = await browser.open(address)
    assert.is(answer.status, 200)
    assert.is(browser.way.join(), '302 GET web.localhost/,200 GET localhost/login')
    assert.is(browser.cookies(address).has('zw_refresh'), false)
  })
})

test('only pages of the app itself use the session, refresh it or end it', async () => {
  await inWebZone(async (web) => {
    const { port, asked } = web
    const { zw_session: session, zw_refresh: refresh } = await cookieOf(web)
    const own = `http://web.localhost:${port}`
    const send = async (method: string, headers: object, path = '/'): Promise<number> => (await web.send(
      `web.localhost:${port}`, path,
      { method, headers: { cookie: `zw_session=${session}; zw_refresh=${refresh}`, ...headers } })).status
    const site = (value: string, more: object = {}) => ({ 'sec-fetch-site': value, ...more })
    const count = asked.length
    for (const path of ['/', '/sso_refresh', '/sso_logout']) {
      for (const headers of [
        {}, { origin: 'null' }, { origin: 'http://evil.example' }, { origin: `http://notes.localhost:${port}` },
        { origin: 'http://web.localhost' }, { origin: `https://web.localhost:${port}` },
        site('cross-site'), site('same-site'), site('none'), site('cross-site', { origin: own }),
        site('same-site', { origin: own }), site('same-origin', { origin: 'http://evil.example' }),
        site('cross-site', { 'sec-fetch-mode': 'navigate' }),
      ]) assert.is(await send('POST', headers, path), 403, `${path} ${JSON.stringify(headers)}`)
    }
    for (const method of ['PUT', 'PATCH', 'DELETE']) assert.is(await send(method, {}), 403, method)
    const within = (dest: string) => ({ 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': dest })
    for (const headers of [
      site('cross-site'), site('same-site'), site('same-site', { 'sec-fetch-mode': 'cors' }),
      site('cross-site', { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'script' }),
      ...['object', 'embed', 'frame', 'iframe', 'fencedframe'].flatMap((dest) =>
        [site('cross-site', within(dest)), site('same-site', within(dest))]),
      { origin: 'http://evil.example' }, { origin: 'null' },
    ]) assert.is(await send('GET', headers), 403, JSON.stringify(headers))
    assert.is(await send('HEAD', site('cross-site', { 'sec-fetch-mode': 'navigate' })), 403)
    assert.is(await send('GET', {}, '/sso_logout'), 405)
    assert.is(await send('GET', {}, '/sso_refresh'), 405)
    assert.is(asked.length, count)
    for (const headers of [
      {}, site('none'), site('same-origin'), { origin: own }, site('cross-site', { 'sec-fetch-mode': 'navigate' }),
      site('same-site', within('document')), site('same-origin', within('iframe')),
    ]) assert.is(await send('GET', headers), 200, JSON.stringify(headers))
    for (const headers of [{ origin: own }, site('same-origin'), site('same-origin', { origin: own }),
      site('same-origin', { origin: 'null' })]) {
      assert.is(await send('POST', headers), 200, JSON.stringify(headers))
    }
    assert.is(await send('POST', { origin: own }, '/sso_refresh'), 200)
  })
})

test('a refresh that is refused, or has no cookie, takes the cookies away', async () => {
  await inWebZone(async (web) => {
    const { zw_session: session } = await cookieOf(web)
    for (const cookie of ['', `zw_refresh=${session}`, 'zw_refresh=none']) {
      const headers = { cookie, origin: `http://web.localhost:${web.port}` }
      const answer = await web.send(`web.localhost:${web.port}`, '/sso_refresh', { method: 'POST', headers })
      assert.is(`${answer.status} ${answer.body}`, '401 {"ok":false}')
      assert.is(answer.cookies!.map((line) => line.split(';')[0]).join(), 'zw_session=,zw_refresh=')
      assert.ok(answer.cookies!.every((line) => line.includes('; Max-Age=0; HttpOnly; SameSite=Lax')))
      const out = await web.send(`web.localhost:${web.port}`, '/sso_logout', { method: 'POST', headers })
      assert.is(`${out.status} ${out.body} ${out.cookies!.length}`, '200 {"ok":true} 2')
    }
  })
})

test.run()
