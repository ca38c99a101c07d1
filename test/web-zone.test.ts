/** Signing in at a real zone: its own workers, real connections, an app that is a server of its own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request as ask, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../actors/records.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { signRootToken } from '../boot/client/owner-key.ts'
import { type RunningZone, up } from '../boot/up.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import type { HttpResponse } from '../runtime/platform/ports.ts'
import { open, send, statusOf, until } from './runtime/http-fixture.ts'
import { Browser, claimsOf, signedIn, textOf, type Sent } from './web-fixture.ts'

const test = suite('signing in at a real zone')

let folder = ''
let zone: RunningZone
let app: Server
/** What the app was asked, and how it answers. */
const asked: { headers: IncomingMessage['headers']; body: Uint8Array; raw: readonly string[] }[] = []
let web: ConstructorParameters<typeof Browser>[0]

const sent = (host: string | undefined, path: string, { method = 'GET', headers = {}, body = '' }: Sent = {}) =>
  new Promise<HttpResponse>((resolve, reject) => {
    const options = { host: '127.0.0.1', port: zone.address.port, method, path, agent: false as const }
    const all = { ...headers, ...(host === undefined ? {} : { host }), 'content-length': Buffer.byteLength(body) }
    const request = ask({ ...options, headers: all }, (response) => {
      const chunks: Uint8Array[] = []
      response.on('data', (chunk: Uint8Array) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const { 'set-cookie': cookies = [], ...others } = response.headers
        resolve({
          status: response.statusCode!, cookies, headers: others as Record<string, string>, body: Buffer.concat(chunks),
        })
      })
    })
    request.on('error', reject)
    request.end(body)
  })

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'web-'))
  const platform = await openPlatform()
  zone = await up({ platform, folder })
  app = createServer((request, response) => {
    const chunks: Uint8Array[] = []
    request.on('data', (chunk: Uint8Array) => chunks.push(chunk))
    request.on('end', () => {
      asked.push({ headers: request.headers, body: Buffer.concat(chunks), raw: request.rawHeaders })
      response.setHeader('set-cookie', ['a=1; Domain=localhost', 'zw_session=evil', 'b=2'])
      if (request.url === '/bytes') return response.end(Buffer.from([0, 255, 1]))
      if (request.url === '/lines') {
        response.write('one')
        return setTimeout(() => response.end('two'), 100)
      }
      if (request.url === '/endless') return response.write('one')
      return response.end(`app ${request.url}`)
    })
  })
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  const { port } = app.address() as AddressInfo
  const value = JSON.stringify({
    name: 'web', appid: 'web', owner: null, runtimeType: 'service', kernel: false, audiences: [], http: { port },
  })
  const pem = new TextDecoder().decode((await zone.files.read('owner.key'))!)
  const root = () => ({ token: signRootToken(platform, pem, { path: 'owner.key', epoch: 0 }) })
  const config = zone.get(SystemConfig)
  await config.execTx({ actions: { [kv.spec('web')]: { action: 'create', value } } }, root())
  const placed = async (): Promise<boolean> =>
    (await config.get({ key: kv.node(zone.config.host) }, root()))!.value.includes('"web"')
  for (let tries = 0; tries < 100 && !await placed(); tries++) await new Promise((next) => setTimeout(next, 50))
  web = { user: (await zone.firstPassword())!, port: zone.address.port, send: sent }
})

test.after(async () => {
  await zone.stop()
  app.closeAllConnections()
  app.close()
  await rm(folder, { recursive: true })
})

test('a browser signs in, uses the app, refreshes and signs out', async () => {
  const browser = await signedIn(web)
  const claims = claimsOf(asked.at(-1)!.headers.authorization!.slice(7))
  assert.is(`${claims.sub} ${claims.aud} ${claims.exp - claims.iat <= 60}`, `${web.user.username} web true`)
  assert.is([...browser.cookies(browser.url).keys()].join(), 'zw_session,zw_refresh,a,b')
  assert.is(await textOf(await browser.open('/x')), 'app /x')
  assert.is(asked.at(-1)!.headers.cookie, 'a=1; b=2')
  const bytes = await browser.fetch('POST', '/bytes', 'hello')
  assert.is([...bytes.body as Uint8Array].join(), '0,255,1')
  assert.is(new TextDecoder().decode(asked.at(-1)!.body), 'hello')
  assert.is(await textOf(await browser.open('/lines')), 'onetwo')
  assert.is((await browser.fetch('POST', '/sso_refresh')).status, 200)
  assert.match(await textOf(await browser.submit('/sso_logout', {})), /You are signed out/)
  assert.is((await browser.fetch('GET', '/x')).status, 401)
})

test('a wrong password is told on the page', async () => {
  const browser = new Browser(web)
  const page = await browser.open(`http://web.localhost:${web.port}/`)
  const again = await browser.signIn({ ...page, body: await textOf(page) }, { password: 'wrong' })
  assert.is(again.status, 401)
  assert.match(await textOf(again), /role="alert" id="why">The user name or the password is wrong\.</)
})

test('a request that could be read in two ways is read by nobody', async () => {
  const count = asked.length
  const lines = (...all: string[]): string => [...all, '', ''].join('\r\n')
  for (const [text, status] of [
    [lines('GET / HTTP/1.1', 'host: localhost', 'host: web.localhost', 'connection: close'), '400'],
    [lines('GET / HTTP/1.1', 'Host: web.localhost', 'HOST: web.localhost', 'connection: close'), '400'],
    [lines('GET http://web.localhost/ HTTP/1.1', 'host: localhost', 'connection: close'), '404'],
    [lines('GET http://evil.example/ HTTP/1.1', 'host: web.localhost', 'connection: close'), '400'],
    [lines('OPTIONS * HTTP/1.1', 'host: web.localhost', 'connection: close'), '400'],
  ] as const) assert.is(statusOf(await send(web.port, text)), status, text)
  const twoLengths = await send(web.port, `${lines('POST / HTTP/1.1', 'host: web.localhost', 'content-length: 5',
    'content-length: 6')}hello`)
  assert.match(statusOf(twoLengths), /^400$|^$/)
  // What a smuggled request would be: read as the body of this one, or refused
  const smuggled = lines('GET /smuggled HTTP/1.1', 'host: web.localhost')
  const both = await send(web.port, `${lines('POST / HTTP/1.1', 'host: web.localhost', 'content-length: 4',
    'transfer-encoding: chunked', 'connection: close')}0\r\n\r\n${smuggled}`)
  assert.ok((both.text.match(/HTTP\/1\.1 \d/g) ?? []).length <= 1, both.text)
  assert.is(asked.length, count)
})

test('a browser that goes away lets the service go, and an upgrade is refused', async () => {
  const browser = await signedIn(web)
  const cookie = `cookie: zw_session=${browser.cookies(browser.url).get('zw_session')}`
  const head = (line: string, ...more: string[]): string =>
    [`${line} HTTP/1.1`, `host: web.localhost:${web.port}`, cookie, ...more, '', ''].join('\r\n')
  const upgrade = await send(web.port, head('GET /', 'connection: upgrade, close', 'upgrade: websocket',
    'sec-websocket-version: 13', 'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA=='))
  assert.is(statusOf(upgrade), '501')
  let gone = false
  app.once('request', (_, response: ServerResponse) => response.on('close', () => { gone = true }))
  const slow = await open(web.port, head('GET /endless'))
  assert.ok(await until(() => slow.heard.includes('one')), 'the service answers')
  assert.is(gone, false)
  slow.socket.destroy()
  assert.ok(await until(() => gone))
})

test.run()
