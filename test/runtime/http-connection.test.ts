/** Several requests by one connection over TLS: it is judged once, and ends for good. */
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  Cancelled, DeadlineExceeded, LimitExceeded, TlsNotTrusted, Unavailable, type ErrorClass,
} from '../../runtime/errors.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { HttpAnswer, HttpAsk, HttpConnection, HttpRequest, HttpServer } from '../../runtime/platform/ports.ts'
import type { TlsCall } from '../../runtime/platform/tls-ports.ts'
import { tlsPairs } from './tls-pairs.ts'

const { transport } = await openPlatform()
const { root, foreignRoot, server: pair, client } = tlsPairs()

const opened: (() => Promise<void> | void)[] = []
test.after.each(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})
type Handle = (request: HttpRequest) => Promise<string>
async function serve(handle: Handle): Promise<HttpServer> {
  const served = await transport.serveHttp({
    hostname: '127.0.0.1', port: 0, bodyBytesMax: 100_000, requestMsMax: 5_000,
    tls: { ...pair, least: 'TLSv1.3', clientRoots: [root], alpn: ['a/1'] },
  }, async (request) => ({ status: 200, headers: {}, body: await handle(request) }))
  opened.push(() => served.close(0))
  return served
}
async function connected(port: number, more: Partial<TlsCall> = {}): Promise<HttpConnection> {
  const connection = await transport.connectHttp({ hostname: '127.0.0.1', port, withinMs: 3_000 }, {
    roots: [root], alpn: 'a/1', ...more,
  })
  opened.push(() => connection.close())
  return connection
}
const asked = (path: string, more: Partial<HttpAsk> = {}): HttpAsk =>
  ({ method: 'POST', path, headers: {}, body: 'hello', withinMs: 3_000, ...more })
async function textOf({ body }: HttpAnswer): Promise<string> {
  let text = ''
  for await (const piece of body) text += new TextDecoder().decode(piece)
  return text
}
async function fails(Class: ErrorClass, work: Promise<unknown>): Promise<Error> {
  const error: unknown = await work.then(() => undefined, (thrown: unknown) => thrown)
  assert.instance(error, Class, `expected ${Class.name}: ${String(error)}`)
  return error as Error
}
/** Fails by itself where nothing ends it. */
const soon = <T>(work: Promise<T>): Promise<T> => Promise.race([work, new Promise<T>((_, reject) => {
  setTimeout(() => reject(new Error('It has no end')), 1_500)
})])
/** Bare, so that what reaches it is counted by somebody else's code. */
async function bare(
  answer: (path: string, count: number) => string | undefined,
): Promise<{ port: number; seen: string[] }> {
  const seen: string[] = []
  let connections = 0
  const certified = { cert: pair.certificate, key: pair.key, ALPNProtocols: ['a/1'] }
  const server: Server = createServer(certified, (request, response) => {
    seen.push(`${connections} ${request.method} ${request.url}`)
    request.resume()
    const text = answer(request.url ?? '', seen.length)
    if (text === undefined) request.socket.destroy()
    else response.end(text)
  })
  server.on('secureConnection', () => void connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  opened.push(() => new Promise<void>((resolve) => {
    server.closeAllConnections()
    server.close(() => resolve())
  }))
  return { port: (server.address() as AddressInfo).port, seen }
}

test('requests one after another go by one connection, whose server was judged once', async () => {
  const { port, seen } = await bare((path) => `answer to ${path}`)
  let judged = 0
  const connection = await connected(port, { check: () => void judged++ })
  for (const path of ['/one', '/two', '/three']) {
    assert.is(await textOf(await connection.request(asked(path))), `answer to ${path}`)
  }
  assert.equal(seen, ['1 POST /one', '1 POST /two', '1 POST /three'])
  assert.is(judged, 1)
})

test('each request shows what the connection has shown, and has a body and an answer of its own', async () => {
  const { port } = await serve(async ({ tls, path, body }) =>
    `${path} ${tls?.alpn} ${body.length} ${!!tls?.certificate}`)
  const connection = await connected(port, { client })
  assert.is(await textOf(await connection.request(asked('/one', { body: 'x'.repeat(50_000) }))), '/one a/1 50000 true')
  assert.is(await textOf(await connection.request(asked('/two', { method: 'GET', body: '' }))), '/two a/1 0 true')
})

test('who is not trusted is asked nothing', async () => {
  const { port, seen } = await bare(() => 'never')
  await fails(TlsNotTrusted, connected(port, { roots: [foreignRoot] }))
  await fails(Unavailable, connected(port, { check: () => { throw new Unavailable('Another one') } }))
  assert.equal(seen, [])
})

test('a connection that the server has ended is made anew by nobody', async () => {
  const { port, seen } = await bare((_, count) => (count === 2 ? undefined : 'whole'))
  const connection = await connected(port)
  assert.is(await textOf(await connection.request(asked('/one'))), 'whole')
  await fails(Unavailable, connection.request(asked('/two')))
  assert.match((await fails(Unavailable, connection.request(asked('/three')))).message, /has ended/)
  assert.equal(seen, ['1 POST /one', '1 POST /two'])
})

test('what is asked ends by its time, its signal or the close of the connection', async () => {
  let release = (): void => {}
  const { port } = await serve(async ({ path }) => {
    if (path === '/late') await new Promise<void>((resolve) => { release = resolve })
    return 'x'.repeat(2_000)
  })
  await fails(DeadlineExceeded, (await connected(port)).request(asked('/late', { withinMs: 100 })))
  release()
  const ending = new AbortController()
  const cancelled = (await connected(port)).request(asked('/late', { signal: ending.signal }))
  ending.abort()
  await fails(Cancelled, cancelled)
  release()
  const connection = await connected(port)
  const cut = connection.request(asked('/late'))
  await new Promise((resolve) => setTimeout(resolve, 50))
  connection.close()
  await fails(Unavailable, cut)
  await fails(Unavailable, connection.request(asked('/again')))
  release()
  await fails(LimitExceeded, textOf(await (await connected(port)).request(asked('/long', { bytesMax: 1_000 }))))
})

test('what waits behind an answer that nobody reads ends by its time and its signal all the same', async () => {
  const { port, seen } = await bare(() => 'x'.repeat(500_000))
  const connection = await connected(port)
  await connection.request(asked('/unread'))
  await fails(DeadlineExceeded, soon(connection.request(asked('/next', { withinMs: 100 }))))
  const ending = new AbortController()
  const cancelled = connection.request(asked('/last', { signal: ending.signal }))
  ending.abort()
  await fails(Cancelled, soon(cancelled))
  assert.equal(seen, ['1 POST /unread'])
})

test.run()
