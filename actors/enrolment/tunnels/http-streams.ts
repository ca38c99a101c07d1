import type { ActorStart } from '../../../runtime/actor.ts'
import { NotFound, Overloaded, Unavailable } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Client } from '../../../runtime/protocol.ts'
import type { AcceptedStream, StreamRequest } from '../../../transport/tunnel/protocol.ts'
import { chooseHost } from '../../find-service.ts'
import { openHttpPort } from '../../http-port.ts'
import { isName, kv, readRecord, ServiceInfo } from '../../records.ts'
import type { SystemConfig } from '../../system-config/protocol.ts'
import type { Admission, Admitted } from './admission.ts'
import { createLive } from './live.ts'
import type { Ways } from './ways.ts'

/** Bytes to and from the HTTP port of a service. */
export type HttpWanted = Extract<StreamRequest, { type: 'http' }>

/** Streams of client devices: each is judged when it opens, and again for as long as it lasts. */
export interface HttpStreams {
  /** @throws NotFound, Unavailable, Overloaded, DeadlineExceeded */
  open(by: () => Admitted, request: HttpWanted, signal: AbortSignal): Promise<AcceptedStream>
  /** Closes what may not be open any more. */
  recheck(): Promise<void>
}

export function createHttpStreams({
  start, admission, systemConfig, token, ownPorts, serving, reach,
}: {
  readonly start: Pick<ActorStart, 'transport' | 'self' | 'log' | 'count'>
  readonly admission: Pick<Admission, 'authorise'>
  readonly systemConfig: Pick<Client<typeof SystemConfig>, 'get'>
  readonly token: () => string
  /** Where this zone itself listens on this host: no service is there. */
  readonly ownPorts: () => readonly number[]
  /** Whether this host says that a program of that name serves here. */
  readonly serving: (service: string) => Promise<boolean>
  /** To other hosts. */
  readonly reach: Ways['reach']
}): HttpStreams {
  const { self } = start
  const live = createLive(start, admission)
  const held = new Map<string, number>()
  const hold = (device: string, more: number): void => {
    const now = (held.get(device) ?? 0) + more
    if (now > 0) held.set(device, now)
    else held.delete(device)
  }
  const infoOf = async (service: string): Promise<ServiceInfo> => {
    const item = isName(service) ? await systemConfig.get({ key: kv.info(service) }, { token: token() }) : null
    if (!item) throw new NotFound(`There is no such service: ${service}`, { service })
    return readRecord(ServiceInfo, kv.info(service), item.value)
  }
  const notThere = (service: string): Error => new NotFound(`The service answers no HTTP: ${service}`, { service })
  /** To this host, if the service is here; else to one that it is on, which sees for itself that it is. */
  const lead = async (
    { host: { name: from, role } }: Admitted, { service, host, by }: HttpWanted, signal: AbortSignal,
  ): Promise<AcceptedStream> => {
    const info = await infoOf(service)
    const { hosts, port } = info
    if (port === undefined) throw notThere(service)
    const isRelayed = role === 'ood'
    if (hosts.length === 0) throw new Unavailable(`The service runs nowhere now: ${service}`, { service })
    if (isRelayed ? host === self.host : hosts.includes(self.host)) {
      // Whoever has asked the other OOD may have been let in because it is public: where it is at work
      if (ownPorts().includes(port) || (isRelayed && !await serving(service))) throw notThere(service)
      return openHttpPort(start, port, signal)
    }
    if (isRelayed && !hosts.includes(host ?? '')) throw notThere(service)
    const first = chooseHost(info, { host: self.host, key: from })?.host
    const wanted = isRelayed ? [host!] : [...hosts].sort((a, b) => Number(b === first) - Number(a === first))
    const request = { type: 'http' as const, service, port, ...(by ? { by } : {}) }
    const { channel, granted } = await reach(request, wanted, { name: from, role }, signal)
    return { granted, channel, release: () => channel.close('the device is gone') }
  }
  return {
    async open(by, request, signal) {
      const device = by().host.name
      // Those of another OOD are counted there, device by device
      if (by().host.role !== 'ood' && (held.get(device) ?? 0) >= limits.deviceStreams) {
        throw new Overloaded(`The device has ${limits.deviceStreams} streams open already`)
      }
      hold(device, 1)
      try {
        const accepted = await lead(by(), request, signal)
        const { channel } = accepted
        const forget = live.add(by, request, (reason) => channel.close(reason))
        return {
          ...accepted,
          release() {
            forget()
            accepted.release()
            hold(device, -1)
          },
        }
      } catch (error) {
        hold(device, -1)
        throw error
      }
    },
    recheck: live.recheck,
  }
}
