/** A host in a process of its own: its streams echo, until it is killed. Its certificates come by stdin. */
import process from 'node:process'
import { systemClock } from '../runtime/platform/clock.ts'
import { serveHttp } from '../runtime/platform/http.ts'
import type { TlsPair } from '../runtime/platform/tls-ports.ts'
import { memoryChannelPair } from '../transport/memory.ts'
import { tlsChannel } from '../transport/tls.ts'
import { openTunnel } from '../transport/tunnel/tunnel.ts'
import { optionsOf } from './tunnel-ends.ts'

let input = ''
for await (const chunk of process.stdin) input += String(chunk)
const { root, pair, alpn } = JSON.parse(input) as { root: string; pair: TlsPair; alpn: string }
const clock = systemClock
const { accepting: _, ...options } = optionsOf('far')
const { port } = await serveHttp({
  hostname: '127.0.0.1', port: 0, bodyBytesMax: 1_000, requestMsMax: 2_000,
  tls: { ...pair, least: 'TLSv1.3', clientRoots: [root] },
  streams: {
    alpn: [alpn],
    accept: (connection) => void openTunnel({
      ...options, channel: tlsChannel(connection, { clock }), role: 'listener',
      onHello: async () => { if (!connection.certificate) throw new Error('It shows no certificate') },
      async onOpen() {
        const [inner, outer] = memoryChannelPair(clock)
        outer.receive((frame) => outer.send(frame), () => {})
        return { granted: { host: 'far', incarnation: process.pid }, channel: inner, release: () => {} }
      },
    }).catch(() => {}),
  },
}, async () => ({ status: 404, headers: {}, body: '' }))
console.log(String(port))
// A test that was killed ends no children
setTimeout(() => process.exit(1), 60_000)
