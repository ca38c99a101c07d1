/** What ends a tunnel that lives: each way to revoke a host, within the promised time; and what hosts are told. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { hostsPath } from '../actors/enrolment/protocol.ts'
import { kv } from '../actors/records.ts'
import { openTrust } from '../actors/uplink/trust.ts'
import { limits } from '../runtime/limits.ts'
import { createMemoryStore } from '../runtime/store/memory.ts'
import { decodePems } from '../runtime/x509/pem.ts'
import { removeFolders } from './boot-fixtures/command-line.ts'
import {
  closes, CUT_MS, dial, joinNode, refusal, revokeCertificate, signed, type JoinedNode,
} from './boot-fixtures/dialled.ts'
import { eventually, joinHost, writeKey } from './boot-fixtures/joined-hosts.ts'
import { joiningZone, platform, type JoiningZone } from './boot-fixtures/joining.ts'

const { clock, keys } = platform
let zone: JoiningZone
let node: JoinedNode

test.before(async () => {
  zone = await joiningZone()
  node = await joinNode(zone, 'node1')
})
test.after(async () => {
  await zone.stop()
  removeFolders()
})

test('a host is told of roots and revocations, at once and anew, and takes what the zone has signed', async () => {
  const made = await zone.token('node8')
  const trustBy = (anchors: typeof made.anchors) => openTrust({
    keys, clock, store: createMemoryStore(platform), zone: 'zone.local',
    start: { servers: [], roots: made.roots, anchors, rootsVersion: made.rootsVersion },
  })
  const [trust, strange] = [await trustBy(made.anchors), await trustBy([node.device.public.jwk])]
  const told: [string, string][] = []
  const end = await dial(zone, { by: node.joined, told: async (kind, document) => void told.push([kind, document]) })
  await eventually('all is told', () => told.length >= 3)
  assert.equal(told.map(([kind]) => kind), ['roots', 'revocation-lists', 'hosts'])
  const [[, roots], [, lists]] = told as [[string, string], [string, string]]
  await trust.takeRoots(roots)
  await trust.takeRevocations(lists)
  assert.is(await refusal(strange.takeRoots(roots)), 'unknown-authority')
  const other = await joinNode(zone, 'node8')
  await zone.control('DELETE', `${hostsPath}/node8`)
  const newest = (): string => told.findLast(([kind]) => kind === 'revocation-lists')![1]
  await eventually('the next list is told', () => newest() !== lists, limits.tunnelTellMs + 3_000)
  const newer = newest()
  await trust.takeRevocations(newer)
  assert.equal(await trust.takeRevocations(lists), [], 'an older list is no fault, and takes nothing back')
  const of = (document: string) => JSON.parse(document) as { authorities: string[]; lists: string[] }
  const foreign = { ...of(newer), authorities: [] }
  const passed = await (await trustBy([])).takeRevocations(JSON.stringify(foreign))
  assert.ok(passed.some((why) => /by no authority of the zone/.test(why)), passed.join('; '))
  const leaf = decodePems(other.joined.tls.certificate, 'CERTIFICATE', 4)[0]!
  assert.is(await refusal((async () => trust.oodOf(leaf))()), 'wrong-name', 'a node is no control plane')
  end.close('done')
})

test('a host that is revoked is cut off in the promised time, and stays out whatever its document says', async () => {
  const other = await joinNode(zone, 'node2')
  const end = await dial(zone, { by: other.joined })
  // A document of the owner's is not enrolment's to remove: only the revocation list speaks
  await writeKey(zone, kv.device('node2'), signed(zone, 'node2', 'node', other.device.public.jwk))
  const { status, value } = await zone.control('DELETE', `${hostsPath}/node2`)
  assert.is(status, 200, JSON.stringify(value))
  await closes(end)
  assert.is(await refusal(dial(zone, { by: other.joined })), 'tunnel/certificate')
})

test('a certificate that is revoked by itself ends the tunnel as well, by the list alone', async () => {
  const other = await joinNode(zone, 'node4')
  const end = await dial(zone, { by: other.joined })
  // Else enrolment takes the host's registration away, and that ends the tunnel
  await writeKey(zone, kv.device('node4'), signed(zone, 'node4', 'node', other.device.public.jwk))
  await revokeCertificate(zone, other.joined.serial)
  // Nobody tells of it: the tunnels are looked at from time to time
  assert.ok(limits.tunnelRecheckMs < CUT_MS)
  await closes(end)
  assert.is(await refusal(dial(zone, { by: other.joined })), 'tunnel/certificate')
})

test('a revoked host that runs is cut off as well, and does not come back', async () => {
  const host = await joinHost(zone, 'node3')
  const running = await host.run()
  await running.serving
  await zone.control('DELETE', `${hostsPath}/node3`)
  const ms = await eventually('it is cut off', async () => (await running.uplink()).state !== 'connected', CUT_MS)
  assert.ok(ms < CUT_MS)
  await eventually('it is refused for good', async () => (await running.uplink()).state === 'refused')
  assert.is((await running.uplink()).certificate, null)
  await running.stop()
})

test.run()
