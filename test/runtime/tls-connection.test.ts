/** Connections by TLS that speak no HTTP, beside those that do, on one port. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { DeadlineExceeded, TlsNotTrusted, Unavailable } from '../../runtime/errors.ts'
import type { HttpServer } from '../../runtime/platform/ports.ts'
import { httpRequest } from '../../runtime/platform/http-client.ts'
import { serveHttp } from '../../runtime/platform/http.ts'
import { openTls } from '../../runtime/platform/tls-connection.ts'
import type { TlsConnection } from '../../runtime/platform/tls-ports.ts'
import { tlsPairs } from './tls-pairs.ts'

const { root, foreignRoot, server: pair, client, stranger } = tlsPairs()
const HERE = '127.0.0.1'
const accepted: TlsConnection[] = []
let served: HttpServer

test.before(async () => {
  served = await serveHttp({
    hostname: HERE, port: 0, bodyBytesMax: 1_000, requestMsMax: 2_000,
    tls: { ...pair, least: 'TLSv1.3', clientRoots: [root], alpn: ['a/1'] },
    streams: { alpn: ['bytes/1'], accept: (connection) => void accepted.push(connection) },
  }, async ({ tls }) => ({ status: 200, headers: {}, body: tls?.alpn ?? '' }))
})
test.after(() => served.close(0))

const until = async (is: () => boolean): Promise<void> => {
  for (let turn = 0; turn < 1_000 && !is(); turn++) await new Promise((settle) => setTimeout(settle, 5))
  assert.ok(is())
}
const open = async (tls: { client?: typeof client; roots?: string[] } = {}) => {
  const near = await openTls({ hostname: HERE, port: served.port, withinMs: 3_000 }, {
    roots: [root], alpn: 'bytes/1', ...tls,
  })
  await until(() => accepted.length > 0)
  return { near, far: accepted.pop()! }
}
interface Seen { bytes: number[]; closed: string[] }
const listen = (connection: TlsConnection): Seen => {
  const seen: Seen = { bytes: [], closed: [] }
  connection.receive((bytes) => void seen.bytes.push(...bytes), (reason) => void seen.closed.push(reason))
  return seen
}

test('bytes go both ways, in order, and each end is told of the other', async () => {
  const { near, far } = await open({ client })
  assert.equal([near.alpn, far.alpn, far.remoteAddress], ['bytes/1', 'bytes/1', HERE])
  assert.ok(far.certificate && far.certificate.length > 100)
  assert.ok(near.certificate && near.certificate.length > 100, 'also of the server, which was looked at before')
  const [atNear, atFar] = [listen(near), listen(far)]
  near.send(Uint8Array.of(1, 2))
  near.send(Uint8Array.of(3))
  far.send(Uint8Array.of(9))
  await until(() => atFar.bytes.length === 3 && atNear.bytes.length === 1)
  assert.equal([atFar.bytes, atNear.bytes], [[1, 2, 3], [9]])
  near.close('enough')
  await until(() => atFar.closed.length === 1 && atNear.closed.length === 1)
  far.close('too')
  far.send(Uint8Array.of(7))
  assert.equal(atNear.bytes, [9])
})

test('what was sent before a close arrives, and what came before anybody received waits', async () => {
  const { near, far } = await open()
  assert.is(far.certificate, undefined)
  near.send(new Uint8Array(100_000).fill(5))
  near.close('done')
  await new Promise((settle) => setTimeout(settle, 50))
  const atFar = listen(far)
  await until(() => atFar.closed.length === 1)
  assert.is(atFar.bytes.length, 100_000)
})

test('a client of another root shows no certificate, and a server of another root is not trusted', async () => {
  const { near, far } = await open({ client: stranger })
  assert.is(far.certificate, undefined)
  near.close('done')
  const failure = await open({ roots: [foreignRoot] }).catch((error: unknown) => error)
  assert.instance(failure, TlsNotTrusted)
  // The handshake may have been done before the client judged what it was shown
  await new Promise((settle) => setTimeout(settle, 200))
  for (const connection of accepted.splice(0)) assert.equal(listen(connection).bytes, [])
})

test('what a peer does not read is counted, and HTTP goes on beside it', async () => {
  const { near, far } = await open()
  const piece = new Uint8Array(1 << 20)
  for (let count = 0; count < 64; count++) near.send(piece)
  assert.ok(near.unsent > 16 << 20, `${near.unsent}`)
  const { status, body } = await httpRequest({
    hostname: HERE, port: served.port, method: 'GET', path: '/', headers: {}, body: '', withinMs: 3_000,
    tls: { roots: [root], alpn: 'a/1' },
  })
  let text = ''
  for await (const part of body) text += new TextDecoder().decode(part)
  assert.equal([status, text], [200, 'a/1'])
  const atFar = { bytes: 0, closed: '' }
  far.receive((bytes) => { atFar.bytes += bytes.length }, (reason) => { atFar.closed = reason })
  await until(() => atFar.bytes === 64 << 20)
  assert.is(near.unsent, 0)
  far.close('done')
})

test('nobody there, and a server that never answers, are told apart', async () => {
  const gone = await openTls({ hostname: HERE, port: 1, withinMs: 1_000 }, { roots: [root] }).catch((e: unknown) => e)
  assert.instance(gone, Unavailable)
  const { createServer } = await import('node:net')
  const silent = createServer(() => {})
  await new Promise<void>((resolve) => silent.listen(0, HERE, resolve))
  const { port } = silent.address() as { port: number }
  const late = await openTls({ hostname: HERE, port, withinMs: 200 }, { roots: [root] }).catch((e: unknown) => e)
  assert.instance(late, DeadlineExceeded)
  silent.close()
})

test.run()
