import type { ActorStart } from '../../runtime/actor.ts'
import type { Carried, Carrier } from '../../runtime/carrier.ts'
import { messageOf, NotFound, TlsNotTrusted, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Random } from '../../runtime/platform/ports.ts'
import { backoffMs, fraction } from '../../runtime/restart.ts'
import { splice } from '../../runtime/splice.ts'
import { deferred, pause, within } from '../../runtime/within.ts'
import { tlsChannel } from '../../transport/tls.ts'
import type {
  AcceptedStream, OpenedStream, StreamRequest, TunnelEnd,
} from '../../transport/tunnel/protocol.ts'
import { openTunnel } from '../../transport/tunnel/tunnel.ts'
import type { HostCertificate } from '../host-certificate.ts'
import { tunnelAlpn } from '../join-protocol.ts'
import { serverOf, type Server } from '../host-identity.ts'
import type { Certificates } from './certificate.ts'
import type { Documents } from './documents.ts'
import type { HttpHere } from './http.ts'
import type { UplinkState } from './protocol.ts'
import { createServers } from './servers.ts'
import { taking } from './taking.ts'
import type { UplinkTrust } from './trust.ts'

export interface ConnectionOptions {
  readonly start: Pick<
    ActorStart, 'clock' | 'random' | 'keys' | 'transport' | 'self' | 'stopping' | 'log' | 'count' | 'accept'
  >
  readonly trust: UplinkTrust
  /** HOST:PORT, as joined by. */
  readonly servers: readonly string[]
  /** What the control plane tells of its hosts, across starts. */
  readonly hosts: Pick<Documents, 'names' | 'servers' | 'takeHosts'>
  readonly certificates: Certificates
  /** Of a host that has just joined. */
  readonly first: HostCertificate | undefined
  /** Bytes to its programs; without it there are none. */
  readonly http?: HttpHere
  /** Told of each change, with what failed. */
  readonly onChange?: (state: UplinkState, error?: Error) => void
  /** Whether it is no use to try again: then `run` throws that. */
  readonly isFinal?: (error: unknown) => boolean
}

export interface Connection {
  /** Until the actor stops: connects, and again. */
  run(): Promise<void>
  state(): UplinkState
  /** A stream of whatever tunnel there is within that time. @throws what `TunnelEnd.open` does, Unavailable */
  open(request: StreamRequest, waitMs: number, signal?: AbortSignal): Promise<OpenedStream>
  readonly carrier: Carrier
  close(): void
}

/** The host at the other end, by the certificates that it has shown last. */
interface Peer {
  readonly ood: string
  /** DER, the host's own first. */
  readonly chain: readonly Uint8Array[]
  /** That those between it and the root are there as well: TLS hands over one alone. */
  readonly isWhole: boolean
}

interface Live {
  readonly end: TunnelEnd
  peer: Peer
  /** Closes the tunnel when its other end is not good any more. */
  judge(): void
}

const RETRY = { min: limits.uplinkRetryMsMin, max: limits.uplinkRetryMsMax }
/** Beyond it timers of the runtimes fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1
/** A tunnel that lasted so long was a good one: the next failure is the first again. */
const GOOD_MS = 30_000

/** One tunnel at a time, to the server that works; after each failure to the next, at growing intervals. */
export function keepConnected(options: ConnectionOptions): Connection {
  const { start, trust, hosts, certificates, first, onChange, isFinal } = options
  const { clock, random, keys, transport, self, stopping, log, count } = start
  const jitter = random.fork('uplink')
  let certificate = first
  const servers = createServers(options.servers, () => hosts.servers, random)
  let tunnel: TunnelEnd | undefined
  /** Settles with the next tunnel. */
  let connected = deferred<TunnelEnd>()
  let shown: Pick<UplinkState, 'state' | 'ood' | 'reason' | 'since'> =
    { state: 'connecting', ood: '', reason: '', since: clock.now() }
  let attempts = 0
  let tunnels = 0
  const stateNow = (): UplinkState => ({
    ...shown, server: servers.now, attempts, tunnels, streams: tunnel?.streams ?? 0,
    certificate: certificate ? { serial: certificate.serial, notAfter: certificate.notAfter } : null,
  })
  const show = (state: UplinkState['state'], reason: string, ood = '', error?: Error): void => {
    shown = { state, reason, ood, since: clock.now() }
    onChange?.(stateNow(), error)
  }
  const open: Connection['open'] = async (request, waitMs, signal) => {
    const none = (): Error => new Unavailable(`There is no way to the control plane now: ${shown.reason}`)
    return (tunnel ?? await within(clock, waitMs, connected.promise, none)).open(request, signal)
  }

  const accept = async (request: StreamRequest, signal: AbortSignal): Promise<AcceptedStream> => {
    if (request.type === 'http') {
      if (!options.http) throw new NotFound('This host serves links between actors only')
      return options.http(request, signal)
    }
    const { protocol, host = self.host, caller } = request
    if (host !== self.host) throw new NotFound(`It is another host: ${host}`, { host })
    // Who the caller is, its link proves to the actor itself: the control plane only passes it on
    const { channel, incarnation, gone, release } = await start.accept(protocol, caller)
    void gone.then(() => channel.close('the actor has ended'))
    return { granted: { host: self.host, incarnation }, channel, release }
  }
  const told = taking({ trust, hosts, log })
  /** Undefined while the control plane's host is still good by what is known now. */
  const faultOf = ({ ood, chain: [leaf, ...intermediates], isWhole }: Peer): string | undefined => {
    try {
      return trust.oodOf(leaf!, isWhole ? intermediates : undefined) === ood ? undefined : `it is not ${ood}`
    } catch (error) {
      return messageOf(error)
    }
  }

  const connect = async ({ hostname, port }: Server, own: HostCertificate, signal: AbortSignal): Promise<Live> => {
    let ood = ''
    let peer: Uint8Array | undefined
    let live: Live | undefined
    let renewed: Peer | undefined
    let isListed = true
    const judge = (): void => {
      const fault = live && (isListed ? faultOf(live.peer) : 'it is no host of the control plane any more')
      if (fault === undefined) return
      log.warn(`The tunnel is closed: ${fault}`, { ood })
      live!.end.close(fault)
    }
    const connection = await transport.connectTls({ hostname, port, withinMs: limits.uplinkAttemptMs, signal }, {
      roots: trust.roots, alpn: tunnelAlpn, client: own.tls,
      check(shownBy) {
        ood = trust.oodOf(shownBy)
        peer = shownBy
      },
    })
    const end = await openTunnel({
      channel: tlsChannel(connection, start), role: 'dialer', clock, random: random.fork('tunnel'),
      hello: { zone: self.zone, host: self.host }, certificates: { own: own.chain[0]!, peer: peer!, keys },
      async onHello(greeting) {
        if (greeting.zone === self.zone && greeting.host === ood) return
        throw new TlsNotTrusted(`It says that it is ${greeting.host} of ${greeting.zone}, and is ${ood}`, {
          reason: 'wrong-name',
        })
      },
      onOpen: accept,
      async onTell(kind, document) {
        const isList = await told(kind, document)
        // By what it says itself: what another one has said need not be so any more
        if (isList) isListed = hosts.names.includes(ood)
        judge()
      },
      onRenew: async (chain) => {
        // No TLS has judged it: it has to end at a root by what came with it
        const next: Peer = { ood, chain, isWhole: true }
        const fault = faultOf(next)
        if (fault !== undefined) {
          throw new TlsNotTrusted(`The next certificate is not of ${ood}: ${fault}`, { reason: 'unknown-authority' })
        }
        renewed = next
        if (live) live.peer = next
      },
    })
    live = { end, judge, peer: renewed ?? { ood, chain: [peer!], isWhole: false } }
    judge()
    show('connected', '', ood)
    return live
  }

  /** Until the tunnel closes: with why. Renews the certificate at a random point of 50 to 80 % of its life. */
  const stay = async (server: Server, { end, judge }: Live): Promise<string> => {
    const over = new AbortController()
    const renewing = async (): Promise<void> => {
      for (let failures = 0; !over.signal.aborted;) {
        const lifeMs = Math.max(0, certificate!.notAfter - clock.now())
        const waitMs = failures === 0 ? lifeMs * (0.5 + 0.3 * fraction(jitter)) : backoffMs(jitter, failures - 1, RENEW)
        await pause(clock, Math.min(TIMER_MS_MAX, waitMs), over.signal)
        if (over.signal.aborted) return
        try {
          const next = await certificates.next(server, certificate!, over.signal)
          await end.renew({ chain: next.chain, sign: (statement) => next.key.sign(statement) })
          certificate = next
          failures = 0
          log.info('The certificate of this host was renewed', { serial: next.serial })
        } catch (error) {
          failures++
          if (!over.signal.aborted) log.warn(`The certificate could not be renewed: ${messageOf(error)}`)
        }
      }
    }
    const judging = async (): Promise<void> => {
      while (!over.signal.aborted) {
        await pause(clock, limits.uplinkRecheckMs, over.signal)
        if (!over.signal.aborted) judge()
      }
    }
    // Neither throws, and neither is waited for: the next server does not wait for what this one does not answer
    void renewing()
    void judging()
    const reason = await end.closed
    over.abort()
    return reason
  }

  const once = async (): Promise<void> => {
    const server = serverOf(servers.now)
    attempts++
    if (certificate === undefined || certificate.notAfter <= clock.now()) {
      certificate = await certificates.again(server)
      log.info('This host has a certificate again', { serial: certificate.serial })
    }
    const live = await connect(server, certificate, stopping)
    const { end } = live
    tunnel = end
    connected.resolve(end)
    tunnels++
    attempts = 0
    count('uplink_tunnels_total')
    log.info('Connected to the control plane', { server: servers.now, ood: shown.ood })
    if (stopping.aborted) end.close('the uplink stops')
    const reason = await stay(server, live)
    tunnel = undefined
    connected = deferred()
    throw new Unavailable(`The tunnel is closed: ${reason}`)
  }

  return {
    async run() {
      let failures = 0
      while (!stopping.aborted) {
        const before = tunnels
        const began = clock.monotonic()
        show('connecting', shown.reason)
        try {
          await once()
        } catch (error) {
          if (stopping.aborted) break
          const wasRefused = isRefusal(error)
          show(wasRefused ? 'refused' : 'connecting', messageOf(error), '', error as Error)
          if (isFinal?.(error)) throw error
          // What fails again and again is said once, and each tunnel that is lost
          if (failures === 0 || wasRefused || tunnels > before) {
            log.warn(`No way to the control plane: ${messageOf(error)}`, { server: servers.now })
          }
          // It may have been revoked, or the zone may have another root by now: the device key tells who this host is
          // A server that is not trusted has not said anything of it
          if (wasRefused && !isDistrusted(error)) certificate = undefined
          failures = clock.monotonic() - began > GOOD_MS ? 0 : failures + 1
          servers.next()
        }
        await pause(clock, comeBackMs(jitter, failures, tunnels > before), stopping)
      }
      show('stopped', '')
    },
    state: stateNow,
    open,
    carrier: {
      async open({ protocol, host, caller }, channel): Promise<Carried> {
        const request: StreamRequest = { type: 'link', protocol, caller: { ...caller }, ...(host ? { host } : {}) }
        const { channel: stream, granted } = await open(request, limits.uplinkWaitMs)
        return { ...granted, gone: splice(channel, stream).then(() => {}) }
      },
    },
    close: () => tunnel?.close('the uplink stops'),
  }
}

/**
 * Milliseconds before the next attempt. After a tunnel that was good, the others of that OOD have lost theirs as well:
 * they do not come back all at once.
 */
export function comeBackMs(jitter: Random, failures: number, hadTunnel: boolean): number {
  const spreadMs = hadTunnel && failures === 0 ? fraction(jitter) * limits.uplinkSpreadMs : 0
  return Math.max(spreadMs, backoffMs(jitter, Math.max(0, failures - 1), RETRY))
}

const RENEW = { min: 5_000, max: 300_000 }

const REFUSALS = new Set(['Denied', 'JoinRefused', 'HostCertificateNeeded', 'TlsNotTrusted'])
const isDistrusted = (error: unknown): boolean =>
  error instanceof TlsNotTrusted && error.details['reason'] !== 'refused'

const isRefusal = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && REFUSALS.has(String((error as { code: unknown }).code))
