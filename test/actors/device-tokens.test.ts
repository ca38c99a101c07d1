import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { deviceSession } from '../../actors/node-daemon/device-tokens.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { denied, peer, testZone } from './system-config-zone.ts'
import { claimsOf } from './verify-hub-zone.ts'

const daemon = peer('node-daemon', { runtimeType: 'ood' })

function sessionOf(zone: ReturnType<typeof testZone>) {
  const signer = { key: zone.device, host: 'ood1', epoch: 0, clock: zone.clock, random: systemRandom }
  return deviceSession(signer, daemon.kid)
}

test('the session that a device issues itself is good on the link of its node daemon alone', async () => {
  const zone = testZone()
  const running = await zone.booted()
  const token = sessionOf(zone)()
  assert.ok(await running.as(token, daemon).get({ key: 'boot/config' }))
  assert.is(await denied(() => running.as(token, peer('service')).get({ key: 'boot/config' })), 'token/holder')
})

test('it is renewed before it ends, and when the clock was set back', async () => {
  const zone = testZone()
  const running = await zone.booted()
  const session = sessionOf(zone)
  const first = session()
  zone.now += 839_000
  assert.is(session(), first)
  zone.now += 2_000
  assert.is.not(session(), first)
  zone.now -= 7_200_000
  assert.ok(await running.as(session(), daemon).get({ key: 'boot/config' }))
  assert.is(claimsOf(session()).iat, zone.now / 1000)
})

test.run()
