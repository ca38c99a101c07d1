/** All stores of a zone move into a real etcd of three members: before it starts, and while it serves. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { makeBackup } from '../boot/backup/create.ts'
import { moveStores, type EtcdLocation } from '../boot/migrate/move-stores.ts'
import { file } from '../boot/init.ts'
import { up, type RunningZone } from '../boot/up.ts'
import type { Migration } from '../runtime/migration.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { codeOf, plainErrors, until } from './compliance/store/checks.ts'
import { ZoneClient } from './soak/zone-client.ts'
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

/** With it the workers of Deno may reach the cluster; the stores are in the folder all the same. */
const configFor = ({ endpoints }: EtcdLocation): string => `xline_config: { endpoints: ${JSON.stringify(endpoints)} }\n`

/** Milliseconds between two answers to somebody who asks all the time. */
class Gaps {
  longestMs = 0
  answers = 0
  #ends = false

  async follow(ask: () => Promise<unknown>): Promise<void> {
    for (let last = performance.now(); !this.#ends;) {
      await ask()
      const now = performance.now()
      this.longestMs = Math.max(this.longestMs, now - last)
      this.answers++
      last = now
    }
  }

  end(): void {
    this.#ends = true
  }
}

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
    const backup = { platform, folder, file: join(await newFolder(), 'backup.tar') }
    assert.is(await codeOf(makeBackup(backup)), 'StoreMoved')
    const second = await up({ platform, folder, stores: to })
    assert.ok(second.secondBoot)
    const store = await storeOf(second)
    assert.is(store.id, id)
    assert.ok(store.revision > revision)
    await second.stop()
    const stale = await up({ platform, folder }).then(() => 'it started', (error: Error) => error.message)
    assert.match(stale, /lie in etcd, under \/zones\/\d+/)
    assert.ok(files.path(file.stores).startsWith(folder))
  })

test('all stores move while the zone serves: sessions and revisions stay good, and it goes on there', async () => {
  const folder = await newFolder()
  const to = target()
  const zone = await up({ platform, folder, config: { path: 'zone.yaml', text: configFor(to) } })
  const store = await storeOf(zone)
  const { username, password } = (await zone.firstPassword())!
  const client = new ZoneClient(() => `http://127.0.0.1:${zone.address.port}/`)
  await client.login(username, password)
  const key = `users/${username}/test/moved`
  const config = (method: string, params: object): Promise<unknown> => client.call('system_config', method, params)
  await config('sys_config_set', { key, value: 'before' })
  const before = await config('sys_config_get', { key }) as { version: number }
  const gaps = new Gaps()
  const reads = gaps.follow(() => config('sys_config_get', { key }))
  let writes = 0
  const written = gaps.follow(() => config('sys_config_set', { key: `${key}-${writes % 7}`, value: String(writes++) }))
  const moved = await zone.moveStores(to)
  gaps.end()
  await Promise.all([reads, written])
  assert.ok(moved.stores.every(({ phase, before: was }) => phase === 'done' && !was))
  assert.ok(gaps.answers > 20)
  assert.is((await storeOf(zone)).id, store.id)
  const after = await config('sys_config_get', { key }) as { version: number }
  assert.is(after.version, before.version)
  await zone.kill('system-config')
  await until(() => config('sys_config_get', { key }).then(() => true, () => false), 20_000)
  for (let index = 0; index < 7; index++) {
    const { value } = await config('sys_config_get', { key: `${key}-${index}` }) as { value: string }
    assert.is(Number(value) % 7, index)
    assert.ok(Number(value) >= writes - 8)
  }
  await zone.stop()
  const again = await up({ platform, folder, stores: to })
  assert.ok(again.secondBoot)
  await again.stop()
})

migrate.run()
