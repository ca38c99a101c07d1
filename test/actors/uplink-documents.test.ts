/** Documents of the control plane that a host keeps: the owner's, the newest, across starts. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { deviceDocumentType } from '../../actors/records.ts'
import { openDocuments, type ZoneDocuments } from '../../actors/uplink/documents.ts'
import { zoneDocumentType } from '../../actors/zone-document.ts'
import { DiskFull } from '../../runtime/errors.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import { signDocument } from '../../runtime/trust/keys.ts'

const platform = await openPlatform()
const { keys, random } = platform
const [owner, stranger, device] = [keys.generate(random), keys.generate(random), keys.generate(random)]

const zoneBy = (key: SigningKey, iat = 100, zone = 'a.zone'): string => signDocument(key, zoneDocumentType, {
  zone, owner: 'anna', root: key.public.jwk, host: 'ood1', epoch: 0, iat,
})
const ood = (name: string, key = owner, role = 'ood'): string => signDocument(key, deviceDocumentType, {
  zone: 'a.zone', name, role, key: device.public.jwk, owner: 'anna', iat: 100,
})
const opened = (store = createMemoryStore(platform), zoneDocument: string | undefined = zoneBy(owner)) =>
  openDocuments({ keys, store, zone: 'a.zone', zoneDocument })

test('the newest documents of the owner are kept, and known at the next start', async () => {
  const store = createMemoryStore(platform)
  const documents = await opened(store)
  assert.is(documents.known, undefined)
  const next: ZoneDocuments = { zoneDocument: zoneBy(owner, 101), oods: [ood('ood1'), ood('ood2')] }
  assert.is(await documents.take(next), undefined)
  assert.equal([documents.known, (await opened(store)).known], [next, next])
  const other = await opened(store, zoneBy(stranger))
  assert.is(other.known, undefined, 'a host that has joined another zone of that name forgets them')
})

test('documents that cannot be kept count until the next start, and take no certificate with them', async () => {
  const store = createMemoryStore(platform)
  const documents = await opened({ ...store, get: (key) => store.get(key), put: async () => {
    throw new DiskFull('The disk is full')
  } })
  const next: ZoneDocuments = { zoneDocument: zoneBy(owner, 101), oods: [ood('ood1')] }
  assert.match(await documents.take(next) ?? 'taken', /cannot be kept: The disk is full/)
  assert.equal([documents.known, (await opened(store)).known], [next, undefined])
})

test('documents that are not the owner’s, or older, are not taken', async () => {
  const store = createMemoryStore(platform)
  const documents = await opened(store)
  const good: ZoneDocuments = { zoneDocument: zoneBy(owner, 101), oods: [ood('ood1')] }
  await documents.take(good)
  const bad: readonly (readonly [ZoneDocuments, RegExp])[] = [
    [{ zoneDocument: zoneBy(stranger, 102), oods: [ood('ood1', stranger)] }, /owner key/],
    [{ zoneDocument: zoneBy(owner, 102, 'b.zone'), oods: [ood('ood1')] }, /owner key/],
    [{ zoneDocument: zoneBy(owner, 100), oods: [ood('ood1')] }, /older/],
    [{ zoneDocument: zoneBy(owner, 102), oods: [ood('ood1'), ood('ood2', stranger)] }, /does not verify/],
    [{ zoneDocument: zoneBy(owner, 102), oods: [ood('node1', owner, 'node')] }, /does not verify/],
    [{ zoneDocument: zoneBy(owner, 102), oods: [] }, /shape/],
  ]
  for (const [each, why] of bad) assert.match(await documents.take(each) ?? 'taken', why)
  assert.equal([documents.known, (await opened(store)).known], [good, good])
})

test.run()
