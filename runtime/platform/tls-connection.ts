import type { Server } from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { Cancelled, DeadlineExceeded, messageOf } from '../errors.ts'
import type { TlsTarget, Transport } from './http-ports.ts'
import { connectTls } from './tls-client.ts'
import type { TlsConnection, TlsStreams } from './tls-ports.ts'
import { tlsPeerOf } from './tls-server.ts'

/** A socket after its handshake, as bytes both ways. Nothing is lost before somebody receives. */
export function tlsConnectionOf(socket: TLSSocket): TlsConnection {
  // Closed by its peer before anybody has listened, it has none any more
  const { remoteAddress = '' } = socket
  const { alpn, certificate } = tlsPeerOf(socket)!
  let reason: string | undefined
  let over = socket.destroyed
  socket.setNoDelay(true)
  socket.on('error', (error: Error) => { reason ??= messageOf(error) })
  socket.on('close', () => { over = true })
  return {
    alpn, remoteAddress, ...(certificate ? { certificate } : {}),
    send(bytes) {
      if (!over && reason === undefined && socket.writable) socket.write(bytes)
    },
    get unsent() {
      return socket.writableLength
    },
    receive(onBytes, onClose, onDrained) {
      const closed = (): void => onClose(reason ?? 'the peer closed the connection')
      if (over) return void setImmediate(closed)
      socket.on('data', (chunk: Uint8Array) => { if (reason === undefined || reason === ENDED) onBytes(chunk) })
      socket.on('end', () => {
        reason ??= ENDED
        socket.end()
      })
      socket.on('close', closed)
      if (onDrained) socket.on('drain', onDrained)
    },
    close(why) {
      if (reason !== undefined || over) return
      reason = why
      socket.end()
      // Whoever does not read, or does not answer the end, is not waited for
      const cut = setTimeout(() => socket.destroy(), LINGER_MS)
      cut.unref?.()
      socket.once('close', () => clearTimeout(cut))
      socket.resume()
    },
  }
}

const ENDED = 'the peer closed the connection'
const LINGER_MS = 1_000

export const openTls: Transport['connectTls'] = async (target, tls) => {
  const { hostname, port, withinMs, signal } = target
  const where = `${hostname}:${port}`
  const ending = new AbortController()
  const late = setTimeout(() => {
    ending.abort(new DeadlineExceeded(`No TLS with ${where} within ${withinMs} ms`))
  }, withinMs)
  const cancel = (): void => ending.abort(new Cancelled(`The connection to ${where} was cancelled`))
  if (signal?.aborted) cancel()
  signal?.addEventListener('abort', cancel)
  try {
    return tlsConnectionOf(await connectTls(target satisfies TlsTarget, tls, ending.signal))
  } finally {
    clearTimeout(late)
    signal?.removeEventListener('abort', cancel)
  }
}

/** Hands connections of these protocols over as they come; all others go on to HTTP. Cuts those that are open. */
export function divertStreams(server: Server, { alpn, accept }: TlsStreams): () => void {
  const open = new Set<TLSSocket>()
  const others = server.listeners('secureConnection')
  server.removeAllListeners('secureConnection')
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol && alpn.includes(socket.alpnProtocol)) {
      open.add(socket)
      socket.once('close', () => open.delete(socket))
      return accept(tlsConnectionOf(socket))
    }
    for (const other of others) (other as (socket: Socket) => void).call(server, socket)
  })
  return () => { for (const socket of open) socket.destroy() }
}
