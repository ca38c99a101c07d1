/** Services that are processes in a whole zone, with real workers: from a spec in `kv://` to what runs, and back. */
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../actors/records.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { file } from '../boot/init.ts'
import { type RunningZone, up } from '../boot/up.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { createTrace, type ActorEvent, type LogEvent } from '../runtime/trace.ts'
import { toBase64url } from '../runtime/trust/base64url.ts'
import { signToken } from '../runtime/trust/token.ts'
import { plainErrors } from './compliance/store/checks.ts'
import {
  freePort, has, isAlive, join, mkdtempSync, PATH, pause, rmSync, SH, tmpdir, until,
} from './processes-fixture.ts'

const test = suite('a process in a zone')
const platform = await openPlatform()
const folder = mkdtempSync(join(tmpdir(), 'zonewright-zone-'))
const OOD = 'ood1'
const logs: LogEvent[] = []
const events: ActorEvent[] = []
const told: string[] = []
let zone: RunningZone

const check = (name: string, body: () => Promise<void>): void => test(name, () => plainErrors(body))

async function boot(): Promise<void> {
  const trace = createTrace()
  trace.on('log', (event) => void logs.push(event))
  trace.on('actor', (event) => void events.push(event))
  trace.on('*', (type, event) => void told.push(`${String(type)} ${JSON.stringify(event)}`))
  const text = `nodes: 1\nprocesses: { allow: [${SH}] }\n`
  zone = await up({ platform, folder, trace, config: { path: 'zone.yaml', text } })
}

test.before(boot)
test.after(async () => {
  await zone?.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function owner(): Promise<{ token: string }> {
  const pem = new TextDecoder().decode((await zone.files.read(file.ownerKey))!)
  const iat = Math.floor(platform.clock.now() / 1000)
  return {
    token: signToken(platform.keys.importPem(pem), {
      iss: 'root', sub: 'root', aud: ['system-config'], iat, exp: iat + 300,
      jti: toBase64url(platform.random.bytes(16)), token_use: 'root', appid: 'cli', runtime_type: 'user', epoch: 0,
    }),
  }
}

interface Run {
  readonly command?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly health?: object
  readonly stopMs?: number
}

/** Writes the spec of a service; `more` is what else it says. */
async function install(name: string, run: Run, more: object = {}): Promise<void> {
  const spec = {
    name, appid: name, owner: null, runtimeType: 'service', kernel: false, audiences: [],
    run: { command: [SH, '-c', 'exec sleep 600'], stopMs: 2_000, ...run, env: { ...PATH, ...run.env } }, ...more,
  }
  const key = kv.spec(name)
  const systemConfig = zone.get(SystemConfig)
  const action = await systemConfig.get({ key }, await owner()) === null ? 'create' : 'update'
  await systemConfig.execTx({ actions: { [key]: { action, value: JSON.stringify(spec) } } }, await owner())
}

const on = (host: string, name: string) =>
  zone.hosts().find((each) => each.host === host)?.actors.find((each) => each.name === name)
const found = (name: string) => zone.hosts().flatMap(({ host }) => {
  const actor = on(host, name)
  return actor ? [{ host, ...actor }] : []
})
const serving = (name: string) => found(name).filter(({ state }) => state === 'serving')
const serves = (name: string, count = 1) =>
  until(() => serving(name).length === count, `${name} serves: ${JSON.stringify(found(name))}`, 20_000)
const folderOf = (name: string): string => {
  const [{ host } = { host: OOD }] = found(name)
  return join(folder, ...(host === OOD ? [] : ['nodes', host]), 'services', name)
}
const environment = (name: string): Record<string, string> => Object.fromEntries(
  readFileSync(`/proc/${serving(name)[0]!.processId}/environ`, 'utf8').split('\0').filter(Boolean).map((entry) =>
    [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]))
const claims = (token: string | undefined) =>
  JSON.parse(atob(token!.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/'))) as Record<string, string>

check('is started from its spec, with the documented environment, and nothing else', async () => {
  const forged = { ZONEWRIGHT_HOST: 'other', NOTES_SESSION_TOKEN: 'mine', BUCKYOS_OWNER_USER_ID: 'me', PLAIN: 'yes' }
  await install('notes', { env: forged })
  await serves('notes')
  const { host } = serving('notes')[0]!
  const env = environment('notes')
  // PWD is the shell's own
  assert.equal(Object.keys(env).filter((name) => name !== 'PWD').sort(), [
    'BUCKYOS_APP_ID', 'BUCKYOS_THIS_DEVICE', 'BUCKYOS_ZONE_CONFIG', 'NOTES_SESSION_TOKEN', 'PATH', 'PLAIN',
    'ZONEWRIGHT_GATEWAY', 'ZONEWRIGHT_HOST', 'ZONEWRIGHT_RUN', 'ZONEWRIGHT_SERVICE', 'ZONEWRIGHT_ZONE',
  ])
  assert.equal([env['ZONEWRIGHT_HOST'], env['ZONEWRIGHT_SERVICE'], env['BUCKYOS_APP_ID'], env['ZONEWRIGHT_ZONE']],
    [host, 'notes', 'notes', zone.config.zone])
  assert.is(env['ZONEWRIGHT_GATEWAY'], `http://127.0.0.1:${zone.address.port}`)
  const boot = await zone.get(SystemConfig).get({ key: kv.bootConfig }, await owner())
  assert.is(env['BUCKYOS_ZONE_CONFIG'], boot?.value)
  const { sub, appid, iss, token_use: use } = claims(env['NOTES_SESSION_TOKEN'])
  assert.equal({ sub, appid, iss, use }, { sub: host, appid: 'notes', iss: host, use: 'login' })
})

check('of a user speaks for its owner', async () => {
  await install('diary', {}, { owner: zone.config.owner })
  await serves('diary')
  const env = environment('diary')
  const name = `${zone.config.owner.toUpperCase()}_DIARY_TOKEN`
  assert.is(env['BUCKYOS_OWNER_USER_ID'], zone.config.owner)
  assert.is(claims(env[name]).sub, zone.config.owner)
  assert.not(Object.keys(env).some((each) => each.endsWith('_SESSION_TOKEN')))
})

check('has a token that nobody sees: not in its arguments, a line, a trace or a state', async () => {
  const tokens = ['notes', 'diary'].flatMap((name) => Object.entries(environment(name)))
    .filter(([name]) => /TOKEN$/.test(name)).map(([, token]) => token)
  assert.is(tokens.length, 2)
  for (const token of tokens) {
    const signature = token.split('.')[2]!
    for (const { processId } of [...serving('notes'), ...serving('diary')])
      assert.not(readFileSync(`/proc/${processId}/cmdline`, 'utf8').includes(signature))
    assert.not(told.some((line) => line.includes(signature)), 'trace')
    assert.not(JSON.stringify(zone.hosts()).includes(signature), 'state')
  }
})

check('that crashes comes back with another token', async () => {
  const before = environment('notes')['NOTES_SESSION_TOKEN']
  const { host, processId } = serving('notes')[0]!
  await zone.killHost(host, 'notes')
  await until(() => serving('notes').some((each) => each.processId !== processId), 'another process')
  const after = environment('notes')['NOTES_SESSION_TOKEN']
  assert.is.not(claims(after)['jti'], claims(before)['jti'])
  assert.not(isAlive(processId!))
})

check('is upgraded by a change of its spec: the old one ends, the new one starts, no other is touched', async () => {
  const [old] = serving('notes')
  const diary = serving('diary')[0]?.processId
  await install('notes', { command: [SH, '-c', 'echo new > version; exec sleep 600'] })
  await until(() => serving('notes').length === 1 && serving('notes')[0]!.processId !== old!.processId, 'the new one')
  assert.not(isAlive(old!.processId!))
  await until(() => has(join(folderOf('notes'), 'version')), 'what it writes')
  assert.is.not(serving('notes')[0]!.version, old!.version)
  assert.is(serving('diary')[0]?.processId, diary)
  const again = serving('notes')[0]!.processId
  await install('notes', { command: [SH, '-c', 'echo new > version; exec sleep 600'] }, { generation: 2 })
  const isOther = () => serving('notes').length === 1 && serving('notes')[0]!.processId !== again
  await until(isOther, 'restarted by generation')
})

check('that does not serve after an upgrade shows why, holds up no other, and is replaced by the next', async () => {
  const port = await freePort()
  await install('notes', { health: { http: { port, path: '/health' }, startMs: 4_000 } })
  await until(() => found('notes').some(({ state }) => state === 'starting'), 'starting')
  const began = performance.now()
  await install('quick', {})
  await serves('quick')
  assert.ok(found('notes').some(({ state }) => state === 'starting'), `${performance.now() - began} ms`)
  await until(() => found('notes').some(({ state }) => state === 'failed'), 'failed')
  assert.match(found('notes').map(({ reason }) => reason).join(), /notes was not healthy within 4000 ms/)
  const isTold = () => logs.some(({ actor, message }) => actor === 'node-daemon' && /^notes did not/.test(message))
  await until(isTold, 'the daemon tells of it')
  await until(() => found('notes').some(({ state }) => state === 'starting'), 'tried again')
  await install('notes', {})
  await serves('notes')
})

check('that this host does not allow says so, and is not run', async () => {
  await install('other', { command: ['/usr/bin/env'] })
  await until(() => found('other').some(({ state }) => state === 'failed'), 'refused')
  assert.match(found('other')[0]!.reason, /other may not run here: processes.allow does not name \/usr\/bin\/env/)
})

check('runs on as many hosts as it should, each in a folder of its own, with a device of its own', async () => {
  await install('twice', {}, { replicas: 2 })
  await serves('twice', 2)
  const hosts = serving('twice').map(({ host }) => host)
  assert.is(new Set(hosts).size, 2)
  const names = serving('twice').map(({ processId }) =>
    /ZONEWRIGHT_HOST=([^\0]*)/.exec(readFileSync(`/proc/${processId}/environ`, 'utf8'))?.[1])
  assert.equal([...names].sort(), [...hosts].sort())
})

check('is stopped everywhere when its spec says so, and nothing starts it', async () => {
  const ids = serving('twice').map(({ processId }) => processId!)
  await install('twice', {}, { replicas: 2, state: 'stopped' })
  await until(() => serving('twice').length === 0 && !ids.some(isAlive), 'stopped')
  await pause(1_000)
  assert.equal(found('twice').map(({ state }) => state), ['stopped', 'stopped'])
  await install('twice', {}, { replicas: 2 })
  await serves('twice', 2)
  await install('twice', {}, { replicas: 0 })
  await until(() => serving('twice').length === 0, 'placed nowhere')
})

check('ends with its zone, and comes back with it, whatever the others do', async () => {
  const ids = zone.hosts().flatMap(({ actors }) => actors).flatMap(({ processId }) => processId ?? [])
  assert.ok(ids.length >= 3)
  await zone.stop()
  assert.not(ids.some(isAlive))
  assert.ok(events.some(({ actor, state }) => actor === 'quick' && state === 'stopped'))
  await boot()
  await serves('quick')
  assert.ok(found('other').every(({ state }) => state === 'failed'))
})

test.run()
