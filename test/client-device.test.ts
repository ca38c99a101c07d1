/** Client devices: who is let in, what each may open, and that streams of bytes are what TCP is. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join as path } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../actors/records.ts'
import type { ByteStream } from '../boot/client/byte-stream.ts'
import type { ClientDevice } from '../boot/client/device.ts'
import { ZonewrightError } from '../runtime/errors.ts'
import { hostsPath } from '../actors/enrolment/protocol.ts'
import { runHost } from '../boot/host/run.ts'
import { HOST_FILE } from '../boot/host/folder.ts'
import { limits } from '../runtime/limits.ts'
import { removeFolders, zonewright } from './boot-fixtures/command-line.ts'
import { eventually, joinHost } from './boot-fixtures/joined-hosts.ts'
import { freePort, platform } from './boot-fixtures/joining.ts'
import { deviceZone, type DeviceZone } from './client-device-fixture.ts'

/** As DESIGN §7 promises of live links. */
const CUT_MS = 5_000
const LAPTOP = 'p, device:laptop, stream://notes, write'
const ALICE = 'p, alice, stream://notes, write'
let zone: DeviceZone
let laptop: ClientDevice
let folder: string

test.before(async () => {
  zone = await deviceZone()
  await zone.user('alice', 'active')
  folder = await zone.register('laptop', 'alice')
  laptop = await zone.device(folder)
  await laptop.connected()
})
test.after(async () => {
  await (laptop as ClientDevice | undefined)?.close()
  await (zone as DeviceZone | undefined)?.stop()
  removeFolders()
})

const encoder = new TextEncoder()
const asking = (at: string): Uint8Array => encoder.encode(`GET ${at} HTTP/1.1\r\nhost: notes\r\n\r\n`)

async function ask(device: ClientDevice, service: string, at = '/', then?: () => void): Promise<string> {
  const stream = await device.open(service)
  await stream.write(asking(at))
  stream.end()
  then?.()
  let text = ''
  for await (const bytes of stream) text += new TextDecoder('latin1').decode(bytes)
  return text.split('\r\n\r\n')[1] ?? ''
}
/** Reads it to its end, however that comes. */
async function cut(stream: ByteStream): Promise<string> {
  try {
    for await (const _ of stream) continue
    return 'it ended'
  } catch (error) {
    return (error as Error).message
  }
}
const refusal = async (work: Promise<unknown>): Promise<string> => {
  const error: unknown = await work.then(() => undefined, (failed: unknown) => failed)
  assert.instance(error, ZonewrightError, `it was not refused: ${String(error)}`)
  const { code, details } = error as ZonewrightError
  return `${code} ${String(details['reason'] ?? '')}`.trim()
}

test('a stream is open where the policy allows it to the device and to its owner, each by a line', async () => {
  await zone.policy([])
  assert.match(await refusal(ask(laptop, 'notes')), /^Denied rbac\/no-rule$/)
  await zone.policy([LAPTOP])
  assert.match(await refusal(ask(laptop, 'notes')), /^Denied rbac\/no-rule$/)
  await zone.policy([ALICE])
  assert.match(await refusal(ask(laptop, 'notes')), /^Denied rbac\/no-rule$/)
  await zone.policy([LAPTOP, ALICE])
  assert.is(await ask(laptop, 'notes', '/one'), 'you asked /one')
})

test('what was declared public needs no line; a user of the same name lends none', async () => {
  await zone.policy(['p, laptop, stream://notes, write', ALICE])
  assert.match(await refusal(ask(laptop, 'notes')), /^Denied rbac\/no-rule$/)
  await zone.policy([])
  assert.is(await ask(laptop, 'open', '/two'), 'you asked /two')
})

test('who belongs to a suspended user opens nothing, and what is open closes', async () => {
  await zone.policy([LAPTOP, ALICE])
  const stream = await laptop.open('notes')
  await stream.write(asking('/stay'))
  await zone.user('alice', 'suspended')
  assert.is(await refusal(ask(laptop, 'notes')), 'Denied stream/owner')
  const began = Date.now()
  assert.match(await cut(stream), /not active/)
  assert.ok(Date.now() - began < CUT_MS)
  await zone.user('alice', 'active')
})

test('an open stream closes when the policy does not allow it any more', async () => {
  await zone.policy([LAPTOP, ALICE])
  const stream = await laptop.open('notes')
  await zone.policy([ALICE])
  const began = Date.now()
  assert.match(await cut(stream), /No line of the policy/)
  assert.ok(Date.now() - began < CUT_MS)
  await zone.policy([LAPTOP, ALICE])
})

test('a service that is not there, runs nowhere, or answers no HTTP is told apart', async () => {
  await zone.policy(['p, device:laptop, stream://*, write', 'p, alice, stream://*, write'])
  assert.is(await refusal(ask(laptop, 'nothing')), 'NotFound')
  assert.is(await refusal(ask(laptop, '../boot')), 'NotFound')
  assert.is(await refusal(ask(laptop, 'plain')), 'NotFound')
  assert.is(await refusal(ask(laptop, 'away')), 'Unavailable')
  await zone.policy([LAPTOP, ALICE])
})

test('a direction ends by itself: who has asked all may still be answered', async () => {
  assert.is(await ask(laptop, 'notes', '/late'), 'late')
})

test('an answer that is cut is not taken for a whole one', async () => {
  const error = await ask(laptop, 'notes', '/cut').then(() => undefined, (failed: Error) => failed)
  assert.match(error?.message ?? 'it ended', /closed/)
})

test('a hundred at once are answered, each by its own', async () => {
  const asked = Array.from({ length: 100 }, (_, index) => `/n${index}`)
  assert.equal(await Promise.all(asked.map((at) => ask(laptop, 'notes', at))), asked.map((at) => `you asked ${at}`))
})

test('a slow reader holds up nobody, and gets all of it in the end', async () => {
  const slow = await laptop.open('notes')
  await slow.write(asking('/big'))
  slow.end()
  const began = Date.now()
  for (let index = 0; index < 20; index++) assert.is(await ask(laptop, 'notes', `/f${index}`), `you asked /f${index}`)
  assert.ok(Date.now() - began < 2_000, `${Date.now() - began} ms`)
  let bytes = 0
  for await (const piece of slow) bytes += piece.length
  assert.ok(bytes > 24 * 1_024 * 1_024)
})

test('it is registered, and is no host: no config is made for it, and nothing is placed on it', async () => {
  assert.ok(await zone.read(kv.device('laptop')))
  assert.is(await zone.read(kv.node('laptop')), undefined)
  const info = JSON.parse((await zone.read(kv.info('notes')))!) as { hosts: string[] }
  assert.equal(info.hosts, ['ood1'])
})

test('a stream waits so long for a tunnel, then is Unavailable', async () => {
  const lost = await zone.register('lost')
  const at = path(lost, HOST_FILE)
  writeFileSync(at, readFileSync(at, 'utf8').replace(`:${zone.port}`, `:${await freePort()}`))
  const { clock } = platform
  const quick = { ...platform, clock: { ...clock, after: (ms: number, run: () => void) => clock.after(ms / 20, run) } }
  const device = await zone.device(lost, { platform: quick })
  const began = clock.monotonic()
  assert.is(await refusal(device.open('notes')), 'Unavailable')
  assert.ok(clock.monotonic() - began >= limits.deviceWaitMs / 20)
  await device.close()
})

test('a device needs a folder of a client device, and a host one of a host', async () => {
  const desk = await zone.register('desk')
  assert.is(await refusal(runHost({ platform, folder: desk })), 'NotJoined')
  const { folder: ofHost } = await joinHost(zone, 'node1')
  assert.is(await refusal(zone.device(ofHost)), 'NotJoined')
})

test('the command leads connections to the service; what is refused is told at once, with its code', async () => {
  const desk = await zone.register('shelf')
  const refused = await zone.run('tunnel', '--to', 'notes', '--listen', '127.0.0.1:0', '--dir', desk, '--json')
  assert.is(refused.exitCode, 14, refused.stderr)
  const { error } = JSON.parse(refused.stdout) as { error: { denial: string; reason: string } }
  assert.is(error.reason, 'rbac/no-rule')
  assert.match(refused.stderr, new RegExp(`explain ${error.denial}`))
  await zone.policy([LAPTOP, ALICE, 'p, device:shelf, stream://notes, write', 'p, admin, stream://*, write'])
  const args = ['tunnel', '--to', 'notes', '--listen', '127.0.0.1:0', '--dir', desk, '--json']
  const command = zone.begin(zonewright, args)
  const [, listen] = await command.printed(/"listen":"(.*?)"/)
  assert.is(await (await fetch(`http://${listen}/by-command`)).text(), 'you asked /by-command')
  command.signal('SIGINT')
  assert.is((await command.ended).exitCode, 0)
})

test('by commands: join takes the token of a device, registers it, and ends; as an OOD it does not', async () => {
  assert.is((await zone.run('login', '--password-file', 'password')).exitCode, 0)
  const made = await zone.run('gen', 'join-token', '--host', 'tablet', '--role', 'client-device', '--out', 'for-tablet')
  assert.is(made.exitCode, 0, made.stderr)
  const join = ['join', '--token-file', 'for-tablet/tablet.join-token', '--root', 'for-tablet/root.pem', '--json']
  const asOod = await zone.run(...join, '--dir', 'tablet', '--role', 'ood', '--listen', '127.0.0.1:50099')
  const { error } = JSON.parse(asOod.stdout) as { error: { code: string; next: string } }
  assert.equal([error.code, error.next], ['Usage', 'Leave --role out'])
  const joined = await zone.run(...join, '--dir', 'tablet')
  assert.is(joined.exitCode, 0, joined.stderr)
  assert.is((JSON.parse(joined.stdout) as { role: string }).role, 'client-device')
})

test('who is revoked while it is connected is cut off within five seconds, and told so', async () => {
  const stream = await laptop.open('notes')
  await stream.write(asking('/stay'))
  const began = Date.now()
  const { status } = await zone.control('DELETE', `${hostsPath}/laptop`)
  assert.is(status, 200)
  assert.match(await cut(stream), /closed/)
  assert.ok(Date.now() - began < CUT_MS, `${Date.now() - began} ms`)
  const error = await laptop.ended
  assert.is((error as ZonewrightError).code, 'JoinTokenRevoked')
  assert.match(await refusal(laptop.open('notes')), /^JoinTokenRevoked/)
  await laptop.close()
  const again = await zone.device(folder)
  assert.match(await refusal(again.connected()), /^JoinTokenRevoked/)
  await again.close()
})

test('the control plane restarts: a device is back by itself', async () => {
  await zone.policy(['p, device:chair, stream://notes, write', ALICE])
  const chair = await zone.device(await zone.register('chair', 'alice'))
  await chair.connected()
  assert.is(await ask(chair, 'notes', '/before'), 'you asked /before')
  const { tunnels } = chair.state()
  await zone.zone.kill('enrolment')
  await eventually('it is connected again', () =>
    chair.state().state === 'connected' && chair.state().tunnels > tunnels, 15_000)
  await eventually('it is answered', () =>
    ask(chair, 'notes', '/again').then((text) => text === 'you asked /again', () => false))
  await chair.close()
})

test.run()
