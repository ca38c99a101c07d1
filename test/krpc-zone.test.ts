/** kRPC of a real zone: its own workers, its own folder, real connections. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { signRootToken } from '../boot/client/owner-key.ts'
import { type RunningZone, up } from '../boot/up.ts'
import { limits } from '../runtime/limits.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { firstMinute, firstMinuteSeen, OriginalsClient, type Pair, type Post } from './krpc-client.ts'
import { open, request, send, sleep, statusOf, until } from './runtime/http-fixture.ts'

const zones = suite('kRPC of a real zone')

let folder = ''
let zone: RunningZone
let user: { username: string; password: string }
let pair: Pair

const port = (): number => zone.address.port

const post: Post = async (path, body) => {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`http://127.0.0.1:${port()}${path}`, { method: 'POST', headers, body })
  return { status: response.status, text: await response.text() }
}

const login = async (): Promise<Pair> =>
  new OriginalsClient(post, 'verify-hub').call('login_by_password', { type: 'password', ...user, appid: 'console' }) as
    Promise<Pair>

const envelope = (method: string, params: object): string =>
  JSON.stringify({ method, params, sys: [1, pair.session_token] })

const posted = (path: string, body: string, ...headers: string[]): string => request(
  `POST ${path}`, 'content-type: application/json', `content-length: ${Buffer.byteLength(body)}`, ...headers,
) + body

zones.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'krpc-'))
  zone = await up({ platform: await openPlatform(), folder })
  user = (await zone.firstPassword())!
})

zones.after(async () => {
  await zone.stop()
  await rm(folder, { recursive: true })
})

zones('a client of the originals logs in, refreshes, verifies, reads and writes', async () => {
  assert.equal(await firstMinute(post, user), [...firstMinuteSeen(user.username)])
  pair = await login()
})

zones('a connection serves on after every refusal that leaves nothing unread', async () => {
  const bodies = ['nonsense', '{"method":"m","sys":[1]}', envelope('sys_config_get', { key: '../a' }),
    envelope('sys_config_get', { key: `users/${user.username}/a` })]
  const rows = [...bodies.map((body) => posted('/kapi/system_config', body)), request('GET /kapi/system_config'),
    posted('/kapi/nobody', '{}'), request('HEAD /livez'), request('GET /livez', 'connection: close')]
  const { text, closed } = await send(port(), rows.join(''))
  assert.ok(closed)
  assert.equal(text.match(/^HTTP\/1\.1 \d+|HTTP\/1\.1 \d+/gm)?.map((line) => line.slice(9)), [
    '200', '200', '200', '200', '405', '404', '200', '200',
  ])
  assert.match(text, /Parse Request Error: it is not JSON.*Unknown method: m.*InvalidKey.*"result":null/s)
})

zones('what is too large, half, slow or malformed is answered or cut, and never blocks others', async () => {
  const big = 'x'.repeat(limits.httpBodyBytes + 1)
  const large = await send(port(), posted('/kapi/system_config', big))
  assert.is(statusOf(large), '413')
  assert.match(large.text, /"code":"LimitExceeded"/)
  const inChunks = request('POST /kapi/system_config', 'transfer-encoding: chunked')
  const halves = [
    'POST /kapi/sys', `${request('POST /kapi/system_config', 'content-length: 100')}{`, `${inChunks}5\r\n{"a`,
  ]
  const waiting = await Promise.all(halves.map((text) => open(port(), text)))
  assert.is(statusOf(await send(port(), `${inChunks}zz\r\n`)), '400')
  const list = envelope('sys_config_list', { key: `users/${user.username}` })
  assert.is((await post('/kapi/system_config', list)).status, 200)
  for (const { socket } of waiting) socket.destroy()
})

zones('a stream goes on as things change, and a client that goes away or never reads harms nobody', async () => {
  const prefix = `users/${user.username}/notes`
  const watch = posted('/kapi/system_config/stream', envelope('sys_config_watch', { prefix }))
  const [reader, leaver] = await Promise.all([open(port(), watch), open(port(), watch)])
  const mute = await open(port(), watch, false)
  assert.ok(await until(() => reader.heard.includes('x-ndjson') && leaver.heard.includes('x-ndjson')))
  await sleep(300)
  const config = new OriginalsClient(post, 'system_config', pair.session_token)
  mute.socket.pause()
  await config.call('sys_config_set', { key: `${prefix}/0`, value: 'first' })
  assert.ok(await until(() => leaver.heard.includes('first')))
  leaver.socket.destroy()
  const value = 'y'.repeat(100_000)
  for (let index = 1; index <= 40; index++) await config.call('sys_config_set', { key: `${prefix}/${index}`, value })
  assert.ok(await until(() => reader.heard.includes(`"${prefix}/40"`), 10_000))
  assert.equal(reader.heard.match(/"key":"[^"]*"/g)?.length, 41)
  reader.socket.destroy()
  mute.socket.destroy()
})

zones('a root token is good for one request, although all of them come by the gateway', async () => {
  const pem = await readFile(join(folder, 'owner.key'), 'utf8')
  const token = signRootToken(await openPlatform(), pem, { path: 'owner.key', epoch: 0 })
  const read = JSON.stringify({ method: 'sys_config_get', params: { key: 'boot/config' }, sys: [1, token] })
  const [first, second] = await Promise.all([post('/kapi/system_config', read), post('/kapi/system_config', read)])
  const texts = [first.text, second.text, (await post('/kapi/system_config', read)).text]
  assert.is(texts.filter((text) => text.includes('"result"')).length, 1)
  assert.is(texts.filter((text) => text.includes('"reason":"token/replayed"')).length, 2)
})

zones('of a flood over 2,000 connections some are refused, and all is well after it', async () => {
  const body = envelope('sys_config_get', { key: `users/${user.username}/a` })
  const text = posted('/kapi/system_config', body, 'connection: close')
  const outcomes = await Promise.all(Array.from({ length: 2_000 }, () => new Promise<string>((resolve) => {
    let heard = ''
    const socket = connect(port(), '127.0.0.1', () => socket.write(text))
    socket.setTimeout(15_000, () => socket.destroy())
    socket.on('data', (chunk: Uint8Array) => void (heard += new TextDecoder().decode(chunk)))
    socket.on('error', () => {})
    socket.on('close', () => resolve(heard))
  })))
  const counts = new Map<string, number>()
  for (const heard of outcomes) {
    const status = heard === '' ? 'closed' : heard.slice(9, 12)
    counts.set(status, (counts.get(status) ?? 0) + 1)
    if (status === '503') assert.match(heard, /retry-after: 1.*"code":"(Overloaded|DeadlineExceeded)"/is)
  }
  assert.equal([...counts.keys()].filter((status) => !['200', '503', 'closed'].includes(status)), [])
  assert.ok((counts.get('200') ?? 0) >= 500, JSON.stringify([...counts]))
  assert.is((await post('/kapi/system_config', body)).status, 200)
  assert.is((await fetch(`http://127.0.0.1:${port()}/readyz`)).status, 200)
})

zones('metrics count what was asked by route and status, and hold no token', async () => {
  const metrics = await (await fetch(`http://127.0.0.1:${port()}/metrics`)).text()
  assert.match(metrics, /http_requests_total\{[^}]*route="\/kapi\/system_config"[^}]*\} \d+/)
  assert.not.ok(metrics.includes(pair.session_token.split('.')[2]!))
})

zones('a gateway that died comes back on the port that was chosen freely for it', async () => {
  const before = port()
  const back = new Promise<void>((resolve) => zone.trace.on('actor', ({ actor, state }) => {
    if (actor === 'gateway' && state === 'serving') resolve()
  }))
  await zone.kill('gateway')
  await back
  assert.is(port(), before)
  assert.is((await fetch(`http://127.0.0.1:${before}/livez`)).status, 200)
})

zones.run()
