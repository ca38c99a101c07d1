/** The HTTP server and clients that mean it no good. */
import type { Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import type { HttpResponse } from '../../runtime/platform/ports.ts'
import {
  BODY_MAX, open, request, REQUEST_MS, send, type Slow, sleep, statusOf, until, withServer,
} from './http-fixture.ts'

const hostile = suite('http, hostile clients')

const ok: HttpResponse = { status: 200, headers: { 'content-type': 'text/plain' }, body: 'ok' }
const jsonOf = (text: string): { error?: string; code?: string } => JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4))
const isServing = async (port: number): Promise<void> =>
  assert.is(statusOf(await send(port, request('GET /', 'connection: close'))), '200')

hostile('what is no HTTP is answered once, as JSON, and never reaches the handler', async () => {
  let handled = 0
  const handle = () => {
    handled++
    return ok
  }
  await withServer(handle, async ({ port }) => {
    const many = Array.from({ length: 3_000 }, (_, index) => `x${index}: 1`)
    const chunked = request('POST /', 'transfer-encoding: chunked')
    const both = request('POST /', 'content-length: 3', 'transfer-encoding: chunked') + '0\r\n\r\n'
    const cases: readonly (readonly [name: string, text: string | Uint8Array, status: string, code: string])[] = [
      ['garbage', 'garbage\r\n\r\n', '400', 'InvalidArgument'],
      ['two hosts', request('GET /', 'Host: other'), '400', 'InvalidArgument'],
      ['TLS', Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3), '400', 'InvalidArgument'],
      ['giant header', request('GET /', `x: ${'a'.repeat(100_000)}`), '431', 'LimitExceeded'],
      ['many headers', request('GET /', ...many), '431', 'LimitExceeded'],
      ['giant path', request(`GET /${'a'.repeat(100_000)}`), '431', 'LimitExceeded'],
      ['two lengths', `${request('POST /', 'content-length: 3', 'content-length: 4')}abcd`, '400', 'InvalidArgument'],
      ['length and chunks', both, '400', 'InvalidArgument'],
      ['bad length', request('POST /', 'content-length: -1'), '400', 'InvalidArgument'],
      ['bad chunk', `${chunked}zz\r\nabc\r\n0\r\n\r\n`, '400', 'InvalidArgument'],
    ]
    for (const [name, text, status, code] of cases) {
      const answer = await send(port, text)
      assert.is(statusOf(answer), status, name)
      assert.is(jsonOf(answer.text).code, code, name)
      assert.ok(answer.closed, name)
      assert.is(answer.text.match(/HTTP\/1\.1/g)?.length, 1, name)
    }
    // Without a host the parser of both runtimes answers by itself
    assert.is(statusOf(await send(port, 'GET / HTTP/1.1\r\n\r\n')), '400')
    assert.is(handled, 0)
    await isServing(port)
  })
})

hostile('a head or a body that comes drop by drop ends in time, and takes no place from others', async () => {
  await withServer(() => ok, async ({ port }) => {
    const drip = async (text: string): Promise<Slow> => {
      const client = await open(port, '')
      client.socket.on('error', () => {})
      for (const letter of text) {
        if (client.socket.destroyed || client.heard !== '') break
        client.socket.write(letter)
        await sleep(40)
      }
      return client
    }
    const began = performance.now()
    const dripping = ['GET / HTTP/1.1\r\nhost: a', `${request('POST /', 'content-length: 50')}${'x'.repeat(50)}`]
      .flatMap((text) => Array.from({ length: 20 }, () => drip(text)))
    await isServing(port)
    for (const client of await Promise.all(dripping)) {
      await client.closed
      assert.is(statusOf({ text: client.heard }), '408')
    }
    assert.ok(performance.now() - began < 6 * REQUEST_MS)
  })
})

hostile('requests in a row are answered in order, and too many on one connection are refused', async () => {
  const handle = async ({ path }: { path: string }): Promise<HttpResponse> => {
    await sleep(path === '/0' ? 100 : 1)
    return { ...ok, body: `<${path}>` }
  }
  await withServer(handle, async ({ port }) => {
    const row = (count: number): string =>
      Array.from({ length: count }, (_, index) => request(`GET /${index}`)).join('')
    const few = await send(port, row(limits.httpPipelined), 500)
    const inOrder = Array.from({ length: limits.httpPipelined }, (_, index) => `</${index}>`)
    assert.is(few.text.match(/<\/\d+>/g)?.join(), inOrder.join())
    const many = await send(port, row(400), 2_000)
    assert.ok(many.closed)
    assert.match(many.text, /503 /)
    const answered = many.text.match(/<\/\d+>/g)?.length ?? 0
    assert.ok(answered > 0 && answered <= limits.httpPipelined, `${answered} were answered`)
    await isServing(port)
  })
})

hostile('a malformed request behind one that runs does not become its answer', async () => {
  const handle = async (): Promise<HttpResponse> => {
    await sleep(100)
    return ok
  }
  await withServer(handle, async ({ port }) => {
    const { text, closed } = await send(port, `${request('GET /')}xxx\r\n\r\n`)
    assert.ok(closed)
    assert.not.match(text, /400/)
    await isServing(port)
  })
})

hostile('a body that is too large is refused with an answer that its sender gets', async () => {
  await withServer(() => ok, async ({ port }) => {
    for (const size of [BODY_MAX + 1, 2_000_000]) {
      const { text, closed } = await send(port, request('POST /', `content-length: ${size}`) + 'x'.repeat(size))
      assert.is(statusOf({ text }), '413', String(size))
      assert.is(jsonOf(text).code, 'LimitExceeded')
      assert.ok(closed)
    }
    // One that reads only when it has sent all: what had come for it would be gone with a connection that was cut
    const client = await open(port, request('POST /', 'content-length: 500000'), false)
    client.socket.pause()
    for (let part = 0; part < 10; part++) {
      client.socket.write('x'.repeat(50_000))
      await sleep(10)
    }
    client.socket.on('data', (chunk: Uint8Array) => void (client.heard += new TextDecoder().decode(chunk)))
    client.socket.resume()
    await client.closed
    assert.is(statusOf({ text: client.heard }), '413')
    await isServing(port)
  })
})

hostile('a refusal that leaves nothing unread keeps the connection', async () => {
  const handle = ({ path }: { path: string }): HttpResponse => (path === '/no' ? { ...ok, status: 404 } : ok)
  await withServer(handle, async ({ port }) => {
    const no = request('POST /no', 'content-length: 3')
    const { text } = await send(port, `${no}abc${request('GET /', 'connection: close')}`)
    assert.equal(text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 404', 'HTTP/1.1 200'])
  })
})

hostile('bodies that come at the same time share what may be held of them', async () => {
  const bodyBytesMax = 4 * 1024 * 1024
  const clients: Slow[] = []
  await withServer(() => ok, async ({ port }) => {
    const held = limits.httpBodiesBytes / bodyBytesMax
    const part = 'x'.repeat(bodyBytesMax - 1)
    for (let index = 0; index < held + 3; index++) {
      clients.push(await open(port, `${request('POST /', `content-length: ${bodyBytesMax}`)}${part}`))
    }
    assert.ok(await until(() => clients.some(({ heard }) => heard.startsWith('HTTP/1.1 503')), 8_000))
    assert.match(clients.map(({ heard }) => heard).join(), /Overloaded/)
    for (const { socket } of clients) socket.destroy()
    await sleep(200)
    await isServing(port)
    const { text } = await send(port, `${request('POST /', 'connection: close', 'content-length: 2')}ab`)
    assert.is(statusOf({ text }), '200', 'what went away is not counted any more')
  }, { bodyBytesMax, requestMsMax: 20_000 })
})

hostile('an answer that nobody reads is cut', async () => {
  const body = new Uint8Array(32 * 1024 * 1024)
  await withServer(() => ({ ...ok, body }), async ({ port }) => {
    const began = performance.now()
    const client = await open(port, request('GET /'), false)
    client.socket.pause()
    await sleep(REQUEST_MS + 400)
    client.socket.resume()
    await client.closed
    assert.ok(performance.now() - began < 4 * REQUEST_MS)
  })
})

hostile('of 2,000 connections those over the limit are closed, and places come free', async () => {
  await withServer(() => ok, async ({ port }) => {
    const sockets: Socket[] = []
    let [closed, answered] = [0, 0]
    const connectOne = async (): Promise<void> => {
      const client = await open(port, request('GET /')).catch(() => undefined)
      if (!client) return void closed++
      client.socket.on('error', () => {})
      client.socket.once('data', () => answered++)
      client.socket.on('close', () => closed++)
      sockets.push(client.socket)
    }
    for (let batch = 0; batch < 20; batch++) await Promise.all(Array.from({ length: 100 }, connectOne))
    assert.ok(await until(() => answered + closed >= 2_000, 10_000), `${answered} answered, ${closed} closed`)
    assert.is(answered, limits.httpConnections)
    assert.is(closed, 2_000 - limits.httpConnections)
    for (const socket of sockets) socket.destroy()
    await sleep(100)
    await isServing(port)
  }, { requestMsMax: 20_000 })
})

hostile('clients that go away at any moment harm nobody', async () => {
  const handle = async ({ path }: { path: string }): Promise<HttpResponse> => {
    await sleep(path === '/slow' ? 30 : 0)
    return ok
  }
  await withServer(handle, async ({ port }) => {
    const texts = [
      'G', 'GET / HT', request('GET /'), request('GET /slow'), `${request('POST /', 'content-length: 100')}x`,
      `${request('POST /', 'transfer-encoding: chunked')}5\r\nab`,
    ]
    await Promise.all(texts.flatMap((text) => [0, 1, 5, 20].map((ms) => send(port, text, ms))))
    await isServing(port)
  })
})

hostile.run()
