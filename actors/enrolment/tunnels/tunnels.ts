import type { ActorStart } from '../../../runtime/actor.ts'
import { Denied, InvalidArgument, messageOf, Overloaded, Unavailable } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { TlsConnection } from '../../../runtime/platform/tls-ports.ts'
import { pause } from '../../../runtime/within.ts'
import { decodePems } from '../../../runtime/x509/pem.ts'
import { tlsChannel } from '../../../transport/tls.ts'
import type { AcceptedStream, TunnelEnd } from '../../../transport/tunnel/protocol.ts'
import { openTunnel } from '../../../transport/tunnel/tunnel.ts'
import type { ServerCertificate } from '../server-certificate.ts'
import type { ZoneTrust } from '../trust.ts'
import type { Admission, Admitted, LinkWanted } from './admission.ts'
import type { HttpStreams } from './http-streams.ts'
import type { Telling } from './telling.ts'

export interface TunnelsOptions {
  readonly start: Pick<
    ActorStart, 'clock' | 'random' | 'keys' | 'self' | 'log' | 'count' | 'gauge' | 'stopping' | 'accept'
  >
  readonly trust: ZoneTrust
  readonly admission: Admission
  readonly telling: Telling
  readonly http: HttpStreams
  /** As it is shown now. */
  readonly certificate: () => ServerCertificate
  /** Where an actor is that does not run here, and nobody says where: names of hosts. */
  readonly placed: (service: string) => Promise<readonly string[]>
}

/** A host at the other end. */
interface Held {
  admitted: Admitted
  /** DER: the one that counts now. */
  certificate: Uint8Array
  readonly end: TunnelEnd
}

/** Tunnels of other hosts to this one: who is let in, what they may open, and for how long. */
export interface Tunnels {
  /** A connection by `tunnelAlpn`. Never throws. */
  take(connection: TlsConnection): void
  /** A stream of this host, or of another one's tunnel, to an actor of that host. @throws Unavailable */
  toHost(host: string, request: LinkWanted, signal?: AbortSignal): ReturnType<TunnelEnd['open']>
  /** Names of the hosts that are connected. */
  hosts(): readonly string[]
  /** Certificate and registration of each tunnel, or that of one host, are looked at again. */
  recheck(host?: string): Promise<void>
  /** Whoever is connected follows to this certificate of ours. */
  renew(next: ServerCertificate): void
  /** Tells all what there is to be told. */
  tell(): Promise<void>
  /** Ends when the actor does. */
  run(): Promise<void>
  close(): void
}

export function createTunnels(options: TunnelsOptions): Tunnels {
  const { start, trust, admission, telling, http, certificate, placed } = options
  const { clock, random, keys, self, log, count, gauge, stopping } = start
  const held = new Map<string, Held>()
  let opening = 0
  const shown = (): void => gauge('tunnels', held.size)

  /** An actor of this host, or what another host's tunnel leads to. */
  const lead = async (request: LinkWanted, from: string, signal: AbortSignal): Promise<AcceptedStream> => {
    const { protocol, host, caller } = request
    if (host === undefined || host === self.host) {
      try {
        const { channel, incarnation, gone, release } = await start.accept(protocol, caller)
        void gone.then(() => channel.close('the actor has ended'))
        return { granted: { host: self.host, incarnation }, channel, release }
      } catch (error) {
        if (host !== undefined || !(error instanceof Unavailable)) throw error
      }
    }
    const others = host === undefined ? (await placed(protocol)).filter((each) => each !== self.host) : [host]
    const found = others.find((each) => each !== from && held.has(each))
    if (found === undefined) throw new Unavailable(`Nothing here leads to ${protocol} on ${host ?? 'any host'}`)
    const { channel, granted } = await toHost(found, { ...request, host: found }, signal)
    return { granted, channel, release: () => channel.close('the caller is gone') }
  }
  const toHost: Tunnels['toHost'] = (host, request, signal) => {
    const found = held.get(host)
    if (!found) throw new Unavailable(`The host is not connected: ${host}`, { host })
    return found.end.open(request, signal)
  }

  const welcome = async (connection: TlsConnection): Promise<void> => {
    const peer = connection.certificate
    if (!peer) throw new InvalidArgument('There are no tunnels without a certificate')
    if (held.size + opening >= limits.tunnels) throw new Overloaded(`Too many tunnels: ${held.size + opening}`)
    let admitted: Admitted | undefined
    let mine: Held | undefined
    const [own] = chainOf(certificate())
    opening++
    const end = await openTunnel({
      channel: tlsChannel(connection, start), role: 'listener', clock, random: random.fork('tunnel'),
      hello: { zone: self.zone, host: self.host }, certificates: { own: own!, peer, keys },
      onHello: async (greeting) => { admitted = await admission.admit(peer, greeting) },
      async onOpen(request, signal) {
        const by = (): Admitted => mine?.admitted ?? admitted!
        await admission.authorise(by(), request)
        const accepted = request.type === 'http' ? await http.open(by, request, signal)
          : await lead(request, by().host.name, signal)
        count(`tunnel_streams_total{type="${request.type}"}`)
        return accepted
      },
      onTell: async () => {},
      async onRenew([leaf]) {
        const next = await admission.admit(leaf, { zone: self.zone, host: admitted!.host.name })
        if (next.host.role !== admitted!.host.role) throw new Denied('The next certificate is of another role')
        admitted = next
        if (mine) Object.assign(mine, { admitted: next, certificate: leaf })
        log.info(`${next.host.name} goes on by its next certificate`, { serial: next.host.serial })
      },
    }).finally(() => { opening-- })
    const { name, serial } = admitted!.host
    mine = { admitted: admitted!, certificate: peer, end }
    const before = held.get(name)
    held.set(name, mine)
    shown()
    count('tunnels_total')
    // One host has one way here: what came later is what it lives by now
    before?.end.close('the host has connected anew')
    log.info(`${name} is connected`, { serial, from: connection.remoteAddress })
    void telling.toOne(end)
    const reason = await end.closed
    if (held.get(name) === mine) held.delete(name)
    shown()
    if (!stopping.aborted) log.info(`${name} is not connected any more: ${reason}`)
  }

  const recheckOne = async (name: string, one: Held): Promise<void> => {
    try {
      one.admitted = await admission.admit(one.certificate, { zone: self.zone, host: name })
    } catch (error) {
      // What cannot be asked now is asked again
      if (!(error instanceof Denied)) return
      log.warn(`The tunnel of ${name} is closed: ${error.message}`, { host: name })
      count('tunnels_revoked_total')
      one.end.close(error.message)
    }
  }

  return {
    take(connection) {
      welcome(connection).catch((error: unknown) => {
        count('tunnels_refused_total')
        connection.close(messageOf(error))
        if (!stopping.aborted) log.warn(`A tunnel was refused: ${messageOf(error)}`, { from: connection.remoteAddress })
      })
    },
    toHost,
    hosts: () => [...held.keys()],
    async recheck(host) {
      await Promise.all([...held].filter(([name]) => host === undefined || name === host)
        .map(([name, one]) => recheckOne(name, one)))
    },
    renew(next) {
      const key = keys.certificates.importPem(next.key)
      const chain = chainOf(next)
      for (const [name, { end }] of held) {
        end.renew({ chain, sign: (statement) => key.sign(statement) })
          .catch((error: unknown) => log.warn(`${name} does not take our next certificate: ${messageOf(error)}`))
      }
    },
    tell: () => telling.toAll([...held.values()].map(({ end }) => end)),
    async run() {
      while (!stopping.aborted) {
        await pause(clock, limits.tunnelRecheckMs, stopping)
        if (stopping.aborted || held.size === 0) continue
        await trust.refresh()
        for (const [name, one] of held) {
          await trust.hostOf(one.certificate).catch(() => recheckOne(name, one))
        }
        await http.recheck()
      }
    },
    close() {
      for (const { end } of held.values()) end.close('the control plane stops')
    },
  }
}

const chainOf = ({ certificate }: ServerCertificate): readonly Uint8Array[] =>
  decodePems(certificate, 'CERTIFICATE', limits.tunnelChain)
