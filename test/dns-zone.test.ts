/** The zone's DNS as others meet it: Debian's `dig`, the resolver of the runtime, and sockets that do not behave. */
import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../runtime/limits.ts'
import { liveZone, newFolder, removeFolders, type LiveCommandLine } from './boot-fixtures/command-line.ts'

const freePort = (): Promise<number> => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resolve(port))
  })
})

let zone: LiveCommandLine
let port = 0
const resolver = new Resolver({ timeout: 1_000, tries: 2 })

test.before(async () => {
  port = await freePort()
  resolver.setServers([`127.0.0.1:${port}`])
  const cwd = newFolder()
  mkdirSync(join(cwd, '.zone'))
  writeFileSync(join(cwd, '.zone/zone.yaml'), `zone: home.example\ndns_config: { Port: ${port} }\n`)
  zone = await liveZone({ cwd })
})
test.after(async () => {
  await zone.stop()
  removeFolders()
})

const dig = async (...words: readonly string[]): Promise<string> =>
  (await promisify(execFile)('dig', ['@127.0.0.1', '-p', String(port), '+time=2', '+tries=1', ...words])).stdout

const codeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(() => 'found', (error: { code?: string }) => String(error.code))

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`It did not happen: ${what}`)
}

test('dig and the resolver of the runtime find the zone and its hosts', async () => {
  assert.is((await dig('home.example', '+short')).trim(), '127.0.0.1')
  assert.equal(await until('the host tells its address', async () =>
    resolver.resolve4('ood1.nodes.home.example').catch(() => undefined)), ['127.0.0.1'])
  const text = await dig('HOME.example', 'SOA')
  assert.match(text, /status: NOERROR/)
  assert.match(text, /flags: qr aa rd;/)
  assert.match(text, /^HOME\.example\.\s+30\s+IN\s+SOA\s+ood1\.nodes\.home\.example\./im)
  const { nsname } = await resolver.resolveSoa('home.example')
  assert.equal(await resolver.resolveNs('home.example'), [nsname])
  const noData = 'Deno' in globalThis ? 'ENOTFOUND' : 'ENODATA'
  assert.is(await codeOf(resolver.resolve6('home.example')), noData, 'Deno tells them alike')
  assert.match(await dig('home.example', 'AAAA'), /status: NOERROR[\s\S]*ANSWER: 0, AUTHORITY: 1/)
  assert.is(await codeOf(resolver.resolve4('nobody.home.example')), 'ENOTFOUND')
  assert.match(await dig('example.com'), /status: REFUSED/)
})

test('a service that answers HTTP has a name and an SRV record soon after it was added', async () => {
  const spec = {
    name: 'shop', appid: 'shop', owner: null, runtimeType: 'service', kernel: false, audiences: [], replicas: 0,
    http: { port: 18_000 },
  }
  assert.is(await codeOf(resolver.resolve4('shop.home.example')), 'ENOTFOUND')
  writeFileSync(join(zone.cwd, 'shop.yaml'), JSON.stringify(spec))
  await zone.json('services', 'add', 'shop.yaml', '--no-wait')
  assert.equal(await until('the name is there', async () =>
    resolver.resolve4('shop.home.example').catch(() => undefined)), ['127.0.0.1'])
  const [srv] = await resolver.resolveSrv('_shop._tcp.home.example')
  const gateway = Number(new URL(String((await zone.json('status'))['url'])).port)
  assert.equal([srv?.name, srv?.port], ['shop.home.example', gateway])
  await zone.json('services', 'remove', 'shop', '--no-wait')
  await until('the name is gone', async () =>
    ((await codeOf(resolver.resolve4('shop.home.example'))) === 'ENOTFOUND' ? true : undefined))
})

test('by TCP it answers the same, several on one connection, and transfers nothing', async () => {
  assert.is((await dig('home.example', '+short', '+tcp')).trim(), '127.0.0.1')
  assert.match(await dig('home.example', 'A', 'home.example', 'SOA', '+tcp', '+keepopen'), /ANSWER: 1[\s\S]*ANSWER: 1/)
  assert.match(await dig('home.example', 'AXFR').catch((error: { stdout: string }) => error.stdout), /Transfer failed/)
  assert.match(await dig('home.example', '+edns=1', '+noednsneg'), /status: BADVERS/)
  assert.match(await dig('home.example', '+opcode=UPDATE'), /status: NOTIMP/)
})

test('connections that bring rubbish, or nothing, end, and others are served meanwhile', async () => {
  const closed = (bytes: readonly number[]): Promise<number> => new Promise((resolve) => {
    let got = 0
    const socket = connect(port, '127.0.0.1', () => socket.write(Uint8Array.from(bytes)))
    socket.on('data', (data) => { got += data.length })
    socket.on('error', () => {})
    socket.on('close', () => resolve(got))
  })
  assert.is(await closed([0xff, 0xff, 1, 2, 3]), 0, 'a message longer than any query')
  assert.is(await closed([0, 3, 1, 2, 3]), 0, 'one that is shorter than a header gets no answer')
  const idle = Array.from({ length: limits.dnsConnectionsPerAddress }, () => connect(port, '127.0.0.1'))
  await Promise.all(idle.map((socket) => new Promise<void>((resolve) => socket.on('connect', () => resolve()))))
  assert.is(await closed([0, 1]), 0, 'one address has so many connections, and no more')
  assert.equal(await resolver.resolve4('home.example'), ['127.0.0.1'])
  for (const socket of idle) socket.destroy()
  await until('a connection is free again', async () =>
    ((await dig('home.example', '+short', '+tcp').catch(() => '')).trim() === '127.0.0.1' ? true : undefined))
})

test('a flood from one address is answered no more than it may be, and the server lives', async () => {
  const question = Uint8Array.from([
    0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, 104, 111, 109, 101, 7, 101, 120, 97, 109, 112, 108, 101, 0, 0, 1, 0, 1,
  ])
  const socket = createSocket('udp4')
  let answers = 0
  let cut = 0
  socket.on('message', (message) => {
    if (((message[2] ?? 0) & 2) === 0) answers++
    else cut++
  })
  const began = performance.now()
  // What the machine has no room for, while the server waits for its turn, is lost before anybody counts it
  for (let sent = 0; sent < 3_000 || (cut === 0 && sent < 30_000); sent++) {
    await new Promise<void>((resolve) => socket.send(question, port, '127.0.0.1', () => resolve()))
    if (sent % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 2))
  }
  await new Promise((resolve) => setTimeout(resolve, 200))
  const seconds = (performance.now() - began) / 1_000
  socket.close()
  assert.ok(answers > 0 && answers <= limits.dnsQueriesPerSecond * (2 + seconds) + 1, `${answers} in ${seconds} s`)
  assert.ok(cut > 0, 'some are told to ask by TCP')
  assert.is((await dig('home.example', '+short', '+tcp')).trim(), '127.0.0.1', 'by TCP nobody is kept out')
  const metrics = await (await fetch(new URL('/metrics', String((await zone.json('status'))['url'])))).text()
  assert.match(metrics, /zonewright_dns_queries_total\{[^}]*transport="udp",outcome="limited"\} [1-9]/)
})

test.run()
