/**
 * Two OODs over one etcd, one of them a process of its own, and a node at each: calls across both, and what is left
 * when that one is gone for ever.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join as path } from 'node:path'
import process from 'node:process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../actors/records.ts'
import { catalogue, hostCatalogue } from '../boot/catalogue.ts'
import { openClientDevice, type ClientDevice } from '../boot/client/device.ts'
import { openJoining } from '../boot/host/joining.ts'
import type { RunningHost } from '../boot/host/run.ts'
import { limits } from '../runtime/limits.ts'
import { worker } from '../runtime/spec.ts'
import type { LogEvent } from '../runtime/trace.ts'
import { Asker, Echo } from './boot-fixtures/across/protocol.ts'
import { newFolder, removeFolders, start, type Started, zonewright } from './boot-fixtures/command-line.ts'
import { eventually, joinHost, writeKey, type JoinedHost } from './boot-fixtures/joined-hosts.ts'
import { freePort, platform, type JoiningZone } from './boot-fixtures/joining.ts'
import { oodZone, type OodZone } from './boot-fixtures/joining-oods.ts'
import { RUNTIME } from './processes-fixture.ts'

/** Silence is noticed, and the next server is tried at its interval. */
const BACK_MS = limits.tunnelSilenceMs + limits.uplinkRetryMsMax + 10_000
const asker = worker(Asker, new URL('./boot-fixtures/across/asker.ts', import.meta.url), { manual: true })
const echo = worker(Echo, new URL('./boot-fixtures/across/echo.ts', import.meta.url), { manual: true })
/** Of the process of the other OOD. */
const RUN_MS = 150_000
let zone: OodZone
let second: Started
let port: number
let isGone = false
let laptop: ClientDevice
const scripts = mkdtempSync(path(tmpdir(), 'zonewright-relay-'))
chmodSync(scripts, 0o755)
process.on('exit', () => rmSync(scripts, { recursive: true, force: true }))
/** Answers `/N` with so many letters. */
const PAGES = `
import { createServer } from 'node:http'
const all = Buffer.alloc(8 * 1024 * 1024, 'x')
createServer(({ url }, response) => response.end(all.subarray(0, Number(url.slice(1)))))
  .listen(Number(process.argv[2]), '127.0.0.1')
`
const BIG = 4 * 1_024 * 1_024
let nodes: Record<'node1' | 'node2', JoinedHost>
const running: Partial<Record<'node1' | 'node2', RunningHost>> = {}
const zoneLogs: LogEvent[] = []

const runNode = async (name: 'node1' | 'node2', more = {}): Promise<void> => {
  const own = name === 'node1' ? asker : echo
  running[name] = await nodes[name].run({ actors: (...of) => [...hostCatalogue(...of), own], ...more })
}
const uplink = (name: 'node1' | 'node2') => running[name]!.uplink()
/** Answers that the asker of that host has had so far. */
const answered = (host: 'ood1' | 'node1'): readonly LogEvent[] => (host === 'ood1' ? zoneLogs : nodes.node1.logs)
  .filter((event) => event.host === host && event.actor === 'asker' && event.message === 'answered')
const goesOn = async (what: string, host: 'ood1' | 'node1'): Promise<number> => {
  const before = answered(host).length
  return eventually(`${what}: ${host} is answered`, () => answered(host).length > before + 2, BACK_MS)
}

/** A client device that has joined at the first OOD. @returns its folder */
async function register(joining: JoiningZone, host = 'laptop'): Promise<string> {
  const folder = newFolder()
  const made = await joining.token(host, { role: 'client-device' })
  const opened = await openJoining(platform, folder, { host })
  const joined = await joining.join(made, { device: opened.device })
  await opened.keep(joined, { hostname: '127.0.0.1', port: joining.port }, joining.options(made).given)
  await opened.close()
  return folder
}

test.before(async () => {
  zone = await oodZone('labels: { asks: yes }\n', { actors: (...of) => [...catalogue(...of), asker] })
  const { joining } = zone
  joining.zone.trace.on('log', (event) => void zoneLogs.push(event))
  const made = await zone.token('ood2')
  const folder = await zone.folder('ood2')
  const told: string[] = []
  const coming = zone.join(made, folder, { onWaiting: (device) => void told.push(device) })
  await eventually('it waits', () => told.length > 0)
  await zone.accept('ood2', folder.device.public.jwk)
  port = await freePort()
  await folder.keep(await coming, `127.0.0.1:${port}`)
  await folder.close()
  second = start([...zonewright, 'start', '--dir', folder.dir, '--json'], {
    cwd: folder.dir, input: 'open', msMax: RUN_MS,
  })
  void second.ended.then(() => { isGone = true })
  await Promise.race([second.printed(/\n/), second.ended.then(({ stderr }) => assert.unreachable(stderr))])
  nodes = {
    node1: await joinHost(joining, 'node1', 'labels: { asks: yes }\n'),
    node2: await joinHost(joining, 'node2', `labels: { echoes: yes }\nprocesses: { allow: [${RUNTIME}] }\n`, port),
  }
  for (const [name, labels, replicas] of [['asker', { asks: 'yes' }, 2], ['echo', { echoes: 'yes' }, 1]] as const) {
    await writeKey(joining, kv.spec(name), {
      name, appid: name, owner: null, runtimeType: 'service', kernel: false, audiences: [], replicas, labels,
    })
  }
  const servicePort = await freePort()
  const script = path(scripts, 'pages.mjs')
  writeFileSync(script, PAGES)
  const flags = 'Deno' in globalThis ? ['run', '-A', '--no-lock', '--no-config'] : []
  await writeKey(joining, kv.spec('pages'), {
    name: 'pages', appid: 'pages', owner: null, runtimeType: 'service', kernel: false, audiences: [], replicas: 1,
    labels: { echoes: 'yes' }, http: { port: servicePort, public: true },
    run: { command: [RUNTIME, ...flags, script, String(servicePort)], stopMs: 2_000, env: { DENO_DIR: scripts } },
  })
  await Promise.all([runNode('node1'), runNode('node2')])
  laptop = await openClientDevice({ platform, folder: await register(joining) })
  await laptop.connected()
})
test.after(async () => {
  await (laptop as ClientDevice | undefined)?.close()
  await Promise.all(Object.values(running).map((host) => host.stop()))
  if (!isGone) second?.signal('SIGKILL')
  await (zone as OodZone | undefined)?.end()
  removeFolders()
})

test('a node at one OOD, and that OOD itself, call a service on a node at the other', async () => {
  await eventually('both are connected', async () =>
    (await uplink('node1')).ood === 'ood1' && (await uplink('node2')).ood === 'ood2', BACK_MS)
  await goesOn('across', 'node1')
  await goesOn('across', 'ood1')
  for (const host of ['ood1', 'node1'] as const) {
    const { fields } = answered(host).at(-1)!
    assert.equal([fields['host'], fields['asked']], ['node2', `asker@${host}`])
  }
})

async function ask(at: string): Promise<string> {
  const stream = await laptop.open('pages')
  await stream.write(new TextEncoder().encode(`GET ${at} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`))
  let text = ''
  for await (const bytes of stream) text += new TextDecoder().decode(bytes)
  return text.split('\r\n\r\n').slice(1).join('')
}

test('a client device at one OOD reaches a program on a node at the other, whatever the length', async () => {
  await eventually('it answers', async () => await ask('/3').catch(() => '') === 'xxx', BACK_MS)
  assert.is((await ask(`/${BIG}`)).length, BIG)
})

/** By the gateway of the first OOD, as a browser would. */
async function browse(at: string): Promise<{ readonly status: number; readonly text: string }> {
  const { port: gateway } = zone.joining.zone.address
  const answer = await platform.transport.request({
    hostname: '127.0.0.1', port: gateway, method: 'GET', path: at, headers: { host: `pages.localhost:${gateway}` },
    body: '', withinMs: 10_000, bytesMax: 2 * BIG,
  })
  let text = ''
  for await (const bytes of answer.body) text += new TextDecoder().decode(bytes)
  return { status: answer.status, text }
}

test('the gateway of one OOD answers for a program on a node at the other', async () => {
  assert.equal(await browse('/5'), { status: 200, text: 'xxxxx' })
  assert.is((await browse(`/${BIG}`)).text.length, BIG)
})

/** Of two devices more than all tunnels on the way hold together for readers who do not read. */
const UNREAD = 170

test('downloads that two devices do not read stop nobody else’s', async () => {
  const devices = await Promise.all(['tablet', 'phone'].map(async (name) =>
    openClientDevice({ platform, folder: await register(zone.joining, name) })))
  const get = new TextEncoder().encode(`GET /${2 * BIG} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`)
  try {
    for (const device of devices) {
      await device.connected()
      for (let count = 0; count < UNREAD; count++) {
        const channel = await device.openChannel('pages')
        channel.hold(true)
        channel.receive(() => {}, () => {})
        channel.send(get)
      }
    }
    await new Promise((settle) => setTimeout(settle, 3_000))
    const [own, { text }] = await Promise.all([ask(`/${BIG}`), browse(`/${BIG}`)])
    assert.equal([own.length, text.length], [BIG, BIG])
  } finally {
    await Promise.all(devices.map((device) => device.close()))
  }
})

test('its OOD is killed: the node goes to the other one, which it was told of, and the calls go on', async () => {
  second.signal('SIGKILL')
  await second.ended
  await eventually('it is at the other', async () => (await uplink('node2')).ood === 'ood1', BACK_MS)
  await goesOn('after', 'node1')
  await goesOn('after', 'ood1')
  const { servers } = JSON.parse(readFileSync(`${nodes.node2.folder}/host.json`, 'utf8')) as { servers: string[] }
  assert.equal(servers, [`127.0.0.1:${port}`], 'it has joined by the one that is gone')
})

test('a node that is started again while the OOD that it joined by is gone comes back', async () => {
  await running.node2!.stop()
  await runNode('node2', { certificate: undefined })
  await eventually('it is connected', async () =>
    (await uplink('node2').catch(() => undefined))?.ood === 'ood1', BACK_MS)
  await goesOn('again', 'node1')
  await goesOn('again', 'ood1')
  await eventually('its program answers', async () => await ask('/4').catch(() => '') === 'xxxx', BACK_MS)
})

test.run()
