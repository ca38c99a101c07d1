import { chmod, rm } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { PortInUse } from '../errors.ts'

/**
 * What a server that was killed has left there is replaced; one that answers is not.
 * @throws PortInUse
 */
export async function listenOn(server: Server, path: string): Promise<void> {
  if (await answers(path)) throw new PortInUse(`The socket is in use: ${path}`, { path })
  await rm(path, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  await chmod(path, 0o600)
}

const answers = (path: string): Promise<boolean> => new Promise((resolve) => {
  const socket = connect(path)
  socket.on('connect', () => {
    socket.destroy()
    resolve(true)
  })
  socket.on('error', () => resolve(false))
})
