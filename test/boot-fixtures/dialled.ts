/** A host that says whatever it likes to the tunnel port of a zone. */
import { join as path } from 'node:path'
import { CertManager } from '../../actors/cert-manager/protocol.ts'
import { tunnelAlpn } from '../../actors/join-protocol.ts'
import { deviceDocumentType } from '../../actors/records.ts'
import type { Joined } from '../../boot/join/join-client.ts'
import { messageOf, ZonewrightError } from '../../runtime/errors.ts'
import type { PublicJwk, SigningKey } from '../../runtime/platform/ports.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken } from '../../runtime/trust/token.ts'
import { within } from '../../runtime/within.ts'
import { decodePems } from '../../runtime/x509/pem.ts'
import { tlsChannel } from '../../transport/tls.ts'
import type { StreamRequest, TunnelEnd } from '../../transport/tunnel/protocol.ts'
import { openTunnel } from '../../transport/tunnel/tunnel.ts'
import { keyIn } from './cluster.ts'
import { platform, type JoiningZone } from './joining.ts'

const { clock, keys, random } = platform
/** As DESIGN §7 promises of live links. */
export const CUT_MS = 5_000

export interface JoinedNode {
  readonly joined: Joined
  readonly device: SigningKey
}

export async function joinNode(zone: JoiningZone, name: string): Promise<JoinedNode> {
  const made = await zone.token(name)
  const device = keys.generate(random)
  return { joined: await zone.join(made, { device }), device }
}

export interface Dial {
  readonly by: Pick<Joined, 'tls' | 'roots' | 'host'>
  readonly says?: { readonly zone?: string; readonly host?: string }
  readonly told?: (kind: string, document: string) => Promise<void>
}

/** As the uplink of a host, but that says whatever it likes. */
export async function dial(zone: JoiningZone, { by, says = {}, told = async () => {} }: Dial): Promise<TunnelEnd> {
  const connection = await platform.transport.connectTls({ hostname: '127.0.0.1', port: zone.port, withinMs: 5_000 }, {
    roots: by.roots, alpn: tunnelAlpn, client: by.tls,
  })
  const own = decodePems(by.tls.certificate, 'CERTIFICATE', 4)[0]!
  return openTunnel({
    channel: tlsChannel(connection, platform), role: 'dialer', clock, random,
    hello: { zone: 'zone.local', host: by.host, ...says }, certificates: { own, peer: connection.certificate!, keys },
    onHello: async () => {}, onTell: told, onRenew: async () => {},
    onOpen: async () => { throw new Error('nothing is here') },
  })
}
export const refusal = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work
    return 'let in'
  } catch (error) {
    return error instanceof ZonewrightError ? String(error.details['reason'] ?? error.code) : messageOf(error)
  }
}

/** With the reason. @throws when it lives on for longer than is promised */
export const closes = (end: TunnelEnd): Promise<string> =>
  within(clock, CUT_MS, end.closed, () => new Error('The tunnel lives on'))
export const link = (protocol: string, host = 'node1', actor = 'node-daemon'): StreamRequest & { type: 'link' } =>
  ({ type: 'link', protocol, caller: { host, actor, incarnation: 1 } })

/** As the owner signs for a device. */
export const signed = (zone: JoiningZone, name: string, role: 'ood' | 'node', key: PublicJwk): string =>
  signDocument(keyIn(platform, path(zone.cwd, '.zone'), 'owner.key'), deviceDocumentType, {
    zone: 'zone.local', name, role, key, owner: 'owner', iat: Math.floor(clock.now() / 1_000),
  })

/** As its owner revokes a single certificate of the zone. */
export async function revokeCertificate(zone: JoiningZone, serial: string): Promise<void> {
  const iat = Math.floor(clock.now() / 1_000)
  const token = signToken(keyIn(platform, path(zone.cwd, '.zone'), 'owner.key'), {
    iss: 'root', sub: 'root', aud: ['cert-manager'], iat, exp: iat + 300, jti: toBase64url(random.bytes(16)),
    token_use: 'root', appid: 'cli', runtime_type: 'user', epoch: 0,
  })
  await zone.zone.get(CertManager).krpc({ method: 'revoke', params: { serial }, sequence: 1 }, { token })
}
