/** A join that ended between the transaction of the zone and its answer, in a program that starts anew. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { hostAlpn } from '../actors/join-protocol.ts'
import { JoinTokenUsed } from '../boot/errors.ts'
import { whoami } from '../boot/join/join-client.ts'
import { removeFolders } from './boot-fixtures/command-line.ts'
import { joiningZone, platform, type JoiningZone } from './boot-fixtures/joining.ts'

let zone: JoiningZone
test.before(async () => { zone = await joiningZone() })
test.after(async () => {
  await (zone as JoiningZone | undefined)?.stop()
  removeFolders()
})

test('the host that used the token finishes its join by its device key, and nobody else does', async () => {
  const made = await zone.token('node1')
  const device = platform.keys.generate(platform.random)
  const first = await zone.join(made, { device })
  // The key of that certificate is gone with the process
  const second = await zone.join(made, { device })
  assert.not.equal(second.serial, first.serial)
  assert.is((await whoami(zone.options(made, { device }), second)).serial, second.serial, hostAlpn)
  let failed: unknown
  await zone.join(made).catch((error: unknown) => { failed = error })
  assert.instance(failed, JoinTokenUsed, String(failed))
})

test.run()
