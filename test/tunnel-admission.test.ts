/** Who is let in by a tunnel, and what they may open: a node that is not who it says, or wants what is not for it. */
import { join as path } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { tunnelAlpn } from '../actors/join-protocol.ts'
import { kv } from '../actors/records.ts'
import { signLinkCertificate, verifyLinkCertificate } from '../runtime/link/certificate.ts'
import { establish } from '../runtime/link/handshake.ts'
import type { DenialEvent } from '../runtime/trace.ts'
import type { OpenedStream, TunnelEnd } from '../transport/tunnel/protocol.ts'
import { ownerOf } from './boot-fixtures/cluster.ts'
import { removeFolders } from './boot-fixtures/command-line.ts'
import {
  closes, dial as dialBy, joinNode, link, refusal, signed, type Dial, type JoinedNode,
} from './boot-fixtures/dialled.ts'
import { eventually, writeKey } from './boot-fixtures/joined-hosts.ts'
import { joiningZone, platform, type JoiningZone } from './boot-fixtures/joining.ts'

const { clock, keys, random } = platform
let zone: JoiningZone
let node: JoinedNode
const dial = (says: Dial['says'] = {}): Promise<TunnelEnd> => dialBy(zone, { by: node.joined, says })
const denials: DenialEvent[] = []

test.before(async () => {
  zone = await joiningZone()
  zone.zone.trace.on('denial', (event) => void denials.push(event))
  node = await joinNode(zone, 'node1')
})
test.after(async () => {
  await zone.stop()
  removeFolders()
})

const chainOf = (reason: string) => denials.findLast(({ chain }) => chain.at(-1)?.reason === reason)?.chain

test('a host that joined is let in, and opens a link to what checks for itself', async () => {
  const end = await dial()
  const { granted } = await end.open(link('system-config'))
  assert.is(granted.host, 'ood1')
  end.close('done')
})

test('without a certificate of the zone there is no tunnel', async () => {
  const bare = platform.transport.connectTls({ hostname: '127.0.0.1', port: zone.port, withinMs: 5_000 }, {
    roots: node.joined.roots, alpn: tunnelAlpn,
  })
  const connection = await bare
  const reason = await new Promise<string>((settle) => connection.receive(() => settle('bytes'), settle))
  assert.is(reason, 'the peer closed the connection')
})

test('a host that says it is another one, or of another zone, is refused', async () => {
  assert.is(await refusal(dial({ host: 'node2' })), 'tunnel/name')
  assert.is(await refusal(dial({ host: 'ood1' })), 'tunnel/name')
  assert.is(await refusal(dial({ zone: 'other.zone' })), 'zone')
  const chain = chainOf('tunnel/name')!
  assert.equal(chain.map(({ layer, verdict }) => `${layer} ${verdict}`), ['link allowed', 'link denied'])
})

test('a host that is not registered, or for another role, is refused', async () => {
  const document = (await ownerOf(zone.zone, platform, path(zone.cwd, '.zone')).get(kv.device('node1')))!.value
  const end = await dial()
  await writeKey(zone, kv.device('node1'), undefined)
  await closes(end)
  assert.is(await refusal(dial()), 'tunnel/unregistered')
  await writeKey(zone, kv.device('node1'), signed(zone, 'node1', 'ood', node.device.public.jwk))
  assert.is(await refusal(dial()), 'tunnel/role')
  await writeKey(zone, kv.device('node1'), document)
  assert.is(await refusal(dial()), 'let in')
})

test('a host opens links for its own actors, and none to the control plane but those two', async () => {
  const end = await dial()
  assert.is(await refusal(end.open(link('system-config', 'node2'))), 'stream/caller')
  assert.is(await refusal(end.open(link('system-config', 'ood1', 'scheduler'))), 'stream/caller')
  // It relays for nobody: neither links of another host, nor bytes
  assert.is(await refusal(end.open({ ...link('notes', 'node2'), host: 'node3' })), 'stream/caller')
  assert.is(await refusal(end.open({ type: 'http', service: 'notes', host: 'node3', port: 22 })), 'stream/http')
  for (const kernel of ['vault', 'scheduler', 'enrolment', 'cert-manager']) {
    assert.is(await refusal(end.open(link(kernel))), 'link/no-row', kernel)
  }
  assert.is(await refusal(end.open(link('nobody'))), 'Unavailable')
  assert.is(await refusal(end.open({ type: 'http', service: 'nobody' })), 'stream/http')
  end.close('done')
})

/** The link over a stream, as an actor of that name and type by the device key of node1. */
async function speakAs(stream: OpenedStream, actor: string, runtimeType: string, host = 'node1'): Promise<string> {
  const key = keys.generate(random)
  const named = { zone: 'zone.local', host, actor, runtimeType, incarnation: 1 }
  const certificate = signLinkCertificate(node.device, {
    ...named, key: key.public.jwk, exp: Math.floor(clock.now() / 1_000) + 60,
  })
  return refusal(establish(stream.channel, {
    role: 'initiator', self: { ...named, key, certificate }, minimum: 'sealed', offers: ['sealed'], clock, keys, random,
    expect: { host: 'ood1', actor: 'system-config', incarnation: stream.granted.incarnation },
    verifyCertificate: (text) => verifyLinkCertificate(text, {
      keys, zone: 'zone.local', nowMs: clock.now(), allows: () => true,
      device: () => ({ role: 'ood', key: zone.zone.identity.device.public }),
    }),
  }))
}

test('through the tunnel an actor is who its certificate says: by name, by type and by host', async () => {
  const end = await dial()
  const open = (actor: string): Promise<OpenedStream> => end.open(link('system-config', 'node1', actor))
  assert.is(await speakAs(await open('node-daemon'), 'node-daemon', 'node'), 'let in')
  for (const [actor, type, host] of [
    ['scheduler', 'kernel-service'], ['scheduler', 'service'], ['node-daemon', 'ood'],
    ['node-daemon', 'kernel-service'],
    ['node-daemon', 'node', 'node2'], ['node-daemon', 'ood', 'ood1'], ['another', 'service'],
  ] as const) {
    const announced = actor === 'another' ? 'node-daemon' : actor
    assert.is.not(await speakAs(await open(announced), actor, type, host), 'let in', `${actor} as ${type}`)
  }
  end.close('done')
})

test('what the policy takes from hosts, or from their owners, they do not open; the chain says why', async () => {
  const policy = (await ownerOf(zone.zone, platform, path(zone.cwd, '.zone')).get(kv.policy))!.value
  const end = await dial()
  for (const who of ['tunnel', 'admin']) {
    await writeKey(zone, kv.policy, `${policy}\np, ${who}, stream://notes, write, deny\n`)
    assert.is(await refusal(end.open(link('notes'))), 'rbac/deny-line', who)
    // What a worker tells may come after its answer
    const rule = new RegExp(`${who}, stream://notes`)
    await eventually('the chain is told', () => rule.test(chainOf('rbac/deny-line')?.at(-1)?.rule ?? ''))
    const chain = chainOf('rbac/deny-line')!
    assert.equal(chain.map(({ layer, verdict }) => `${layer} ${verdict}`), ['link allowed', 'rbac denied'])
  }
  await writeKey(zone, kv.policy, policy)
  assert.is(await refusal(end.open(link('notes'))), 'Unavailable', 'only that it runs nowhere')
  end.close('done')
})

test('a host that connects anew takes the place of its former tunnel', async () => {
  const first = await dial()
  const second = await dial()
  assert.match(await closes(first), /connected anew/)
  assert.is(await refusal(second.open(link('system-config'))), 'let in')
  second.close('done')
})

test.run()
