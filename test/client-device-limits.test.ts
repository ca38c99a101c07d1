/** What bounds client devices and their streams of bytes. */
import { connect, type Socket } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createHttpStreams } from '../actors/enrolment/tunnels/http-streams.ts'
import { forward } from '../boot/client/forward.ts'
import { Unavailable, type ZonewrightError } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import type { TcpConnection } from '../runtime/platform/tcp-ports.ts'
import { tcpChannel } from '../transport/tcp.ts'
import { memoryChannelPair } from '../transport/memory.ts'
import { platform } from './boot-fixtures/joining.ts'

type Listener = Parameters<TcpConnection['receive']>[0]

/** A connection that passes nothing on until it is told to. */
function stuck() {
  let unsent = 0
  let listener: Listener | undefined
  const connection: TcpConnection = {
    remoteAddress: '', get unsent() { return unsent }, end() {}, hold() {},
    send: (bytes) => void (unsent += bytes.length),
    receive: (given) => void (listener = given), close: (reason) => listener?.onClose(reason),
  }
  return {
    connection,
    drain() {
      unsent = 0
      listener!.onDrained()
    },
  }
}

test('who sends waits while so much is under way on a TCP connection, and goes on when it has left', () => {
  const { connection, drain } = stuck()
  const channel = tcpChannel(connection)
  let drained = 0
  channel.receive(() => {}, () => {})
  channel.onDrained(() => void drained++)
  channel.send(new Uint8Array(limits.tcpUnsentBytes - 1))
  assert.is(channel.full, false)
  channel.send(new Uint8Array(1))
  assert.is(channel.full, true)
  drain()
  assert.equal([channel.full, drained], [false, 1])
})

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(() => undefined, (failed: unknown) => failed)
  return (error as ZonewrightError | undefined)?.code ?? 'no error'
}

/** As enrolment has them, with a service that is where it is told to be. */
function streams(connectTcp: NonNullable<typeof platform.transport.tcp>['connect']) {
  const by = () => ({ host: { name: 'laptop' } }) as never
  const made = createHttpStreams({
    start: {
      transport: { ...platform.transport, tcp: { ...platform.transport.tcp!, connect: connectTcp } },
      self: { zone: 'home', host: 'ood1', actor: 'enrolment', runtimeType: '', incarnation: 1, linkKid: '' },
      log: { info() {}, warn() {}, error() {} }, count() {},
    },
    admission: { authorise: async () => {} },
    systemConfig: {
      get: async () => ({ value: JSON.stringify({ name: 'notes', hosts: ['ood1'], port: 80 }), revision: 1 }) as never,
    },
    token: () => '', ownPorts: () => [], serving: async () => true, reach: () => Promise.reject(new Error('nowhere')),
  })
  return () => made.open(by, { type: 'http', service: 'notes' }, new AbortController().signal)
}

test('a device has so many streams open; one more is refused until one has gone', async () => {
  const open = streams(async () => stuck().connection)
  const all = await Promise.all(Array.from({ length: limits.deviceStreams }, open))
  assert.is(await codeOf(open()), 'Overloaded')
  all[0]!.release()
  await open()
  assert.is(await codeOf(open()), 'Overloaded')
})

test('a service whose host takes no connection in time is given up', async () => {
  let withinMs = 0
  const open = streams(async (target) => {
    withinMs = target.withinMs
    throw new Unavailable('nothing listens')
  })
  assert.is(await codeOf(open()), 'Unavailable')
  assert.is(withinMs, limits.httpStreamConnectMs)
  // An address of RFC 5737: nobody answers there, or no way leads to it
  const began = Date.now()
  const late = platform.transport.tcp!.connect({ hostname: '192.0.2.1', port: 9, withinMs: 200 })
  assert.match(await codeOf(late), /^(DeadlineExceeded|Unavailable)$/)
  assert.ok(Date.now() - began < 2_000)
})

test('so many connections are forwarded at once; one more is closed', async () => {
  const forwarding = await forward({
    platform, service: 'notes', hostname: '127.0.0.1', port: 0, onFailed() {},
    device: {
      async openChannel() {
        const [end] = memoryChannelPair(platform.clock)
        return Object.assign(end, { hold() {}, unsent: 0, full: false, onDrained() {} }) as never
      },
    },
  })
  const begin = (): Promise<Socket> => new Promise((resolve) => {
    const socket = connect(forwarding.port, '127.0.0.1', () => resolve(socket))
    socket.on('error', () => {})
  })
  const sockets = await Promise.all(Array.from({ length: limits.forwardedConnections }, begin))
  const one = await begin()
  await new Promise((resolve) => {
    one.on('close', resolve)
    one.resume()
  })
  assert.is(forwarding.open, limits.forwardedConnections)
  for (const socket of [...sockets, one]) socket.destroy()
  await forwarding.close()
})

test.run()
