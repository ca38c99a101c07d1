/** All stores of a zone move into a real etcd of three members: before it starts, and while it serves. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { moveStores, type EtcdLocation } from '../boot/migrate/move-stores.ts'
import { file } from '../boot/init.ts'
import { up, type RunningZone } from '../boot/up.ts'
import type { Migration } from '../runtime/migration.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { plainErrors } from './compliance/store/checks.ts'
import { startCluster, type EtcdCluster } from './runtime/etcd-server.ts'

const platform = await openPlatform()
let cluster: EtcdCluster
const folders: string[] = []
const migrate = suite('migrate')
const test = (title: string, body: () => Promise<void>): void => migrate(title, () => plainErrors(body))
migrate.before(async () => { cluster = await startCluster() })
migrate.after(async () => {
  await cluster.end()
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

let prefixes = 0
const target = (): EtcdLocation => ({
  type: 'etcd', endpoints: cluster.endpoints, prefix: `/zones/${++prefixes}`, credentials: cluster.credentials,
})
async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-migrate-'))
  folders.push(folder)
  return folder
}
const storeOf = async (zone: RunningZone) => (await zone.get(SystemConfig).trust({})).store

test('all stores move before the zone starts; a second time there is nothing to do; then it boots from there',
  async () => {
    const folder = await newFolder()
    const first = await up({ platform, folder })
    const { id, revision } = await storeOf(first)
    await first.stop()
    const to = target()
    const files = await platform.host.openFolder(folder)
    const told: Migration[] = []
    const moved = await moveStores({ platform, files, host: 'ood1', to, onProgress: (now) => void told.push(now) })
    assert.is(moved.state, 'done')
    assert.ok(moved.stores.length >= 4)
    assert.ok(moved.stores.every(({ phase, before }) => phase === 'done' && !before))
    assert.ok(told.some(({ stores }) => stores.some(({ phase }) => phase === 'fenced')))
    const again = await moveStores({ platform, files, host: 'ood1', to })
    assert.ok(again.stores.every(({ phase, before }) => phase === 'done' && before))
    assert.equal(again.stores.map(({ digest }) => digest), moved.stores.map(({ digest }) => digest))
    const second = await up({ platform, folder, stores: to })
    assert.ok(second.secondBoot)
    const store = await storeOf(second)
    assert.is(store.id, id)
    assert.ok(store.revision > revision)
    await second.stop()
    const stale = await up({ platform, folder }).then(() => 'it started', (error: Error) => error.message)
    assert.match(stale, /was moved to etcd at https.* under \/zones\/\d+\/vault, and has gone on there/)
    assert.ok(files.path(file.stores).startsWith(folder))
  })

migrate.run()
