/** Sockets of this host that lead to programs of other hosts: to whom, for how long, and what is cut. */
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer, connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createLocalWays, type LocalWays } from '../actors/enrolment/tunnels/local-ways.ts'
import { Unavailable } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { tcpChannel } from '../transport/tcp.ts'
import type { StreamRequest } from '../transport/tunnel/protocol.ts'

const platform = await openPlatform()
const { transport } = platform
let folder: string
let now = 0
let reached: string[] = []
let ways: LocalWays
const warned: string[] = []
/** Of another host: says which service it is, and back what it hears. */
const program = createServer((socket) => {
  socket.on('error', () => {})
  socket.pipe(socket)
})

test.before(async () => {
  await new Promise<void>((resolve) => void program.listen(0, '127.0.0.1', resolve))
})
test.after(() => void program.close())
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'zw-ways-'))
  now = 0
  reached = []
  warned.length = 0
  ways = createLocalWays({
    start: {
      transport, clock: { ...platform.clock, monotonic: () => now },
      log: { ...silent, warn: (message: string) => void warned.push(message) },
    },
    folder,
    ways: {
      leadsTo: (host) => host !== 'nowhere',
      async reach(request: StreamRequest, [host = '']: readonly string[]) {
        if (request.type !== 'http' || request.service === 'gone') throw new Unavailable('It has gone')
        reached.push(`${request.service} ${host} ${request.port}`)
        const { port } = program.address() as AddressInfo
        const channel = tcpChannel(await transport.tcp!.connect({ hostname: '127.0.0.1', port, withinMs: 1_000 }))
        return { channel, granted: { host, incarnation: 0 } }
      },
    },
  })
})
test.after.each(async () => {
  await ways.close()
  rmSync(folder, { recursive: true })
})
const silent = { debug() {}, info() {}, error() {} }
const service = (index: number) => ({ service: `s${index}`, host: 'node1', port: 80 })

/** @returns what came back, and the open connection */
const heard = (path: string, said: string): Promise<{ text: string; end(): void }> =>
  new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.on('connect', () => socket.write(said))
    socket.on('data', (data) => resolve({ text: String(data), end: () => void socket.destroy() }))
    socket.on('error', () => {})
    socket.on('close', () => reject(new Error('it was cut')))
  })
const codeOf = (task: Promise<unknown>): Promise<string> =>
  task.then(() => 'done', (error: { code?: string; message: string }) => error.code ?? error.message)

test('a socket for this user alone leads to one service of one host, and is the same for who asks again', async () => {
  const path = await ways.to(service(1))
  assert.is(statSync(path).mode & 0o777, 0o600)
  const { text, end } = await heard(path, 'hello')
  end()
  assert.is(text, 'hello')
  assert.is(await ways.to(service(1)), path)
  assert.is.not(await ways.to({ ...service(1), host: 'node2' }), path)
  assert.equal(reached, ['s1 node1 80'])
})

test('a host that nothing leads to has no socket, and a service that has gone cuts who comes for it', async () => {
  assert.is(await codeOf(ways.to({ ...service(1), host: 'nowhere' })), 'Unavailable')
  const path = await ways.to({ ...service(1), service: 'gone' })
  assert.is(await codeOf(heard(path, 'hello')), 'it was cut')
  assert.equal(warned, ['No way to gone on node1: It has gone'])
})

test('a socket that is used, or was told of a moment ago, never leads to another service', async () => {
  const paths = []
  for (let index = 0; index < limits.localWays; index++) paths.push(await ways.to(service(index)))
  assert.is(new Set(paths).size, limits.localWays)
  const { end } = await heard(paths[0]!, 'hello')
  assert.is(await codeOf(ways.to(service(100))), 'Overloaded')
  now = limits.localWayMs
  assert.is(await codeOf(ways.to(service(100))), 'Overloaded', 'it may be about to connect')
  now = limits.localWayMs + 1
  // The first one is in use
  assert.is(await ways.to(service(100)), paths[1])
  const again = await heard(paths[1]!, 'there')
  assert.is(again.text, 'there')
  again.end()
  end()
  assert.equal(reached, ['s0 node1 80', 's100 node1 80'])
})

test('a place that cannot be taken over is found under no name any more', async () => {
  const paths = []
  for (let index = 0; index < limits.localWays; index++) paths.push(await ways.to(service(index)))
  now = limits.localWayMs + 1
  rmSync(folder, { recursive: true })
  assert.is.not(await codeOf(ways.to(service(100))), 'done')
  mkdirSync(folder, { mode: 0o700 })
  const path = await ways.to(service(0))
  const { text, end } = await heard(path, 'hello')
  end()
  assert.is(text, 'hello')
})

test.run()
