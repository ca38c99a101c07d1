/** Several OODs on one host over a real etcd of three members: what any of them does, and what the others do without. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../actors/records.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { Hosts } from '../boot/hosts.ts'
import { up, type RunningZone } from '../boot/up.ts'
import { limits } from '../runtime/limits.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { startCluster, type EtcdCluster } from './runtime/etcd-server.ts'

const platform = await openPlatform()
const folder = mkdtempSync(join(tmpdir(), 'zonewright-oods-'))
let cluster: EtcdCluster
let zone: RunningZone
const hosts = new Hosts()
test.before(async () => {
  cluster = await startCluster()
  const { endpoints, credentials } = cluster
  const began = performance.now()
  zone = await up({
    platform, folder, hosts, oods: 3, stores: { type: 'etcd', endpoints, prefix: '/zones/oods', credentials },
  })
  console.log('boot', performance.now() - began)
})
test.after(async () => {
  await zone?.stop()
  await cluster.end()
  rmSync(folder, { recursive: true, force: true })
})

test('each of them has a whole control plane, by a zone that the first one made', async () => {
  for (const { host, role, state, actors } of hosts.hosts()) {
    console.log(host, role, state, actors.map(({ name, state: at }) => `${name} ${at}`).join(', '))
  }
})

test.run()
