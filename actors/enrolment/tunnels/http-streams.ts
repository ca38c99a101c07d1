import type { ActorStart } from '../../../runtime/actor.ts'
import { NotFound, Overloaded, Unavailable } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Client } from '../../../runtime/protocol.ts'
import { tcpChannel } from '../../../transport/tcp.ts'
import type { AcceptedStream, StreamRequest } from '../../../transport/tunnel/protocol.ts'
import { isName, kv, readRecord, ServiceInfo } from '../../records.ts'
import type { SystemConfig } from '../../system-config/protocol.ts'
import type { Admission, Admitted } from './admission.ts'
import { createLive } from './live.ts'

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
  start: { transport, self, log, count }, admission, systemConfig, token, ownPorts,
}: {
  readonly start: Pick<ActorStart, 'transport' | 'self' | 'log' | 'count'>
  readonly admission: Pick<Admission, 'authorise'>
  readonly systemConfig: Pick<Client<typeof SystemConfig>, 'get'>
  readonly token: () => string
  /** Where this zone itself listens on this host: no service is there. */
  readonly ownPorts: () => readonly number[]
}): HttpStreams {
  const live = createLive({ log, count }, admission)
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
  const connect = async (request: HttpWanted, signal: AbortSignal) => {
    const { hosts, port } = await infoOf(request.service)
    if (port === undefined || ownPorts().includes(port)) {
      throw new NotFound(`The service answers no HTTP: ${request.service}`, request)
    }
    if (hosts.length === 0) throw new Unavailable(`The service runs nowhere now: ${request.service}`, request)
    if (!hosts.includes(self.host)) {
      throw new Unavailable(`The service runs on ${hosts.join(', ')}, which is no host of this tunnel`, request)
    }
    if (!transport.tcp) throw new Unavailable('This host has no TCP')
    return transport.tcp.connect({ hostname: '127.0.0.1', port, withinMs: limits.httpStreamConnectMs, signal })
  }
  return {
    async open(by, request, signal) {
      const device = by().host.name
      if ((held.get(device) ?? 0) >= limits.deviceStreams) {
        throw new Overloaded(`The device has ${limits.deviceStreams} streams open already`)
      }
      hold(device, 1)
      try {
        const channel = tcpChannel(await connect(request, signal))
        const forget = live.add(by, request, (reason) => channel.close(reason))
        return {
          granted: { host: self.host, incarnation: 0 }, channel,
          release() {
            forget()
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
