/** HTTP over TLS and over a Unix socket: who is at the other end is known before anything is said. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect as connectPlain, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { connect as connectTls } from 'node:tls'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  DeadlineExceeded, InvalidArgument, PortInUse, TlsNotTrusted, Unavailable, type ErrorClass,
} from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { HttpCall, HttpRequest, HttpServer, HttpServerOptions } from '../../runtime/platform/ports.ts'
import { httpRequest } from '../../runtime/platform/http-client.ts'
import { serveHttp } from '../../runtime/platform/http.ts'
import type { TlsCall, TlsPair } from '../../runtime/platform/tls-ports.ts'
import { decodePem } from '../../runtime/x509/pem.ts'

const folder = mkdtempSync(join(tmpdir(), 'zonewright-tls-'))
test.after(() => rmSync(folder, { recursive: true }))

const run = (...args: readonly string[]): void => {
  const ended = spawnSync('openssl', args, { encoding: 'utf8', cwd: folder })
  assert.is(ended.status, 0, ended.stderr)
}
const read = (name: string): string => readFileSync(join(folder, name), 'utf8')
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

function authority(name: string): string {
  run('req', '-x509', ...KEY, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`, '-days', '30')
  return read(`${name}.pem`)
}
/** By OpenSSL, so that what ours makes of a certificate is not judged by what ours makes. */
function certified(name: string, by: string, days: readonly string[] = ['-days', '10'], san = 'IP:127.0.0.1'): TlsPair {
  run('req', ...KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
  writeFileSync(join(folder, 'ext'), `subjectAltName=${san}\nextendedKeyUsage=serverAuth,clientAuth\n`)
  run('x509', '-req', '-in', `${name}.csr`, '-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial', ...days,
    '-extfile', 'ext', '-out', `${name}.pem`)
  return { certificate: read(`${name}.pem`), key: read(`${name}.key`) }
}
const root = authority('root')
const foreignRoot = authority('foreign')
const serverPair = certified('server', 'root')
const nextPair = certified('next', 'root')
const clientPair = certified('client', 'root')
const foreignPair = certified('stranger', 'foreign')

const echo = async ({ tls, method, body, remoteAddress }: HttpRequest) => ({
  status: 200, headers: {}, body: JSON.stringify({
    method, alpn: tls?.alpn, certificate: tls?.certificate?.length, bytes: body.length, from: remoteAddress,
  }),
})
/** Closed after each test, also one that fails: a server that is left would keep this process. */
const opened: HttpServer[] = []
test.after.each(async () => {
  for (const server of opened.splice(0)) await server.close(0)
})
async function serve(more: Partial<HttpServerOptions> = {}, handle: typeof echo = echo): Promise<HttpServer> {
  const server = await serveHttp({
    hostname: '127.0.0.1', port: 0, bodyBytesMax: 1_000, requestMsMax: 2_000,
    tls: { ...serverPair, least: 'TLSv1.3', clientRoots: [root], alpn: ['a/1', 'b/1'] }, ...more,
  }, handle)
  opened.push(server)
  return server
}

async function ask(
  port: number, tls?: Partial<TlsCall>, more: Partial<HttpCall> = {},
): Promise<Record<string, unknown>> {
  const { body } = await httpRequest({
    hostname: '127.0.0.1', port, method: 'POST', path: '/', headers: {}, body: 'hello', withinMs: 3_000, ...more,
    ...(tls ? { tls: { roots: [root], alpn: 'a/1', ...tls } } : {}),
  })
  let text = ''
  for await (const piece of body) text += new TextDecoder().decode(piece)
  return JSON.parse(text) as Record<string, unknown>
}
async function fails(Class: ErrorClass, run: () => Promise<unknown>): Promise<string> {
  try {
    await run()
  } catch (error) {
    assert.instance(error, Class, `expected ${Class.name}: ${String(error)}`)
    return String((error as { details?: Record<string, unknown> }).details?.['reason'] ?? '')
  }
  throw new Error('It was answered')
}

test('a client need not show a certificate; of one that is good the server is told, of any other nothing', async () => {
  const server = await serve()
  const { port } = server
  assert.equal(await ask(port, {}), { method: 'POST', alpn: 'a/1', bytes: 5, from: '127.0.0.1' })
  const known = await ask(port, { client: clientPair, alpn: 'b/1' })
  assert.equal(known, {
    method: 'POST', alpn: 'b/1', certificate: decodePem(clientPair.certificate, 'CERTIFICATE').length, bytes: 5,
    from: '127.0.0.1',
  })
  assert.is((await ask(port, { client: foreignPair }))['certificate'], undefined)
})

test('a certificate without its key is nobody’s', async () => {
  const server = await serve()
  // An EC key may bring a public half of its own, which OpenSSL believes: so a client can be made to lie
  const forged = join(folder, 'forged.pem')
  const scalar = spawnSync('openssl', ['ec', '-in', join(folder, 'stranger.key'), '-outform', 'DER'])
  const point = spawnSync('openssl', ['ec', '-in', join(folder, 'client.key'), '-pubout', '-outform', 'DER'])
  const der = Buffer.from(scalar.stdout)
  der.set(point.stdout.subarray(point.stdout.length - 65), der.length - 65)
  writeFileSync(forged, `-----BEGIN EC PRIVATE KEY-----\n${der.toString('base64')}\n-----END EC PRIVATE KEY-----\n`)
  const spoken = spawnSync('openssl', [
    's_client', '-connect', `127.0.0.1:${server.port}`, '-cert', join(folder, 'client.pem'), '-key', forged,
    '-alpn', 'a/1', '-quiet', '-ign_eof',
  ], { input: 'GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', encoding: 'utf8', timeout: 5_000 })
  assert.not.match(spoken.stdout, /"certificate":\d/)
})

test('a server is trusted by its root, its name and its time, and told apart by what is wrong', async () => {
  const server = await serve()
  const { port } = server
  let seen: Uint8Array | undefined
  await ask(port, { check: (certificate) => { seen = certificate } })
  assert.equal(seen, decodePem(serverPair.certificate, 'CERTIFICATE'))
  assert.is(await fails(TlsNotTrusted, () => ask(port, { roots: [foreignRoot] })), 'unknown-authority')
  assert.is(await fails(TlsNotTrusted, () => ask(port, { servername: 'other.example' })), 'wrong-name')
  assert.is(await fails(TlsNotTrusted, () => ask(port, { alpn: 'c/1' })), 'refused')
  assert.is((await ask(port, { roots: 'anybody' }))['alpn'], 'a/1')
})

test('nothing is sent to a server that is not trusted', async () => {
  const received: string[] = []
  const server = await serve({ tls: foreignPair }, async ({ body }) => {
    received.push(new TextDecoder().decode(body))
    return { status: 200, headers: {}, body: '' }
  })
  for (let count = 0; count < 5; count++) {
    assert.is(await fails(TlsNotTrusted, () => ask(server.port, { alpn: 'http/1.1' })), 'unknown-authority')
  }
  const refuse = (): void => { throw new InvalidArgument('Not this one') }
  await fails(InvalidArgument, () => ask(server.port, { roots: [foreignRoot], alpn: 'http/1.1', check: refuse }))
  assert.equal(received, [])
})

test('no TLS, nobody and silence are three different things', async () => {
  const sockets: Socket[] = []
  const plain = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {}).write('220 smtp.example\r\n')
  })
  const silent = createServer((socket) => void sockets.push(socket.on('error', () => {})))
  const listen = (server: typeof plain): Promise<number> => new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)))
  const [port, silentPort] = [await listen(plain), await listen(silent)]
  assert.is(await fails(TlsNotTrusted, () => ask(port, {})), 'no-tls')
  const cutting = createServer((socket) => void socket.on('error', () => {}).once('data', () => socket.destroy()))
  const cut = await listen(cutting)
  await fails(Unavailable, () => ask(cut, {}))
  cutting.close()
  await fails(DeadlineExceeded, () => ask(silentPort, {}, { withinMs: 200 }))
  const { port: gone, close } = await serve()
  await close(0)
  await fails(Unavailable, () => ask(gone, {}))
  for (const socket of sockets) socket.destroy()
  plain.close()
  silent.close()
})

test('a certificate is swapped for new connections, and stays when only the roots are', async () => {
  const server = await serve()
  const shown = async (): Promise<Uint8Array | undefined> => {
    let seen: Uint8Array | undefined
    await ask(server.port, { check: (certificate) => { seen = certificate } })
    return seen
  }
  server.renew?.({ certificate: nextPair.certificate, key: nextPair.key })
  assert.equal(await shown(), decodePem(nextPair.certificate, 'CERTIFICATE'))
  server.renew?.({ clientRoots: [foreignRoot] })
  assert.equal(await shown(), decodePem(nextPair.certificate, 'CERTIFICATE'))
  assert.is(typeof (await ask(server.port, { client: foreignPair }))['certificate'], 'number')
  assert.is((await ask(server.port, { client: clientPair }))['certificate'], undefined)
})

test('garbage in place of TLS, and a handshake that does not end, are cut', async () => {
  const server = await serve({ tls: { ...serverPair, least: 'TLSv1.3', handshakeMs: 300 } })
  const closed = (first: string): Promise<string> => new Promise((resolve) => {
    let text = ''
    const socket = connectPlain(server.port, '127.0.0.1', () => void (first && socket.write(first)))
    socket.on('data', (data) => { text += data.toString('latin1') })
    socket.on('error', () => {}).on('close', () => resolve(text))
  })
  const firsts = ['GET / HTTP/1.1\r\nhost: x\r\n\r\n', '\u0016\u0003\u0001\u00ff\u00ff', 'x'.repeat(100_000), '']
  for (const first of firsts) {
    assert.not.match(await closed(first), /HTTP/)
  }
  assert.is((await ask(server.port, { alpn: 'http/1.1' }))['bytes'], 5)
})

test('TLS 1.2 is refused where 1.3 is the least', async () => {
  const server = await serve()
  const code = await new Promise((resolve) => {
    const socket = connectTls({ host: '127.0.0.1', port: server.port, ca: root, maxVersion: 'TLSv1.2' })
    socket.on('secureConnect', () => resolve('connected')).on('error', ({ code }: { code?: string }) => resolve(code))
  })
  assert.not.equal(code, 'connected')
})

test('a handshake has the time of the limit when nobody says', async () => {
  const server = await serve({ tls: serverPair })
  const began = performance.now()
  await new Promise<void>((resolve) => {
    connectPlain(server.port, '127.0.0.1').on('error', () => {}).on('close', resolve)
  })
  const took = performance.now() - began
  assert.ok(took > limits.tlsHandshakeMs - 100 && took < limits.tlsHandshakeMs + 3_000, `${took} ms`)
})

test('a Unix socket is for this user alone, replaces what a killed server left, and no server that lives', async () => {
  const socket = join(folder, 'a.sock')
  const open = (): Promise<HttpServer> =>
    serveHttp({ hostname: '', port: 0, socket, bodyBytesMax: 1_000, requestMsMax: 2_000 }, echo)
  const server = await open()
  assert.is(statSync(socket).mode & 0o777, 0o600)
  const answer = await ask(0, undefined, { socket })
  assert.equal([answer['bytes'], answer['alpn']], [5, undefined])
  await fails(PortInUse, open)
  await server.close(100)
  await fails(Unavailable, () => ask(0, undefined, { socket }))
  const left = spawnSync(process.execPath, 'Deno' in globalThis
    ? ['eval', `Deno.listen({ transport: 'unix', path: ${JSON.stringify(socket)} }); Deno.exit()`]
    : ['-e', `require('net').createServer()
      .listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'))`])
  assert.is(left.error, undefined)
  assert.ok(statSync(socket).isSocket())
  const again = await open()
  assert.is((await ask(0, undefined, { socket }))['bytes'], 5)
  await again.close(100)
})

test('a Unix socket is handed down to no process that is started, and its connections have their bounds', async () => {
  const socket = join(folder, 'b.sock')
  let answer: (() => void) | undefined
  const bounds = { hostname: '', port: 0, socket, bodyBytesMax: 1_000, requestMsMax: 1_500 }
  const server = await serveHttp(bounds, async () => {
    await new Promise<void>((resolve) => { answer = resolve })
    return { status: 200, headers: {}, body: '{"late":true}' }
  })
  const inodes = readFileSync('/proc/net/unix', 'utf8').split('\n').filter((line) => line.endsWith(` ${socket}`))
    .map((line) => `socket:[${line.trim().split(/ +/)[6]}]`)
  assert.is(inodes.length, 1)
  const child = spawn('sleep', ['20'], { stdio: 'ignore' })
  await new Promise((resolve) => child.on('spawn', resolve))
  // Until it is that program it has what is closed as it begins
  while (readFileSync(`/proc/${child.pid}/comm`, 'utf8').trim() !== 'sleep') {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  const held = `/proc/${child.pid}/fd`
  // What the program itself opens and closes as it begins may be gone by then
  const isHeld = (name: string) => {
    try {
      return inodes.includes(readlinkSync(join(held, name)))
    } catch (error) {
      assert.is((error as NodeJS.ErrnoException).code, 'ENOENT')
      return false
    }
  }
  assert.equal(readdirSync(held).filter(isHeld), [])
  child.kill('SIGKILL')

  const began = performance.now()
  const silent = connectPlain(socket).resume()
  silent.write('GET / HTTP/1.1\r\n')
  await new Promise((resolve) => silent.on('error', () => {}).on('close', resolve))
  const took = performance.now() - began
  assert.ok(took > 1_400 && took < 6_000, `${took} ms`)

  const asked = ask(0, undefined, { socket })
  while (!answer) await new Promise((resolve) => setTimeout(resolve, 10))
  const closed = server.close(10_000)
  await fails(Unavailable, () => ask(0, undefined, { socket }))
  answer()
  assert.equal(await asked, { late: true })
  await closed
})

test.run()
