/** Documents of nodes: whose count, and what the boot transaction makes of them. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { deviceDocumentType, digestOfItems, kv } from '../../actors/records.ts'
import { bootPlan } from '../../actors/scheduler/boot-plan.ts'
import bootScheduler from '../../actors/scheduler/boot-actor.ts'
import { readDeviceBy } from '../../actors/read-device.ts'
import { zoneDocumentType, type ZoneDocument } from '../../actors/zone-document.ts'
import { KnownHosts, type DeviceDocuments } from '../../boot/known-hosts.ts'
import { nodeNames } from '../../boot/nodes.ts'
import { limits } from '../../runtime/limits.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import type { TrustedDevice } from '../../runtime/worker.ts'

const keys = await createCrypto()
const newKey = () => keys.generate(systemRandom)
const [owner, stranger, device] = [newKey(), newKey(), newKey()]
const zone: ZoneDocument = { zone: 'z1', owner: 'alice', root: owner.public.jwk, host: 'ood1', epoch: 0, iat: 1 }
const documentOf = (name: string, changes: object = {}, by = owner): string => signDocument(by, deviceDocumentType, {
  zone: 'z1', name, role: 'node', key: device.public.jwk, owner: 'alice', iat: 1, ...changes,
})
const ood = documentOf('ood1', { role: 'ood' })
const under = (documents: Readonly<Record<string, string>>): DeviceDocuments =>
  Object.fromEntries(Object.entries(documents).map(([host, text]) => [kv.device(host), text]))

const planOf = (nodes: readonly string[]): ReadonlyMap<string, string> => bootPlan({
  zone, deviceDocument: ood, nodeDocuments: new Map(nodes.map((name) => [name, documentOf(name)])),
  verifyHubKey: device.public.jwk, readDevice: readDeviceBy(keys, zone),
})

test('nodes are numbered, and never take the name of the first host or of the owner', () => {
  assert.equal(nodeNames(3, { host: 'ood1', owner: 'owner' }), ['node1', 'node2', 'node3'])
  assert.equal(nodeNames(3, { host: 'node2', owner: 'node3' }), ['node1', 'node4', 'node5'])
})

test('only what the owner of this zone signed is a host, and a reserved name never', () => {
  const known = new KnownHosts(keys, zone)
  const read = (documents: DeviceDocuments): string[] =>
    known.read(documents).devices.map(({ host, role }) => `${host} ${role}`)
  assert.equal(read(under({ ood1: ood, node1: documentOf('node1') })), ['ood1 ood', 'node1 node'])
  for (const bad of [documentOf('node1', {}, stranger), documentOf('node1', { zone: 'z2' }), 'nonsense', '']) {
    assert.equal(read(under({ ood1: ood, node1: bad })), ['ood1 ood'])
  }
  assert.equal(read(under({ 'verify-hub': documentOf('verify-hub'), root: documentOf('root') })), [])
})

test('a document that lies under another key than its own registers nobody', () => {
  const known = new KnownHosts(keys, zone)
  const hosts = (documents: DeviceDocuments): string[] => known.read(documents).devices.map(({ host }) => host)
  assert.equal(hosts(under({ copy: documentOf('node1'), node2: documentOf('node3') })), [])
  assert.equal(hosts({ 'devices/node1/old/doc': documentOf('node1'), 'node1': documentOf('node1') }), [])
  assert.equal(hosts(under({ copy: documentOf('node1'), node1: documentOf('node1') })), ['node1'])
})

test('who is told the same documents is given the same list, by its digest too, and nobody can change it', () => {
  const known = new KnownHosts(keys, zone)
  const documents = under({ ood1: ood, node1: documentOf('node1') })
  const { digest, devices } = known.read(documents)
  assert.is(known.read({ ...documents }).devices, devices)
  assert.is(known.before(digest), devices)
  assert.is(digest, digestOfItems(keys, Object.entries(documents)))
  assert.throws(() => (devices as TrustedDevice[]).pop(), TypeError)
  assert.throws(() => { (devices[1] as { role: string }).role = 'ood' }, TypeError)
  assert.throws(() => { (devices[1]!.jwk as { x: string }).x = owner.public.jwk.x }, TypeError)
  const other = known.read(under({ ood1: ood, node1: documentOf('node1', { role: 'ood' }) }))
  assert.is.not(other.digest, digest)
  assert.is(other.devices[1]?.role, 'ood')
  assert.is(known.before(''), undefined)
})

test('the boot transaction registers the nodes and leaves what ships with Zonewright on the first host', () => {
  const [alone, plan] = [planOf([]), planOf(['node1', 'node2'])]
  const config = (host: string): { services: object } => JSON.parse(plan.get(kv.node(host)) ?? '{}')
  assert.equal([...plan.keys()].filter((key) => !alone.has(key)).sort(), [
    'devices/node1/doc', 'devices/node2/doc', 'nodes/node1/config', 'nodes/node2/config',
  ])
  assert.is(plan.get(kv.node('ood1')), alone.get(kv.node('ood1')))
  assert.equal(config('node1').services, {})
})

test('as many nodes as there may be fit into the one transaction', () => {
  const plan = planOf(nodeNames(1_000, zone))
  assert.ok(plan.size <= limits.transactionOperations, `${plan.size}`)
  assert.ok(plan.has('devices/node1000/doc'))
})

test('the boot scheduler refuses a document that the owner did not sign, or that takes another’s name', async () => {
  const jws = signDocument(owner, zoneDocumentType, zone)
  const schedule = async (documents: string): Promise<string> => {
    const serving = await bootScheduler.start({
      keys, step: () => {}, self: { zone: 'z1', host: 'ood1' },
      needs: {
        vault: { ensureKey: async () => ({ publicKey: device.public.jwk, kid: 'k' }) },
        systemConfig: {
          execTx: async ({ actions }: { actions: object }) => ({ revision: Object.keys(actions).length }),
        },
      },
      env: {
        SCHEDULER_SESSION_TOKEN: documentOf('token'), BUCKYOS_THIS_DEVICE: ood, BUCKYOS_ZONE_DOC: jws,
        ZONEWRIGHT_NODE_DOCS: documents,
      },
    } as never) as unknown as { handlers: { bootSchedule(): Promise<{ revision: number }> } }
    return serving.handlers.bootSchedule().then(({ revision }) => `${revision}`, (error: Error) => error.message)
  }
  const plain = Number(await schedule(''))
  assert.is(await schedule(`${documentOf('node1')} ${documentOf('node2')}`), `${plain + 4}`)
  assert.match(await schedule(documentOf('node1', {}, stranger)), /did not sign/)
  assert.match(await schedule(documentOf('node1', { zone: 'z2' })), /did not sign/)
  assert.is(await schedule(documentOf('ood2', { role: 'ood' })), `${plain + 2}`, 'the owner signed for another OOD')
  assert.match(await schedule(documentOf('ood1')), /ood1 \(node\)/)
  assert.match(await schedule(`${documentOf('node1')} ${documentOf('node1', { iat: 2 })}`), /node1 \(node\)/)
})

test.run()
