import { connect as dial, createServer, type AddressInfo, type Socket } from 'node:net'
import { Cancelled, DeadlineExceeded, messageOf, Unavailable } from '../errors.ts'
import { listenFault } from './listen-fault.ts'
import type { Tcp, TcpConnection } from './tcp-ports.ts'
import { acceptUnix } from './unix-listener.ts'
import { listenOn } from './unix-socket.ts'

/** TCP by `node:net` on both runtimes. */

function connectionOf(socket: Socket): TcpConnection {
  // Closed by its peer before anybody has listened, it has none any more
  const { remoteAddress = '' } = socket
  let fault: string | undefined
  if ('setNoDelay' in socket) socket.setNoDelay(true)
  socket.on('error', (error: Error) => { fault ??= messageOf(error) })
  return {
    remoteAddress,
    send(bytes) {
      if (socket.writable && bytes.length > 0) socket.write(bytes)
    },
    end() {
      if (socket.writable) socket.end()
    },
    get unsent() { return socket.writableLength },
    hold(held) {
      if (held) socket.pause()
      else socket.resume()
    },
    receive({ onBytes, onEnd, onClose, onDrained }) {
      if (socket.destroyed) return void setImmediate(() => onClose(fault ?? 'the peer closed the connection'))
      let ended = false
      socket.on('data', (chunk: Uint8Array) => { if (fault === undefined) onBytes(chunk) })
      socket.on('end', () => {
        ended = true
        onEnd()
      })
      socket.on('drain', onDrained)
      socket.on('close', () => onClose(fault ?? (ended && socket.writableFinished ? undefined : 'it was cut')))
    },
    close(reason) {
      fault ??= reason
      if (socket.destroyed) return
      // Only TCP has a reset
      if (remoteAddress === '') socket.destroy()
      else socket.resetAndDestroy()
    },
  }
}

const connect: Tcp['connect'] = ({ hostname, port, withinMs, signal }) => new Promise((resolve, reject) => {
  const where = `${hostname}:${port}`
  if (signal?.aborted) return reject(new Cancelled(`The connection to ${where} was cancelled`))
  const socket = dial({ host: hostname, port, allowHalfOpen: true, noDelay: true })
  const over = (): void => {
    clearTimeout(late)
    signal?.removeEventListener('abort', cancel)
    socket.off('error', failed)
  }
  const end = (error: Error): void => {
    over()
    socket.on('error', () => {})
    socket.destroy()
    reject(error)
  }
  const failed = (error: Error & { code?: string }): void =>
    end(new Unavailable(`No connection to ${where}: ${error.code ?? messageOf(error)}`, { code: error.code ?? '' }))
  const cancel = (): void => end(new Cancelled(`The connection to ${where} was cancelled`))
  const late = setTimeout(() => end(new DeadlineExceeded(`No connection to ${where} within ${withinMs} ms`)), withinMs)
  signal?.addEventListener('abort', cancel)
  socket.on('error', failed)
  socket.once('connect', () => {
    over()
    resolve(connectionOf(socket))
  })
})

const listen: Tcp['listen'] = async ({ hostname, port, connectionsMax, socket }, accept) => {
  const open = new Set<Socket>()
  const take = (connection: Socket): void => {
    open.add(connection)
    connection.on('close', () => open.delete(connection))
    accept(connectionOf(connection))
  }
  const server = createServer({ allowHalfOpen: true, noDelay: true }, take)
  server.maxConnections = connectionsMax
  /** Its streams have all of a socket that is used here. */
  const onDeno = () => acceptUnix(socket!, true, (stream) => {
    if (open.size >= connectionsMax) stream.destroy()
    else take(stream as unknown as Socket)
  })
  let unix: { close(): void } | undefined
  await new Promise<void>((resolve, reject) => {
    server.on('error', (error) => reject(listenFault(error, { hostname, port })))
    if (socket === undefined) return void server.listen(port, hostname, resolve)
    listenOn(server, socket, onDeno).then((listener) => {
      unix = listener
      resolve()
    }, reject)
  })
  return {
    port: socket === undefined ? (server.address() as AddressInfo).port : 0,
    close: () => new Promise<void>((resolve) => {
      if (unix) resolve(unix.close())
      else server.close(() => resolve())
      for (const connection of open) connection.destroy()
    }),
  }
}

export const tcp: Tcp = { connect, listen }
