/** Several OODs on one host over a real etcd of three members: what any does, and what the others do without it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../actors/records.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { verifyAudit } from '../boot/audit/verify.ts'
import { Usage } from '../boot/errors.ts'
import { Hosts } from '../boot/hosts.ts'
import { file } from '../boot/init.ts'
import { up, type Progress, type RunningZone } from '../boot/up.ts'
import { limits } from '../runtime/limits.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import type { SigningKey } from '../runtime/platform/ports.ts'
import { toBase64url } from '../runtime/trust/base64url.ts'
import { signToken } from '../runtime/trust/token.ts'
import { createTrace, type LogEvent, type StepEvent } from '../runtime/trace.ts'
import { OriginalsClient, type Post } from './krpc-client.ts'
import { startCluster, type EtcdCluster } from './runtime/etcd-server.ts'

const platform = await openPlatform()
const { clock } = platform
const folder = mkdtempSync(join(tmpdir(), 'zonewright-oods-'))
const OODS = ['ood1', 'ood2', 'ood3']
const hosts = new Hosts()
const trace = createTrace()
const logs: LogEvent[] = []
const steps: StepEvent[] = []
trace.on('log', (event) => void logs.push(event))
trace.on('step', (event) => void steps.push(event))
let cluster: EtcdCluster
let zone: RunningZone
let owner: SigningKey
let user: { username: string; password: string }

test.before(async () => {
  cluster = await startCluster()
  const { endpoints, credentials } = cluster
  zone = await up({
    platform, folder, hosts, trace, oods: 3, stores: { type: 'etcd', endpoints, prefix: '/zones/oods', credentials },
  })
  owner = platform.keys.importPem(readFileSync(join(folder, file.ownerKey), 'utf8'))
  user = (await zone.firstPassword())!
})
test.after(async () => {
  await zone?.stop()
  await cluster.end()
  rmSync(folder, { recursive: true, force: true })
})

const lifeOf = (host: string) => hosts.all().find(({ name }) => name === host)!
const client = (host: string, service: string, token: string | null = null): OriginalsClient => {
  const address = host === 'ood1' ? zone.address : zone.oods().find((ood) => ood.host === host)!.address
  const post: Post = async (path, body) => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`http://${address.hostname}:${address.port}${path}`, { method: 'POST', headers, body })
    return { status: response.status, text: await response.text() }
  }
  return new OriginalsClient(post, service, token)
}
interface Pair { readonly session_token: string; readonly refresh_token: string }
const login = (host: string) => client(host, 'verify-hub').call('login_by_password', {
  type: 'password', ...user, appid: 'console', audiences: ['system-config'],
}) as Promise<Pair>
const root = (): string => {
  const iat = Math.floor(clock.now() / 1000)
  return signToken(owner, {
    iss: 'root', sub: 'root', aud: ['system-config'], iat, exp: iat + 120, appid: 'cli', runtime_type: 'user', epoch: 0,
    jti: toBase64url(platform.random.bytes(12)), token_use: 'root',
  })
}
const config = (host: string) => lifeOf(host).supervisor.get(SystemConfig)
const read = async (host: string, key: string) => (await config(host).get({ key }, { token: root() }))?.value
/** Who told last that it leads, by that name. */
const leaderOf = (name: string): string | undefined =>
  logs.findLast(({ actor, message }) => actor === name && message === 'It leads')?.host
async function until(what: string, withinMs: number, holds: () => unknown): Promise<number> {
  const began = clock.monotonic()
  while (!await holds()) {
    assert.ok(clock.monotonic() - began < withinMs, `${what}: not within ${withinMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return clock.monotonic() - began
}

test('each has a control plane, keys and a folder of its own, in the zone that the first one made', async () => {
  assert.equal(hosts.hosts().map(({ host, role, state }) => `${host} ${role} ${state}`).sort(),
    OODS.map((host) => `${host} ood serving`))
  const booted = steps.filter(({ sequence, number }) => sequence === 'boot' && number === 7)
  assert.ok(booted.length > 0)
  const control = ['cert-manager', 'gateway', 'node-daemon', 'scheduler', 'system-config', 'vault', 'verify-hub']
  for (const { host, actors } of hosts.hosts()) {
    const serving = actors.filter(({ state }) => state === 'serving').map(({ name }) => name)
    assert.equal(control.filter((name) => !serving.includes(name)), [], host)
  }
  const keys = OODS.map((host) => readFileSync(
    host === 'ood1' ? join(folder, file.deviceKey) : join(folder, file.oods, host, file.deviceKey), 'utf8'))
  assert.is(new Set(keys).size, 3)
  assert.equal(readdirSync(join(folder, file.oods)).sort(), ['ood2', 'ood3'])
})

test('each vault writes a chain of its own, and each is whole', async () => {
  for (const host of OODS) {
    const audit = host === 'ood1' ? join(folder, file.audit) : join(folder, file.oods, host, file.audit)
    const { name, records, faults } = await verifyAudit({ platform, folder: audit })
    assert.equal([name?.host, records > 0, faults], [host, true, 0])
  }
})

test('any of them answers logins, refreshes sessions of another, and writes what all of them read', async () => {
  const sessions = await Promise.all(OODS.map(login))
  for (const [index, host] of OODS.entries()) {
    const other = OODS[(index + 1) % OODS.length]!
    const next = await client(other, 'verify-hub').call('refresh_token', {
      refresh_token: sessions[index]!.refresh_token,
    }) as Pair
    const key = `users/${user.username}/notes-${host}`
    await client(host, 'system_config', next.session_token).call('sys_config_create', { key, value: host })
    for (const reader of OODS) assert.is(await read(reader, key), host)
  }
})

test('a session that ends at one has ended at all when that is answered', async () => {
  const { session_token: token, refresh_token: refreshToken } = await login('ood2')
  const reads = (host: string) => client(host, 'system_config', token).call('sys_config_get', { key: 'boot/config' })
  for (const host of OODS) await reads(host)
  await client('ood3', 'verify-hub').call('logout', { refresh_token: refreshToken })
  for (const host of OODS) {
    const { details } = await client(host, 'system_config', token).refusal('sys_config_get', { key: 'boot/config' })
    assert.is(details['reason'], 'token/revoked', host)
  }
})

test('what is written in a policy at one holds at all when that is answered', async () => {
  const { session_token: token } = await login('ood1')
  const key = `users/${user.username}/secret`
  await client('ood1', 'system_config', token).call('sys_config_create', { key, value: '1' })
  for (const [index, host] of OODS.entries()) {
    const before = (await read(host, 'system/rbac/policy'))!
    const line = `p, ${user.username}, users/${user.username}/secret, read, deny\n`
    const denied = before.startsWith(line)
    const value = denied ? before.slice(line.length) : line + before
    const began = clock.monotonic()
    await config(host).execTx({ actions: { 'system/rbac/policy': { action: 'update', value } } }, { token: root() })
    assert.ok(clock.monotonic() - began < limits.enforcerLeaseMs, `${host}: nobody had to be waited for`)
    for (const reader of OODS) {
      const reading = client(reader, 'system_config', token)
      if (denied) await reading.call('sys_config_get', { key })
      else assert.match(String((await reading.refusal('sys_config_get', { key })).details['reason']), /^rbac/, reader)
    }
    assert.is(denied, index % 2 === 1)
  }
})

test('one scheduler writes, and each OOD is told to run the kernel services', async () => {
  assert.is(logs.filter(({ actor, message }) => actor === 'scheduler' && message === 'It leads').length, 1)
  for (const host of OODS) {
    const { services } = JSON.parse((await read('ood3', kv.node(host)))!) as { services: Record<string, unknown> }
    for (const name of ['gateway', 'scheduler', 'verify-hub']) assert.ok(services[name], `${name} on ${host}`)
  }
})

test('one that is killed is missed by nobody, and comes back', async () => {
  const [host] = OODS.filter((name) => name !== leaderOf('scheduler'))
  const { starts } = lifeOf(host!)
  await lifeOf(host!).kill('as if its power went')
  for (const other of OODS.filter((name) => name !== host)) await login(other)
  await until(`${host} serves again`, 60_000, () => lifeOf(host!).state === 'serving' && lifeOf(host!).starts > starts)
  await login(host!)
})

test('when a leader is gone another leads within the time of its lease and a second', async () => {
  const leader = leaderOf('scheduler')!
  const [other] = OODS.filter((host) => host !== leader)
  const at = clock.monotonic()
  const life = lifeOf(leader)
  const killed = life.kill('as if its power went')
  await killed
  // It stays away
  await life.stop()
  const ms = await until('Another leads', limits.leaderLeaseMs + 1_000, () => leaderOf('scheduler') !== leader)
  assert.ok(clock.monotonic() - at <= limits.leaderLeaseMs + 1_000, `after ${ms} ms`)
  // And writes
  const spec = {
    name: 'extra', appid: 'extra', owner: null, runtimeType: 'service', kernel: false, audiences: [], replicas: 0,
  }
  const actions = { [kv.spec('extra')]: { action: 'create' as const, value: JSON.stringify(spec) } }
  await config(other!).execTx({ actions }, { token: root() })
  await until('The next leader writes', 5_000, () => read(other!, kv.info('extra')))
  // The zone goes on: logins, reads and writes at those that are there
  const { session_token: token } = await login(other!)
  await client(other!, 'system_config', token).call('sys_config_set', {
    key: `users/${user.username}/after`, value: 'still here',
  })
})

test('one that cannot start keeps no other from it, and it is said which, why and where', async () => {
  await zone.stop()
  const audit = join(folder, file.oods, 'ood2', file.audit)
  rmSync(audit, { recursive: true })
  writeFileSync(audit, 'in the place of a folder')
  const failed: Extract<Progress, { type: 'ood-failed' }>[] = []
  const { endpoints, credentials } = cluster
  zone = await up({
    platform, folder, oods: 3, stores: { type: 'etcd', endpoints, prefix: '/zones/oods', credentials },
    onProgress: (progress) => { if (progress.type === 'ood-failed') failed.push(progress) },
  })
  assert.equal(failed.map((one) => [one.host, one.folder]), [['ood2', join(folder, file.oods, 'ood2')]])
  assert.match(failed[0]!.error.message, /vault/)
  assert.equal(zone.hosts().map(({ host, state }) => [host, state]).sort(), [
    ['ood1', 'serving'], ['ood2', 'failed'], ['ood3', 'serving'],
  ])
  assert.ok(await login('ood3'))
})

test('without etcd there is one OOD', async () => {
  const alone = mkdtempSync(join(tmpdir(), 'zonewright-ood-'))
  try {
    await up({ platform, folder: alone, oods: 2 })
    assert.unreachable()
  } catch (error) {
    assert.instance(error, Usage)
    assert.equal(readdirSync(alone).filter((name) => name !== file.lock), [], 'nothing was made')
  } finally {
    rmSync(alone, { recursive: true, force: true })
  }
})

test.run()
