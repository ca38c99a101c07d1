import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Duplex } from 'node:stream'
import { limits } from '../limits.ts'

/** As much of Deno as is used here. */
interface Conn {
  read(into: Uint8Array): Promise<number | null>
  write(bytes: Uint8Array): Promise<number>
  closeWrite(): Promise<void>
  close(): void
}
interface Runtime {
  listen(options: { transport: 'unix'; path: string }): { accept(): Promise<Conn>; close(): void }
  removeSync(path: string): void
}

const AGAIN_MS = 100

export interface UnixListener {
  /** Takes no more; what is under way has so many milliseconds. */
  close(withinMs: number): Promise<void>
}

/**
 * Connections to a Unix socket on Deno: what `node:net` listens by there is handed down to each process that is started
 * later, and what the runtime itself listens by is not. `close` takes no more.
 */
export function acceptUnix(
  path: string, allowHalfOpen: boolean, take: (stream: Duplex) => void,
): { close(): void } {
  const runtime = (globalThis as unknown as { Deno: Runtime }).Deno
  const listener = runtime.listen({ transport: 'unix', path })
  let closed = false
  const accept = async (): Promise<void> => {
    while (!closed) {
      try {
        take(streamOf(await listener.accept(), allowHalfOpen))
      } catch {
        // No more files, for one: it is tried again, and nobody is deaf for good
        if (!closed) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
      }
    }
  }
  void accept()
  return {
    close() {
      closed = true
      listener.close()
      // Another server may have taken the path meanwhile only after it found nobody here
      try {
        runtime.removeSync(path)
      } catch {
        // It is gone already
      }
    },
  }
}

/** Serves HTTP there. The server's own bounds know nothing of these connections. */
export function listenUnix(server: Server, path: string, requestMsMax: number): UnixListener {
  /** With what ends one that asks nothing; undefined while a request is under way. */
  const open = new Map<Duplex, ReturnType<typeof setTimeout> | undefined>()
  let onEmpty = (): void => {}
  let closing = false
  const rest = (stream: Duplex): void => {
    if (closing) stream.destroy()
    else if (open.has(stream)) open.set(stream, setTimeout(() => stream.destroy(), requestMsMax))
  }
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    clearTimeout(open.get(socket))
    if (open.has(socket)) open.set(socket, undefined)
    response.on('close', () => rest(socket))
  })
  const listener = acceptUnix(path, false, (stream) => {
    if (closing || open.size >= limits.httpConnections) return void stream.destroy()
    open.set(stream, undefined)
    rest(stream)
    stream.on('error', () => {})
    stream.on('close', () => {
      clearTimeout(open.get(stream))
      open.delete(stream)
      if (open.size === 0) onEmpty()
    })
    server.emit('connection', stream)
  })
  return {
    async close(withinMs) {
      closing = true
      listener.close()
      for (const [stream, idle] of open) if (idle !== undefined) stream.destroy()
      if (open.size === 0) return
      const cut = setTimeout(() => { for (const stream of open.keys()) stream.destroy() }, withinMs)
      await new Promise<void>((resolve) => { onEmpty = resolve })
      clearTimeout(cut)
    },
  }
}

function streamOf(conn: Conn, allowHalfOpen: boolean): Duplex {
  const buffer = new Uint8Array(16_384)
  const write = async (bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at))
  }
  return new Duplex({
    allowHalfOpen,
    read() {
      conn.read(buffer).then((count) => this.push(count === null ? null : buffer.slice(0, count)), (error: Error) =>
        this.destroy(error))
    },
    write(bytes: Uint8Array, _, done) {
      write(bytes).then(() => done(), done)
    },
    final(done) {
      conn.closeWrite().then(() => done(), () => done())
    },
    destroy(error, done) {
      try {
        conn.close()
      } catch {
        // The other end was faster
      }
      done(error)
    },
  })
}
