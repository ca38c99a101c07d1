import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { deviceTokens } from '../../actors/node-daemon/device-tokens.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { denied, peer, testZone } from './system-config-zone.ts'
import { claimsOf } from './verify-hub-zone.ts'

const daemon = peer('node-daemon', { runtimeType: 'ood' })

function tokensOf(zone: ReturnType<typeof testZone>) {
  return deviceTokens({
    key: zone.device, host: 'ood1', linkKid: daemon.kid, epoch: 0, clock: zone.clock, random: systemRandom,
  })
}

test('the session that a device issues itself is good on the link of its node daemon alone', async () => {
  const zone = testZone()
  const running = await zone.booted()
  const token = tokensOf(zone).session()
  assert.ok(await running.as(token, daemon).get({ key: 'boot/config' }))
  assert.is(await denied(() => running.as(token, peer('service')).get({ key: 'boot/config' })), 'token/holder')
})

test('it is renewed before it ends, and when the clock was set back', async () => {
  const zone = testZone()
  const running = await zone.booted()
  const tokens = tokensOf(zone)
  const first = tokens.session()
  zone.now += 839_000
  assert.is(tokens.session(), first)
  zone.now += 2_000
  assert.is.not(tokens.session(), first)
  zone.now -= 7_200_000
  assert.ok(await running.as(tokens.session(), daemon).get({ key: 'boot/config' }))
  assert.is(claimsOf(tokens.session()).iat, zone.now / 1000)
})

test.run()
