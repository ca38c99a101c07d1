import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { deviceDocumentType, kv } from '../../actors/records.ts'
import { readDeviceBy } from '../../actors/read-device.ts'
import { policyKey, schedule } from '../../actors/scheduler/schedule.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { crypto } from './system-config-zone.ts'

const owner = crypto.generate(systemRandom)
const device = crypto.generate(systemRandom).public.jwk
const readDevice = readDeviceBy(crypto, { zone: 'z1', root: owner.public.jwk })
const document = (name: string, zone = 'z1') =>
  signDocument(owner, deviceDocumentType, { zone, name, role: 'ood', key: device, owner: 'alice', iat: 1 })
const user = (name: string) => JSON.stringify({ name, type: 'admin', state: 'active' })

test('a user whose name is that of a host is given no role: the services of the host speak under it', () => {
  const config = new Map([
    [kv.device('ood1'), document('ood1')], [kv.user('ood1'), user('ood1')], [kv.user('alice'), user('alice')],
  ])
  const lines = schedule(config, readDevice).get(policyKey)!.split('\n').filter((line) => line.startsWith('g,'))
  assert.equal(lines, ['g, alice, admin', 'g, su_alice, sudo', 'g, su_alice, su_admin'])
})

test('a device document of another zone of the same owner makes no host', () => {
  const config = new Map([[kv.device('ood1'), document('ood1')], [kv.device('ood2'), document('ood2', 'z2')]])
  const hosts = [...schedule(config, readDevice).keys()].filter((key) => key.startsWith('nodes/'))
  assert.equal(hosts, ['nodes/ood1/config'])
})

test.run()
