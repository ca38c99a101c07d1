import type { ActorStart } from '../../../runtime/actor.ts'
import { ZonewrightError } from '../../../runtime/errors.ts'
import type { Client } from '../../../runtime/protocol.ts'
import { allowedBy, deniedBy, type ChainEntry, type DenialReason } from '../../../runtime/trust/denial.ts'
import type { StreamRequest } from '../../../transport/tunnel/protocol.ts'
import type { Enforcer } from '../../enforcement/enforcer.ts'
import { deviceReaders } from '../../read-device.ts'
import { isName, kv, readRecord, ServiceInfo, ServiceSpec, UserSettings, type DeviceDocument } from '../../records.ts'
import { BootConfig, type SystemConfig } from '../../system-config/protocol.ts'
import { kernelActors, reachableActors } from '../../trust-matrix.ts'
import { HostCertificateNeeded, type KnownHost, type ZoneTrust } from '../trust.ts'

/** A host whose tunnel is let in: by its certificate, and by what the zone says of it. */
export interface Admitted {
  readonly host: KnownHost
  readonly document: DeviceDocument
}

/** A link between two actors. */
export type LinkWanted = Extract<StreamRequest, { type: 'link' }>

export interface AdmissionOptions {
  readonly start: Pick<ActorStart, 'keys' | 'denials' | 'self'>
  readonly trust: ZoneTrust
  readonly systemConfig: Pick<Client<typeof SystemConfig>, 'get'>
  readonly token: () => string
  readonly enforcer: Enforcer
  /** Whether this host says that an actor or program of that name serves here. */
  readonly serving: (service: string) => Promise<boolean>
}

export interface Admission {
  /** Stage 1, `on_new_tunnel`: certificate, registration, and that both say the same. @throws Denied, Unavailable */
  admit(certificate: Uint8Array | undefined, said?: { readonly zone: string; readonly host: string }): Promise<Admitted>
  /** Stage 2, `open_stream`: what this host, and whom it belongs to, may open. @throws Denied, Unavailable */
  authorise(admitted: Admitted, request: StreamRequest): Promise<void>
}

/** By which name the policy knows who opens streams. */
const APPID = 'tunnel'

/** Seed: gateway, rtcp: `on_new_tunnel` admits the device, `open_stream` admits device and owner to the resource. */
export function createAdmission({ start, trust, systemConfig, token, enforcer, serving }: AdmissionOptions): Admission {
  const { keys, denials, self } = start
  const readDevice = deviceReaders(keys)
  const refuse = (reason: DenialReason, rule: string, detail: string, before: readonly ChainEntry[] = []): Error =>
    denials.denied([...before, deniedBy({ layer: 'link', reason, rule, detail })])

  const registered = async (name: string): Promise<DeviceDocument | undefined> => {
    const settings = { token: token() }
    const [boot, item] = await Promise.all([
      systemConfig.get({ key: kv.bootConfig }, settings), systemConfig.get({ key: kv.device(name) }, settings),
    ])
    const document = item ? readDevice(readRecord(BootConfig, kv.bootConfig, boot?.value ?? ''))(item.value)
      : undefined
    return document?.name === name ? document : undefined
  }
  const isOnOthers = async (service: string): Promise<boolean> => {
    const item = await systemConfig.get({ key: kv.info(service) }, { token: token() })
    const hosts = item ? readRecord(ServiceInfo, kv.info(service), item.value).hosts : []
    return hosts.length > 0 && !hosts.includes(self.host)
  }
  const isPublic = async (service: string): Promise<boolean> => {
    if (!isName(service)) return false
    const item = await systemConfig.get({ key: kv.spec(service) }, { token: token() })
    if (!item) return false
    const { appid, kernel, http } = readRecord(ServiceSpec, kv.spec(service), item.value)
    if (appid !== service || kernel || http?.public !== true) return false
    // A spec names a port, and whoever may write one names any: without a line it has to be at work here, or on another
    // host, which looks for itself
    return await serving(service) || await isOnOthers(service)
  }
  /** Who opens a stream for whom: nodes for their own actors, hosts of the control plane for all that they relay. */
  const demandCaller = ({ host }: Admitted, { caller }: LinkWanted): void => {
    if (caller.host === host.name || host.role === 'ood') return
    throw refuse('stream/caller', 'stream/caller', `${caller.actor} of ${caller.host} by ${host.name}`, [
      allowedBy('link', 'tunnel/registered'),
    ])
  }

  /** The owner of a host need be no user; one who is one is active. */
  const isActive = async (name: string, role: string): Promise<boolean> => {
    const item = await systemConfig.get({ key: kv.user(name) }, { token: token() })
    if (!item && role !== 'client-device') return true
    const user = item && readRecord(UserSettings, kv.user(name), item.value)
    return user?.name === name && user.state === 'active'
  }
  /** A client device has no actors to speak for, and hosts have no programs that ask for bytes. */
  const demandKind = ({ host: { name, role } }: Admitted, request: StreamRequest): void => {
    const device = role === 'client-device'
    // From OOD to OOD bytes go for a device that the other one has judged, to a host that it names
    const isRelayed = role === 'ood' && request.type === 'http' && request.host !== undefined
    const reason = request.type === 'http' ? (device || isRelayed ? undefined : 'stream/http')
      : device && !reachableActors.includes(request.protocol) ? 'stream/link' : undefined
    if (reason === undefined) return
    const what = request.type === 'link' ? request.protocol : request.service
    throw refuse(reason, reason, `${what} by ${role} ${name}`, [allowedBy('link', 'tunnel/registered')])
  }

  return {
    async admit(certificate, said) {
      const host = await trust.hostOf(certificate).catch((error: unknown) => {
        if (!(error instanceof HostCertificateNeeded)) throw error
        throw refuse('tunnel/certificate', 'tunnel/certificate', String((error as ZonewrightError).details['reason']))
      })
      const known = [allowedBy('link', 'tunnel/certificate')]
      if (said && (said.zone !== self.zone || said.host !== host.name)) {
        throw refuse('tunnel/name', 'tunnel/name', `${host.name} says that it is ${said.host} of ${said.zone}`, known)
      }
      const document = await registered(host.name)
      if (!document) throw refuse('tunnel/unregistered', kv.device(host.name), host.name, known)
      if (document.role !== host.role) {
        throw refuse('tunnel/role', kv.device(host.name), `${host.name}: ${host.role}, not ${document.role}`, known)
      }
      return { host, document }
    },
    async authorise(admitted, request) {
      const { host: { name, role }, document: { owner } } = admitted
      demandKind(admitted, request)
      if (request.type === 'link') demandCaller(admitted, request)
      const what = request.type === 'link' ? request.protocol : request.service
      // They look at each call themselves
      if (request.type === 'link' && reachableActors.includes(what)) return
      if (request.type === 'http' && await isPublic(what)) return
      const before = allowedBy('link', 'tunnel/registered')
      // Of the control plane others reach those two, whatever a line says; an OOD has its own of the rest
      if ((kernelActors as readonly string[]).includes(what)) {
        throw refuse('link/no-row', 'stream/kernel', `${name} to ${what}`, [before])
      }
      const resource = `stream://${what}`
      if (!await isActive(owner, role)) {
        throw refuse('stream/owner', kv.user(owner), `${owner}, of ${name}`, [before])
      }
      const speaker = { appid: APPID, sudo: false, root: false }
      enforcer.demandOf({ ...speaker, sub: name, runtimeType: role }, 'write', resource, before)
      enforcer.demandOf({ ...speaker, sub: owner, runtimeType: 'user' }, 'write', resource, before)
    },
  }
}
