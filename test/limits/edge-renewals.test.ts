import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import { systemClock } from '../../runtime/platform/clock.ts'
import { memoryChannelPair } from '../../transport/memory.ts'
import { RenewalRefused, type NextCertificate } from '../../transport/tunnel/protocol.ts'
import { authority, day, holder, keys, now } from '../runtime/x509-fixture.ts'
import { tunnelPair } from '../tunnel-ends.ts'

test('an end of a tunnel shows so many next certificates in a window, and no more are judged', async () => {
  const root = await authority('root')
  const host = (name: string) => holder(name, root, {
    notAfter: now + 3_000 * day,
    extensions: { keyUsage: ['digitalSignature'], names: [{ type: 'uri', value: `spiffe://zone.test/node/${name}` }] },
  })
  const [here, peer] = [await host('here'), await host('peer')]
  const [ours, theirs] = [here.certificate.raw, peer.certificate.raw]
  let passedMs = 0
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + passedMs }
  let judged = 0
  const { near, far } = await tunnelPair(
    memoryChannelPair(systemClock), { certificates: { own: theirs, peer: ours, keys } },
    { certificates: { own: ours, peer: theirs, keys }, clock, onRenew: async () => void judged++ },
  )
  const next: NextCertificate = { chain: [theirs], sign: (statement) => peer.key.sign(statement) }
  for (let count = 0; count < limits.edgeRenewals; count++) await near.renew(next)
  const refused: unknown = await near.renew(next).catch((error: unknown) => error)
  assert.instance(refused, RenewalRefused)
  assert.is(judged, limits.edgeRenewals)
  passedMs = limits.edgeRenewalsMs
  await near.renew(next)
  assert.is(judged, limits.edgeRenewals + 1)
  near.close('done')
  await far.closed
})

test.run()
