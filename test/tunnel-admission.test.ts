/** Who is let in by a tunnel, and what they may open: a node that is not who it says, or wants what is not for it. */
import { join as path } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { CertManager } from '../actors/cert-manager/protocol.ts'
import { hostsPath } from '../actors/enrolment/protocol.ts'
import { tunnelAlpn } from '../actors/join-protocol.ts'
import { openTrust } from '../actors/uplink/trust.ts'
import { deviceDocumentType, kv } from '../actors/records.ts'
import type { Joined } from '../boot/join/join-client.ts'
import { messageOf, ZonewrightError } from '../runtime/errors.ts'
import { signLinkCertificate, verifyLinkCertificate } from '../runtime/link/certificate.ts'
import { establish } from '../runtime/link/handshake.ts'
import { limits } from '../runtime/limits.ts'
import { createMemoryStore } from '../runtime/store/memory.ts'
import { signDocument } from '../runtime/trust/keys.ts'
import { toBase64url } from '../runtime/trust/base64url.ts'
import { signToken } from '../runtime/trust/token.ts'
import type { DenialEvent } from '../runtime/trace.ts'
import { within } from '../runtime/within.ts'
import { decodePem, decodePems } from '../runtime/x509/pem.ts'
import type { PublicJwk, SigningKey } from '../runtime/platform/ports.ts'
import { tlsChannel } from '../transport/tls.ts'
import type { OpenedStream, StreamRequest, TunnelEnd } from '../transport/tunnel/protocol.ts'
import { openTunnel } from '../transport/tunnel/tunnel.ts'
import { keyIn, ownerOf } from './boot-fixtures/cluster.ts'
import { removeFolders } from './boot-fixtures/command-line.ts'
import { eventually, joinHost, writeKey } from './boot-fixtures/joined-hosts.ts'
import { joiningZone, platform, type JoiningZone } from './boot-fixtures/joining.ts'

const { clock, keys, random } = platform
/** As DESIGN §7 promises of live links. */
const CUT_MS = 5_000
let zone: JoiningZone
let node: { readonly joined: Joined; readonly device: SigningKey }
const denials: DenialEvent[] = []

async function joined(name: string): Promise<typeof node> {
  const made = await zone.token(name)
  const device = keys.generate(random)
  return { joined: await zone.join(made, { device }), device }
}

test.before(async () => {
  zone = await joiningZone()
  zone.zone.trace.on('denial', (event) => void denials.push(event))
  node = await joined('node1')
})
test.after(async () => {
  await zone.stop()
  removeFolders()
})

interface Dial {
  readonly by?: Pick<Joined, 'tls'> | undefined
  readonly says?: { readonly zone?: string; readonly host?: string }
  readonly told?: (kind: string, document: string) => Promise<void>
}

/** As the uplink of a host, but that says whatever it likes. */
async function dial({ by = node.joined, says = {}, told = async () => {} }: Dial = {}): Promise<TunnelEnd> {
  const connection = await platform.transport.connectTls({ hostname: '127.0.0.1', port: zone.port, withinMs: 5_000 }, {
    roots: node.joined.roots, alpn: tunnelAlpn, ...(by ? { client: by.tls } : {}),
  })
  const own = decodePems((by ?? node.joined).tls.certificate, 'CERTIFICATE', 4)[0]!
  return openTunnel({
    channel: tlsChannel(connection, platform), role: 'dialer', clock, random,
    hello: { zone: 'zone.local', host: 'node1', ...says }, certificates: { own, peer: connection.certificate!, keys },
    onHello: async () => {}, onTell: told, onRenew: async () => {},
    onOpen: async () => { throw new Error('nothing is here') },
  })
}
const refusal = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work
    return 'let in'
  } catch (error) {
    return error instanceof ZonewrightError ? String(error.details['reason'] ?? error.code) : messageOf(error)
  }
}
/** With the reason. @throws when it lives on for longer than is promised */
const closes = (end: TunnelEnd): Promise<string> =>
  within(clock, CUT_MS, end.closed, () => new Error('The tunnel lives on'))
const link = (protocol: string, host = 'node1', actor = 'node-daemon'): StreamRequest & { type: 'link' } =>
  ({ type: 'link', protocol, caller: { host, actor, incarnation: 1 } })
const chainOf = (reason: string) => denials.findLast(({ chain }) => chain.at(-1)?.reason === reason)?.chain

test('a host that joined is let in, and opens a link to what checks for itself', async () => {
  const end = await dial()
  const { granted } = await end.open(link('system-config'))
  assert.is(granted.host, 'ood1')
  end.close('done')
})

test('without a certificate of the zone there is no tunnel', async () => {
  assert.match(await refusal(dial({ by: undefined as never })), /let in|Unavailable/)
  const bare = platform.transport.connectTls({ hostname: '127.0.0.1', port: zone.port, withinMs: 5_000 }, {
    roots: node.joined.roots, alpn: tunnelAlpn,
  })
  const connection = await bare
  const reason = await new Promise<string>((settle) => connection.receive(() => settle('bytes'), settle))
  assert.is(reason, 'the peer closed the connection')
})

test('a host that says it is another one, or of another zone, is refused', async () => {
  assert.is(await refusal(dial({ says: { host: 'node2' } })), 'tunnel/name')
  assert.is(await refusal(dial({ says: { host: 'ood1' } })), 'tunnel/name')
  assert.is(await refusal(dial({ says: { zone: 'other.zone' } })), 'zone')
  assert.equal(chainOf('tunnel/name')?.map(({ layer, verdict }) => `${layer} ${verdict}`), ['link allowed', 'link denied'])
})

test('a host that is not registered, or for another role, is refused', async () => {
  const document = (await ownerOf(zone.zone, platform, path(zone.cwd, '.zone')).get(kv.device('node1')))!.value
  const end = await dial()
  await writeKey(zone, kv.device('node1'), undefined)
  await closes(end)
  assert.is(await refusal(dial()), 'tunnel/unregistered')
  await writeKey(zone, kv.device('node1'), signed('node1', 'ood', node.device.public.jwk))
  assert.is(await refusal(dial()), 'tunnel/role')
  await writeKey(zone, kv.device('node1'), document)
  assert.is(await refusal(dial()), 'let in')
})

/** As the owner signs for a device. */
const signed = (name: string, role: 'ood' | 'node', key: PublicJwk): string =>
  signDocument(keyIn(platform, path(zone.cwd, '.zone'), 'owner.key'), deviceDocumentType, {
    zone: 'zone.local', name, role, key, owner: 'owner', iat: Math.floor(clock.now() / 1_000),
  })

test('a host opens links for its own actors, and none to the control plane but those two', async () => {
  const end = await dial()
  assert.is(await refusal(end.open(link('system-config', 'node2'))), 'stream/caller')
  assert.is(await refusal(end.open(link('system-config', 'ood1', 'scheduler'))), 'stream/caller')
  for (const kernel of ['vault', 'scheduler', 'enrolment', 'cert-manager']) {
    assert.is(await refusal(end.open(link(kernel))), 'link/no-row', kernel)
  }
  assert.is(await refusal(end.open(link('nobody'))), 'Unavailable')
  assert.is(await refusal(end.open({ type: 'http', service: 'nobody' })), 'NotFound')
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

test('through the tunnel an actor is who its certificate says: no kernel name, no other type, no other host', async () => {
  const end = await dial()
  const open = (actor: string): Promise<OpenedStream> => end.open(link('system-config', 'node1', actor))
  assert.is(await speakAs(await open('node-daemon'), 'node-daemon', 'node'), 'let in')
  for (const [actor, type, host] of [
    ['scheduler', 'kernel-service'], ['scheduler', 'service'], ['node-daemon', 'ood'], ['node-daemon', 'kernel-service'],
    ['node-daemon', 'node', 'node2'], ['node-daemon', 'ood', 'ood1'], ['another', 'service'],
  ] as const) {
    const announced = actor === 'another' ? 'node-daemon' : actor
    assert.is.not(await speakAs(await open(announced), actor, type, host), 'let in', `${actor} as ${type}`)
  }
  end.close('done')
})

test('what the policy takes from hosts, or from whom they belong to, they do not open; the chain says which line', async () => {
  const policy = (await ownerOf(zone.zone, platform, path(zone.cwd, '.zone')).get(kv.policy))!.value
  const end = await dial()
  for (const who of ['tunnel', 'admin']) {
    await writeKey(zone, kv.policy, `${policy}\np, ${who}, stream://notes, write, deny\n`)
    assert.is(await refusal(end.open(link('notes'))), 'rbac/deny-line', who)
    const chain = chainOf('rbac/deny-line')!
    assert.equal(chain.map(({ layer, verdict }) => `${layer} ${verdict}`), ['link allowed', 'rbac denied'])
    assert.match(chain.at(-1)!.rule, new RegExp(`${who}, stream://notes`))
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

test('a host is told of roots and revocations, at once and when they change, and takes what the zone has signed', async () => {
  const made = await zone.token('node8')
  const trustBy = (anchors: typeof made.anchors) => openTrust({
    keys, clock, store: createMemoryStore(platform), zone: 'zone.local',
    start: { servers: [], roots: made.roots, anchors, rootsVersion: made.rootsVersion },
  })
  const [trust, strange] = [await trustBy(made.anchors), await trustBy([node.device.public.jwk])]
  const told: [string, string][] = []
  const end = await dial({ told: async (kind, document) => void told.push([kind, document]) })
  await eventually('both are told', () => told.length >= 2)
  assert.equal(told.map(([kind]) => kind), ['roots', 'revocation-lists'])
  const [[, roots], [, lists]] = told as [[string, string], [string, string]]
  await trust.takeRoots(roots)
  await trust.takeRevocations(lists)
  assert.is(await refusal(strange.takeRoots(roots)), 'unknown-authority')
  const other = await joined('node8')
  await zone.control('DELETE', `${hostsPath}/node8`)
  await eventually('the next list is told', () => told.length > 2, limits.tunnelTellMs + 3_000)
  const [, newer] = told.at(-1)!
  await trust.takeRevocations(newer)
  assert.is(await refusal(trust.takeRevocations(lists)), 'unknown-authority', 'an older list takes nothing back')
  const of = (document: string) => JSON.parse(document) as { authorities: string[]; lists: string[] }
  const foreign = { ...of(newer), authorities: [] }
  assert.is(await refusal((await trustBy([])).takeRevocations(JSON.stringify(foreign))), 'unknown-authority')
  const leaf = decodePems(other.joined.tls.certificate, 'CERTIFICATE', 4)[0]!
  assert.is(await refusal((async () => trust.oodOf(leaf))()), 'wrong-name', 'a node is no control plane')
  end.close('done')
})

test('a host that is revoked is cut off within the promised time, and stays out whatever its document says', async () => {
  const other = await joined('node2')
  const says = { host: 'node2' }
  const end = await dial({ by: other.joined, says })
  // A document of the owner's is not enrolment's to remove: only the revocation list speaks
  await writeKey(zone, kv.device('node2'), signed('node2', 'node', other.device.public.jwk))
  const { status, value } = await zone.control('DELETE', `${hostsPath}/node2`)
  assert.is(status, 200, JSON.stringify(value))
  await closes(end)
  assert.is(await refusal(dial({ by: other.joined, says })), 'tunnel/certificate')
})

test('a certificate that is revoked by itself ends the tunnel as well, by the list alone', async () => {
  const other = await joined('node4')
  const says = { host: 'node4' }
  const end = await dial({ by: other.joined, says })
  const iat = Math.floor(clock.now() / 1_000)
  const token = signToken(keyIn(platform, path(zone.cwd, '.zone'), 'owner.key'), {
    iss: 'root', sub: 'root', aud: ['cert-manager'], iat, exp: iat + 300, jti: toBase64url(random.bytes(16)),
    token_use: 'root', appid: 'cli', runtime_type: 'user', epoch: 0,
  })
  const params = { serial: other.joined.serial }
  await zone.zone.get(CertManager).krpc({ method: 'revoke', params, sequence: 1 }, { token })
  await closes(end)
  assert.is(await refusal(dial({ by: other.joined, says })), 'tunnel/certificate')
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
  assert.ok(decodePem(host.joined.roots[0]!, 'CERTIFICATE'))
})

test.run()
