/** A host that joined is registered: everybody can judge its document, and it is over when it is revoked. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { joinPath } from '../actors/join-protocol.ts'
import { loginToken } from '../actors/node-daemon/device-tokens.ts'
import { readDeviceBy } from '../actors/read-device.ts'
import { kv } from '../actors/records.ts'
import { renew, renewAgain, type Joined, type JoinOptions } from '../boot/join/join-client.ts'
import type { ZonewrightError } from '../runtime/errors.ts'
import { objectOf, removeFolders } from './boot-fixtures/command-line.ts'
import { joiningZone, platform, withClock, type JoiningZone } from './boot-fixtures/joining.ts'
import { OriginalsClient } from './krpc-client.ts'

let zone: JoiningZone
const { keys } = platform

test.before(async () => {
  zone = await joiningZone()
  assert.is((await zone.run('login', '--password-file', 'password')).exitCode, 0)
})
test.after(async () => {
  await (zone as JoiningZone | undefined)?.stop()
  removeFolders()
})

const why = async (run: () => Promise<unknown>): Promise<string> => {
  try {
    await run()
  } catch (error) {
    const { code, details } = error as ZonewrightError
    return `${code} ${String(details['reason'] ?? '')}`.trim()
  }
  return 'let in'
}
const joinAs = async (host: string, changes: Partial<JoinOptions> = {}): Promise<[JoinOptions, Joined]> => {
  const made = await zone.token(host)
  const options = zone.options(made, changes)
  return [options, await zone.join(made, options)]
}
const valueOf = async (key: string): Promise<string | undefined> => {
  const read = await zone.run('kv', 'get', key, '--json')
  return read.exitCode === 0 ? (objectOf(read) as { value: string }).value : undefined
}
const hosts = async (): Promise<readonly Record<string, unknown>[]> =>
  (objectOf(await zone.run('hosts', '--json')) as { hosts: Record<string, unknown>[] }).hosts
const hub = (token: string | null = null): OriginalsClient => new OriginalsClient(async (at, body) => {
  const response = await fetch(`http://127.0.0.1:${zone.zone.address.port}${at}`, {
    method: 'POST', body, headers: { 'content-type': 'application/json' },
  })
  return { status: response.status, text: await response.text() }
}, 'verify-hub', token)

test('a host that joins is registered before it is answered, and can judge the zone by what it is given', async () => {
  const [options, joined] = await joinAs('node1')
  const root = zone.zone.identity.zone.root
  const text = await valueOf(kv.device('node1'))
  assert.is(text, joined.standing.document)
  const readDevice = readDeviceBy(keys, { zone: 'zone.local', root })
  const { role, key, owner, name } = readDevice(text!)!
  assert.equal([name, role, key.x, owner], ['node1', 'node', options.device.public.jwk.x, 'owner'])
  const { standing } = joined
  assert.equal(standing.zone.root.x, root.x)
  assert.equal(standing.oods.map((ood) => readDevice(ood)?.name), ['ood1'])
  const { enrolment } = readDevice(text!)!
  assert.equal([standing.oods, standing.certificates], [[enrolment!.ood], [enrolment!.certificate]])
  const devices = objectOf(await zone.run('devices', '--json')) as { devices: Record<string, unknown>[] }
  assert.equal(devices.devices.map(({ name: one, valid }) => [one, valid]), [['node1', true], ['ood1', true]])
  const [listed] = await hosts()
  assert.equal([listed!['host'], listed!['serial'], listed!['device'], listed!['token'] !== ''],
    ['node1', joined.serial, options.device.public.kid, true])
  assert.match((await zone.run('hosts')).stdout, /node1 +node +\S+ +\d+ m?s ago/)
})

/** Its gateway is not this one, so that it is refused for that; unless its device is not known at all. */
const logIn = ({ device, host }: JoinOptions): Promise<string> => {
  const signer = { key: device, host, epoch: 0, clock: platform.clock, random: platform.random }
  const jwt = loginToken(signer, { appid: 'node-daemon', owner: null, runtimeType: 'node' })
  return why(() => hub().call('login_by_jwt', { jwt, type: 'jwt', audiences: ['system-config'] }))
}

test('its device is known to verify-hub, and the certificate that it renews is of the same registration', async () => {
  const [options, joined] = await joinAs('node2')
  assert.is(await logIn(options), 'Denied login/presenter')
  const next = await renew(options, joined)
  assert.is(next.standing.document, joined.standing.document)
  const again = await renewAgain(options, joined.standing.zone.root)
  assert.is(again.standing.document, joined.standing.document)
  assert.not.equal(again.serial, next.serial)
})

test('without a certificate only the device that joined gets one, and only while it is registered', async () => {
  const [options] = await joinAs('node3')
  const thief = { ...options, device: keys.generate(platform.random) }
  assert.is(await why(() => renewAgain(thief)), 'JoinNotAllowed device')
  assert.is(await why(() => renewAgain({ ...options, host: 'node2' })), 'JoinNotAllowed device')
  assert.is(await why(() => renewAgain({ ...options, host: 'nobody' })), 'JoinNotAllowed device')
  assert.is(await why(() => renewAgain({ ...options, platform: withClock(3_600_000) })), 'ClockSkew')
  const foreign = { ...options.given, owner: keys.generate(platform.random).public.jwk }
  assert.is(await why(() => renewAgain({ ...options, given: foreign })), 'NotAZone', 'the owner key is pinned')
  assert.is(await why(() => renewAgain(options)), 'let in')
})

test('a name that another device has, and one that the owner signed for, are nobody else’s to join as', async () => {
  await joinAs('node4')
  const second = await zone.token('node4')
  assert.is(await why(() => zone.join(second)), 'JoinNotAllowed taken')
  const { status, value } = await zone.control('POST', '/join-tokens', JSON.stringify({ host: 'ood1', role: 'node' }))
  assert.equal([status, (value as { reason: string }).reason], [403, 'owned'])
})

test('who is revoked is out at once: certificates, document, device key, and what was given out before', async () => {
  const [options, joined] = await joinAs('node5')
  const next = await renew(options, joined)
  const spare = await zone.token('node5')
  assert.is(await logIn(options), 'Denied login/presenter')

  const unasked = await zone.run('revoke', 'node5')
  assert.is(unasked.exitCode, 2, 'nobody is there to be asked')
  const revoked = objectOf(await zone.run('revoke', 'node5', '--yes', '--json')) as Record<string, unknown>
  assert.equal([revoked['host'], revoked['serial'], revoked['revokedBy']], ['node5', next.serial, 'owner'])
  assert.is(await valueOf(kv.device('node5')), undefined)
  assert.is(await why(() => renew(options, next)), 'NotAZone', 'the listener knows the list')
  assert.is(await why(() => renew(options, joined)), 'NotAZone', 'and the certificate before is in it')
  assert.is(await why(() => renewAgain(options)), 'JoinTokenRevoked revoked')
  assert.is(await why(() => zone.join(spare, { device: options.device })), 'JoinTokenRevoked revoked')
  assert.is(await logIn(options), 'Denied token/unknown-key')
  assert.is(objectOf(await zone.run('revoke', 'node5', '--yes', '--json'))['revokedAt'], revoked['revokedAt'])
  assert.is((await zone.run('revoke', 'nobody', '--yes')).exitCode !== 0, true)
  // Whoever may lets it in again, and the name is another device's then
  const [, anew] = await joinAs('node5')
  assert.is(await valueOf(kv.device('node5')), anew.standing.document)
  assert.is(await why(() => renewAgain(options)), 'JoinNotAllowed device')
})

test('hosts are shown to, and revoked for, who may alone', async () => {
  assert.is((await zone.control('GET', '/hosts', '', 'a.b.c')).status, 403)
  assert.is((await zone.control('DELETE', '/hosts/node1', '', 'a.b.c')).status, 403)
  assert.is((await zone.control('DELETE', '/hosts/Node1')).status, 404)
  assert.is((await zone.control('GET', '/hosts/node1')).status, 404)
  assert.is((await zone.control('GET', joinPath.again)).status, 404)
})

test.run()
