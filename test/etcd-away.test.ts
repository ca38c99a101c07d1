/** A real etcd stands still: what ended meanwhile waits for it. For how long is judged in `store-away.test.ts`. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { NodeDaemon } from '../actors/node-daemon/protocol.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { Hosts } from '../boot/hosts.ts'
import { up } from '../boot/up.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { createTrace, type LogEvent } from '../runtime/trace.ts'
import { startEtcd } from './runtime/etcd-server.ts'

const platform = await openPlatform()
const { clock } = platform

async function until(what: string, withinMs: number, holds: () => unknown): Promise<void> {
  const began = clock.monotonic()
  while (!await holds()) {
    assert.ok(clock.monotonic() - began < withinMs, `${what}: not within ${withinMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

test('actors that end while etcd stands still wait for it, and the zone goes on by itself afterwards', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-etcd-away-'))
  const etcd = await startEtcd()
  const trace = createTrace()
  const waits: LogEvent[] = []
  trace.on('log', (event) => void (event.message.startsWith('Its store is away') && waits.push(event)))
  const hosts = new Hosts()
  const zone = await up({
    platform, folder, hosts, trace, stores: { type: 'etcd', endpoints: [etcd.endpoint], prefix: '/zones/away' },
  })
  try {
    const { supervisor } = hosts.all()[0]!
    const { store } = await zone.get(SystemConfig).trust({})
    etcd.freeze()
    const ended = ['system-config', 'vault']
    await Promise.all(ended.map((name) => supervisor.kill(name)))
    await until('both wait', 60_000, () => ended.every((name) => waits.some(({ actor }) => actor === name)))
    const reasons = supervisor.list().filter(({ name }) => ended.includes(name)).map(({ reason }) => reason)
    assert.ok(reasons.every((reason) => /etcd did not answer/.test(reason)), reasons.join('\n'))
    etcd.thaw()
    await until('all serve', 30_000, () => supervisor.list().every(({ name, state }) =>
      state === 'serving' || name === 'boot-scheduler'))
    assert.is((await zone.get(SystemConfig).trust({})).store.id, store.id)
    await zone.get(NodeDaemon).converge({})
  } finally {
    await zone.stop()
    await etcd.end()
    rmSync(folder, { recursive: true, force: true })
  }
})

test.run()
