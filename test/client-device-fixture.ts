/** A zone with a service that answers HTTP in a process of its own, and devices that reach it by tunnels. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join as path } from 'node:path'
import process from 'node:process'
import { kv } from '../actors/records.ts'
import { openClientDevice, type ClientDevice, type ClientDeviceOptions } from '../boot/client/device.ts'
import { openJoining } from '../boot/host/joining.ts'
import { ownerOf } from './boot-fixtures/cluster.ts'
import { newFolder } from './boot-fixtures/command-line.ts'
import { eventually, writeKey } from './boot-fixtures/joined-hosts.ts'
import { freePort, joiningZone, platform, type JoiningZone } from './boot-fixtures/joining.ts'
import { PATH, RUNTIME, SH } from './processes-fixture.ts'

/** `/late` answers when the sender has ended; `/big` with so many bytes; `/cut` with half of what it promises. */
export const BIG = 24 * 1_024 * 1_024
const SERVER = `
import { createServer } from 'node:net'
const big = new Uint8Array(${BIG}).fill(120)
createServer({ allowHalfOpen: true }, (socket) => {
  let text = ''
  const say = (body, length = body.length) => {
    socket.write('HTTP/1.1 200 OK\\r\\nconnection: close\\r\\ncontent-length: ' + length + '\\r\\n\\r\\n')
    socket.write(body)
  }
  socket.on('error', () => {})
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1')
    if (!text.includes('\\r\\n\\r\\n')) return
    const [, at] = text.split(' ')
    text = ''
    if (at === '/late') return socket.on('end', () => setTimeout(() => { say('late'); socket.end() }, 50))
    if (at === '/stay') return say('here', 1_000)
    if (at === '/cut') { say('half', 1_000); return setTimeout(() => socket.resetAndDestroy(), 50) }
    say(at === '/big' ? big : 'you asked ' + at)
    socket.end()
  })
}).listen(Number(process.argv[2]), '127.0.0.1')
`

export interface DeviceZone extends JoiningZone {
  readonly servicePort: number
  /** These lines about streams, and no others. */
  policy(lines: readonly string[]): Promise<void>
  /** Registers it, by a token for that user. @returns its folder */
  register(name: string, owner?: string): Promise<string>
  user(name: string, state: 'active' | 'suspended'): Promise<void>
  /** By the owner. */
  read(key: string): Promise<string | undefined>
  device(folder: string, changes?: Partial<ClientDeviceOptions>): Promise<ClientDevice>
}

export async function deviceZone(): Promise<DeviceZone> {
  const scripts = mkdtempSync(path(tmpdir(), 'zonewright-device-service-'))
  chmodSync(scripts, 0o755)
  process.on('exit', () => rmSync(scripts, { recursive: true, force: true }))
  writeFileSync(path(scripts, 'server.mjs'), SERVER)
  const zone = await joiningZone(`processes: { allow: [${RUNTIME}, ${SH}] }\n`)
  const port = await freePort()
  const flags = 'Deno' in globalThis ? ['run', '-A', '--no-lock', '--no-config'] : []
  // A program of Deno's wants a folder of its own
  const env = { DENO_DIR: path(scripts, 'deno') }
  const spec = (name: string, more: object) => ({
    name, appid: name, owner: null, runtimeType: 'service', kernel: false, audiences: [], replicas: 1, ...more,
  })
  await writeKey(zone, kv.spec('notes'), spec('notes', {
    run: { command: [RUNTIME, ...flags, path(scripts, 'server.mjs'), String(port)], stopMs: 2_000, env },
    http: { port },
  }))
  // Two more that have no server of their own
  const run = { command: [SH, '-c', 'exec sleep 600'], stopMs: 2_000, env: PATH }
  await writeKey(zone, kv.spec('open'), spec('open', { run, http: { port, public: true } }))
  await writeKey(zone, kv.spec('plain'), spec('plain', { run }))
  await writeKey(zone, kv.spec('away'), spec('away', { replicas: 0, http: { port } }))
  await eventually('the service answers', async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
    return await answer?.text() === 'you asked /'
  }, 20_000)
  const owner = ownerOf(zone.zone, platform, path(zone.cwd, '.zone'))
  await eventually('the others are told of', async () =>
    (await Promise.all(['open', 'plain'].map((name) => owner.get(kv.info(name))))).every(Boolean), 20_000)
  return {
    ...zone, servicePort: port,
    async policy(lines) {
      const now = (await owner.get(kv.policy))?.value ?? ''
      const others = now.split('\n').filter((line) => !line.includes('stream://'))
      await writeKey(zone, kv.policy, [...lines, ...others].join('\n'))
    },
    async register(name, user) {
      const folder = newFolder()
      const made = await zone.token(name, { role: 'client-device', ...(user === undefined ? {} : { owner: user }) })
      const joining = await openJoining(platform, folder, { host: name })
      const joined = await zone.join(made, { device: joining.device })
      await joining.keep(joined, { hostname: '127.0.0.1', port: zone.port }, zone.options(made).given)
      await joining.close()
      return folder
    },
    user: async (name, state) => writeKey(zone, kv.user(name), { name, type: 'user', state }),
    read: async (key) => (await owner.get(key))?.value,
    device: (folder, changes = {}) => openClientDevice({ platform, folder, ...changes }),
  }
}
