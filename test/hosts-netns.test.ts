/** A zone and a host on two addresses: cables that are cut, a control plane that is killed, a host that is killed. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  newFolder, objectOf, removeFolders, start, type Ended, type Started, zonewright,
} from './boot-fixtures/command-line.ts'
import { eventually } from './boot-fixtures/joined-hosts.ts'
import { programs } from './boot-fixtures/joining.ts'
import { makeNet, type TestNet } from './boot-fixtures/netns.ts'
import { PATH, SH } from './processes-fixture.ts'

const PORT = 50_051
const BACK_MS = 30_000
/** Of a process that the test itself ends. */
const RUN_MS = 150_000
const ALLOWED = `processes: { allow: [${SH}] }\n`
/** The host runs on the other runtime, where there is one. */
const other = programs().at(-1)![1]
let net: TestNet
let ood: Started
let host: Started
const cwd = newFolder()
const hostFolder = newFolder()

const onOod = (...args: readonly string[]): Promise<Ended> =>
  start(net.on('ood', [...zonewright, ...args]), { cwd }).ended
const json = async (...args: readonly string[]): Promise<Record<string, unknown>> => {
  const ended = await onOod(...args, '--json')
  assert.is(ended.exitCode, 0, `${args.join(' ')}: ${ended.stderr}`)
  return objectOf(ended)
}
const up = async (): Promise<void> => {
  ood = start(net.on('ood', [...zonewright, 'up', '--config', 'config.yaml']), { cwd, msMax: RUN_MS })
  await ood.printed(/Ctrl-C stops it/)
}
const runHost = async (...args: readonly string[]): Promise<void> => {
  host = start(net.on('node1', [...other, ...args, '--dir', hostFolder]), { cwd, msMax: RUN_MS })
  await host.printed(/Ctrl-C stops it/)
}

test.before(async () => {
  net = makeNet(['ood', 'node1'])
  const config = [`addr: ${net.address('ood')}:${PORT}`, 'tls_config: { enable: true }', ALLOWED]
  writeFileSync(join(cwd, 'config.yaml'), config.join('\n'))
  writeFileSync(join(hostFolder, 'zone.yaml'), ALLOWED)
  await up()
  const [, password = ''] = await ood.printed(/with the password (\S+)/)
  writeFileSync(join(cwd, 'password'), `${password}\n`, { mode: 0o600 })
  await json('login', '--password-file', 'password')
})
test.after(async () => {
  for (const one of [host, ood]) {
    one?.signal('SIGKILL')
    await one?.ended
  }
  net?.remove()
  removeFolders()
})

/** What the host tells of itself, by the zone: grows with each report. */
const report = async (): Promise<string> => {
  const ended = await onOod('kv', 'get', 'devices/node1/info', '--json')
  if (ended.exitCode !== 0) return ''
  return String(objectOf(ended)['value'])
}
const reportsAgain = async (what: string): Promise<void> => {
  const before = await report()
  await eventually(what, async () => {
    const now = await report()
    return now !== '' && now !== before
  }, BACK_MS)
}

test('a host on another address joins, logs in, reads its config and tells of itself', async () => {
  await json('gen', 'join-token', '--host', 'node1', '--out', 'files')
  await runHost('join', '--server', `${net.address('ood')}:${PORT}`, '--token-file', 'files/node1.join-token',
    '--root', 'files/root.pem')
  await eventually('it tells of itself', async () => await report() !== '', BACK_MS)
  const info = JSON.parse(await report()) as { name: string }
  assert.is(info.name, 'node1')
})

test('it runs a service that the zone places on it', async () => {
  const spec = {
    name: 'notes', appid: 'notes', owner: null, runtimeType: 'service', kernel: false, audiences: [], replicas: 2,
    run: { command: [SH, '-c', 'exec sleep 600'], stopMs: 2_000, env: PATH },
  }
  writeFileSync(join(cwd, 'notes.json'), JSON.stringify(spec))
  await json('services', 'add', 'notes.json', '--no-wait')
  await eventually('it runs there', () => net.processes('node1').some((pid) => {
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
    return environment.includes('ZONEWRIGHT_SERVICE=notes') && environment.includes('ZONEWRIGHT_HOST=node1')
      && environment.some((entry) => /^NOTES_SESSION_TOKEN=./.test(entry))
  }), BACK_MS)
})

test('its cable is out for a while: it goes on, and is back by itself', async () => {
  net.cut('node1')
  await new Promise((settle) => setTimeout(settle, 3_000))
  net.heal('node1')
  await reportsAgain('it tells of itself again')
})

test('the control plane is killed and comes back: so does the host', async () => {
  ood.signal('SIGKILL')
  await ood.ended
  await up()
  await reportsAgain('it tells of itself again')
})

test('the host is killed and started again by its folder alone', async () => {
  host.signal('SIGKILL')
  await host.ended
  await runHost('node')
  await reportsAgain('it tells of itself again')
  assert.match(readFileSync(join(hostFolder, 'host.json'), 'utf8'), new RegExp(net.address('ood')))
})

test('a line that loses a tenth of what it carries delays a host, and no more', async () => {
  const ends = [net.lose('node1', 'ood', 0.1), net.lose('ood', 'node1', 0.1)]
  host.signal('SIGKILL')
  await host.ended
  await runHost('node')
  await reportsAgain('it tells of itself')
  for (const end of ends) end()
})

test.run()
