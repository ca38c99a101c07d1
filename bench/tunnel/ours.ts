/** Calls of a sealed link in a tunnel over mutual TLS, with validation, deadline and a bound principal. */
import { createService } from '../../runtime/context.ts'
import { Denied } from '../../runtime/errors.ts'
import { createCaller } from '../../runtime/link/caller.ts'
import { signLinkCertificate, verifyLinkCertificate } from '../../runtime/link/certificate.ts'
import { establish, type EstablishOptions } from '../../runtime/link/handshake.ts'
import { serveLink } from '../../runtime/link/serve.ts'
import { createMailbox } from '../../runtime/mailbox.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { Channel, Platform } from '../../runtime/platform/ports.ts'
import { trustKeyOf } from '../../runtime/trust/keys.ts'
import { verifyToken } from '../../runtime/trust/verify.ts'
import { memoryChannelPair } from '../../transport/memory.ts'
import { tlsChannel } from '../../transport/tls.ts'
import type { TunnelOptions } from '../../transport/tunnel/protocol.ts'
import { openTunnel } from '../../transport/tunnel/tunnel.ts'
import { text } from '../link/payload.ts'
import { Echo } from '../link/protocol.ts'
import { rule } from '../link/token.ts'
import { HERE, type Call, type Setup } from './setup.ts'

const ALPN = 'zonewright-tunnel/1'
const HOSTS = { echo: 'far', driver: 'near' } as const
type Name = keyof typeof HOSTS

function sideOf(platform: Platform, name: Name, { devicePem }: Setup): EstablishOptions {
  const { clock, random, keys } = platform
  const device = keys.importPem(devicePem)
  const key = keys.generate(random)
  const of = (actor: Name) => ({ host: HOSTS[actor], actor, incarnation: 1 })
  const claims = { zone: 'bench', runtimeType: 'service', ...of(name) }
  const certificate = signLinkCertificate(device, {
    ...claims, key: key.public.jwk, exp: Math.floor(clock.now() / 1_000) + 600,
  })
  return {
    role: name === 'driver' ? 'initiator' : 'responder', self: { ...claims, key, certificate },
    expect: of(name === 'driver' ? 'echo' : 'driver'), minimum: 'sealed', clock, random, keys,
    verifyCertificate: (one) => verifyLinkCertificate(one, {
      keys, zone: 'bench', nowMs: clock.now(), device: () => ({ role: 'node', key: device.public }), allows: () => true,
    }),
  }
}

const tunnelOf = (platform: Platform, channel: Channel, change: Partial<TunnelOptions>): TunnelOptions => ({
  channel, role: 'listener', clock: platform.clock, random: platform.random, hello: { zone: 'bench', host: 'far' },
  onHello: async () => {}, onTell: async () => {}, onRenew: async () => {},
  onOpen: async () => { throw new Denied('It opens nothing') },
  ...change,
})

const echo = ({ text: same, n }: { text: string; n: number }) => ({ text: same, n })

export async function serveTunnel(setup: Setup): Promise<number> {
  const platform = await openPlatform()
  const { clock, keys } = platform
  const key = trustKeyOf(keys, setup.tokenKey, 'env', 'driver')
  const service = createService({
    protocol: Echo, clock, keys, callers: {}, self: { host: HOSTS.echo, actor: 'echo' },
    mailbox: createMailbox({ capacity: 8_192, clock }),
    handlers: { mac: echo, signature: echo },
    lifecycle: {
      async authenticate(token) {
        const verdict = await verifyToken(token, {
          keys, rules: [rule], audience: 'echo', nowSeconds: Math.floor(clock.now() / 1_000), epoch: 0,
          trustKey: () => key,
        })
        if (!verdict.accepted) throw new Denied(verdict.denial.reason)
        return { ...verdict.principal, expires: verdict.claims.exp * 1_000 }
      },
    },
  })
  const accept = async (channel: Channel): Promise<void> => {
    const [inner, outer] = memoryChannelPair(clock)
    await openTunnel(tunnelOf(platform, channel, {
      async onOpen() {
        void establish(outer, sideOf(platform, 'echo', setup)).then((link) => serveLink(link, service))
        return { granted: { host: HOSTS.echo, incarnation: 1 }, channel: inner, release: () => {} }
      },
    }))
  }
  const { port } = await platform.transport.serveHttp({
    hostname: HERE, port: 0, bodyBytesMax: 1_000, requestMsMax: 5_000,
    tls: { ...setup.server, least: 'TLSv1.3', clientRoots: [setup.root] },
    streams: { alpn: [ALPN], accept: (connection) => void accept(tlsChannel(connection, { clock })) },
  }, async () => ({ status: 404, headers: {}, body: '' }))
  return port
}

export async function dialTunnel(setup: Setup, port: number): Promise<Call> {
  const platform = await openPlatform()
  const { clock, keys, transport } = platform
  const connection = await transport.connectTls({ hostname: HERE, port, withinMs: 5_000 }, {
    roots: [setup.root], alpn: ALPN, client: setup.client,
  })
  const tunnel = await openTunnel(tunnelOf(platform, tlsChannel(connection, { clock }), {
    role: 'dialer', hello: { zone: 'bench', host: 'near' },
  }))
  const { channel } = await tunnel.open({
    type: 'link', protocol: Echo.name, caller: { host: HOSTS.driver, actor: 'driver', incarnation: 1 },
  })
  const caller = createCaller(Echo, { clock, keys })
  caller.attach(await establish(channel, sideOf(platform, 'driver', setup)))
  const settings = { token: setup.token }
  return (n) => caller.client.mac({ text, n }, settings)
}
