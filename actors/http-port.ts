import type { ActorStart } from '../runtime/actor.ts'
import { Unavailable } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import { tcpChannel } from '../transport/tcp.ts'
import type { AcceptedStream } from '../transport/tunnel/protocol.ts'

/** Bytes to and from a port on loopback of this host. @throws Unavailable, DeadlineExceeded */
export async function openHttpPort(
  { transport, self }: Pick<ActorStart, 'transport' | 'self'>, port: number, signal: AbortSignal,
): Promise<AcceptedStream> {
  if (!transport.tcp) throw new Unavailable('This host has no TCP')
  const connection =
    await transport.tcp.connect({ hostname: '127.0.0.1', port, withinMs: limits.httpStreamConnectMs, signal })
  return { granted: { host: self.host, incarnation: 0 }, channel: tcpChannel(connection), release() {} }
}
