/** What the gateway lets through to an app and what it tells the app, at a zone in virtual time. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../actors/records.ts'
import { limits } from '../runtime/limits.ts'
import type { HttpResponse } from '../runtime/platform/ports.ts'
import { Browser, claimsOf, cookieOf, inWebZone, signedIn, textOf, WEB_PORT } from './web-fixture.ts'

const test = suite('apps behind the gateway')

const page = (body: string, headers: HttpResponse['headers'] = {}): HttpResponse =>
  ({ status: 200, headers: { 'content-type': 'text/plain', ...headers }, body })

test('a host name is one of ours or nobody\'s, and kRPC is answered under every one', async () => {
  await inWebZone(async (web) => {
    const { port, asked, live } = web
    await web.install('kernel', { kernel: true })
    await web.install('own', { http: { port } })
    await web.install('quiet', { http: undefined } as object)
    await live.set(kv.spec('alias'), { ...JSON.parse((await live.read(kv.spec('web')))!), name: 'alias' })
    const cases: readonly (readonly [host: string | undefined, path: string, status: number])[] = [
      [`localhost:${port}`, '/', 200], [`127.0.0.1:${port}`, '/', 200], [`[::1]:${port}`, '/', 200],
      ['zone.local', '/', 200], ['ZONE.local', '/', 200], [undefined, '/', 200], [undefined, '/login', 421],
      ['evil.example', '/', 421], ['evil.example', '/login', 421], ['evil.example', '/livez', 200],
      ['evil.example', '/else', 404], ['zone.local.', '/', 421], ['xzone.local', '/', 421], ['', '/', 421],
      ['a.b.localhost', '/', 421], ['.localhost', '/', 421], ['-web.localhost', '/', 421],
      ['web.evil.example', '/', 421],
      ['constructor.localhost', '/', 421], ['web.localhost:0', '/', 421], ['web.localhost:x', '/', 421],
      ['web.localhost:1:2', '/', 421], ['user@web.localhost', '/', 421], ['web.localhost/..', '/', 421],
      ['nobody.localhost', '/', 404], ['gateway.localhost', '/', 404], ['service.localhost', '/', 404],
      ['kernel.localhost', '/', 404], ['own.localhost', '/', 404], ['quiet.localhost', '/', 404],
      ['alias.localhost', '/', 404], ['web.localhost', '/sso_other', 404], ['web.localhost', '/', 302],
      ['Web.LOCALHOST', '/', 302], ['web.zone.local', '/', 302], ['web.localhost', '/healthz', 302],
    ]
    for (const [host, path, status] of cases) assert.is((await web.send(host, path)).status, status, `${host} ${path}`)
    for (const host of ['localhost', 'web.localhost', 'nobody.localhost', 'evil.example', undefined]) {
      const rpc = { method: 'POST', body: '{"method":"m","sys":[3]}', headers: { 'content-type': 'application/json' } }
      const answer = await web.send(host, '/kapi/system_config', rpc)
      assert.match(await textOf(answer), /Unknown method: m/, String(host))
    }
    assert.is(asked.length, 0)
  })
})

test('a request that is none for a service is not handed on', async () => {
  await inWebZone(async (web) => {
    await web.install('open', { http: { port: WEB_PORT, public: true } })
    const status = async (changes: object, path = '/'): Promise<number> =>
      (await web.send('open.localhost', path, changes)).status
    const at = (path: string) => web.live.world.http(web.live.zone.config.host, web.port, {
      method: 'GET', path, query: '', headers: { host: 'open.localhost' }, body: new Uint8Array(), remoteAddress: '::1',
    })
    for (const method of ['TRACE', 'CONNECT', 'PROPFIND', 'get']) assert.is(await status({ method }), 405, method)
    assert.is(await status({ headers: { upgrade: 'websocket', connection: 'upgrade' } }), 501)
    const query = await web.live.world.http(web.live.zone.config.host, web.port, {
      method: 'GET', path: '/', query: 'a b', headers: { host: 'open.localhost' }, body: new Uint8Array(),
      remoteAddress: '::1',
    })
    assert.is(query.status, 400)
    for (const path of ['', '*', 'a', 'http://evil.example/', '/a b', '/a\u0000', '/\u00e9']) {
      assert.is((await at(path)).status, 400, JSON.stringify(path))
    }
    assert.is(web.asked.length, 0)
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      assert.is(await status({ method }), 200, method)
    }
  })
})

test('an app that is public is open to all, without a token; one that runs elsewhere answers nobody here', async () => {
  await inWebZone(async (web) => {
    const { asked, port } = web
    await web.install('open', { http: { port: WEB_PORT, public: true } })
    await web.install('away', { replicas: 0 })
    const { zw_session: session } = await cookieOf(web, 'notes')
    const headers = { cookie: `a=b; zw_session=${session}`, authorization: 'Basic eDp5', origin: 'http://evil.example' }
    assert.is((await web.send(`open.localhost:${port}`, '/x', { method: 'POST', headers, body: 'hello' })).status, 200)
    const { headers: got, body } = asked.at(-1)!
    assert.is(`${got['authorization']} ${got['cookie']} ${new TextDecoder().decode(body)}`, 'Basic eDp5 a=b hello')
    const count = asked.length
    await web.live.set(kv.spec('open'), {
      ...JSON.parse((await web.live.read(kv.spec('open')))!), http: { port: WEB_PORT, public: true }, state: 'stopped',
    })
    await web.live.pause(2_000)
    assert.is((await web.send('open.localhost', '/')).status, 503)
    const browser = new Browser(web)
    const signIn = await browser.open(`http://away.localhost:${port}/`)
    const nowhere = await browser.signIn(signIn)
    assert.equal([nowhere.status, await textOf(nowhere)], [503, 'away runs on no host now\n'])
    assert.is(asked.length, count)
  })
})

test('a request for an app that another host runs is answered 503, and goes to nobody who listens here', async () => {
  await inWebZone(async (web) => {
    const { live, asked } = web
    await live.pause(5_000)
    await live.setPath(kv.node('ood1'), '/state', 'draining')
    await web.install('open', { http: { port: WEB_PORT, public: true } })
    await live.pause(5_000)
    assert.is(await live.read(kv.info('open')), `{"name":"open","hosts":["node1"],"port":${WEB_PORT}}`)
    const answer = await web.send('open.localhost', '/')
    assert.is(`${answer.status} ${await textOf(answer)}`,
      '503 open runs on another host, which is not reached from here\n')
    assert.is(asked.length, 0)
  }, {}, { nodes: 1 })
})

test('a service is told who came and how by us alone, and gets nothing that belongs to the connection', async () => {
  await inWebZone(async (web) => {
    const { asked, port } = web
    const { zw_session: session, zw_refresh: refresh } = await cookieOf(web)
    const cookie = `zw_session=${session}; zw_refresh=${refresh}; __Host-zw_x=1; __host-ZW_y=2; theirs=1`
    await web.send(`web.localhost:${port}`, '/?q', {
      method: 'PUT', body: Uint8Array.of(0, 255, 1), headers: {
        cookie, origin: `http://web.localhost:${port}`, authorization: 'Bearer mine', 'content-type': 'text/x',
        connection: 'close, x-hop', 'x-hop': '1', 'keep-alive': '1', te: 'trailers', trailer: 'x',
        expect: '100-continue', 'transfer-encoding': 'chunked',
        'proxy-authorization': 'x', 'proxy-connection': 'x', 'http2-settings': 'x',
        'x-forwarded-for': '1.2.3.4', 'x-forwarded-host': 'evil', 'x-forwarded-proto': 'ftp',
        'x-forwarded-user': 'root', 'x-forwarded': 'x', forwarded: 'x', via: 'x',
        'x-real-ip': 'x', 'x-kept': 'yes', 'content-length': '3',
      },
    })
    const { headers: { authorization, ...got }, body, method, query } = asked.at(-1)!
    assert.is(`${method} ${query} ${[...body].join()}`, 'PUT q 0,255,1')
    assert.is(JSON.stringify(Object.entries(got).sort()), JSON.stringify(Object.entries({
      'content-type': 'text/x', cookie: 'theirs=1', host: `web.localhost:${port}`,
      origin: `http://web.localhost:${port}`, 'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': `web.localhost:${port}`, 'x-forwarded-proto': 'http', 'x-kept': 'yes',
    }).sort()))
    assert.is(claimsOf(authorization!.slice(7)).aud.join(), 'web')
  })
})

test('a service sets cookies of its own host and none of ours', async () => {
  await inWebZone(async (web) => {
    const browser = await signedIn(web)
    web.answer = () => ({
      ...page('x', { connection: 'x-hop', 'x-hop': '1', 'keep-alive': '1', 'x-kept': 'yes', location: '/else' }),
      cookies: [
        'a=1; Path=/; Domain=localhost; HttpOnly', 'b=2;domain=.zone.local', 'zw_session=evil',
        ' zw_refresh=evil; Path=/', '__Host-zw_session=evil; Secure; Path=/', '__HOST-ZW_form=evil',
        'c=3', 'd=domain=x; Domain',
      ],
    })
    const { headers, cookies } = await browser.fetch('GET', '/')
    assert.is(cookies!.join(' | '), 'a=1; Path=/; HttpOnly | b=2 | c=3 | d=domain=x')
    assert.is(JSON.stringify(headers), '{"content-type":"text/plain","x-kept":"yes","location":"/else"}')
  })
})

test('an answer comes as it is, in pieces, without a body where there is none, and ends when it is left', async () => {
  await inWebZone(async (web) => {
    await web.install('open', { http: { port: WEB_PORT, public: true } })
    const send = (changes: object = {}) => web.send('open.localhost', '/', changes)
    let left = false
    const pieces = async function* (): AsyncGenerator<string | Uint8Array> {
      try {
        for (let count = 0; ; count++) yield count % 2 === 0 ? 'ab' : Uint8Array.of(0, 255)
      } finally {
        left = true
      }
    }
    web.answer = () => ({ status: 201, headers: {}, body: pieces() })
    const endless = await send()
    assert.is(endless.status, 201)
    const reading = (endless.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
    assert.is([...(await reading.next()).value].join(), '97,98')
    assert.is([...(await reading.next()).value].join(), '0,255')
    await reading.return!()
    await web.live.pause(100)
    assert.ok(left)
    for (const status of [204, 304]) {
      web.answer = () => ({ status, headers: { etag: '"1"' }, body: '' })
      const { headers, ...answer } = await send()
      assert.is(`${answer.status} ${headers['etag']} ${JSON.stringify(answer.body)}`, `${status} "1" ""`)
    }
    web.answer = () => page('long')
    assert.is(await textOf(await send({ method: 'HEAD' })), '')
    for (const status of [101, 199, 600, 700]) {
      web.answer = () => ({ status, headers: {}, body: '' })
      assert.is((await send()).status, 502, String(status))
    }
  })
})

test('a service that is down, slow or silent is told as that, and holds nobody for ever', async () => {
  await inWebZone(async (web) => {
    const { live } = web
    await web.install('open', { http: { port: WEB_PORT, public: true } })
    const send = (path = '/') => web.send('open.localhost', path)
    const never = new Promise<never>(() => {})
    web.answer = () => never
    const began = live.world.clock.monotonic()
    assert.is((await send()).status, 504)
    assert.ok(Math.abs(live.world.clock.monotonic() - began - limits.forwardMs) < 100)
    web.answer = () => ({
      status: 200, headers: {}, body: (async function* () {
        yield 'first'
        await never
      })(),
    })
    const silent = await send()
    const from = live.world.clock.monotonic()
    const cut = await textOf(silent).then(() => 'whole', () => 'cut')
    assert.is(cut, 'cut')
    assert.ok(Math.abs(live.world.clock.monotonic() - from - limits.forwardSilenceMs) < 100)
    await web.server.close(0)
    assert.is((await send()).status, 502)
    assert.match(live.logs.map(({ message }) => message).join('\n'), /open does not answer at port 18000/)
  })
})

test('as many requests as the limit are handed on at once, and one more is refused until there is place', async () => {
  await inWebZone(async (web) => {
    await web.install('open', { http: { port: WEB_PORT, public: true } })
    let finish = (): void => {}
    const finished = new Promise<void>((resolve) => { finish = resolve })
    web.answer = async () => {
      await finished
      return page('x')
    }
    const send = () => web.send('open.localhost', '/')
    const all = Array.from({ length: limits.forwards }, send)
    await web.live.pause(2_000)
    assert.is(web.asked.length, limits.forwards)
    const more = await send()
    assert.is(`${more.status} ${more.headers['retry-after']}`, '503 1')
    finish()
    const answers = await Promise.all(all)
    assert.ok(answers.every(({ status }) => status === 200))
    // Also heads, errors and answers that nobody reads give their place back
    web.answer = () => page('x')
    for (const answer of answers) await textOf(answer)
    for (let count = 0; count < limits.forwards; count++) {
      const head = web.send('open.localhost', '/', { method: 'HEAD' })
      if (count % 64 === 63) await head
    }
    await web.live.pause(1_000)
    assert.is((await send()).status, 200)
  })
})

test.run()
