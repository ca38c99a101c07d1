/** Signing in by browser, from the first page to the end of the session, at a zone in virtual time. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../actors/records.ts'
import { LoginLocked } from '../actors/verify-hub/protocol.ts'
import { webSequence } from '../boot/sequences.ts'
import { limits } from '../runtime/limits.ts'
import { Overloaded } from '../runtime/errors.ts'
import type { Change } from './actors/live-zone.ts'
import { Browser, claimsOf, hiddenIn, inWebZone, signedIn, textOf, type WebZone } from './web-fixture.ts'

const test = suite('signing in by browser')

test('goes the documented way: page, password, code, cookies, token of a minute, refresh, end', async () => {
  await inWebZone(async (web) => {
    const { port, asked, user } = web
    const browser = new Browser(web)
    const page = await browser.open(`http://web.localhost:${port}/notes?n=1&m=%26`)
    assert.is(page.status, 200)
    assert.is(new URL(browser.url).host, `localhost:${port}`)
    assert.match(String(page.body), /<h1>Sign in to web<\/h1>/)
    assert.not.match(String(page.body), /<script/)
    const arrived = await browser.signIn(page)
    assert.is(await textOf(arrived), 'app /notes')
    assert.is(browser.url, `http://web.localhost:${port}/notes?n=1&m=%26`)
    assert.is(browser.way.join('\n'), [
      '302 GET web.localhost/notes', '200 GET localhost/login', '303 POST localhost/sso/login',
      '302 GET web.localhost/sso_callback', '200 GET web.localhost/notes',
    ].join('\n'))
    const cookies = browser.cookies(browser.url)
    assert.is([...cookies.keys()].join(), 'zw_session,zw_refresh')
    const session = claimsOf(cookies.get('zw_session')!)
    assert.is(session.aud.join(), 'web')

    const [request] = asked
    assert.is(asked.length, 1)
    assert.is(`${request!.path} ${request!.query}`, '/notes n=1&m=%26')
    assert.is(request!.headers['cookie'], undefined)
    const claims = claimsOf(request!.headers['authorization']!.slice('Bearer '.length))
    assert.is(`${claims.iss} ${claims.sub} ${claims.aud} ${claims.appid}`, `verify-hub ${user.username} web web`)
    assert.is(`${claims.token_use} ${claims.runtime_type} ${claims.cnf}`, 'session user undefined')
    assert.is(claims.sid, session.sid)
    assert.is.not(claims.jti, session.jti)
    assert.ok(claims.exp - claims.iat <= 60, `${claims.exp - claims.iat} s`)

    const next = await browser.fetch('POST', '/sso_refresh')
    assert.is(next.status, 200)
    assert.not.match(String(next.body), /eyJ/, 'no script is told a token')
    assert.is.not(claimsOf(cookies.get('zw_session')!).jti, session.jti)
    assert.is((await browser.open('/again')).status, 200)
    const held = new Map(cookies)
    const out = await browser.submit('/sso_logout', {})
    assert.match(String(out.body), /You are signed out/)
    assert.is(cookies.size, 0)
    for (const [name, value] of held) cookies.set(name, value)
    await browser.open('/again')
    assert.is(new URL(browser.url).pathname, '/login', 'the session itself has ended')
  })
})

test('is told step by step, each once, by who received it', async () => {
  await inWebZone(async (web) => {
    for (let times = 0; times < 2; times++) {
      const browser = await signedIn(web)
      await browser.fetch('POST', '/sso_refresh')
      await browser.fetch('POST', '/sso_logout')
    }
    const steps = web.live.zone.steps().filter(({ sequence }) => sequence === webSequence.name)
    assert.is(steps.map(({ number }) => number).join(), webSequence.steps.map(({ number }) => number).join())
    assert.ok(webSequence.steps.every(({ to }) => to === 'gateway'))
    assert.ok(steps.every(({ actor, evidence }) => actor === 'gateway' && evidence['app'] === 'web'))
    assert.not.match(JSON.stringify(steps), /eyJ/)
  })
})

test('a wrong password, a user who is not active and a busy zone are told, and nobody is signed in', async () => {
  let refusal: Error | undefined
  const busy: Change = (definition) => ({
    ...definition,
    start(start) {
      const { verifyHub } = start.needs as unknown as { verifyHub: { krpc(...args: unknown[]): Promise<unknown> } }
      const krpc = (...args: unknown[]): Promise<unknown> =>
        (refusal ? Promise.reject(refusal) : verifyHub.krpc(...args))
      const needs = { ...start.needs, verifyHub: Object.create(verifyHub, { krpc: { value: krpc } }) as never }
      return definition.start({ ...start, needs })
    },
  })
  await inWebZone(async (web) => {
    const { live, port, user, asked } = web
    const browser = new Browser(web)
    const page = await browser.open(`http://web.localhost:${port}/`)
    const told = async (changes: object, status: number, what: RegExp): Promise<void> => {
      const answer = await browser.signIn(page, changes as Record<string, string>)
      assert.is(answer.status, status)
      const [, alert = ''] = /role="alert" id="why">([^<]*)</.exec(String(answer.body)) ?? []
      assert.match(alert, what)
      assert.is(JSON.stringify({ ...hiddenIn(answer), form: '' }), JSON.stringify({ ...hiddenIn(page), form: '' }))
      assert.not.match(String(answer.body), /<script/)
    }
    await told({ password: 'wrong' }, 401, /^The user name or the password is wrong\.$/)
    await told({ username: 'nobody' }, 401, /^The user name or the password is wrong\.$/)
    await told({ username: '"><script>', password: '"><script>' }, 401, /is wrong/)
    refusal = new LoginLocked('Locked', { retryMs: 61_000 })
    await told({}, 429, /^Too many wrong passwords\. Try again in 61 seconds\.$/)
    refusal = new LoginLocked('Locked', { retryMs: 301_000 })
    await told({}, 429, /^Too many wrong passwords\. Try again in 6 minutes\.$/)
    refusal = new Overloaded('Too many')
    await told({}, 503, /^The zone cannot answer now/)
    refusal = undefined
    await live.setPath(kv.user(user.username), '/state', 'suspended')
    await told({}, 403, /^This account is not active\.$/)
    await live.setPath(kv.user(user.username), '/state', 'active')
    assert.is(asked.length, 0)
    assert.is(browser.cookies(`http://web.localhost:${port}/`).has('zw_session'), false)
    assert.is((await browser.signIn(page)).status, 200)
  }, { gateway: busy })
})

test('leads to no address but pages of installed apps of this very gateway', async () => {
  await inWebZone(async (web) => {
    const { port } = web
    const state = 'A'.repeat(43)
    const open = async (redirectUrl: string | undefined, host = `localhost:${port}`) => {
      const query = new URLSearchParams({ state, ...(redirectUrl === undefined ? {} : { redirect_url: redirectUrl }) })
      return web.send(host, `/login?${query}`)
    }
    const bad = [
      undefined, '', '/', '//evil.example/', 'https://evil.example/', `http://evil.example:${port}/`,
      `http://web.localhost.evil.example:${port}/`, `http://web.localhost:${port}@evil.example/`,
      `http://evil.example#web.localhost:${port}/`, `http://evil.example\\@web.localhost:${port}/`,
      `http://user@web.localhost:${port}/`, `http://user:word@web.localhost:${port}/`,
      `https://web.localhost:${port}/`, `ftp://web.localhost:${port}/`, 'javascript:alert(1)//web.localhost',
      'http://web.localhost/', `http://web.localhost:${port + 1}/`, `http://localhost:${port}/`,
      `http://127.0.0.1:${port}/`, `http://a.web.localhost:${port}/`, `http://web..localhost:${port}/`,
      `http://web.localhost.:${port}/`, `http://nobody.localhost:${port}/`, `http://gateway.localhost:${port}/`,
      `http://web.zone.local.evil:${port}/`, `http://web.localhost:${port}/${'x'.repeat(2_100)}`,
    ]
    for (const address of bad) {
      const answer = await open(address)
      assert.is(`${answer.status} ${answer.headers['location']}`, '400 undefined', address)
      assert.not.match(String(answer.body), /evil/, address)
    }
    for (const [address, path] of [
      [`http://web.localhost:${port}/a?b=c#d`, '/a?b=c'], [`http://WEB.localhost:${port}`, '/'],
      [`http://web.localhost:${port}//evil.example/`, '//evil.example/'],
      [`http://web.localhost:${port}/sso_logout`, '/'],
      [`http://web.localhost:${port}/a/../b`, '/b'],
    ] as const) {
      const answer = await open(address)
      assert.is(answer.status, 200, address)
      assert.is(hiddenIn(answer)['redirect_url'], `http://web.localhost:${port}${path}`, address)
      const policy = answer.headers['content-security-policy']!
      assert.match(policy, new RegExp(`form-action 'self' http://web\\.localhost:${port};`))
      assert.match(policy, /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; .*frame-ancestors 'none'/)
      assert.is(`${answer.headers['x-frame-options']} ${answer.headers['cache-control']}`, 'DENY no-store')
    }
    assert.is((await open(`http://web.zone.local:${port}/`, `zone.local:${port}`)).status, 200)
    assert.is((await open(`http://web.zone.local:${port}/`, `127.0.0.1:${port}`)).status, 200)
    assert.is((await open(`http://web.zone.local/`, 'zone.local')).status, 200)
    // A sign-in that no app began goes there first
    const begun = await web.send(`localhost:${port}`, `/login?redirect_url=http://web.localhost:${port}/a`)
    assert.is(`${begun.status} ${begun.headers['location']}`, `302 http://web.localhost:${port}/a`)
  })
})

test('takes a password from its own page only, as the page was given to this browser', async () => {
  await inWebZone(async (web) => {
    const { port, user } = web
    const browser = new Browser(web)
    const page = await browser.open(`http://web.localhost:${port}/`)
    const form = browser.cookies(browser.url).get('zw_form')!
    const own = `http://localhost:${port}`
    const right = {
      origin: own, 'sec-fetch-site': 'same-origin', cookie: `zw_form=${form}`,
      'content-type': 'application/x-www-form-urlencoded',
    }
    const fields = { ...hiddenIn(page), ...user }
    const send = (headers: object, body: string = String(new URLSearchParams(fields))) =>
      web.send(`localhost:${port}`, '/sso/login', { method: 'POST', body, headers: headers as Record<string, string> })
    const without = ({ ...headers }: Record<string, string>, name: string) => {
      delete headers[name]
      return headers
    }
    for (const [headers, status] of [
      [without(without(right, 'origin'), 'sec-fetch-site'), 403],
      [without({ ...right, origin: 'null' }, 'sec-fetch-site'), 403],
      [{ ...right, origin: 'http://evil.example' }, 403], [{ ...right, origin: `http://web.localhost:${port}` }, 403],
      [{ ...right, origin: 'http://localhost' }, 403], [{ ...right, origin: `https://localhost:${port}` }, 403],
      [{ ...right, 'sec-fetch-site': 'cross-site' }, 403], [{ ...right, 'sec-fetch-site': 'same-site' }, 403],
      [{ ...right, 'sec-fetch-site': 'none' }, 403],
      [without(right, 'cookie'), 403], [{ ...right, cookie: `zw_form=${'B'.repeat(22)}` }, 403],
      [{ ...right, cookie: `zw_form=${form}; zw_form=${'B'.repeat(22)}` }, 403],
      [{ ...right, cookie: `__Host-zw_form=${form}` }, 403],
      [{ ...right, 'content-type': 'text/plain' }, 400], [without(right, 'content-type'), 400],
    ] as const) assert.is((await send(headers)).status, status, JSON.stringify(headers))
    const other = (changes: object): string => String(new URLSearchParams({ ...fields, ...changes }))
    for (const [body, status] of [
      ['', 400], [other({ more: '1' }), 400], [`${other({})}&username=bob`, 400], [other({ state: '' }), 400],
      [other({ form: '' }), 403], [other({ redirect_url: 'http://evil.example/' }), 400],
      [`${other({})}%ff`, 401], ['\ud800', 400],
    ] as const) assert.is((await send(right, body)).status, status, body)
    const most = limits.signInBytes
    const padded = (length: number): string => other({ password: 'x'.repeat(length - other({ password: '' }).length) })
    assert.is((await send(right, padded(most))).status, 401)
    assert.is((await send(right, padded(most + 1))).status, 413)
    assert.is((await send(without(right, 'sec-fetch-site'))).status, 303, 'an older browser names the origin only')
    for (const [method, path] of [['GET', '/sso/login'], ['POST', '/login'], ['PUT', '/sso/login']] as const) {
      assert.is((await web.send(`localhost:${port}`, path, { method, headers: right })).status, 405, path)
    }
  })
})

/** Up to the code, which nobody has fetched. */
async function withCode(web: WebZone, browser: Browser, app = 'web'): Promise<string> {
  const page = await browser.open(`http://${app}.localhost:${web.port}/`)
  const cookie = `zw_form=${browser.cookies(browser.url).get('zw_form')}`
  const { status, headers } = await web.send(`localhost:${web.port}`, '/sso/login', {
    method: 'POST', body: String(new URLSearchParams({ ...hiddenIn(page), ...web.user })),
    headers: {
      cookie, origin: `http://localhost:${web.port}`, 'content-type': 'application/x-www-form-urlencoded',
    },
  })
  assert.is(status, 303)
  return headers['location']!
}

test('a code is good once, for the browser that began, at the host of the app, for a minute', async () => {
  await inWebZone(async (web) => {
    const [one, other] = [new Browser(web), new Browser(web)]
    const unfinished = async (browser: Browser, address: string, why: string): Promise<void> => {
      const answer = await browser.open(address)
      assert.is(answer.status, 400, why)
      assert.match(String(answer.body), /This sign-in is not finished/, why)
      assert.is((answer.cookies ?? []).length, 0, why)
    }
    const first = await withCode(web, one)
    assert.match(first, /\?nonce=[A-Za-z0-9_-]{22}$/)
    await unfinished(other, first, 'another browser, that has begun nothing')
    await unfinished(one, first, 'it was used up by the other')
    const second = await withCode(web, one)
    await withCode(web, other)
    await unfinished(other, second, 'another browser, that has begun as well')
    const third = await withCode(web, one)
    const held = one.cookies(third).get('zw_sign_in')!
    one.cookies(third.replace('//web.', '//notes.')).set('zw_sign_in', held)
    await unfinished(one, third.replace('//web.', '//notes.'), 'the host of another app')
    const fourth = await withCode(web, one)
    one.cookies(fourth.replace('web.localhost', 'web.zone.local')).set('zw_sign_in', held)
    await unfinished(one, fourth.replace('web.localhost', 'web.zone.local'), 'another host of the app')
    const fifth = await withCode(web, one)
    await web.live.pause(limits.signInCodeMs - 1_000)
    assert.is((await one.open(fifth)).status, 200, 'within its time')
    await unfinished(one, fifth, 'again')
    const sixth = await withCode(web, one).catch(() => '')
    assert.is(sixth, '', 'it has a session now')
    one.jar.clear()
    const last = await withCode(web, one)
    await web.live.pause(limits.signInCodeMs + 10)
    await unfinished(one, last, 'too late')
    for (const method of ['POST', 'HEAD']) {
      assert.is((await web.send(`web.localhost:${web.port}`, '/sso_callback?nonce=x', { method })).status, 405)
    }
  })
})

test('a sign-in that nobody fetches, or the wrong browser, leaves no session', async () => {
  const ended: string[] = []
  const watched: Change = (definition) => ({
    ...definition,
    async start(start) {
      const serving = await definition.start(start) as unknown as { handlers: { krpc: unknown } }
      const { krpc } = serving.handlers
      const told = (request: { method: string }, ...more: unknown[]): unknown => {
        if (request.method === 'logout') ended.push(request.method)
        return (krpc as (...args: unknown[]) => unknown)(request, ...more)
      }
      return { ...serving, handlers: { ...serving.handlers, krpc: told } } as never
    },
  })
  await inWebZone(async (web) => {
    const browser = new Browser(web)
    const address = await withCode(web, browser)
    await new Browser(web).open(address)
    await web.live.pause(100)
    assert.is(ended.length, 1)
    await withCode(web, browser)
    await web.live.pause(limits.signInCodeMs + 100)
    assert.is(ended.length, 2)
    const kept = await withCode(web, browser)
    assert.is((await browser.open(kept)).status, 200)
    await web.live.pause(limits.signInCodeMs * 2)
    assert.is(ended.length, 2, 'one that was fetched goes on')
  }, { 'verify-hub': watched })
})

test.run()
