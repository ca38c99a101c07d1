/** Commands to a zone that runs: what they print, what they answer a script, and how each ends. */
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  liveZone, objectOf, removeFolders, start, zonewright, type LiveCommandLine,
} from './boot-fixtures/command-line.ts'

let zone: LiveCommandLine

test.before(async () => { zone = await liveZone() })
test.after(async () => {
  await zone.stop()
  removeFolders()
})

interface Host {
  readonly host: string
  readonly role: string
  readonly state: string
  readonly actors: readonly { readonly name: string; readonly state: string; readonly restarts: number }[]
}

test('status and ps show the zone, for a person and for a script', async () => {
  const status = await zone.json('status')
  assert.equal(Object.keys(status), [
    'zone', 'epoch', 'url', 'healthy', 'ready', 'uptimeMs', 'hosts', 'services', 'certificates', 'nodes', 'problems',
  ])
  assert.is(status['healthy'], true)
  assert.equal(status['hosts'], [{ host: 'ood1', role: 'ood', state: 'serving', remote: false }])
  const text = await zone.run('status')
  assert.is(text.exitCode, 0, text.stderr)
  assert.match(text.stdout, /^zone +zone\.local, epoch 0\n[^]*\nstate +healthy\n$/)

  const [host] = (await zone.json('ps'))['hosts'] as readonly Host[]
  assert.is(host?.role, 'ood')
  const serving = host!.actors.filter(({ state }) => state === 'serving').map(({ name }) => name)
  for (const name of ['vault', 'system-config', 'verify-hub', 'gateway']) assert.ok(serving.includes(name), name)
  const table = await zone.run('ps')
  assert.match(table.stdout, /^host +actor +kind +state +for +restarts +process +reason\n/)
  assert.match(table.stdout, /\nood1 +vault +worker +serving +/)
  assert.is((await zone.fails(20, 'ps', 'nowhere')).code, 'NotFound')
})

test('kv sets, gets, lists and deletes; a value goes through byte for byte', async () => {
  const key = 'users/owner/test'
  const value = 'äöü 漢字\n\u001b[31mred\ttab\\'
  writeFileSync(join(zone.cwd, 'value'), value)
  const { revision } = await zone.json('kv', 'set', `kv://${key}`, '@value')
  assert.ok(Number(revision) > 0)
  assert.equal(await zone.json('kv', 'get', key), { key, value, revision })
  assert.is((await zone.run('kv', 'get', key)).stdout, `${value}\n`)
  const piped = await zone.begin(['kv', 'set', key, '-'], 'from stdin').ended
  assert.is(piped.exitCode, 0, piped.stderr)
  assert.is((await zone.run('kv', 'get', `kv://${key}`)).stdout, 'from stdin\n')
  assert.equal((await zone.json('kv', 'list', 'users/owner'))['names'], ['settings', 'test'])

  assert.is((await zone.fails(21, 'kv', 'set', key, 'x', '--create')).code, 'KeyExists')
  const stale = await zone.fails(21, 'kv', 'set', key, 'x', '--if-revision', String(revision))
  assert.is(stale.code, 'RevisionMismatch')
  const now = Number((await zone.json('kv', 'get', key))['revision'])
  assert.ok(Number((await zone.json('kv', 'set', key, 'newer', '--if-revision', String(now)))['revision']) > now)
  await zone.json('kv', 'delete', key)
  const gone = await zone.fails(20, 'kv', 'get', key)
  assert.match(gone.message, /There is no such key: users\/owner\/test/)
  assert.is((await zone.fails(20, 'kv', 'delete', key)).code, 'KeyNotFound')
  assert.is((await zone.fails(25, 'kv', 'get', 'users/../boot/config')).code, 'InvalidKey')
})

test('kv tx changes all keys or none, and says where its file is wrong', async () => {
  const file = join(zone.cwd, 'tx.yaml')
  const write = (text: string): void => writeFileSync(file, text)
  write('actions:\n  kv://users/owner/a: { action: create, value: one }\n'
    + '  users/owner/b: { action: create, value: { is: json } }\nmain_key: { key: users/owner/a, revision: 0 }\n')
  const { revision, keys } = await zone.json('kv', 'tx', file)
  assert.equal(keys, ['users/owner/a', 'users/owner/b'])
  const second = { key: 'users/owner/b', value: '{"is":"json"}', revision }
  assert.equal(await zone.json('kv', 'get', 'users/owner/b'), second)
  write('actions:\n  users/owner/c: { action: create, value: x }\n  users/owner/a: { action: create, value: x }\n')
  assert.is((await zone.fails(21, 'kv', 'tx', file)).code, 'KeyExists')
  await zone.fails(20, 'kv', 'get', 'users/owner/c')
  write('actions:\n  users/owner/a: { action: delete }\n')
  assert.match((await zone.fails(3, 'kv', 'tx', file)).message, /tx\.yaml:2: actions\.users\/owner\/a\.action: /)
  const removed = await zone.begin(['kv', 'tx', '-'], '{"actions": {"users/owner/a": {"action": "remove"}}}').ended
  assert.is(removed.exitCode, 0, removed.stderr)
})

test('kv watch prints each change once, from a revision on and across a gateway that dies', async () => {
  const { revision } = await zone.json('kv', 'set', 'users/owner/w', '0')
  const watch = zone.begin(['kv', 'watch', 'users/owner', '--after', String(revision), '--json'])
  await zone.json('kv', 'set', 'users/owner/w', '1')
  await watch.printed(/"value":"1"/)
  await zone.json('kill', 'gateway')
  for (const value of ['2', '3']) await zone.json('kv', 'set', 'users/owner/w', value)
  await zone.json('kv', 'delete', 'users/owner/w')
  await watch.printed(/"type":"delete"/)
  watch.signal('SIGINT')
  const { exitCode, stdout, stderr } = await watch.ended
  assert.is(exitCode, 0, stderr)
  const events = stdout.trim().split('\n').map((line) => JSON.parse(line) as { value: string; revision: number })
  assert.equal(events.map(({ value }) => value), ['1', '2', '3', ''])
  assert.ok(events.every((event, index) => event.revision > (events[index - 1]?.revision ?? Number(revision))))
})

test('kill ends an actor, shows that it comes back, and finds the gateway where it was', async () => {
  const killed = await zone.run('kill', 'service')
  assert.is(killed.exitCode, 0, killed.stderr)
  assert.match(killed.stdout, /^Killed ood1\/service\n[^]*serves again after \d+ ms\n$/)
  const before = JSON.parse(readFileSync(join(zone.cwd, '.zone/endpoint.json'), 'utf8')) as { url: string }
  assert.is(statSync(join(zone.cwd, '.zone/endpoint.json')).mode & 0o777, 0o600)
  const { backAfterMs } = await zone.json('kill', 'ood1/gateway')
  assert.ok(Number(backAfterMs) < 20_000)
  const after = JSON.parse(readFileSync(join(zone.cwd, '.zone/endpoint.json'), 'utf8')) as { url: string; pid: number }
  assert.is(after.url, before.url)
  assert.is(after.pid, zone.up.pid)
  const [host] = (await zone.json('ps'))['hosts'] as readonly Host[]
  assert.ok(host!.actors.find(({ name }) => name === 'gateway')!.restarts >= 1)
  const unknown = await zone.fails(20, 'kill', 'nobody')
  assert.match(`${unknown.next}`, /There are: ood1/)
  assert.is((await zone.fails(20, 'kill', 'ood1/nobody')).code, 'NotFound')
  assert.is((await zone.fails(2, 'kill', 'a/b/c')).code, 'Usage')
})

test('logs prints what is kept, goes on with --follow, and can be narrowed', async () => {
  const lines = async (...args: readonly string[]) => {
    const { exitCode, stdout, stderr } = await zone.run('logs', '--json', ...args)
    assert.is(exitCode, 0, stderr)
    return stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>)
  }
  const all = await lines()
  assert.ok(all.length > 3)
  assert.equal(Object.keys(all[0]!).sort(), ['actor', 'at', 'fields', 'host', 'level', 'message', 'sequence'])
  assert.is((await lines('--tail', '2')).length, 2)
  assert.ok((await lines('ood1/gateway')).every(({ actor }) => actor === 'gateway'))
  assert.ok((await lines('gateway')).every(({ actor }) => actor === 'gateway'))
  assert.ok((await lines('--level', 'error')).every(({ level }) => level === 'error'))
  const follow = zone.begin(['logs', 'service', '--follow', '--tail', '0'])
  await zone.json('kill', 'service')
  await follow.printed(/ood1\/service/)
  follow.signal('SIGINT')
  assert.is((await follow.ended).exitCode, 0)
  const reader = start(['sh', '-c', `"$@" logs --follow | head -n 1`, 'sh', ...zonewright], { cwd: zone.cwd })
  await reader.printed(/ood1/)
})

test('what is refused has a code, and explain tells the chain of it', async () => {
  const denied = await zone.fails(14, 'kv', 'set', 'system/rbac/policy', 'p, owner, *, read|write')
  assert.match(`${denied.denial}`, /^D-[0-9a-f]{8}$/)
  assert.match(denied.stderr, /\n {2}next: +An admin can see why: explain D-/)
  const explained = await zone.json('explain', denied.denial!)
  const chain = explained['chain'] as readonly Record<string, string>[]
  const verdicts = chain.map(({ layer, verdict }) => `${layer} ${verdict}`)
  assert.equal(verdicts, ['link allowed', 'token allowed', 'rbac denied'])
  const text = await zone.run('explain', denied.denial!)
  assert.match(text.stdout, /rbac +denied[^]*No line of the policy allows this/)
  assert.match(text.stdout, /app console: write system\/rbac\/policy/)
  assert.is((await zone.fails(20, 'explain', 'D-00000000')).code, 'NotFound')
  assert.is((await zone.fails(2, 'explain', 'x')).code, 'Usage')
})

test('a zone is found by its address as well, and sends no password to another machine', async () => {
  const { url } = JSON.parse(readFileSync(join(zone.cwd, '.zone/endpoint.json'), 'utf8')) as { url: string }
  const at = ['--url', url]
  assert.match(`${(await zone.fails(18, 'ps', ...at)).next}`, /login --url http/)
  await zone.json('login', 'owner', '--password-file', zone.passwordFile, ...at)
  assert.is((await zone.json('status', ...at))['uptimeMs'], null)
  assert.is((await zone.fails(2, 'login', '--password-file', zone.passwordFile, '--url', 'http://192.0.2.1:80')).code,
    'Usage')
  assert.is((await zone.fails(2, 'ps', '--url', 'ftp://127.0.0.1')).code, 'Usage')
})

test('where no zone runs, that is said, with what to do', async () => {
  const nowhere = await zone.fails(17, 'ps', '--dir', './none')
  assert.is(nowhere.code, 'ZoneNotRunning')
  assert.match(nowhere.stderr, /^error: No zone runs from \S+none\n {2}where: \S+endpoint\.json\n {2}next: +\S.* up,/)
  writeFileSync(join(zone.cwd, 'endpoint.json'), JSON.stringify({
    ...JSON.parse(readFileSync(join(zone.cwd, '.zone/endpoint.json'), 'utf8')) as object, pid: 4_194_304,
  }))
  assert.match((await zone.fails(17, 'ps', '--dir', '.')).message, /does not run any more: process 4194304 is gone/)
  writeFileSync(join(zone.cwd, 'endpoint.json'), JSON.stringify({
    ...JSON.parse(readFileSync(join(zone.cwd, '.zone/endpoint.json'), 'utf8')) as object, pid: process.pid,
    url: 'http://127.0.0.1:1/',
  }))
  assert.match((await zone.fails(17, 'status', '--dir', '.')).message, /does not answer at http:\/\/127\.0\.0\.1:1\//)
  const login = ['login', 'owner', '--password-file', zone.passwordFile]
  assert.is((await zone.fails(17, ...login, '--url', 'http://127.0.0.1:1')).code, 'ZoneNotRunning')
})

test('nothing of the owner key, and no token, is printed by any of this', async () => {
  const debug = await zone.run('kv', 'get', 'nobody/x', '--debug', '--json')
  assert.not.match(debug.stdout + debug.stderr, /eyJ|PRIVATE/)
  assert.not.ok(objectOf(debug)['ready'])
})

test.run()
