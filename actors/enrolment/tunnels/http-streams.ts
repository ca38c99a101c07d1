import type { ActorStart } from '../../../runtime/actor.ts'
import { Denied, NotFound, Overloaded, Unavailable } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Client } from '../../../runtime/protocol.ts'
import { tcpChannel } from '../../../transport/tcp.ts'
import type { AcceptedStream, StreamRequest } from '../../../transport/tunnel/protocol.ts'
import { isName, kv, readRecord, ServiceInfo } from '../../records.ts'
import type { SystemConfig } from '../../system-config/protocol.ts'
import type { Admission, Admitted } from './admission.ts'

/** Bytes to and from the HTTP port of a service. */
export type HttpWanted = Extract<StreamRequest, { type: 'http' }>

interface Live {
  readonly by: () => Admitted
  readonly request: HttpWanted
  close(reason: string): void
}

/** Streams of client devices: each is judged when it opens, and again for as long as it lasts. */
export interface HttpStreams {
  /** @throws NotFound, Unavailable, Overloaded, DeadlineExceeded */
  open(by: () => Admitted, request: HttpWanted, signal: AbortSignal): Promise<AcceptedStream>
  /** Closes what may not be open any more. */
  recheck(): Promise<void>
}

export function createHttpStreams({ start: { transport, self, log, count }, admission, systemConfig, token }: {
  readonly start: Pick<ActorStart, 'transport' | 'self' | 'log' | 'count'>
  readonly admission: Pick<Admission, 'authorise'>
  readonly systemConfig: Pick<Client<typeof SystemConfig>, 'get'>
  readonly token: () => string
}): HttpStreams {
  const live = new Set<Live>()
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
    if (port === undefined) throw new NotFound(`The service answers no HTTP: ${request.service}`, request)
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
        const one: Live = { by, request, close: (reason) => channel.close(reason) }
        live.add(one)
        return {
          granted: { host: self.host, incarnation: 0 }, channel,
          release() {
            live.delete(one)
            hold(device, -1)
          },
        }
      } catch (error) {
        hold(device, -1)
        throw error
      }
    },
    async recheck() {
      // One judgement for all streams of a device to a service
      const judged = new Map<string, Promise<Error | undefined>>()
      const judge = ({ by, request }: Live): Promise<Error | undefined> =>
        admission.authorise(by(), request).then(() => undefined, (error: Error) => error)
      await Promise.all([...live].map(async (one) => {
        const name = `${one.by().host.name} ${one.request.service}`
        if (!judged.has(name)) judged.set(name, judge(one))
        const error = await judged.get(name)
        // What cannot be asked now is asked again
        if (!(error instanceof Denied) || !live.has(one)) return
        log.warn(`A stream of ${name} is closed: ${error.message}`)
        count('tunnel_streams_cut_total')
        one.close(error.message)
      }))
    },
  }
}
