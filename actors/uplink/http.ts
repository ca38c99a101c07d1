import type { ActorStart } from '../../runtime/actor.ts'
import { NotFound, Overloaded } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { Places } from '../../transport/tunnel/places.ts'
import type { AcceptedStream, StreamRequest } from '../../transport/tunnel/protocol.ts'
import { openHttpPort } from '../http-port.ts'

export interface HttpHereOptions {
  readonly start: Pick<ActorStart, 'transport' | 'self'>
  /** Whether this host says that a program of that name serves here. */
  readonly serving: (service: string) => Promise<boolean>
  /** Where this host itself listens: no service is there. */
  readonly ownPorts: readonly number[]
}

/** Bytes of client devices, that the control plane has let in, to the HTTP port of a service of this host. */
export type HttpHere = (
  request: Extract<StreamRequest, { type: 'http' }>, signal: AbortSignal,
) => Promise<AcceptedStream>

/** Whoever writes a spec names a port of it: it has to be that of a service which is at work here. */
export function httpHere({ start, serving, ownPorts }: HttpHereOptions): HttpHere {
  let open = 0
  const places = new Places()
  return async ({ service, host, port, by = [] }, signal) => {
    if (host !== start.self.host) throw new NotFound(`It is another host: ${host ?? 'none'}`, { service })
    if (port === undefined || ownPorts.includes(port) || !await serving(service)) {
      throw new NotFound(`The service answers no HTTP here: ${service}`, { service })
    }
    const free = limits.nodeHttpStreams - open
    // Nobody has more than is left for others
    if (free <= 0 || (by.length > 0 && places.taken(by) >= places.left(by, free))) {
      throw new Overloaded(`Too many streams of devices: ${open}`, {
        host, limit: 'nodeHttpStreams', ...(by.length > 0 ? { origin: by.join(', ') } : {}),
      })
    }
    open++
    const leave = places.take(by)
    const release = (): void => {
      leave()
      open--
    }
    try {
      return { ...await openHttpPort(start, port, signal), release }
    } catch (error) {
      release()
      throw error
    }
  }
}
