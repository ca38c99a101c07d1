/** The HTTP server of the running runtime, met by bare connections. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { PortInUse } from '../../runtime/errors.ts'
import { serveHttp } from '../../runtime/platform/http.ts'
import type { HttpRequest, HttpResponse, HttpServer } from '../../runtime/platform/ports.ts'
import { BODY_MAX, request, REQUEST_MS, send, sleep, statusOf, withServer as serve } from './http-fixture.ts'

const never = new Promise<never>(() => {})

const http = suite('http')

let seen: HttpRequest[] = []

const routes: Readonly<Record<string, () => Promise<HttpResponse> | HttpResponse>> = {
  '/': () => ({ status: 200, headers: { 'content-type': 'text/plain' }, body: 'hellö' }),
  '/throws': () => {
    throw new Error('A secret text')
  },
  '/injects': () => ({ status: 200, headers: { 'x-name': 'a\r\nset-cookie: b' }, body: '' }),
  '/odd': () => ({ status: 99_999, headers: {}, body: '' }),
  '/never': () => never,
  '/slow': async () => {
    await sleep(150)
    return { status: 200, headers: {}, body: 'slow' }
  },
}

const withServer = (test: (server: HttpServer) => Promise<void>): Promise<void> => {
  seen = []
  return serve((request) => {
    seen.push(request)
    return routes[request.path]!()
  }, test)
}

http(
  'a body over the limit is answered 413, whether it says its length or not, and the handler never sees it',
  async () => {
    await withServer(async ({ port }) => {
      const said = await send(port, request('POST /', 'content-length: 5000') + 'x'.repeat(500))
      const chunked = await send(
        port,
        request('POST /', 'transfer-encoding: chunked') + `7d0\r\n${'x'.repeat(2_000)}\r\n`,
      )
      assert.equal([statusOf(said), statusOf(chunked)], ['413', '413'])
      assert.ok(said.closed && chunked.closed)
      assert.is(seen.length, 0)
      const whole = await send(
        port,
        request('POST /', `content-length: ${BODY_MAX}`, 'connection: close') + 'x'.repeat(BODY_MAX),
      )
      assert.is(statusOf(whole), '200')
      assert.is(seen[0]?.body.length, BODY_MAX)
    })
  },
)

http('a request that does not come whole, and an answer that does not come, end in time', async () => {
  await withServer(async ({ port }) => {
    const [body, head, silent, answer] = await Promise.all([
      send(port, request('POST /', 'content-length: 100') + 'x'),
      send(port, 'GET / HTTP/1.1\r\nhost: a\r\n'),
      send(port, ''),
      send(port, request('GET /never')),
    ])
    assert.equal([body, head, silent, answer].map(statusOf), ['408', '408', '408', '503'])
    for (const { ms, closed } of [body, head, silent, answer]) {
      assert.ok(closed && ms >= REQUEST_MS - 20 && ms < 4 * REQUEST_MS, `${ms} ms`)
    }
  })
})

http('HEAD is answered without a body, with the length it would have', async () => {
  await withServer(async ({ port }) => {
    const [get, head] = await Promise.all(
      ['GET', 'HEAD'].map((method) => send(port, request(`${method} /?a=1&b`, 'connection: close'))),
    )
    assert.match(get!.text, /content-length: 6\r\n/)
    assert.ok(get!.text.endsWith('\r\n\r\nhellö'))
    assert.match(head!.text, /content-length: 6\r\n/)
    assert.ok(head!.text.endsWith('\r\n\r\n'))
    assert.equal(seen.map(({ path, query }) => `${path} ${query}`), ['/ a=1&b', '/ a=1&b'])
  })
})

http('a handler that throws, or answers with what cannot be sent, is answered 500 without its text', async () => {
  await withServer(async ({ port }) => {
    for (const path of ['/throws', '/injects', '/odd']) {
      const answer = await send(port, request(`GET ${path}`, 'connection: close'))
      assert.is(statusOf(answer), '500', path)
      assert.not.match(answer.text, /secret|set-cookie/)
    }
    assert.is(statusOf(await send(port, request('GET /', 'connection: close'))), '200')
  })
})

http('a client that goes away in the middle harms nobody', async () => {
  await withServer(async ({ port }) => {
    await Promise.all(
      [request('POST /', 'content-length: 100') + 'x', request('GET /slow'), 'GET'].map((text) => send(port, text, 50)),
    )
    await sleep(200)
    assert.is(statusOf(await send(port, request('GET /', 'connection: close'))), '200')
  })
})

http('close lets what runs end, cuts what does not, and waits for no idle connection', async () => {
  await withServer(async (server) => {
    const idle = send(server.port, request('GET /'))
    const [slow, stuck] = [send(server.port, request('GET /slow')), send(server.port, request('GET /never'))]
    await sleep(50)
    const began = performance.now()
    await Promise.all([server.close(300), server.close(300)])
    const ms = performance.now() - began
    assert.ok(ms >= 280 && ms < REQUEST_MS, `${ms} ms`)
    const answers = await Promise.all([idle, slow, stuck])
    assert.equal(answers.map(statusOf), ['200', '200', ''])
    assert.ok(answers[0].ms < 250 && answers[1].ms < 300, answers.map(({ ms: each }) => each).join())
    assert.match(answers[1].text, /connection: close/i)
    assert.is((await send(server.port, request('GET /'))).text, '')
  })
})

http('a port that is taken is refused by name, and a free one is found', async () => {
  await withServer(async ({ port }) => {
    const options = { hostname: '127.0.0.1', port, bodyBytesMax: 1, requestMsMax: 1_000 }
    const error = await serveHttp(options, () => never).then(() => undefined, (thrown: unknown) => thrown)
    assert.instance(error, PortInUse)
    assert.ok(port > 0)
  })
})

http.run()
