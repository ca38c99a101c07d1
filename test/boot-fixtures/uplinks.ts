/** The two ends of a node's tunnel, the uplink's and the listener's, and no supervisor behind them. */
import { makeCertificate, type ServerCertificate } from '../../actors/enrolment/server-certificate.ts'
import { createTelling } from '../../actors/enrolment/tunnels/telling.ts'
import { createTunnels } from '../../actors/enrolment/tunnels/tunnels.ts'
import type { ZoneTrust } from '../../actors/enrolment/trust.ts'
import { tunnelAlpn } from '../../actors/join-protocol.ts'
import { certificateFrom, createCertificates, type Certificates } from '../../actors/uplink/certificate.ts'
import { keepConnected, type Connection, type ConnectionOptions } from '../../actors/uplink/connection.ts'
import { openDocuments } from '../../actors/uplink/documents.ts'
import { openTrust, type UplinkTrust } from '../../actors/uplink/trust.ts'
import { Vault } from '../../actors/vault/protocol.ts'
import type { ActorStart } from '../../runtime/actor.ts'
import { NotFound, Unavailable } from '../../runtime/errors.ts'
import type { HttpServer, SigningKey } from '../../runtime/platform/ports.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { serialText } from '../../runtime/x509/serial.ts'
import { memoryChannelPair } from '../../transport/memory.ts'
import { removeFolders } from './command-line.ts'
import { eventually } from './joined-hosts.ts'
import { joiningZone, platform, type JoiningZone } from './joining.ts'
import type { Joined } from '../../boot/join/join-client.ts'

const { clock, keys, random, transport } = platform
export let zone: JoiningZone
export let joined: Joined
let device: SigningKey
export const warnings: string[] = []
const stopping = new AbortController()
/** A test that fails leaves its own behind. */
const [servers, connections]: [HttpServer[], Connection[]] = [[], []]

/** What the two ends need of an actor's start, and no supervisor behind it. */
const startOf = (host: string, accept: ActorStart['accept']): ActorStart => ({
  clock, random, keys, transport, stopping: stopping.signal, count() {}, gauge() {}, accept,
  self: { zone: 'zone.local', host, actor: 'uplink', runtimeType: 'node', incarnation: 1, linkKid: '' },
  log: { info() {}, warn: (message: string) => void warnings.push(message), error() {} },
}) as unknown as ActorStart
const nobody: ActorStart['accept'] = async (protocol) => { throw new NotFound(protocol) }

/** Which certificates the other end has shown last, by serial. */
export const admitted: string[] = []
/** An echo of frames in the place of an actor. */
const echo: ActorStart['accept'] = async () => {
  const [inner, outer] = memoryChannelPair(clock)
  outer.receive((frame) => outer.send(frame), () => {})
  return { channel: inner, incarnation: 9, gone: new Promise(() => {}), release() {} }
}

const noHttp = { open: () => Promise.reject(new Unavailable('There is no HTTP here')), recheck: async () => {} }

/** What the zone told as node1 joined, of its one host. */
const hostsOf = async (): Promise<string> => {
  const { zoneDocument, oods } = joined.standing
  return JSON.stringify({ zoneDocument, oods: oods.map((document) => ({ document, servers: [] })) })
}
const documentsOf = () => openDocuments({
  keys, store: createMemoryStore(platform), zone: 'zone.local', zoneDocument: joined.standing.zoneDocument,
})

const silent = { toOne: async () => {}, toAll: async () => {} }

export async function listener(tells = false) {
  const ports = {
    hostname: '127.0.0.1', vault: zone.zone.get(Vault),
    ...startOf('ood1', echo),
  }
  const certificate: ServerCertificate = await makeCertificate(ports)
  const tunnels = createTunnels({
    start: startOf('ood1', echo), certificate: () => certificate, http: noHttp,
    sight: { blind: false, run: async () => {} },
    trust: {
      nameOf: () => 'node node1',
      hostOf: async () => ({ name: 'node1', role: 'node', serial: '', notAfter: 0 }),
    } as Partial<ZoneTrust> as ZoneTrust,
    telling: tells ? createTelling(startOf('ood1', echo), ports.vault, hostsOf) : silent, placed: async () => [],
    news: async () => '',
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
  servers.push(server)
  return { tunnels, server, certificate, next: () => makeCertificate(ports) }
}

type Parts = Partial<Pick<Certificates, 'next'>> & {
  readonly trust?: UplinkTrust; readonly ports?: readonly number[]
  readonly onChange?: ConnectionOptions['onChange']
}
export const trustOf = () => openTrust({
  keys, clock, store: createMemoryStore(platform), zone: 'zone.local',
  start: { servers: [], roots: [...joined.roots], anchors: [], rootsVersion: 0 },
})

/** The uplink of node1 to that port; its certificate is taken to end in so many milliseconds. */
export async function uplink(port: number, lifeMs?: number, parts: Parts = {}): Promise<Connection> {
  const start = startOf('node1', nobody)
  const trust = parts.trust ?? await trustOf()
  const first = certificateFrom(start, joined.tls.certificate, joined.tls.key)
  const real = createCertificates({ start, device, trust, role: 'node' })
  const connection = keepConnected({
    start, trust, hosts: await documentsOf(), ...(parts.onChange ? { onChange: parts.onChange } : {}),
    servers: [port, ...parts.ports ?? []].map((each) => `127.0.0.1:${each}`),
    first: lifeMs === undefined ? first : { ...first, notAfter: clock.now() + lifeMs },
    // The listener of the zone itself signs
    certificates: {
      again: () => real.again({ hostname: '127.0.0.1', port: zone.port }),
      next: parts.next
        ?? ((_, before, signal) => real.next({ hostname: '127.0.0.1', port: zone.port }, before, signal)),
    },
  })
  connections.push(connection)
  void connection.run()
  await eventually('it is connected', () => connection.state().state === 'connected')
  return connection
}

export async function begin(): Promise<void> {
  zone = await joiningZone()
  const made = await zone.token('node1')
  device = keys.generate(random)
  joined = await zone.join(made, { device })
}

export async function end(): Promise<void> {
  stopping.abort()
  for (const connection of connections) connection.close()
  await Promise.all(servers.map((server) => server.close(0)))
  await zone.stop()
  removeFolders()
}
