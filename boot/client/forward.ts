import { Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import type { TcpConnection } from '../../runtime/platform/tcp-ports.ts'
import { tcpChannel } from '../../transport/tcp.ts'
import { splice } from '../../transport/tunnel/splice.ts'
import type { ClientDevice } from './device.ts'

export interface ForwardOptions {
  readonly platform: Pick<Platform, 'transport'>
  readonly device: Pick<ClientDevice, 'openChannel'>
  readonly service: string
  /** Where programs of this machine connect. Port 0 takes a free one. */
  readonly hostname: string
  readonly port: number
  /** A connection that leads nowhere: why. It is cut. */
  readonly onFailed: (error: Error) => void
}

export interface Forwarding {
  readonly port: number
  /** Connections that lead to the service now, and that did since the start. */
  readonly open: number
  readonly total: number
  /** Cuts what is under way. */
  close(): Promise<void>
}

/** Connections to an address of this machine lead to the HTTP port of a service. @throws PortInUse, AddressNotLocal */
export async function forward(options: ForwardOptions): Promise<Forwarding> {
  const { platform: { transport }, device, service, hostname, port, onFailed } = options
  let open = 0
  let total = 0
  const lead = async (connection: TcpConnection): Promise<void> => {
    const local = tcpChannel(connection)
    try {
      const stream = await device.openChannel(service)
      open++
      total++
      splice(local, stream, () => void open--)
    } catch (error) {
      local.close((error as Error).message)
      onFailed(error as Error)
    }
  }
  if (!transport.tcp) throw new Unavailable('This host has no TCP')
  const server = await transport.tcp.listen({
    hostname, port, connectionsMax: limits.forwardedConnections,
  }, (connection) => void lead(connection))
  return {
    port: server.port,
    get open() { return open },
    get total() { return total },
    close: () => server.close(),
  }
}
