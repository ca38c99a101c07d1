/** Documents of the control plane that a host keeps: the owner's, the newest, across starts. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { deviceDocumentType } from '../../actors/records.ts'
import { openDocuments, type ZoneDocuments } from '../../actors/uplink/documents.ts'
import { zoneDocumentType } from '../../actors/zone-document.ts'
import { createServers } from '../../actors/uplink/servers.ts'
import { DiskFull } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
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

const hosts = (oods: readonly (readonly [string, ...string[]])[], zone = zoneBy(owner, 101)): string =>
  JSON.stringify({ zoneDocument: zone, oods: oods.map(([document, ...servers]) => ({ document, servers })) })

test('hosts of the control plane are known with their addresses, across starts, and forgotten when told no more',
  async () => {
    const store = createMemoryStore(platform)
    const documents = await opened(store)
    assert.is(await documents.takeHosts(hosts([[ood('ood1'), '10.0.0.1:1'], [ood('ood2'), '10.0.0.2:1', '[::1]:2']])),
      undefined)
    const known = (of: typeof documents) => [of.names, of.servers, of.known?.oods.length]
    const both = [['ood1', 'ood2'], ['10.0.0.1:1', '10.0.0.2:1', '[::1]:2'], 2]
    assert.equal([known(documents), known(await opened(store))], [both, both])
    await documents.take({ zoneDocument: zoneBy(owner, 101), oods: [ood('ood1'), ood('ood2')] })
    assert.equal(known(documents), both, 'a certificate comes without addresses, and takes none')
    await documents.takeHosts(hosts([[ood('ood2'), '10.0.0.2:1']]))
    const one = [['ood2'], ['10.0.0.2:1'], 1]
    assert.equal([known(documents), known(await opened(store))], [one, one])
  })

test('hosts that the owner has not signed for, or nobody could reach, are not taken', async () => {
  const documents = await opened()
  const good = hosts([[ood('ood1'), '10.0.0.1:1']])
  await documents.takeHosts(good)
  const tooMany = Array.from({ length: limits.oodServers + 1 }, (_, n) => `10.0.0.1:${n + 1}`)
  const bad: readonly (readonly [string, RegExp])[] = [
    [hosts([[ood('ood1'), '10.0.0.1:1'], [ood('ood9', stranger), '10.6.6.6:1']]), /does not verify/],
    [hosts([[ood('ood9', stranger), '10.6.6.6:1']], zoneBy(stranger, 102)), /owner key/],
    [hosts([[ood('node1', owner, 'node'), '10.6.6.6:1']]), /does not verify/],
    [hosts([[ood('ood1'), '10.6.6.6:1']], zoneBy(owner, 99)), /older/],
    [hosts([[ood('ood1'), 'file:///etc/passwd']]), /shape/],
    [hosts([[ood('ood1'), ...tooMany]]), /shape/],
    [hosts([]), /shape/], ['{', /shape/],
  ]
  for (const [document, why] of bad) assert.match(await documents.takeHosts(document) ?? 'taken', why)
  assert.equal([documents.names, documents.servers], [['ood1'], ['10.0.0.1:1']])
  const without = await opened(createMemoryStore(platform), '')
  assert.match(await without.takeHosts(good) ?? 'taken', /owner key/, 'nor by a host that knows no owner key')
})

test('a host begins where it has joined while that is told, and goes round all that it knows', () => {
  let told: readonly string[] = []
  const servers = createServers(['10.0.0.1:1'], () => told, random)
  assert.is(servers.now, '10.0.0.1:1')
  told = ['10.0.0.1:1', '10.0.0.2:1', '10.0.0.3:1']
  const round = (): string => {
    servers.next()
    return servers.now
  }
  assert.equal([round(), round(), round()].sort(), told)
  told = ['10.0.0.2:1']
  assert.equal([round(), round(), round()].filter((one) => one === '10.0.0.1:1').length > 0, true,
    'where it has joined may be the only way that it has')
  assert.is(createServers(['10.0.0.1:1'], () => told, random).now, '10.0.0.2:1', 'an OOD that is gone comes last')
  const first = (seed: number): string => {
    const many = createServers(['10.9.9.9:1'], () => ['a:1', 'b:1', 'c:1'], new SeededRandom(String(seed)))
    return many.now
  }
  assert.is(new Set(Array.from({ length: 50 }, (_, seed) => first(seed))).size, 3, 'not all begin at the same one')
})

test.run()
