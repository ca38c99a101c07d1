import { createSocket, type RemoteInfo } from 'node:dgram'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { limits } from '../limits.ts'
import { listenFault } from './listen-fault.ts'
import type { SocketServer, Sockets } from './socket-ports.ts'

/** UDP and TCP by `node:dgram` and `node:net` on both runtimes. What a peer does ends its own exchange and no more. */

export const serveDatagrams: Sockets['serveDatagrams'] = async ({ hostname, port }, answer) => {
  const socket = createSocket(hostname.includes(':') ? 'udp6' : 'udp4')
  socket.on('message', answering(answer, (reply, { port: to, address }, sent) => socket.send(reply, to, address, sent)))
  await new Promise<void>((resolve, reject) => {
    // Stays: an answer that could not be sent must not end the worker
    socket.on('error', (error) => reject(listenFault(error, { hostname, port })))
    socket.bind(port, hostname, resolve)
  })
  return {
    port: socket.address().port,
    close: () => new Promise<void>((resolve) => socket.close(resolve)),
  } satisfies SocketServer
}

type Send = (reply: Uint8Array, to: Pick<RemoteInfo, 'port' | 'address'>, sent: () => void) => void

/** What is done with each datagram that comes. */
export function answering(answer: Parameters<Sockets['serveDatagrams']>[1], send: Send) {
  let sending = 0
  return (datagram: Uint8Array, from: Pick<RemoteInfo, 'port' | 'address'>): void => {
    // Nobody can be answered at port 0; and what the network does not take now it would not take later
    if (from.port === 0 || sending >= limits.datagramsSending) return
    let reply: Uint8Array | undefined
    try {
      reply = answer(datagram, from.address)
    } catch {
      // Whoever sent it gets nothing, as if it had been lost
    }
    if (!reply) return
    sending++
    send(reply, from, () => void sending--)
  }
}

export const serveStreams: Sockets['serveStreams'] = async (options, converse) => {
  const { hostname, port, connectionsMax, idleMs } = options
  const open = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    // Told where it is read or written
    socket.on('error', () => {})
    socket.setTimeout(idleMs, () => socket.destroy())
    void serve(socket, converse).finally(() => socket.destroySoon())
  })
  server.maxConnections = connectionsMax
  await new Promise<void>((resolve, reject) => {
    server.on('error', (error) => reject(listenFault(error, { hostname, port })))
    server.listen(port, hostname, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () => new Promise<void>((resolve) => {
      server.close(() => resolve())
      for (const socket of open) socket.destroy()
    }),
  } satisfies SocketServer
}

async function serve(socket: Socket, converse: Parameters<Sockets['serveStreams']>[1]): Promise<void> {
  try {
    const pieces = socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>
    for await (const reply of converse(pieces, socket.remoteAddress ?? '')) {
      if (socket.destroyed) return
      if (!socket.write(reply)) await drained(socket)
    }
  } catch {
    socket.destroy()
  }
}

const drained = (socket: Socket): Promise<void> => new Promise((resolve) => {
  const over = (): void => {
    socket.off('drain', over)
    socket.off('close', over)
    resolve()
  }
  socket.on('drain', over)
  socket.on('close', over)
})
