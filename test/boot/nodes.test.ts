/** Documents of nodes: whose count, and what the boot transaction makes of them. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { deviceDocumentType, kv } from '../../actors/records.ts'
import { bootPlan } from '../../actors/scheduler/boot-plan.ts'
import bootScheduler from '../../actors/scheduler/boot-actor.ts'
import { readDeviceBy } from '../../actors/scheduler/read-device.ts'
import { zoneDocumentType, type ZoneDocument } from '../../actors/zone-document.ts'
import { KnownHosts } from '../../boot/known-hosts.ts'
import { nodeNames } from '../../boot/nodes.ts'
import { limits } from '../../runtime/limits.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { signDocument } from '../../runtime/trust/keys.ts'

const keys = await createCrypto()
const newKey = () => keys.generate(systemRandom)
const [owner, stranger, device] = [newKey(), newKey(), newKey()]
const zone: ZoneDocument = { zone: 'z1', owner: 'alice', root: owner.public.jwk, host: 'ood1', epoch: 0, iat: 1 }
const documentOf = (name: string, changes: object = {}, by = owner): string => signDocument(by, deviceDocumentType, {
  zone: 'z1', name, role: 'node', key: device.public.jwk, owner: 'alice', iat: 1, ...changes,
})
const ood = documentOf('ood1', { role: 'ood' })

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
  const read = (...documents: string[]): string[] => known.read(documents).map(({ host, role }) => `${host} ${role}`)
  assert.equal(read(ood, documentOf('node1')), ['ood1 ood', 'node1 node'])
  assert.equal(read(documentOf('node1', {}, stranger), documentOf('node1', { zone: 'z2' }), 'nonsense', ''), [])
  assert.equal(read(documentOf('verify-hub'), documentOf('root')), [])
  assert.equal(read(documentOf('node1'), documentOf('node1', { role: 'ood' })), ['node1 node'])
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
  assert.match(await schedule(documentOf('ood2', { role: 'ood' })), /ood2 \(ood\)/)
  assert.match(await schedule(documentOf('ood1')), /ood1 \(node\)/)
  assert.match(await schedule(`${documentOf('node1')} ${documentOf('node1', { iat: 2 })}`), /node1 \(node\)/)
})

test.run()
