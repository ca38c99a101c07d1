/** Whom a host takes for its control plane: by chains and lists, told and kept, sound and not. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openTrust } from '../../actors/uplink/trust.ts'
import { messageOf } from '../../runtime/errors.ts'
import type { Store } from '../../runtime/store/store.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import type { RevocationList } from '../../runtime/x509/crl.ts'
import { encodePem } from '../../runtime/x509/pem.ts'
import { platform } from '../boot-fixtures/joining.ts'
import { authority, day, leaf, listOf, now, type Holder } from '../runtime/x509-fixture.ts'

const { clock, keys } = platform
const pem = ({ certificate }: Holder): string => encodePem('CERTIFICATE', certificate.raw)
const document = (authorities: readonly Holder[], lists: readonly RevocationList[]): string => JSON.stringify({
  authorities: authorities.map(pem), lists: lists.map(({ raw }) => encodePem('X509 CRL', raw)),
})
const naming = (issuer: Holder, number: number, ...revoked: readonly Holder[]): RevocationList => listOf(issuer, {
  number, revoked: revoked.map(({ certificate: { serial } }) => ({ serial, at: now - day })),
})
const root = await authority('root')
const signer = await authority('signer', root)
const ood = await leaf('ood1', signer)
const trustIn = (store: Store = createMemoryStore(platform)) => openTrust({
  keys, clock, store, zone: 'z1', start: { servers: [], roots: [pem(root)], anchors: [], rootsVersion: 0 },
})
const verdict = (judge: () => string): string => {
  try {
    return judge()
  } catch (error) {
    return messageOf(error)
  }
}
type Trust = Awaited<ReturnType<typeof trustIn>>
/** As it is shown in a renewal, with what comes along. */
const renewed = (trust: Trust, shown: Holder, ...along: readonly Holder[]): string =>
  verdict(() => trust.oodOf(shown.certificate.raw, along.map(({ certificate }) => certificate.raw)))
/** As TLS has taken it. */
const connected = (trust: Trust, shown: Holder): string => verdict(() => trust.oodOf(shown.certificate.raw))

test('the next certificate of the control plane ends at a root by what came with it, or is not taken', async () => {
  const trust = await trustIn()
  assert.is(renewed(trust, ood, signer), 'ood1')
  const evil = await authority('signer')
  const [self, below] = [await leaf('ood1', evil), await leaf('ood1', await authority('between', evil))]
  for (const [shown, ...along] of [[ood], [self], [self, evil], [self, signer], [below, evil]] as const) {
    assert.match(renewed(trust, shown, ...along), /is not good/)
  }
  const ended = await leaf('ood1', signer, { notAfter: now - day / 2 })
  const client = await leaf('ood1', signer, { extensions: { extendedKeyUsage: ['clientAuth'] } })
  for (const shown of [ended, client]) assert.match(renewed(trust, shown, signer), /is not good/)
})

test('faults of a chain whose authority is known are fatal at connection; a list that has ended is none', async () => {
  const trust = await trustIn()
  assert.is(connected(trust, ood), 'ood1', 'TLS has judged it by an authority that we are not told of yet')
  const old = listOf(signer, { number: 3, thisUpdate: now - 2 * day, nextUpdate: now - day })
  await trust.takeRevocations(document([signer], [old]))
  assert.is(connected(trust, ood), 'ood1')
  assert.match(connected(trust, await leaf('ood1', signer, { notAfter: now - day / 2 })), /is not good/)
  const other = await leaf('ood1', signer)
  await trust.takeRevocations(document([signer], [listOf(signer, {
    number: 4, thisUpdate: now - 2 * day, nextUpdate: now - day, revoked: [
      { serial: other.certificate.serial, at: now - day }],
  })]))
  assert.match(connected(trust, other), /was revoked/, 'by an old list as well')
})

test('whom a revoked authority has signed is no control plane, shown with it or not', async () => {
  const trust = await trustIn()
  await trust.takeRevocations(document([signer], [naming(root, 1, signer), naming(signer, 1)]))
  for (const said of [connected(trust, ood), renewed(trust, ood, signer)]) assert.match(said, /is not good/)
  const next = await authority('signer', root)
  await trust.takeRevocations(document([next], []))
  assert.match(connected(trust, ood), /is not good/, 'another of that name does not stand for it')
  assert.is(connected(trust, await leaf('ood1', next)), 'ood1')
})

test('what was revoked stays so: left out, in an older list, and after a restart', async () => {
  const store = createMemoryStore(platform)
  const trust = await trustIn(store)
  await trust.takeRevocations(document([signer], [naming(signer, 5, ood)]))
  const isRevoked = (of: Trust): void => assert.match(connected(of, ood), /was revoked/)
  isRevoked(trust)
  await trust.takeRevocations(document([], []))
  isRevoked(trust)
  await trust.takeRevocations(document([], [naming(root, 1)]))
  isRevoked(trust)
  await trust.takeRevocations(document([signer], [naming(signer, 4)]))
  isRevoked(trust)
  isRevoked(await trustIn(store))
  // Roots that cannot be taken up again say nothing of the lists
  await store.put('roots', new TextEncoder().encode('of another anchor'))
  isRevoked(await trustIn(store))
})

test('a list that is not sound is passed over, and the others are taken', async () => {
  const trust = await trustIn()
  const strange = await authority('strange')
  // In the name of the one, by the key of the other
  const borrowed = listOf(strange, {
    issuer: signer.certificate.subject, authorityKeyId: signer.certificate.extensions.subjectKeyId!, number: 9,
  })
  const passed = await trust.takeRevocations(
    document([strange, signer], [naming(strange, 1), borrowed, naming(signer, 2, ood)]))
  assert.is(passed.length, 3, passed.join('; '))
  assert.match(connected(trust, ood), /was revoked/)
  assert.match(await trust.takeRevocations(document([], [naming(strange, 1)])).then(() => '', messageOf), /not sound/)
})

test.run()
