/** After which refusals a client device asks no more. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { JoinRefused, type JoinRefusal } from '../../actors/vault/protocol.ts'
import { isFinal } from '../../boot/client/device.ts'
import { Unavailable } from '../../runtime/errors.ts'

test('a device gives up when the zone has it no more, and after no refusal that may pass', () => {
  const refused = (reason: JoinRefusal): Error => new JoinRefused('No', { reason })
  for (const reason of ['revoked', 'ended', 'device', 'role'] as const) assert.ok(isFinal(refused(reason)), reason)
  for (const reason of ['used', 'proof', 'owned', 'hook', 'address'] as const) {
    assert.not.ok(isFinal(refused(reason)), reason)
  }
  assert.not.ok(isFinal(new Unavailable('No')))
  assert.not.ok(isFinal(undefined))
})

test.run()
