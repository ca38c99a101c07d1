/** Streams of the HTTP server, and the requests that programs make, over real connections. */
import { createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  Cancelled, DeadlineExceeded, InvalidArgument, LimitExceeded, Unavailable, ZonewrightError,
} from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { httpRequest } from '../../runtime/platform/http-client.ts'
import type { HttpAnswer, HttpCall, HttpResponse } from '../../runtime/platform/ports.ts'
import { open, request, REQUEST_MS, send, sleep, until, withServer } from './http-fixture.ts'

const streams = suite('http streams')

/** As many pieces as are asked for, each after a while; tells what happened to it. */
class Source implements AsyncIterableIterator<string> {
  asked = 0
  left = 0
  readonly #piece: (index: number) => Promise<string | undefined> | string | undefined
  constructor(piece: (index: number) => Promise<string | undefined> | string | undefined) {
    this.#piece = piece
  }
  [Symbol.asyncIterator](): this {
    return this
  }
  async next(): Promise<IteratorResult<string>> {
    const value = await this.#piece(this.asked++)
    return value === undefined ? { done: true, value } : { done: false, value }
  }
  async return(): Promise<IteratorResult<string>> {
    this.left++
    return { done: true, value: undefined }
  }
}

const answer = (body: HttpResponse['body']): HttpResponse =>
  ({ status: 200, headers: { 'content-type': 'application/x-ndjson' }, body })

streams('pieces are sent as they come, for longer than a request may take, and the connection lives on', async () => {
  const source = new Source(async (index) => {
    if (index > 0) await sleep(REQUEST_MS / 2)
    return index === 4 ? undefined : `${index}\n`
  })
  await withServer(({ path }) => answer(path === '/' ? source : 'after'), async ({ port }) => {
    const { socket, heard } = await open(port, request('GET /'))
    assert.is(heard, '')
    let text = ''
    socket.on('data', (chunk: Uint8Array) => void (text += new TextDecoder().decode(chunk)))
    assert.ok(await until(() => text.includes('0\n')), 'the first piece waits for nothing')
    assert.not.match(text, /1\n\r\n/)
    assert.ok(await until(() => text.endsWith('0\r\n\r\n'), 5_000), text)
    assert.equal(text.match(/^\d\n/gm), ['0\n', '1\n', '2\n', '3\n'])
    assert.is(source.left, 0)
    socket.write(request('GET /again'))
    assert.ok(await until(() => text.endsWith('after')), 'the next request of the connection is answered')
    socket.destroy()
  })
})

streams('a stream is left when its client goes, however long it says nothing', async () => {
  const source = new Source((index) => (index === 0 ? 'one\n' : new Promise<undefined>(() => {})))
  await withServer(() => answer(source), async ({ port }) => {
    const client = await open(port, request('GET /'))
    assert.ok(await until(() => client.heard.includes('one')))
    client.socket.destroy()
    assert.ok(await until(() => source.left === 1))
    assert.is(source.asked, 2)
  })
})

streams('a client that never reads holds no more than its buffers, and is cut when it takes nothing', async () => {
  const piece = 'x'.repeat(64 * 1024)
  const source = new Source(() => piece)
  await withServer(() => answer(source), async ({ port }) => {
    const began = performance.now()
    const client = await open(port, request('GET /'), false)
    client.socket.pause()
    assert.ok(await until(() => source.left === 1), 'it is left')
    const ms = performance.now() - began
    assert.ok(ms >= REQUEST_MS - 50, `${ms} ms`)
    // What the kernel holds for a connection on this machine is some megabytes
    assert.ok(source.asked < 400, `${source.asked} pieces`)
    client.socket.destroy()
  })
})

streams('a client that reads slowly gets all of it', async () => {
  const piece = 'y'.repeat(256 * 1024)
  const source = new Source((index) => (index === 64 ? undefined : piece))
  await withServer(() => answer(source), async ({ port }) => {
    const client = await open(port, request('GET /', 'connection: close'), false)
    let length = 0
    client.socket.on('data', (chunk: Uint8Array) => {
      length += chunk.length
      client.socket.pause()
      setTimeout(() => client.socket.resume(), 1)
    })
    await client.closed
    assert.ok(length > 64 * piece.length, `${length} bytes`)
    assert.is(source.left, 0)
  })
})

streams('what a stream throws cuts the connection, without its text', async () => {
  const source = new Source(async (index) => {
    if (index === 0) return 'one\n'
    await sleep(50)
    throw new Error('A secret text')
  })
  await withServer(() => answer(source), async ({ port }) => {
    const { text, closed } = await send(port, request('GET /'))
    assert.ok(closed)
    assert.match(text, /one\n/)
    assert.not.match(text, /secret|\r\n0\r\n\r\n/)
  })
})

streams('HEAD gets no piece of a stream, and the stream is left', async () => {
  const source = new Source(() => 'one\n')
  await withServer(() => answer(source), async ({ port }) => {
    const { text } = await send(port, request('HEAD /', 'connection: close'))
    assert.match(text, /^HTTP\/1\.1 200/)
    assert.not.match(text, /one/)
    assert.equal([source.left, source.asked], [1, 0])
  })
})

streams('a server that closes gives streams the time of a request, then leaves and cuts them', async () => {
  const source = new Source((index) => (index === 0 ? 'one\n' : new Promise<undefined>(() => {})))
  await withServer(() => answer(source), async (server) => {
    const client = await open(server.port, request('GET /'))
    assert.ok(await until(() => client.heard.includes('one')))
    const began = performance.now()
    await server.close(200)
    const ms = performance.now() - began
    assert.ok(ms >= 180 && ms < 2_000, `${ms} ms`)
    assert.ok(await until(() => source.left === 1))
    await client.closed
    assert.not.match(client.heard, /\r\n0\r\n\r\n/)
  })
})

const requests = suite('http requests of a program')

const call = (port: number, changes: Partial<HttpCall> = {}): HttpCall => ({
  hostname: '127.0.0.1', port, method: 'GET', path: '/', headers: {}, body: '', withinMs: 1_000, ...changes,
})

async function textOf({ body }: HttpAnswer): Promise<string> {
  let text = ''
  for await (const chunk of body) text += new TextDecoder().decode(chunk)
  return text
}

async function errorOf(work: () => Promise<unknown>): Promise<ZonewrightError> {
  try {
    await work()
  } catch (error) {
    if (error instanceof ZonewrightError) return error
    throw error
  }
  throw new Error('Nothing was thrown')
}

/** Says this to whoever connects, whatever they ask. */
async function withTalker(say: (socket: Socket) => void, test: (port: number) => Promise<void>): Promise<void> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => say(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await test((server.address() as AddressInfo).port)
  } finally {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
}

requests('method, path, headers and body arrive, and so does the answer', async () => {
  await withServer(({ method, path, query, headers, body }) => ({
    status: 404, headers: { 'x-said': headers['x-say'] ?? '' },
    body: `${method} ${path} ${query} ${new TextDecoder().decode(body)}`,
  }), async ({ port }) => {
    const sent = { method: 'POST', path: '/a?b=1', headers: { 'x-say': 'hi' }, body: 'ö' }
    const { status, headers, ...rest } = await httpRequest(call(port, sent))
    assert.equal([status, headers['x-said']], [404, 'hi'])
    assert.is(await textOf({ status, headers, ...rest }), 'POST /a b=1 ö')
  })
})

requests('cookies stay lines of their own, and bytes stay bytes, both ways', async () => {
  const bytes = Uint8Array.of(0, 255, 13, 10)
  await withServer(({ body }) => ({
    status: 200, headers: {}, cookies: ['a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT', 'b=2'],
    body: (async function* () {
      yield 'é'
      yield body
    })(),
  }), async ({ port }) => {
    const { cookies, headers, body } = await httpRequest(call(port, { method: 'POST', body: bytes }))
    assert.equal(cookies, ['a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT', 'b=2'])
    assert.is(headers['set-cookie'], undefined)
    const all: number[] = []
    for await (const chunk of body) all.push(...chunk)
    assert.equal(all, [0xc3, 0xa9, ...bytes])
  })
  await withServer(() => ({ status: 200, headers: {}, cookies: ['a=1\r\nb: c'], body: '' }), async ({ port }) => {
    const { status, cookies } = await httpRequest(call(port))
    assert.equal([status, cookies], [500, []])
  })
})

requests('what cannot be sent, has nobody to answer or is not answered in time says which', async () => {
  for (const wrong of [{ headers: { a: 'b\r\nc: d' } }, { path: '/a b' }]) {
    assert.instance(await errorOf(() => httpRequest(call(1, wrong))), InvalidArgument)
  }
  const refused = await errorOf(() => httpRequest(call(1)))
  assert.instance(refused, Unavailable)
  assert.match(refused.message, /ECONNREFUSED/)
  await withTalker(() => {}, async (port) => {
    assert.instance(await errorOf(() => httpRequest(call(port, { withinMs: 100 }))), DeadlineExceeded)
  })
})

requests('a head without end, and one that is no HTTP, are refused', async () => {
  for (const head of [`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`, 'SSH-2.0-OpenSSH\r\n']) {
    await withTalker((socket) => socket.write(head), async (port) => {
      assert.instance(await errorOf(() => httpRequest(call(port, { withinMs: 2_000 }))), Unavailable)
    })
  }
})

requests('a body that was cut is never taken for the whole', async () => {
  const heads = ['content-length: 10', 'transfer-encoding: chunked']
  for (const [index, header] of heads.entries()) {
    const part = index === 0 ? 'abc' : '3\r\nabc\r\n'
    await withTalker((socket) => socket.end(`HTTP/1.1 200 OK\r\n${header}\r\n\r\n${part}`), async (port) => {
      const got = await httpRequest(call(port))
      assert.instance(await errorOf(() => textOf(got)), Unavailable, header)
    })
  }
})

requests('a body is bounded, save lines and what is not kept; leaving it ends the connection', async () => {
  const piece = 'x'.repeat(1024 * 1024)
  for (const [type, more] of [
    ['application/json', {}], ['application/x-ndjson', {}], ['text/plain', { bytesMax: Infinity }],
  ] as const) {
    const source = new Source(() => piece)
    await withServer(() => ({ status: 200, headers: { 'content-type': type }, body: source }), async ({ port }) => {
      const { body } = await httpRequest(call(port, more))
      let length = 0
      const read = async (): Promise<void> => {
        for await (const chunk of body) {
          length += chunk.length
          if (length > limits.httpAnswerBytes + piece.length) break
        }
      }
      if (type === 'application/json') assert.instance(await errorOf(read), LimitExceeded)
      else await read()
      assert.ok(await until(() => source.left === 1), type)
    })
  }
})

requests('a signal ends a request before its answer and in the midst of it; nobody has to read a body', async () => {
  const source = new Source(async (index) => {
    await sleep(5)
    return `${index}\n`
  })
  const never = new Promise<never>(() => {})
  await withServer(({ path }) => (path === '/never' ? never : answer(source)), async ({ port }) => {
    const [before, waiting, reading] = [new AbortController(), new AbortController(), new AbortController()]
    before.abort()
    assert.instance(await errorOf(() => httpRequest(call(port, { signal: before.signal }))), Cancelled)
    setTimeout(() => waiting.abort(), 50)
    assert.instance(await errorOf(() => httpRequest(call(port, { path: '/never', signal: waiting.signal }))), Cancelled)
    const { body } = await httpRequest(call(port, { signal: reading.signal }))
    assert.instance(await errorOf(async () => {
      let chunks = 0
      for await (const _ of body) if (++chunks === 3) reading.abort()
    }), Cancelled)
    assert.ok(await until(() => source.left === 1))
    await httpRequest(call(port, { withinMs: 100 }))
    assert.ok(await until(() => source.left === 2), 'an answer that nobody reads is cut')
  })
})

streams.run()
requests.run()
