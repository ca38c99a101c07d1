import { chmod, rm } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { PortInUse } from '../errors.ts'

/**
 * What a server that was killed has left there is replaced; one that answers is not.
 * @param onDeno listens there in place of the server
 * @throws PortInUse
 */
export async function listenOn<L>(server: Server, path: string, onDeno: () => L): Promise<L | undefined> {
  if (await answers(path)) throw new PortInUse(`The socket is in use: ${path}`, { path })
  await rm(path, { force: true })
  const listener = 'Deno' in globalThis ? onDeno() : undefined
  if (!listener) {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, resolve)
    })
  }
  await chmod(path, 0o600)
  return listener
}

/**
 * Whether a server is there: that it takes a connection does not say so. One that stands still takes them as well, and
 * holds them where nobody looks.
 */
const answers = (path: string): Promise<boolean> => new Promise((resolve) => {
  const socket = connect(path)
  const end = (found: boolean): void => {
    clearTimeout(late)
    socket.destroy()
    resolve(found)
  }
  const late = setTimeout(() => end(false), ANSWER_MS)
  socket.on('connect', () => socket.write('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'))
  socket.on('data', () => end(true))
  socket.on('error', () => end(false))
  socket.on('close', () => end(false))
})

const ANSWER_MS = 1_000
