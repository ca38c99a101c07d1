import { actor } from '../../runtime/actor.ts'
import { Denied, NotFound, messageOf, ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { HttpRequest, HttpResponse } from '../../runtime/platform/ports.ts'
import { openEnforcer } from '../enforcement/enforcer.ts'
import {
  hostAlpn, joinAlpn, joinPath, JoinRequest, RenewAgainRequest, RenewRequest, tunnelAlpn,
} from '../join-protocol.ts'
import { oodJoinPath, OodJoinRequest } from '../join-ood-protocol.ts'
import { JOIN_SEQUENCE, joinStep } from '../join-steps.ts'
import { NodeDaemon } from '../node-daemon/protocol.ts'
import { openSession } from '../session.ts'
import { SystemConfig } from '../system-config/protocol.ts'
import { Vault } from '../vault/protocol.ts'
import { VerifyHub } from '../verify-hub/protocol.ts'
import { isUnexpected, json, readBody, refusal } from './answers.ts'
import { briefly } from './briefly.ts'
import { hookCheck, joinChecks } from './checks.ts'
import { createControl } from './control.ts'
import { keepRegistered } from './hosts.ts'
import { createJoins, serverBy, skewBy } from './join.ts'
import { createOodJoins, type EtcdPlace } from './ood-joins.ts'
import { portsIn } from './own-ports.ts'
import { Enrolment, enrolmentEnv } from './protocol.ts'
import { keepRenewed, makeCertificate, type ServerCertificate } from './server-certificate.ts'
import { openRegistrations } from './registrations.ts'
import { createAdmitting, sourceOf } from './sources.ts'
import { createLocalWays } from './tunnels/local-ways.ts'
import { openTunnels } from './tunnels/open.ts'
import { HostCertificateNeeded, openTrust, type KnownHost } from './trust.ts'

const APPID = 'enrolment'
const nothingThere = (): Error => new NotFound('There is nothing at this path')

/**
 * Where hosts come into the zone (DESIGN §10, Listener): one port that asks for a client certificate and does not
 * require it. Who has none that is good now speaks the join and nothing else.
 */
export default actor(Enrolment, {
  needs: { systemConfig: SystemConfig, verifyHub: VerifyHub, nodeDaemon: NodeDaemon, vault: Vault },
  // Tunnels last while the vault, or verify-hub, which needs it, starts again; who joins meanwhile is told to wait
  servesWithout: ['verifyHub', 'vault'],
  stateless: true,
}, async (start) => {
  const { needs, transport, clock, random, keys, env, log, stopping, background, step, self, count } = start
  const { vault, systemConfig } = needs
  /** For a host that waits for the answer. */
  const asked = briefly(vault, limits.enrolmentVaultMs)
  const session = await openSession({
    clock, random, env, needs, appid: APPID, audiences: ['system-config'], stopping, background, step,
  })
  const enforcer = await openEnforcer({
    start, systemConfig, session, appid: APPID, verifier: 'kernel-service',
    burn: (token) => needs.verifyHub.burn({ token, audience: APPID }),
  })
  await vault.ensureAuthorities({})

  const hostname = env[enrolmentEnv.hostname] ?? '127.0.0.1'
  const socket = env[enrolmentEnv.socket] ?? ''
  const ports = { keys, random, clock, self, log, stopping, vault, hostname }
  const certificates: ServerCertificate[] = [await makeCertificate(ports)]
  const trust = await openTrust({
    zone: self.zone, clock, keys, vault, warn: (message) => log.warn(message),
    onRoots: (clientRoots) => listener.renew?.({ clientRoots }),
  })
  const registrations = await openRegistrations({
    keys, self, log, systemConfig, nodeDaemon: needs.nodeDaemon, token: () => session.token(),
    vault: { ...asked, joinedHost: (of, settings) => trust.noting(of.host, asked.joinedHost(of, settings)) },
  })
  const keeping = keepRegistered(start, registrations)
  const checks = joinChecks(env[enrolmentEnv.hook] === undefined ? undefined
    : hookCheck(self.zone, (question) => needs.nodeDaemon.joinHook({ question })))
  const fingerprints = (): readonly string[] => certificates.map(({ fingerprint }) => fingerprint)
  const joins = createJoins({
    keys, clock, step, vault: asked, registrations, checks, late: keeping.late, fingerprints,
  })
  const place = env[enrolmentEnv.etcd]
  const etcd = place === undefined ? undefined : JSON.parse(place) as EtcdPlace
  const joinAsOod = createOodJoins({
    keys, step, vault: asked, systemConfig, registrations, checks, etcd, token: () => session.token(),
    skewOf: skewBy(clock), toServer: serverBy(fingerprints),
  })

  const hello = async (): Promise<HttpResponse> => {
    const signed = await asked.roots({}).catch((error: unknown) => {
      if (error instanceof NotFound) return undefined
      throw error
    })
    return json(200, {
      zone: self.zone, host: self.host, now: clock.now(), ...(signed ? { roots: signed.document } : {}),
    })
  }
  const joining = async (request: HttpRequest): Promise<HttpResponse> => {
    const { method, path, remoteAddress, body } = request
    if (method === 'GET' && path === joinPath.hello) {
      step(JOIN_SEQUENCE, joinStep.tlsAsked, {
        address: remoteAddress, alpn: joinAlpn, certificate: request.tls?.certificate !== undefined,
      })
      return hello()
    }
    if (method === 'POST' && path === joinPath.again) {
      return json(200, await joins.renewAgain(readBody(RenewAgainRequest, body)))
    }
    if (method === 'POST' && path === oodJoinPath) {
      return json(200, await joinAsOod(readBody(OodJoinRequest, body), request))
    }
    if (method !== 'POST' || path !== joinPath.request) throw nothingThere()
    return json(200, await joins.join(readBody(JoinRequest, body), request))
  }
  const ofHost = async ({ method, path, body }: HttpRequest, host: KnownHost): Promise<HttpResponse> => {
    if (method === 'GET' && path === joinPath.whoami) {
      const { name, role, serial, notAfter } = host
      return json(200, { zone: self.zone, host: name, role, serial, notAfter })
    }
    if (method !== 'POST' || path !== joinPath.renew) throw nothingThere()
    return json(200, await joins.renew(readBody(RenewRequest, body), host))
  }
  const admitting = createAdmitting({ clock, count, hostOf: trust.hostOf, nameOf: trust.nameOf })
  const serve = async (request: HttpRequest): Promise<HttpResponse> => {
    const alpn = request.tls?.alpn
    const certificate = alpn === hostAlpn ? request.tls?.certificate : undefined
    if (certificate) return admitting.host(request, certificate, (host) => ofHost(request, host))
    const flood = admitting.stranger(request)
    if (flood) return flood
    if (alpn === joinAlpn) return joining(request)
    throw new HostCertificateNeeded('Without a certificate of this zone there is only the join', { reason: 'none' })
  }
  const answering = (handle: (request: HttpRequest) => Promise<HttpResponse>) =>
    async (request: HttpRequest): Promise<HttpResponse> => {
      try {
        return await handle(request)
      } catch (error) {
        const { method, path, remoteAddress } = request
        const reason = error instanceof ZonewrightError ? String(error.details['reason'] ?? error.code) : 'Internal'
        if (path.startsWith('/join/')) count(`join_refused_total{reason="${reason}"}`)
        // As long as whoever asks likes
        const what = `${method} ${path.slice(0, 80)}`
        if (isUnexpected(error)) log.error(`${what} failed: ${messageOf(error)}`)
        else {
          const { said } = (error as ZonewrightError).details
          const more: Readonly<Record<string, string>> = typeof said === 'string' ? { said } : {}
          log.warn(`${what} refused: ${messageOf(error)}`, { reason, from: remoteAddress || 'here', ...more })
        }
        return refusal(error)
      }
    }

  const zonePorts = portsIn(env[enrolmentEnv.ports], etcd)
  const tunnels = openTunnels({
    start, systemConfig, vault, token: () => session.token(), trust, enforcer, certificate: () => certificates[0]!,
    nodeDaemon: needs.nodeDaemon, hosts: registrations.hosts, ownPorts: () => [listener.port, ...zonePorts],
    // What a crash, or another OOD's, has left there is not what the vault says
    onDevice: keeping.late,
  })
  const localWays = createLocalWays({ start, folder: socket.slice(0, socket.lastIndexOf('/')), ways: tunnels.ways })
  const bounds = { bodyBytesMax: limits.enrolmentBodyBytes, requestMsMax: limits.enrolmentRequestMs }
  const [{ certificate, key }] = certificates as [ServerCertificate]
  const listener = await transport.serveHttp({
    hostname, port: Number(env[enrolmentEnv.port] ?? 0), ...bounds,
    tls: { least: 'TLSv1.3', certificate, key, clientRoots: trust.roots, alpn: [joinAlpn, hostAlpn] },
    streams: { alpn: [tunnelAlpn], accept: tunnels.take }, room: { nameOf: trust.nameOf, sourceOf },
  }, answering(serve))
  const server = `${hostname.includes(':') ? `[${hostname}]` : hostname}:${listener.port}`
  const control = createControl({
    self, step, vault: asked, enforcer, trust, server, registrations, late: keeping.late,
    mayHaveOods: etcd !== undefined,
  })
  await registrations.reachedAt([server])
  const local = await transport.serveHttp({ hostname: '', port: 0, socket, ...bounds }, answering(control))

  background(() => keepRenewed(ports, certificates[0]!, (next) => {
    certificates.splice(0, certificates.length, next, certificates[0]!)
    listener.renew?.({ certificate: next.certificate, key: next.key, clientRoots: trust.roots })
    tunnels.renew(next)
  }))
  background(keeping.run)
  log.info('Hosts may join', { server })

  return {
    handlers: {
      address: () => ({ hostname, port: listener.port, socket }),
      way: async (wanted, { peer }) => {
        if (peer.actor !== 'gateway') throw new Denied('Only the gateway is led to programs', { reason: 'way/gateway' })
        return { socket: await localWays.to(wanted) }
      },
    },
    lifecycle: {
      admit: (peer) => peer.host === self.host,
      stop: async () => {
        tunnels.close()
        await localWays.close()
        await Promise.all([listener.close(limits.httpCloseMs), local.close(limits.httpCloseMs)])
      },
    },
  }
})
