/** Datagrams and connections of real sockets: what a peer does ends its own exchange and no more. */
import { createSocket } from 'node:dgram'
import { connect, type Socket } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { PortInUse } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { answering, serveDatagrams, serveStreams } from '../../runtime/platform/sockets.ts'

const LOOPBACK = '127.0.0.1'
const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values)

/** What comes back for a datagram within the time; undefined for silence. */
const sent = (port: number, datagram: Uint8Array, ms = 200): Promise<readonly number[] | undefined> => {
  const socket = createSocket('udp4')
  return new Promise((resolve) => {
    const end = (got: readonly number[] | undefined): void => {
      clearTimeout(late)
      socket.close()
      resolve(got)
    }
    const late = setTimeout(() => end(undefined), ms)
    socket.on('message', (message) => end([...message]))
    socket.send(datagram, port, LOOPBACK)
  })
}
/** All that a connection brings until it ends. */
const conversed = (port: number, ...pieces: Uint8Array[]): Promise<readonly number[]> => new Promise((resolve) => {
  const got: number[] = []
  const socket = connect(port, LOOPBACK, () => pieces.forEach((piece) => socket.write(piece)))
  socket.on('data', (data) => got.push(...data))
  socket.on('error', () => {})
  socket.on('close', () => resolve(got))
})
const opened = (port: number): Promise<Socket> => new Promise((resolve) => {
  const socket: Socket = connect(port, LOOPBACK, () => resolve(socket))
  socket.on('error', () => {})
})
const closed = (socket: Socket): Promise<void> => new Promise((resolve) => {
  if (socket.destroyed) return resolve()
  socket.on('close', () => resolve())
  socket.resume()
})

test('a datagram is answered to its sender, and one that breaks the answer is lost', async () => {
  const { port, close } = await serveDatagrams({ hostname: LOOPBACK, port: 0 }, (datagram, from) => {
    if (datagram[0] === 1) throw new Error('Planted')
    return datagram[0] === 2 ? undefined : bytes(datagram[0] ?? 0, from === LOOPBACK ? 1 : 0)
  })
  assert.equal(await sent(port, bytes(1)), undefined)
  assert.equal(await sent(port, bytes(2)), undefined)
  assert.equal(await sent(port, bytes(7)), [7, 1])
  assert.equal(await sent(port, bytes()), [0, 1])
  const taken = await serveDatagrams({ hostname: LOOPBACK, port }, () => undefined).catch((error: unknown) => error)
  assert.instance(taken, PortInUse)
  await close()
  assert.equal(await sent(port, bytes(7)), undefined)
})

test('as many answers wait for the network as the limit, and what asks for more is dropped', () => {
  const waiting: (() => void)[] = []
  let asked = 0
  const take = answering(() => {
    asked++
    return bytes(1)
  }, (_, __, done) => void waiting.push(done))
  for (let count = 0; count <= limits.datagramsSending; count++) take(bytes(1), { address: LOOPBACK, port: 1 })
  assert.equal([asked, waiting.length], [limits.datagramsSending, limits.datagramsSending])
  waiting.pop()!()
  take(bytes(1), { address: LOOPBACK, port: 0 })
  assert.is(asked, limits.datagramsSending, 'nobody is at port 0')
  take(bytes(1), { address: LOOPBACK, port: 1 })
  assert.is(asked, limits.datagramsSending + 1)
})

test('a connection is what its two ends say, and ends when there is no more to say', async () => {
  const { port, close } = await serveStreams(
    { hostname: LOOPBACK, port: 0, connectionsMax: 8, idleMs: 10_000 }, async function* twice(pieces) {
      for await (const piece of pieces) {
        if (piece[0] === 1) throw new Error('Planted')
        yield piece
        yield piece
        if (piece.includes(9)) return
      }
    })
  assert.equal(await conversed(port, bytes(2, 9)), [2, 9, 2, 9])
  assert.equal(await conversed(port, bytes(1)), [], 'one that breaks ends')
  assert.equal(await conversed(port, bytes(9)), [9, 9], 'and no other')
  const large = new Uint8Array(1024 * 1024).fill(3)
  large[large.length - 1] = 9
  assert.is((await conversed(port, large)).length, 2 * large.length)
  const open = await opened(port)
  await close()
  await closed(open)
})

test('a connection that brings nothing is closed, and so is one more than there may be', async () => {
  const { port, close } = await serveStreams(
    { hostname: LOOPBACK, port: 0, connectionsMax: 2, idleMs: 300 }, async function* echo(pieces) { yield* pieces })
  const began = performance.now()
  const two = [await opened(port), await opened(port)]
  try {
    assert.equal(await conversed(port, bytes(9)), [], 'it is one too many')
    for (const socket of two) socket.resume()
    for (let look = 0; look < 50 && two.some((socket) => !socket.destroyed); look++) {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    assert.equal(two.map((socket) => socket.destroyed), [true, true])
    assert.ok(performance.now() - began >= 290)
    two.push(await opened(port))
  } finally {
    for (const socket of two) socket.destroy()
    await close()
  }
})

test.run()
