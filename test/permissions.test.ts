/**
 * What a worker may do is what its actor needs: Deno refuses the rest. Node cannot, and SECURITY.md says so. A probe in
 * the place of each actor of the catalogue, with the permissions of that actor, asks for more.
 */
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { catalogue, nodeCatalogue } from '../boot/catalogue.ts'
import { file } from '../boot/init.ts'
import { type RunningZone, up } from '../boot/up.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { type ActorSpec, worker } from '../runtime/spec.ts'
import { supervise } from '../runtime/supervise.ts'
import { runChild, twoAtATime } from './boot-fixtures/child.ts'
import { Probe } from './robustness/probe-protocol.ts'

const onDeno = 'Deno' in globalThis
/** How Deno refuses, by its own functions and by those that are Node's. */
const REFUSED = /NotCapable|PermissionDenied|ERR_ACCESS_DENIED|\bEPERM\b|Requires \w+ access|escalate/

const root = mkdtempSync(join(tmpdir(), 'zonewright-permissions-'))
const folder = join(root, 'zone')
const elsewhere = join(root, 'elsewhere')
/** Something that listens, and is no part of the zone. */
const server = createServer((socket) => socket.destroy())
let zone: RunningZone

test.before(async () => {
  mkdirSync(elsewhere)
  writeFileSync(join(elsewhere, 'planted.js'), 'export default 1\n')
  process.env['ZONEWRIGHT_PLANTED'] = 'planted'
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  zone = await up({ platform: await openPlatform(), folder })
})
test.after(async () => {
  await zone?.stop()
  await new Promise((resolve) => server.close(resolve))
  rmSync(root, { recursive: true, force: true })
})

const specs = (): readonly ActorSpec[] => catalogue(zone.files.path(file.stores), zone.config)

interface Attempt {
  readonly what: string
  readonly target: string
}

/** What a worker with the permissions of these actors answers. */
async function probed(actors: readonly ActorSpec[], attempts: readonly Attempt[]): Promise<readonly string[]> {
  const probe = worker(Probe, new URL('./robustness/probe.ts', import.meta.url), {
    permissions: {
      write: actors.flatMap(({ permissions }) => permissions.write ?? []),
      net: actors.flatMap(({ permissions }) => permissions.net ?? []),
    },
  })
  const supervised = await supervise([probe])
  try {
    return await supervised.get(Probe).attempt(attempts.map((one) => ({ ...one })))
  } finally {
    await supervised.stop()
  }
}

/** The actors that share a worker. */
function threads(): Map<string, ActorSpec[]> {
  const found = new Map<string, ActorSpec[]>()
  for (const spec of specs()) found.set(spec.thread, [...(found.get(spec.thread) ?? []), spec])
  return found
}

/** This machine, which the gateway may reach: services answer there. */
const LOOPBACK = '127.0.0.1'

/** What no actor may. */
function beyond(own: readonly string[], net: readonly string[]): Attempt[] {
  const secrets = [file.ownerKey, file.deviceKey, file.unsealKey, file.recoveryShares].map((name) => join(folder, name))
  const stores = ['vault', 'system-config', 'verify-hub', 'service'].map((name) => join(folder, file.stores, name))
  const { port } = server.address() as AddressInfo
  const mine = own[0] ?? elsewhere
  return [
    ...[...secrets.slice(0, 3), '/etc/passwd', '/proc/self/environ', '/proc/self/cmdline'].flatMap((target) =>
      ['read', 'open'].map((what) => ({ what, target }))),
    ...stores.filter((each) => !own.includes(each)).flatMap((target) => [
      { what: 'list', target },
      { what: 'write', target: join(target, 'planted') },
    ]),
    { what: 'list', target: secrets[3]! },
    { what: 'list', target: folder },
    { what: 'write', target: join(folder, 'zone.yaml') },
    { what: 'write', target: join(root, 'planted') },
    { what: 'write', target: new URL('./robustness/probe.ts', import.meta.url).pathname },
    { what: 'makeFolder', target: join(folder, file.stores, 'another') },
    { what: 'symlink', target: `${secrets[1]} ${join(mine, 'link')}` },
    { what: 'hardLink', target: `${secrets[1]} ${join(mine, 'link')}` },
    { what: 'rename', target: `${secrets[1]} ${join(mine, 'moved')}` },
    { what: 'import', target: pathToFileURL(join(elsewhere, 'planted.js')).href },
    { what: 'import', target: 'http://127.0.0.1:1/planted.js' },
    { what: 'listen', target: '0.0.0.0:1' },
    { what: 'listen', target: '127.0.0.2:28471' },
    { what: 'connect', target: `127.0.0.2:${port}` },
    { what: 'connect', target: `[::1]:${port}` },
    ...net.includes(LOOPBACK) ? [] : [
      { what: 'listen', target: `${LOOPBACK}:28471` },
      { what: 'connect', target: `${LOOPBACK}:${port}` },
    ],
    { what: 'connect', target: `localhost:${port}` },
    { what: 'env', target: 'ZONEWRIGHT_PLANTED' },
    { what: 'run', target: '/bin/true' },
    { what: 'signal', target: String(process.ppid) },
    { what: 'ffi', target: '/lib/x86_64-linux-gnu/libc.so.6' },
    { what: 'system', target: '' },
    { what: 'nodeWorker', target: secrets[1]! },
    { what: 'webWorker', target: secrets[1]! },
  ]
}

const named = ({ what, target }: Attempt, outcome: string | undefined): string => `${what} ${target}: ${outcome}`

if (onDeno) {
  test('the actors of the catalogue ask for their own store and files, or their own address and services', () => {
    const asked = Object.fromEntries(specs().map(({ protocol, permissions }) => [protocol.name, permissions]))
    const store = (name: string) => ({ write: [join(folder, file.stores, name)] })
    assert.equal(asked, {
      'vault': { write: [...store('vault').write, join(folder, file.audit)] },
      'system-config': store('system-config'), 'boot-scheduler': {}, 'scheduler': {},
      'verify-hub': store('verify-hub'), 'node-daemon': {}, 'gateway': { net: [`${LOOPBACK}:0`, LOOPBACK] },
      'service': store('service'),
    })
    const onNode = nodeCatalogue('/n').map(({ protocol, permissions }) => [protocol.name, permissions])
    assert.equal(onNode, [['node-daemon', {}], ['service', { write: ['/n/service'] }]])
  })

  test('a worker that asks for more than its actor needs is refused by the runtime, for each actor', async () => {
    const faults: string[] = []
    await twoAtATime([...threads()], async ([thread, actors]) => {
      const own = actors.flatMap(({ permissions }) => permissions.write ?? [])
      const attempts = beyond(own, actors.flatMap(({ permissions }) => permissions.net ?? []))
      const outcomes = await probed(actors, attempts)
      for (const [index, attempt] of attempts.entries()) {
        const outcome = outcomes[index] ?? 'nothing'
        if (!REFUSED.test(outcome)) faults.push(`${thread}: ${named(attempt, outcome)}`)
      }
    })
    assert.equal(faults, [])
  })

  test('what an actor needs it may: its own store, the address of the gateway, and services by it', async () => {
    for (const [thread, actors] of threads()) {
      const own = actors.flatMap(({ permissions }) => permissions.write ?? [])
      const net = actors.flatMap(({ permissions }) => permissions.net ?? [])
      const attempts = [
        ...own.flatMap((path) => [
          { what: 'makeFolder', target: path },
          { what: 'list', target: path },
          { what: 'write', target: join(path, 'planted') },
          { what: 'read', target: join(path, 'planted') },
        ]),
        ...net.map((target) => (target === LOOPBACK
          ? { what: 'connect', target: `${LOOPBACK}:${(server.address() as AddressInfo).port}` }
          : { what: 'listen', target })),
      ]
      const outcomes = await probed(actors, attempts)
      const told = attempts.map((each, at) => named(each, outcomes[at]))
      assert.equal(told, attempts.map((each) => named(each, 'done')), thread)
    }
  })

  test('a folder that is reached by a symbolic link, and a host name, are what they mean', async () => {
    const link = join(root, 'link')
    symlinkSync(folder, link)
    const config = { ...zone.config, http: { ...zone.config.http, hostname: 'localhost', port: 28472 } }
    const actors = catalogue(join(link, file.stores), config)
      .filter(({ protocol }) => ['service', 'gateway'].includes(protocol.name))
    const attempts = [
      { what: 'write', target: join(link, file.stores, 'service', 'planted') },
      { what: 'write', target: join(folder, file.stores, 'service', 'planted') },
      { what: 'listen', target: 'localhost:28472' },
    ]
    assert.equal(await probed(actors, attempts), attempts.map(() => 'done'))
    const [outcome] = await probed(actors, [{ what: 'read', target: join(link, file.deviceKey) }])
    assert.match(outcome ?? '', REFUSED)
  })

  test('without the flag the command line says that workers are not restricted, and with it does not', async () => {
    const run = async (flags: readonly string[]): Promise<string> => {
      const before = ['run', '-A', ...flags, 'boot/cli.ts']
      const { noise, code } = await runChild(['up', '--once', '--dir', join(root, 'other')], { msMax: 25_000, before })
      return `${code} ${noise}`
    }
    assert.match(await run([]), /start Deno with --unstable-worker-options to restrict them/)
    assert.not.match(await run(['--unstable-worker-options']), /to restrict them/)
  })
} else {
  test('a worker of Node may what its process may, and SECURITY.md calls it no security boundary', async () => {
    const security = readFileSync('SECURITY.md', 'utf8').replace(/\s+/g, ' ')
    assert.match(security, 'A worker thread is a fault boundary, not a security boundary')
    assert.match(security, 'On Node a thread can read what the process can read')
    const attempts = [
      { what: 'read', target: join(folder, file.ownerKey) },
      { what: 'read', target: join(folder, file.deviceKey) },
      { what: 'list', target: join(folder, file.stores, 'vault') },
      { what: 'write', target: join(elsewhere, 'planted') },
      { what: 'connect', target: `127.0.0.1:${(server.address() as AddressInfo).port}` },
      { what: 'run', target: '/bin/true' },
      { what: 'nodeWorker', target: join(folder, file.deviceKey) },
    ]
    assert.equal(await probed(specs().slice(0, 1), attempts), attempts.map(() => 'done'))
  })

  test('a worker of Node does not have the environment of its process', async () => {
    const [outcome] = await probed(specs(), [{ what: 'env', target: 'ZONEWRIGHT_PLANTED' }])
    assert.match(outcome ?? '', 'It is not there')
  })
}

test('the zone has booted fully with these permissions', async () => {
  const down = zone.list().filter(({ name, state }) => name !== 'boot-scheduler' && state !== 'serving')
  assert.equal(down, [])
  const response = await fetch(`http://127.0.0.1:${zone.address.port}/healthz`)
  assert.is(await response.text(), 'ok\n')
})

test.run()
