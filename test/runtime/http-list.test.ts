/** The method LIST, which the parsers of both runtimes refuse; and requests of our own by TLS. */
import { spawnSync } from 'node:child_process'
import { connect } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Unavailable } from '../../runtime/errors.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { HttpServer, HttpTls } from '../../runtime/platform/ports.ts'

const { transport } = await openPlatform()

async function withServer(
  options: { lists?: boolean; tls?: HttpTls }, use: (server: HttpServer) => Promise<void>,
): Promise<void> {
  const server = await transport.serveHttp({
    hostname: '127.0.0.1', port: 0, bodyBytesMax: 10_000, requestMsMax: 5_000, ...options,
    faultBody: (error, code) => ({ errors: [error], code }),
  }, async ({ method, path, body }) => ({
    status: 200, headers: {}, body: `<${method} ${path} ${new TextDecoder().decode(body)}>`,
  }))
  try {
    await use(server)
  } finally {
    await server.close(100)
  }
}

/** Pieces one after the other on one connection, and all that came back once `until` is in it. */
const exchange = (port: number, pieces: readonly string[], until: RegExp) => new Promise<string>((resolve, reject) => {
  const socket = connect(port, '127.0.0.1')
  let seen = ''
  socket.setNoDelay(true)
  socket.on('data', (chunk) => {
    seen += String(chunk)
    if (until.test(seen)) socket.destroy()
  })
  socket.on('close', () => resolve(seen))
  socket.on('error', reject)
  const send = (at: number): void => {
    if (at === pieces.length) return
    socket.write(pieces[at]!, () => setTimeout(() => send(at + 1), 20))
  }
  socket.on('connect', () => send(0))
})

const head = (method: string, path = '/x', body = ''): string =>
  `${method} ${path} HTTP/1.1\r\nhost: here\r\ncontent-length: ${body.length}\r\n\r\n${body}`
const answers = (text: string): readonly string[] => [...text.matchAll(/<[^>]*>/g)].map(([one]) => one)

test('a request says LIST, however it is cut, and the next one on its connection what it says', () =>
  withServer({ lists: true }, async ({ port }) => {
    for (const cut of [0, 1, 2, 3, 4, 5, 9]) {
      const whole = head('LIST', '/a')
      const seen = await exchange(port, [whole.slice(0, cut), whole.slice(cut), head('GET', '/b')], /<GET/)
      assert.equal(answers(seen), ['<LIST /a >', '<GET /b >'], String(cut))
    }
    const four = [head('GET'), head('LIST'), head('POST', '/y', 'LIST body'), head('LIST')]
    const kept = await exchange(port, four, /POST[^]*LIST \/x/)
    assert.equal(answers(kept), ['<GET /x >', '<LIST /x >', '<POST /y LIST body>', '<LIST /x >'])
  }))

test('nothing else is taken for LIST: a body, a header, a path, or a method that begins like it', () =>
  withServer({ lists: true }, async ({ port }) => {
    const body = head('POST', '/z', 'LIST /v1/x HTTP/1.1')
    const at = body.indexOf('LIST')
    const seen = await exchange(port, [body.slice(0, at), body.slice(at)], />/)
    assert.equal(answers(seen), ['<POST /z LIST /v1/x HTTP/1.1>'])
    const header = 'GET /LIST HTTP/1.1\r\nhost: here\r\nLIST : x\r\n\r\n'
    const cut = header.indexOf('LIST :')
    await exchange(port, [header.slice(0, cut), 'LIST-x: 1\r\n\r\n'], />/).then((text) => {
      assert.equal(answers(text), ['<GET /LIST >'])
    })
    assert.equal(answers(await exchange(port, [head('LINK')], />/)), ['<LINK /x >'])
    for (const method of ['LISTX', 'LIS', 'LISK', 'list']) {
      assert.match(await exchange(port, [head(method)], /\r\n\r\n[^]*/), /^HTTP\/1\.1 (?:400|200 OK[^]*<LINK)/, method)
    }
  }))

test('a server that was not asked to take it refuses LIST, in the form that it was given', () =>
  withServer({}, async ({ port }) => {
    const seen = await exchange(port, [head('LIST')], /\}/)
    assert.match(seen, /^HTTP\/1\.1 400 /)
    assert.match(seen, /"errors":\["The request cannot be read as HTTP"\],"code":"InvalidArgument"/)
  }))

test('a request by TLS is answered by who is certified for that name by the roots that were given', async () => {
  const { stdout } = spawnSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-days', '2', '-keyout', '-', '-out', '-',
  ], { encoding: 'utf8' })
  const block = (label: string) => new RegExp(`-----BEGIN ${label}-----[^]*?-----END ${label}-----\n`).exec(stdout)![0]
  const tls = { certificate: block('CERTIFICATE'), key: block('PRIVATE KEY') }
  await withServer({ lists: true, tls }, async ({ port }) => {
    const ask = async (hostname: string, roots: string | undefined) => {
      const answer = await transport.request({
        hostname, port, method: 'LIST', path: '/t', headers: {}, body: '', withinMs: 5_000,
        tls: roots === undefined ? {} : { roots },
      })
      const chunks: Uint8Array[] = []
      for await (const chunk of answer.body) chunks.push(chunk)
      return Buffer.concat(chunks).toString()
    }
    for (const hostname of ['localhost', '127.0.0.1']) assert.is(await ask(hostname, tls.certificate), '<LIST /t >')
    for (const roots of [undefined, 'no PEM']) {
      const error = await ask('localhost', roots).catch((failed: Error) => failed)
      assert.instance(error, Error, String(roots))
    }
    assert.instance(await ask('localhost', undefined).catch((failed: Error) => failed), Unavailable)
  })
})

test.run()
