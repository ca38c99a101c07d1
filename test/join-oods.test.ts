/** A second OOD joins a zone whose stores lie in etcd: another process, from a folder of its own. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join as path } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { file } from '../boot/init.ts'
import { type Failure, objectOf, removeFolders, start, type Started, zonewright } from './boot-fixtures/command-line.ts'
import { oodZone, type OodZone } from './boot-fixtures/joining-oods.ts'
import { OriginalsClient, type Post } from './krpc-client.ts'
import { freePort } from './runtime/etcd-server.ts'

let zone: OodZone
let second: Started | undefined
let address: string
let port: number

test.before(async () => {
  zone = await oodZone()
})
test.after(async () => {
  second?.signal('SIGTERM')
  await second?.ended
  await (zone as OodZone | undefined)?.end()
  removeFolders()
})

test('a host waits for the owner, and is an OOD with a folder of its own when it was approved', async () => {
  const made = await zone.token('ood2')
  const folder = await zone.folder('ood2')
  const told: string[] = []
  const joining = zone.join(made, folder, { onWaiting: (device) => void told.push(device) })
  while (told.length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(told, [folder.device.public.kid])
  const [request] = await zone.pending()
  assert.equal([request!.host, request!.device], ['ood2', folder.device.public.kid])
  await zone.accept('ood2', folder.device.public.jwk)
  const joined = await joining
  assert.is(joined.unsealKey, readFileSync(path(zone.joining.cwd, '.zone', file.unsealKey), 'utf8').trim())
  port = await freePort()
  await folder.keep(joined, `127.0.0.1:${port}`)
  await folder.close()
  const files = readdirSync(folder.dir, { recursive: true }).map(String).sort()
  assert.ok(!files.includes(file.ownerKey))
  for (const name of files.filter((each) => /key$|json$/.test(each))) {
    assert.is(statSync(path(folder.dir, name)).mode & 0o777, 0o600, name)
  }
  assert.ok(!existsSync(path(folder.dir, 'joining.json')))
  second = start([...zonewright, 'start', '--dir', folder.dir, '--json'], { cwd: folder.dir, input: 'open' })
  await Promise.race([second.printed(/\n/), second.ended.then(({ stderr }) => assert.unreachable(stderr))])
  address = (JSON.parse((await second.printed(/.*\n/))[0]) as { address: string }).address
})

const at = (url: string) => {
  const post: Post = async (to, body) => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(new URL(to, url), { method: 'POST', headers, body })
    return { status: response.status, text: await response.text() }
  }
  return (service: string, token: string | null = null) => new OriginalsClient(post, service, token)
}

test('both answer: what is written at one is read at the other, by a session of either', async () => {
  const first = at(`http://127.0.0.1:${zone.joining.zone.address.port}`)
  const other = at(address)
  const password = readFileSync(path(zone.joining.cwd, 'password'), 'utf8').trim()
  const { session_token: token } = await other('verify-hub').call('login_by_password', {
    type: 'password', username: 'owner', password, appid: 'console', audiences: ['system-config'],
  }) as { session_token: string }
  const key = 'users/owner/from-ood2'
  await other('system_config', token).call('sys_config_create', { key, value: 'hello' })
  const read = await first('system_config', token).call('sys_config_get', { key }) as { value: string }
  assert.is(read.value, 'hello')
})

test('a node joins at the second OOD as at the first', async () => {
  const made = await zone.joining.token('node1')
  const joined = await zone.joining.join({ ...made, server: `127.0.0.1:${port}` }, { port })
  assert.equal([joined.host, joined.standing.oods.length], ['node1', 2])
})

test('by commands: the host shows a fingerprint, the owner compares it, and signs', async () => {
  const { joining } = zone
  assert.is((await joining.run('login', '--password-file', 'password')).exitCode, 0)
  const generated = await joining.run('gen', 'join-token', '--host', 'ood3', '--role', 'ood', '--out', 'three')
  assert.is(generated.exitCode, 0, generated.stderr)
  assert.match(generated.stdout, /join --server \S+ --token-file \S+ --root \S+ --role ood --listen ADDRESS:PORT/)
  const args = [
    'join', '--token-file', 'three/ood3.join-token', '--root', 'three/root.pem', '--dir', 'host3', '--json',
  ]
  const asNode = await joining.run(...args)
  assert.is((objectOf(asNode)['error'] as Failure).code, 'Usage', 'the token is for an OOD')
  const host = joining.begin(zonewright, [...args, '--role', 'ood', '--listen', '127.0.0.1:50099'])
  const waiting = async (): Promise<string> => {
    const { requests } = objectOf(await joining.run('hosts', 'pending', '--json')) as { requests: { device: string }[] }
    return requests[0]?.device ?? await waiting()
  }
  const device = await waiting()
  const approve = (...more: readonly string[]) => joining.run(
    'hosts', 'approve', 'ood3', '--owner-key', '.zone/owner.key', '--yes', '--json', ...more)
  assert.is((objectOf(await approve())['error'] as Failure).code, 'Usage', 'nobody has compared it')
  const wrong = await approve('--fingerprint', device.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')))
  assert.equal([wrong.exitCode, (objectOf(wrong)['error'] as Failure).code], [69, 'FingerprintMismatch'])
  assert.is((await zone.pending())[0]!.approvedAt, undefined)
  const right = await approve('--fingerprint', device)
  assert.is(right.exitCode, 0, right.stderr)
  const { exitCode, stdout, stderr } = await host.ended
  assert.is(exitCode, 0, stderr)
  assert.ok(stderr.includes(device), 'the host shows its fingerprint')
  const unsealKey = readFileSync(path(joining.cwd, 'host3', file.unsealKey), 'utf8').trim()
  assert.is(unsealKey, readFileSync(path(joining.cwd, '.zone', file.unsealKey), 'utf8').trim())
  assert.not.ok(`${stdout}${stderr}${right.stdout}${right.stderr}`.includes(unsealKey))
  const { hosts } = objectOf(await joining.run('hosts', '--json')) as { hosts: { host: string; role: string }[] }
  assert.equal(hosts.map((one) => `${one.host} ${one.role}`), ['node1 node', 'ood2 ood', 'ood3 ood'])
  const names = async () => {
    const { devices } = objectOf(await joining.run('devices', '--json')) as { devices: { name: string }[] }
    return devices.map(({ name }) => name)
  }
  assert.ok((await names()).includes('ood3'))
  const revoke = async (...more: readonly string[]) => {
    const told = objectOf(await joining.run('revoke', 'ood3', '--yes', '--json', ...more))
    return [told['documentStands'], (await names()).includes('ood3')]
  }
  assert.equal(await revoke(), [true, true], 'the zone cannot take back what the owner signed, and says so')
  assert.equal(await revoke('--owner-key', '.zone/owner.key'), [false, false])
})

test.run()
