/** The control plane's end of tunnels as it is, over connections in memory; what it asks is what a test says. */
import type { ActorStart } from '../runtime/actor.ts'
import { createTunnels, type Tunnels, type TunnelsOptions } from '../actors/enrolment/tunnels/tunnels.ts'
import { createSight } from '../actors/enrolment/tunnels/sight.ts'
import { HostCertificateNeeded } from '../actors/enrolment/trust.ts'
import { Unavailable, ZonewrightError } from '../runtime/errors.ts'
import type { Channel } from '../runtime/platform/ports.ts'
import type { TlsConnection } from '../runtime/platform/tls-ports.ts'
import { encodePem } from '../runtime/x509/pem.ts'
import { memoryChannelPair } from '../transport/memory.ts'
import { tlsChannel } from '../transport/tls.ts'
import type { AcceptedStream, NextCertificate, StreamRequest, TunnelEnd } from '../transport/tunnel/protocol.ts'
import { openTunnel } from '../transport/tunnel/tunnel.ts'
import { manualClock, type ManualClock } from './actors/manual-clock.ts'
import { authority, day, holder, keys, now, random, type Holder } from './runtime/x509-fixture.ts'

const root = await authority('root')
const hostCertificate = (host: string): Promise<Holder> => holder(host, root, {
  notAfter: now + 3_000 * day,
  extensions: {
    keyUsage: ['digitalSignature'], extendedKeyUsage: ['serverAuth', 'clientAuth'],
    names: [{ type: 'uri', value: `spiffe://a.zone/node/${host}` }],
  },
})
/** A certificate of another host, by the name that it says. */
export async function another(host: string): Promise<Holder> {
  const made = await hostCertificate(host)
  named.set(made.certificate.raw, host)
  return made
}
const [ood, oodNext, node, nodeNext] = await Promise.all([
  hostCertificate('ood1'), hostCertificate('ood1'), hostCertificate('node1'), hostCertificate('node1'),
])
export const shown = ({ certificate, key }: Holder) => ({
  serial: '', fingerprint: '', notAfter: certificate.notAfter, key: key.exportPem(),
  certificate: encodePem('CERTIFICATE', certificate.raw),
})
export const renewalOf = ({ key, certificate }: Holder): NextCertificate =>
  ({ chain: [certificate.raw], sign: (statement) => key.sign(statement) })
export { node, nodeNext }
export const link = (protocol: string, host = 'node1'): StreamRequest =>
  ({ type: 'link', protocol, caller: { host, actor: 'a', incarnation: 1 } })
export const codeOf = (work: Promise<unknown>): Promise<string> => work.then(() => 'none', (error: unknown) =>
  (error instanceof ZonewrightError ? error.code : String(error)))

export interface World {
  readonly clock: ManualClock
  readonly tunnels: Tunnels
  /** What the zone says; as long as a test does not say otherwise, yes. */
  admit: (der: Uint8Array) => Promise<void>
  authorise: () => Promise<void>
  accept: () => Promise<void>
  ask: () => Promise<unknown>
  placed: (service: string) => Promise<readonly string[]>
  news: () => Promise<string>
  /** Of all certificates; as long as a test does not say otherwise they have ended, and each look judges them. */
  notAfter: number
  /** DER of certificates that are good; all, when it is not said. */
  good: ((der: Uint8Array) => boolean) | undefined
  readonly admitted: Uint8Array[]
  /** Of streams that were accepted: the ends of their actors. */
  readonly actors: Channel[]
  /** Connections that were closed, with the reason. */
  readonly closed: string[]
  dial(change?: {
    address?: string; host?: string; certificate?: Holder; onRenew?: () => void
    onOpen?: (request: StreamRequest) => Promise<AcceptedStream>
  }): Promise<TunnelEnd>
  /** Who answers where this end dials. */
  answers: Holder | undefined
  /** A connection that says nothing of itself, and its end here. */
  silent(certificate?: Holder, address?: string): TlsConnection
  /** One that shows no certificate. */
  stranger(address: string): void
  readonly warnings: string[]
  /** Passes so many milliseconds in which what was begun gets done. */
  pass(ms: number): Promise<void>
  /** Another certificate of this end. @returns what is to be told to `tunnels.renew` */
  renewOwn(): ReturnType<TunnelsOptions['certificate']>
  stop(): Promise<void>
}

export function tunnelsWorld(): World {
  const clock = manualClock()
  const stopping = new AbortController()
  let own = shown(ood)
  const warnings: string[] = []
  const start = {
    clock, random, keys, stopping: stopping.signal, count() {}, gauge() {},
    log: { info() {}, warn: (text: string) => void warnings.push(text), error() {} },
    self: {
      zone: 'a.zone', host: 'ood1', actor: 'enrolment', runtimeType: 'kernel-service', incarnation: 1, linkKid: '',
    },
    transport: {
      async connectTls() {
        const { certificate: { raw } } = world.answers!
        const [here, there] = tlsPair(clock, '10.0.0.2', ood.certificate.raw, raw, world.closed)
        void openTunnel({
          channel: tlsChannel(there, { clock }), role: 'listener', clock, random,
          hello: { zone: 'a.zone', host: nameOf(raw) }, certificates: { own: raw, peer: ood.certificate.raw, keys },
          onHello: async () => {}, onTell: async () => {}, onRenew: async () => {}, onOpen: nothingHere,
        }).catch(() => {})
        return here
      },
    },
    async accept() {
      await world.accept()
      const [mine, theirs] = memoryChannelPair(clock)
      world.actors.push(theirs)
      return { channel: mine, incarnation: 1, gone: new Promise(() => {}), release() {} }
    },
  } as unknown as ActorStart
  const hostOf = async (der: Uint8Array | undefined) => {
    if (world.good && !world.good(der!)) throw new HostCertificateNeeded('not good', { reason: 'revoked' })
    const name = nameOf(der!)
    return { name, role: /^[a-z]+/.exec(name)![0], serial: '', notAfter: world.notAfter }
  }
  const tunnels = createTunnels({
    start, certificate: () => own, placed: (service) => world.placed(service), news: () => world.news(),
    trust: { roots: [], version: 0, refresh: async () => {}, nameOf, hostOf, noting: (_, joined) => joined },
    sight: createSight(start, () => world.ask()),
    http: { open: () => Promise.reject(new Unavailable('There is no HTTP here')), recheck: async () => {} },
    telling: { toOne: async () => {}, toAll: async () => {} },
    admission: {
      async admit(der) {
        world.admitted.push(der!)
        const host = await hostOf(der)
        await world.admit(der!)
        return { host, document: { owner: 'alice' } as never }
      },
      authorise: () => world.authorise(),
    },
  })
  const world: World = {
    clock, tunnels, admit: async () => {}, authorise: async () => {}, accept: async () => {}, ask: async () => {},
    placed: async () => [], answers: undefined, news: async () => '', notAfter: 0,
    good: undefined, admitted: [], actors: [], closed: [],
    async pass(ms) {
      for (let left = ms; left > 0; left -= 50) await clock.advance(Math.min(50, left))
      await clock.advance(0)
    },
    async dial({
      address = '10.0.0.1', host = 'node1', certificate = node, onRenew = () => {}, onOpen = nothingHere,
    } = {}) {
      const [here, there] = tlsPair(clock, address, certificate.certificate.raw, ood.certificate.raw, world.closed)
      named.set(certificate.certificate.raw, host)
      tunnels.take(there)
      const opening = openTunnel({
        channel: tlsChannel(here, { clock }), role: 'dialer', clock, random, hello: { zone: 'a.zone', host },
        certificates: { own: certificate.certificate.raw, peer: ood.certificate.raw, keys },
        onHello: async () => {}, onTell: async () => {}, onRenew: async () => onRenew(), onOpen,
      })
      opening.catch(() => {})
      await clock.advance(0)
      return opening
    },
    silent(certificate = node, address = '10.0.0.1') {
      const [here, there] = tlsPair(clock, address, certificate.certificate.raw, ood.certificate.raw, world.closed)
      tunnels.take(there)
      return here
    },
    stranger(address) {
      const [, there] = tlsPair(clock, address, node.certificate.raw, ood.certificate.raw, world.closed)
      const { certificate: _, ...without } = there
      tunnels.take({ ...without, unsent: 0 })
    },
    warnings,
    renewOwn: () => (own = shown(oodNext)),
    async stop() {
      stopping.abort()
      tunnels.close()
      await world.pass(100)
    },
  }
  return world
}

const nothingHere = async (): Promise<AcceptedStream> => { throw new Unavailable('nothing is here') }
const named = new Map<Uint8Array, string>()
const nameOf = (der: Uint8Array): string => named.get(der) ?? 'node1'

/** Two ends of one connection. */
export function tlsPair(
  clock: Pick<ManualClock, 'soon'>, remoteAddress: string, ofHere: Uint8Array, ofThere: Uint8Array,
  closed: string[],
): readonly [TlsConnection, TlsConnection] {
  type Listening = Parameters<TlsConnection['receive']>
  const ends: { to?: Listening; before: Uint8Array[]; over?: string }[] = [{ before: [] }, { before: [] }]
  const end = (mine: number, certificate: Uint8Array): TlsConnection => {
    const [own, other] = [ends[mine]!, ends[1 - mine]!]
    const close = (one: typeof own, reason: string): void => {
      if (one.over !== undefined) return
      one.over = reason
      one.to?.[1](reason)
    }
    return {
      alpn: 'x', remoteAddress, certificate, unsent: 0,
      send: (bytes) => clock.soon(() => {
        if (other.over !== undefined) return
        if (other.to) other.to[0](bytes)
        else other.before.push(bytes)
      }),
      receive(...to) {
        own.to = to
        for (const bytes of own.before.splice(0)) to[0](bytes)
        if (own.over !== undefined) to[1](own.over)
      },
      close(reason) {
        if (mine === 1 && own.over === undefined) closed.push(reason)
        clock.soon(() => clock.soon(() => {
          close(own, reason)
          close(other, 'the peer closed the connection')
        }))
      },
    }
  }
  return [end(0, ofThere), end(1, ofHere)]
}

/** A test in a world of its own, which ends with it. */
export const withTunnels = (task: (world: World) => Promise<void>) => async (): Promise<void> => {
  const world = tunnelsWorld()
  try {
    await task(world)
  } finally {
    await world.stop()
  }
}
