/** Certificates of both ends of a tunnel follow one another while links go on: by the real uplink and listener. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { makeCertificate, type ServerCertificate } from '../../actors/enrolment/server-certificate.ts'
import { createTelling } from '../../actors/enrolment/tunnels/telling.ts'
import { createTunnels } from '../../actors/enrolment/tunnels/tunnels.ts'
import type { ZoneTrust } from '../../actors/enrolment/trust.ts'
import { tunnelAlpn } from '../../actors/join-protocol.ts'
import { certificateFrom, createCertificates, type Certificates } from '../../actors/uplink/certificate.ts'
import { keepConnected, type Connection, type ConnectionOptions } from '../../actors/uplink/connection.ts'
import { openTrust, type UplinkTrust } from '../../actors/uplink/trust.ts'
import { Vault } from '../../actors/vault/protocol.ts'
import type { ActorStart } from '../../runtime/actor.ts'
import { NotFound, Unavailable } from '../../runtime/errors.ts'
import type { HttpServer, SigningKey } from '../../runtime/platform/ports.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import { limits } from '../../runtime/limits.ts'
import { parseCertificate, signCertificate } from '../../runtime/x509/certificate.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { encodePem } from '../../runtime/x509/pem.ts'
import { newSerial, serialText } from '../../runtime/x509/serial.ts'
import { memoryChannelPair } from '../../transport/memory.ts'
import type { Channel } from '../../transport/channel.ts'
import { removeFolders } from '../boot-fixtures/command-line.ts'
import { revokeCertificate } from '../boot-fixtures/dialled.ts'
import { eventually } from '../boot-fixtures/joined-hosts.ts'
import { joiningZone, platform, type JoiningZone } from '../boot-fixtures/joining.ts'
import type { Joined } from '../../boot/join/join-client.ts'

const { clock, keys, random, transport } = platform
let zone: JoiningZone
let joined: Joined
let device: SigningKey
const warnings: string[] = []
const stopping = new AbortController()

/** What the two ends need of an actor's start, and no supervisor behind it. */
const startOf = (host: string, accept: ActorStart['accept']): ActorStart => ({
  clock, random, keys, transport, stopping: stopping.signal, count() {}, gauge() {}, accept,
  self: { zone: 'zone.local', host, actor: 'uplink', runtimeType: 'node', incarnation: 1, linkKid: '' },
  log: { info() {}, warn: (message: string) => void warnings.push(message), error() {} },
}) as unknown as ActorStart
const nobody: ActorStart['accept'] = async (protocol) => { throw new NotFound(protocol) }

/** Which certificates the other end has shown last, by serial. */
const admitted: string[] = []
/** An echo of frames in the place of an actor. */
const echo: ActorStart['accept'] = async () => {
  const [inner, outer] = memoryChannelPair(clock)
  outer.receive((frame) => outer.send(frame), () => {})
  return { channel: inner, incarnation: 9, gone: new Promise(() => {}), release() {} }
}

const noHttp = { open: () => Promise.reject(new Unavailable('There is no HTTP here')), recheck: async () => {} }

const silent = { toOne: async () => {}, toAll: async () => {} }

async function listener(tells = false) {
  const ports = {
    hostname: '127.0.0.1', vault: zone.zone.get(Vault),
    ...startOf('ood1', echo),
  }
  const certificate: ServerCertificate = await makeCertificate(ports)
  const tunnels = createTunnels({
    start: startOf('ood1', echo), trust: {} as ZoneTrust, certificate: () => certificate, http: noHttp,
    telling: tells ? createTelling(startOf('ood1', echo), ports.vault) : silent, placed: async () => [],
    admission: {
      async admit(leaf) {
        const { serial, notAfter } = parseCertificate(leaf!)
        admitted.push(serialText(serial))
        const host = { name: 'node1', role: 'node', serial: serialText(serial), notAfter }
        return { host, document: { zone: 'zone.local', name: 'node1', role: 'node', key: device.public.jwk,
          owner: 'owner', iat: 1 } }
      },
      async authorise() {},
    },
  })
  const server: HttpServer = await transport.serveHttp({
    hostname: '127.0.0.1', port: 0, bodyBytesMax: 1_000, requestMsMax: 1_000,
    tls: { least: 'TLSv1.3', certificate: certificate.certificate, key: certificate.key, clientRoots: joined.roots,
      alpn: ['http/1.1'] },
    streams: { alpn: [tunnelAlpn], accept: tunnels.take },
  }, async () => ({ status: 404, headers: {}, body: '' }))
  return { tunnels, server, certificate, next: () => makeCertificate(ports) }
}

type Parts = Partial<Pick<Certificates, 'next'>> & {
  readonly trust?: UplinkTrust; readonly ports?: readonly number[]
  readonly onChange?: ConnectionOptions['onChange']
}
const trustOf = () => openTrust({
  keys, clock, store: createMemoryStore(platform), zone: 'zone.local',
  start: { servers: [], roots: [...joined.roots], anchors: [], rootsVersion: 0 },
})

/** The uplink of node1 to that port; its certificate is taken to end in so many milliseconds. */
async function uplink(port: number, lifeMs?: number, parts: Parts = {}): Promise<Connection> {
  const start = startOf('node1', nobody)
  const trust = parts.trust ?? await trustOf()
  const first = certificateFrom(start, joined.tls.certificate, joined.tls.key)
  const real = createCertificates({ start, device, trust, role: 'node' })
  const connection = keepConnected({
    start, trust, ...(parts.onChange ? { onChange: parts.onChange } : {}),
    servers: [port, ...parts.ports ?? []].map((each) => `127.0.0.1:${each}`),
    first: lifeMs === undefined ? first : { ...first, notAfter: clock.now() + lifeMs },
    // The listener of the zone itself signs
    certificates: {
      again: () => real.again({ hostname: '127.0.0.1', port: zone.port }),
      next: parts.next
        ?? ((_, before, signal) => real.next({ hostname: '127.0.0.1', port: zone.port }, before, signal)),
    },
  })
  void connection.run()
  await eventually('it is connected', () => connection.state().state === 'connected')
  return connection
}

/** A frame there and back. */
async function echoes(channel: Channel, text: string): Promise<void> {
  heard = undefined
  channel.send(new TextEncoder().encode(text))
  await eventually(`the echo of ${text}`, () => heard === text, 3_000)
}
let heard: string | undefined
async function openLink({ carrier }: Connection): Promise<Channel> {
  const [mine, theirs] = memoryChannelPair(clock)
  mine.receive((frame) => { heard = new TextDecoder().decode(frame as Uint8Array) }, () => { heard = 'closed' })
  await carrier.open({ protocol: 'echo', caller: { host: 'node1', actor: 'a', incarnation: 1 } }, theirs)
  return mine
}

test.before(async () => {
  zone = await joiningZone()
  const made = await zone.token('node1')
  device = keys.generate(random)
  joined = await zone.join(made, { device })
})
test.after(async () => {
  stopping.abort()
  await zone.stop()
  removeFolders()
})

test('a host renews its certificate over its live tunnel, and its links go on', async () => {
  const { tunnels, server } = await listener()
  const connection = await uplink(server.port, 1_000)
  const link = await openLink(connection)
  await echoes(link, 'before')
  const { serial } = connection.state().certificate!
  await eventually('it has the next certificate', () => connection.state().certificate!.serial !== serial)
  assert.is(admitted.at(-1), connection.state().certificate!.serial, 'the other end has checked it')
  await echoes(link, 'after')
  assert.equal([connection.state().tunnels, tunnels.hosts()], [1, ['node1']])
  assert.equal(warnings, [])
  connection.close()
  await server.close(100)
})

test('the control plane renews its own, and links go on as well', async () => {
  const { tunnels, server, next } = await listener()
  const connection = await uplink(server.port)
  const link = await openLink(connection)
  await echoes(link, 'before')
  tunnels.renew(await next())
  await echoes(link, 'after')
  const again = await openLink(connection)
  await echoes(again, 'another')
  assert.is(connection.state().tunnels, 1)
  assert.equal(warnings.filter((one) => /does not take/.test(one)), [])
  // What is not of the control plane is not taken; the host is back by the one that it was shown
  const strange = { ...await next(), certificate: joined.tls.certificate, key: joined.tls.key }
  tunnels.renew(strange)
  await eventually('it is refused', () => warnings.some((one) => /does not take our next certificate/.test(one)))
  await eventually('it is connected', () => connection.state().state === 'connected')
  await echoes(await openLink(connection), 'still')
  connection.close()
  await server.close(100)
})

test('a certificate that the control plane made for itself is not its next one', async () => {
  const { tunnels, server, certificate } = await listener()
  const connection = await uplink(server.port)
  const key = await keys.certificates.generate(keys.certificates.preferred, random)
  const name = encodeName([{ type: 'CN', value: 'ood1' }])
  const self = signCertificate({
    serial: newSerial(random), issuer: name, subject: name, notBefore: clock.now() - 60_000,
    notAfter: clock.now() + 3_600_000, spki: key.public.spki,
    extensions: {
      keyUsage: ['digitalSignature'], extendedKeyUsage: ['serverAuth'],
      names: [{ type: 'uri', value: 'spiffe://zone.local/ood/ood1' }],
    },
  }, key)
  warnings.length = 0
  tunnels.renew({ ...certificate, certificate: encodePem('CERTIFICATE', self), key: key.exportPem() })
  await eventually('it is refused', () => warnings.some((one) => /does not take our next.*is not good/.test(one)))
  connection.close()
  await server.close(100)
})

test('a control plane that is revoked is left for the next one as soon as a host is told', async () => {
  const [first, second] = [await listener(true), await listener(true)]
  await revokeCertificate(zone, first.certificate.serial)
  const states: { readonly state: string; readonly at: number }[] = []
  const connection = await uplink(first.server.port, undefined, {
    ports: [second.server.port], onChange: ({ state }) => void states.push({ state, at: clock.monotonic() }),
  })
  await eventually('it is at the next', () => connection.state().state === 'connected'
    && connection.state().server.endsWith(`:${second.server.port}`))
  const begun = states.findIndex(({ state }) => state === 'connected')
  assert.ok(begun >= 0, 'it was connected to the first: nobody had told it')
  assert.ok(states[begun + 1]!.at - states[begun]!.at < limits.uplinkRecheckMs, 'no timer has seen that')
  connection.close()
  await Promise.all([first.server.close(100), second.server.close(100)])
})

test('a live control plane is judged again from time to time', async () => {
  const { server } = await listener()
  const trust = await trustOf()
  const connection = await uplink(server.port, undefined, { trust })
  let isGood = true
  const { oodOf } = trust
  trust.oodOf = (...shown) => {
    if (!isGood) throw new Unavailable('no more')
    return oodOf(...shown)
  }
  const { tunnels } = connection.state()
  isGood = false
  await eventually('it is closed', () => connection.state().state !== 'connected', limits.uplinkRecheckMs + 1_500)
  isGood = true
  await eventually('it is back', () => connection.state().tunnels > tunnels)
  connection.close()
  await server.close(100)
})

test('a renewal that is not answered does not hold up the next server', async () => {
  const [first, second] = [await listener(), await listener()]
  let given: AbortSignal | undefined
  const connection = await uplink(first.server.port, 4_000, {
    ports: [second.server.port],
    next: (_, __, signal) => {
      given = signal
      return new Promise(() => {})
    },
  })
  await eventually('it renews', () => given !== undefined, 20_000)
  first.tunnels.close()
  await eventually('it is at the next', () => connection.state().tunnels === 2, 3_000)
  assert.ok(given!.aborted)
  connection.close()
  await Promise.all([first.server.close(100), second.server.close(100)])
})

test.run()
