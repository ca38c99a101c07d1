/** What the zone would not say of a host is refused before a certificate is made. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createJoins } from '../../actors/enrolment/join.ts'
import { renewalOf } from '../../actors/join-protocol.ts'
import { kv } from '../../actors/records.ts'
import { JoinRefused } from '../../actors/vault/protocol.ts'
import type { ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { asked, device, SERVER } from './join-fixture.ts'
import { documents, registering, ZONE } from './registration-fixture.ts'
import { crypto } from './system-config-zone.ts'

test('a host of which the owner has signed for another since gets no next certificate', async () => {
  const { vault, zone, open, joined, root } = await registering()
  const registrations = await open()
  const by = device()
  await joined(registrations, 'node1', by)
  const joins = createJoins({
    keys: crypto, clock: { now: () => vault.clock.ms } as never, step() {}, registrations, checks: [], late() {},
    fingerprints: () => [SERVER],
    vault: {
      checkJoinToken: async () => { throw new JoinRefused('Nobody joins here') },
      enrol: (given) => vault.enrolling.enrol(given), renewEnrolment: (given) => vault.enrolling.renew(given),
    },
  })
  const again = async (host = 'node1') => {
    const { csr, proof, device: statement } = await asked(renewalOf(ZONE, host), host, by, { zone: ZONE })
    return joins.renewAgain({ host, csr, proof, device: statement, now: vault.clock.ms })
  }
  const made = async () => (await vault.pki.certificates.page(undefined, 100)).certificates.length
  await again()
  assert.is(await made(), 2)
  const owners = documents(zone, await vault.signer()).device(zone.owner, { name: 'node1' })
  await root().set({ key: kv.device('node1'), value: owners })
  const reasonOf = async (host?: string) => {
    const error: unknown = await again(host).catch((failed: unknown) => failed)
    return (error as ZonewrightError).details['reason']
  }
  for (let asks = 0; asks <= limits.hostCertificates; asks++) assert.is(await reasonOf(), 'owned')
  assert.is(await made(), 2)
  assert.is(await reasonOf('node9'), 'device', 'who never joined is told what it was told before')
})

test.run()
