import type { ActorStart } from '../../../runtime/actor.ts'
import { Denied, InvalidArgument, messageOf, Overloaded, Unavailable } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { TlsConnection } from '../../../runtime/platform/tls-ports.ts'
import { pause } from '../../../runtime/within.ts'
import { decodePems } from '../../../runtime/x509/pem.ts'
import { tlsChannel } from '../../../transport/tls.ts'
import type { TunnelEnd } from '../../../transport/tunnel/protocol.ts'
import { openTunnel } from '../../../transport/tunnel/tunnel.ts'
import { tunnelAlpn } from '../../join-protocol.ts'
import type { ServerCertificate } from '../server-certificate.ts'
import { HostCertificateNeeded, type ZoneTrust } from '../trust.ts'
import type { Admission, Admitted } from './admission.ts'
import { createEntrance, TooManyTunnels, waiting } from './entrance.ts'
import type { HttpStreams } from './http-streams.ts'
import { createLinks } from './links.ts'
import { createRounds } from './rounds.ts'
import type { Sight } from './sight.ts'
import type { PeersOptions } from './peers.ts'
import type { Telling } from './telling.ts'
import { createWays, type Ways } from './ways.ts'

export interface TunnelsOptions {
  readonly start: Pick<
    ActorStart, 'clock' | 'random' | 'keys' | 'self' | 'log' | 'count' | 'gauge' | 'stopping' | 'accept' | 'transport'
  >
  readonly trust: ZoneTrust
  readonly admission: Admission
  readonly telling: Telling
  readonly http: HttpStreams
  readonly sight: Sight
  /** As it is shown now. */
  readonly certificate: () => ServerCertificate
  /** Where an actor is that does not run here, and nobody says where: names of hosts. */
  readonly placed: (service: string) => Promise<readonly string[]>
  /** The same for as long as nothing has changed of authorities, revocation lists and registrations. */
  readonly news: () => Promise<string>
}

/** A host at the other end. */
interface Held {
  admitted: Admitted
  /** DER: the one that counts now. */
  certificate: Uint8Array
  /** Ours, that it goes by. */
  own: ServerCertificate
  readonly role: string
  readonly end: TunnelEnd
}

/** Tunnels of other hosts to this one: who is let in, what they may open, and for how long. */
export interface Tunnels {
  /** A connection by `tunnelAlpn`. Never throws. */
  take(connection: TlsConnection): void
  readonly ways: Ways
  /** To another host of the control plane, unless it has come by itself; settles when the tunnel is over. */
  dial: PeersOptions['dial']
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

const BLIND = 'this host does not see its zone'

export function createTunnels(options: TunnelsOptions): Tunnels {
  const { start, trust, admission, telling, http, sight, certificate, placed, news } = options
  const { clock, random, keys, self, log, count, gauge, stopping, transport } = start
  const held = new Map<string, Held>()
  const entrance = createEntrance(start)
  const round = createRounds(clock, news)
  const ways = createWays({ start, placed, held })
  const links = createLinks({ start, admission, ways })
  let opening = 0
  let refusing = 0
  const demandSight = (): void => {
    if (sight.blind) throw new Unavailable(BLIND)
  }
  const shown = (): void => gauge('tunnels', held.size)

  /** Who it is, before anything is said: nobody without a certificate that is good now takes a place. */
  const enter = async (connection: TlsConnection): Promise<Held> => {
    const peer = connection.certificate
    // Before anything is counted: strangers take nothing from hosts behind the same address
    if (!peer) throw new InvalidArgument('There are no tunnels without a certificate')
    entrance.bySource(trust.nameOf(peer) ?? connection.remoteAddress)
    if (held.size + opening >= limits.tunnels) throw new Overloaded(`Too many tunnels: ${held.size + opening}`)
    const waiter = waiting(connection)
    opening++
    let leave: (() => void) | undefined
    try {
      demandSight()
      const { name } = await trust.hostOf(peer)
      leave = await entrance.byName(name)
      const mine = await meet(waiter, peer)
      if (sight.blind) mine.end.close(BLIND)
      place(name, mine)
      return mine
    } catch (error) {
      if (error instanceof HostCertificateNeeded) void refuse(waiter, peer)
      throw error
    } finally {
      leave?.()
      opening--
    }
  }
  const place = (name: string, mine: Held): void => {
    const before = held.get(name)
    held.set(name, mine)
    // One host has one way here: what came later is what it lives by now
    before?.end.close('the host has connected anew')
  }
  /** Says why to a host whose certificate is not good, beside the places of the others and only to so many. */
  const refuse = async (connection: TlsConnection, peer: Uint8Array): Promise<void> => {
    if (refusing >= limits.tunnelsRefusing) return connection.close('refused')
    refusing++
    try {
      const { end } = await meet(connection, peer)
      end.close('its certificate was not good')
    } catch (error) {
      connection.close(messageOf(error))
    } finally {
      refusing--
    }
  }

  /** @param dialled the host that this one has gone to */
  const meet = async (connection: TlsConnection, peer: Uint8Array, dialled?: string): Promise<Held> => {
    let admitted: Admitted | undefined
    let shownBy = peer
    let mine: Held | undefined
    const by = (): Admitted => mine?.admitted ?? admitted!
    const own = certificate()
    const end = await openTunnel({
      channel: tlsChannel(connection, start), role: dialled === undefined ? 'listener' : 'dialer', clock,
      random: random.fork('tunnel'), hello: { zone: self.zone, host: self.host },
      certificates: { own: chainOf(own)[0]!, peer, keys },
      async onHello(greeting) {
        demandSight()
        const found = await admission.admit(peer, greeting)
        if (dialled !== undefined && (found.host.name !== dialled || found.host.role !== 'ood')) {
          throw new Denied(`It is ${found.host.role} ${found.host.name}, not ood ${dialled}`, { reason: 'tunnel/name' })
        }
        admitted = found
      },
      async onOpen(request, signal) {
        await admission.authorise(by(), request)
        const accepted = request.type === 'http' ? await http.open(by, request, signal)
          : await links.open(by, request, signal)
        count(`tunnel_streams_total{type="${request.type}"}`)
        return accepted
      },
      onTell: async () => {},
      async onRenew([leaf]) {
        const next = await admission.admit(leaf, { zone: self.zone, host: by().host.name })
        if (next.host.role !== by().host.role) throw new Denied('The next certificate is of another role')
        admitted = next
        shownBy = leaf!
        if (mine) Object.assign(mine, { admitted: next, certificate: leaf })
        log.info(`${next.host.name} goes on by its next certificate`, { serial: next.host.serial })
      },
    })
    mine = { admitted: admitted!, role: admitted!.host.role, certificate: shownBy, own, end }
    return mine
  }

  const dial: Tunnels['dial'] = async (name, { hostname, port }, signal) => {
    const there = held.get(name)
    if (there) return void await there.end.closed
    demandSight()
    const connection = await transport.connectTls({ hostname, port, withinMs: limits.uplinkAttemptMs, signal }, {
      roots: trust.roots, alpn: tunnelAlpn, client: certificate(),
    })
    const mine = await meet(connection, connection.certificate!, name)
    place(name, mine)
    await keep(mine, `${hostname}:${port}`)
  }

  /** For as long as it lasts. */
  const keep = async (mine: Held, from: string): Promise<void> => {
    const { admitted: { host: { name, serial } }, end } = mine
    shown()
    count('tunnels_total')
    log.info(`${name} is connected`, { serial, from })
    if (mine.role !== 'ood') void telling.toOne(end)
    follow(name, mine, certificate())
    // What was said of it between its admission and now, nobody looked at
    void recheckOne(name, mine)
    const reason = await end.closed
    if (held.get(name) === mine) held.delete(name)
    shown()
    if (!stopping.aborted) log.info(`${name} is not connected any more: ${reason}`)
  }

  /** @returns whether it was judged, and is good */
  const recheckOne = async (name: string, one: Held): Promise<boolean> => {
    const judged = one.certificate
    try {
      const admitted = await admission.admit(judged, { zone: self.zone, host: name })
      if (one.certificate === judged) one.admitted = admitted
      return one.certificate === judged
    } catch (error) {
      // It goes by its next certificate since, which was judged as this came to an end
      if (one.certificate !== judged) return recheckOne(name, one)
      // What cannot be asked now is asked again
      if (!(error instanceof Denied)) return false
      log.warn(`The tunnel of ${name} is closed: ${error.message}`, { host: name })
      count('tunnels_revoked_total')
      one.end.close(error.message)
      return false
    }
  }
  /** Has the other end follow to our certificate, unless it has. */
  const follow = (name: string, one: Held, next: ServerCertificate): void => {
    if (one.own === next) return
    one.own = next
    const key = keys.certificates.importPem(next.key)
    one.end.renew({ chain: chainOf(next), sign: (statement) => key.sign(statement) })
      .catch((error: unknown) => log.warn(`${name} does not take our next certificate: ${messageOf(error)}`))
  }
  const look = async (): Promise<void> => {
    await trust.refresh()
    const { isDue, judged } = await round()
    const all = [...held].filter(([, one]) => isDue(one, one.admitted.host.notAfter))
    for (let at = 0; at < all.length; at += limits.tunnelLooks) {
      await Promise.all(all.slice(at, at + limits.tunnelLooks).map(async ([name, one]) => {
        if (await recheckOne(name, one)) judged(one)
      }))
      // Whoever speaks by these tunnels waits for no round
      await pause(clock, 0, stopping)
    }
  }

  return {
    take(connection) {
      enter(connection).then((mine) => keep(mine, connection.remoteAddress)).catch((error: unknown) => {
        count('tunnels_refused_total')
        if (!(error instanceof HostCertificateNeeded)) connection.close(messageOf(error))
        // What costs nothing to send is to fill no log
        const isFlood = !connection.certificate || error instanceof TooManyTunnels
        const from = connection.remoteAddress
        if (!stopping.aborted && !isFlood) log.warn(`A tunnel was refused: ${messageOf(error)}`, { from })
      })
    },
    ways, dial,
    hosts: () => [...held.keys()],
    async recheck(host) {
      await Promise.all([...held].filter(([name]) => host === undefined || name === host)
        .map(([name, one]) => recheckOne(name, one)))
    },
    renew(next) {
      for (const [name, one] of held) follow(name, one, next)
    },
    tell: () => telling.toAll([...held.values()].filter(({ role }) => role !== 'ood').map(({ end }) => end)),
    async run() {
      const seeing = sight.run(() => {
        for (const { end } of held.values()) end.close(BLIND)
      })
      const again = async (task: () => Promise<unknown>): Promise<void> => {
        while (!stopping.aborted) {
          await pause(clock, limits.tunnelRecheckMs, stopping)
          if (!stopping.aborted && held.size > 0) await task()
        }
      }
      // As long as a round may take, what is open waits for none
      await Promise.all([seeing, again(look), again(() => Promise.all([http.recheck(), links.recheck()]))])
    },
    close() {
      for (const { end } of held.values()) end.close('the control plane stops')
    },
  }
}

const chainOf = ({ certificate }: ServerCertificate): readonly Uint8Array[] =>
  decodePems(certificate, 'CERTIFICATE', limits.tunnelChain)
