/** An end of a tunnel that says nothing, never comes to the point, or does not listen. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Denied } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import type { TlsConnection } from '../runtime/platform/tls-ports.ts'
import { FrameWriter } from '../transport/frames.ts'
import { tlsChannel } from '../transport/tls.ts'
import { openTunnel } from '../transport/tunnel/tunnel.ts'
import { quiet, testClock } from './runtime/link-fixture.ts'
import { optionsOf } from './tunnel-ends.ts'
import { gone, greeting, opened, soon, violated, wanted } from './tunnel-script.ts'

test('silence is asked about, and closes the tunnel when it goes on', async () => {
  const one = await opened()
  await one.clock.advance(limits.tunnelPingMs)
  assert.equal(one.said, [{ t: 'ping', n: 1 }])
  one.say({ t: 'pong', n: 1 })
  await one.clock.advance(limits.tunnelSilenceMs - 1)
  assert.equal(one.closes, [])
  await one.clock.advance(limits.tunnelPingMs)
  assert.match(await soon(one.tunnel.closed), /said nothing/)
  await gone(one)
  for (const n of [1, 2]) {
    const other = await opened()
    if (n === 1) await other.clock.advance(limits.tunnelPingMs)
    other.say({ t: 'pong', n: 1 })
    if (n === 1) other.say({ t: 'pong', n: 1 })
    await violated(other, /an answer to no question/)
  }
})

test('an end that drips bytes and never comes to a message is silent', async () => {
  const clock = testClock()
  let onBytes: ((bytes: Uint8Array) => void) | undefined
  const closes: string[] = []
  const connection: TlsConnection = {
    alpn: 'x', remoteAddress: '127.0.0.1', unsent: 0, send() {},
    receive: (take) => { onBytes = take },
    close: (reason) => void closes.push(reason),
  }
  const opening = openTunnel({
    ...optionsOf('here', clock), channel: tlsChannel(connection, { clock }), role: 'listener',
  })
  const writer = new FrameWriter()
  writer.add(JSON.stringify({ t: 'hello', v: 1, greeting }), limits.tlsFrameBytes)
  onBytes!(writer.take())
  await quiet()
  writer.add(JSON.stringify({ t: 'ready' }), limits.tlsFrameBytes)
  onBytes!(writer.take())
  const tunnel = await opening
  writer.add('x'.repeat(60_000), limits.tlsFrameBytes)
  const slow = writer.take()
  for (let at = 0; at < 30; at++) {
    onBytes!(slow.subarray(at, at + 1))
    await clock.advance(1_000)
  }
  assert.match(await soon(tunnel.closed), /said nothing/)
  assert.equal([closes.length, clock.timers], [1, 0])
})

test('an end that asks and asks, and reads no answer, is cut off before it fills the memory', async () => {
  const clock = testClock()
  let [unsent, most] = [0, 0]
  let onClose: ((reason: string) => void) | undefined
  let onBytes: ((bytes: Uint8Array) => void) | undefined
  const closes: string[] = []
  const connection: TlsConnection = {
    alpn: 'x', remoteAddress: '127.0.0.1',
    get unsent() { return unsent },
    send: (bytes) => { most = Math.max(most, unsent += bytes.length) },
    receive(take, over) { [onBytes, onClose] = [take, over] },
    close(reason) {
      closes.push(reason)
      onClose!(reason)
    },
  }
  const opening = openTunnel({
    ...optionsOf('here', clock), channel: tlsChannel(connection, { clock }), role: 'listener',
    onOpen: async () => { throw new Denied('x'.repeat(4_000)) },
  })
  const writer = new FrameWriter()
  const say = (message: object): void => {
    writer.add(JSON.stringify(message), limits.tlsFrameBytes)
    onBytes!(writer.take())
  }
  say({ t: 'hello', v: 1, greeting })
  await quiet()
  say({ t: 'ready' })
  const tunnel = await soon(opening)
  for (let id = 1; closes.length === 0 && id < 20_000; id += 2) {
    say(wanted(id))
    if (id % 64 === 1) await quiet(8)
  }
  assert.equal([closes, await soon(tunnel.closed)], [['the peer does not read'], 'the peer does not read'])
  assert.ok(most <= limits.tlsUnsentBytesMax + 2 * limits.tlsFillBytes, `${most} bytes`)
})

test.run()
