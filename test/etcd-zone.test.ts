/** A zone whose actors have their stores in a real etcd of three members, over TLS with client certificates. */
import { readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { file } from '../boot/init.ts'
import { up } from '../boot/up.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import type { StoreLocation } from '../runtime/store/location.ts'
import { startCluster, type EtcdCluster } from './runtime/etcd-server.ts'

const platform = await openPlatform()
let cluster: EtcdCluster
let folder: string
test.before(async () => {
  cluster = await startCluster()
  folder = await mkdtemp(join(tmpdir(), 'zonewright-etcd-zone-'))
})
test.after(async () => {
  await cluster.end()
  await rm(folder, { recursive: true, force: true })
})

test('a zone boots with its stores in etcd, and boots again from there', async () => {
  const { endpoints, credentials } = cluster
  const stores: StoreLocation = { type: 'etcd', endpoints, prefix: '/zones/one', credentials }
  const first = await up({ platform, folder, stores })
  const { store } = await first.get(SystemConfig).trust({})
  await first.stop()
  const second = await up({ platform, folder, stores })
  assert.ok(second.secondBoot)
  assert.is((await second.get(SystemConfig).trust({})).store.id, store.id)
  await second.stop()
  assert.equal(readdirSync(join(folder, file.stores)), [])
})

test.run()
