/** What stores that were moved have left behind. */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { file } from '../../boot/init.ts'
import { purgeStores } from '../../boot/migrate/purge.ts'
import type { Migration } from '../../runtime/migration.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { openEmbeddedStore } from '../../runtime/store/embedded.ts'
import { purgeMoved } from '../../runtime/store/embedded/purge.ts'
import { codeOf } from '../compliance/store/checks.ts'

const platform = await openPlatform()
const folder = await mkdtemp(join(tmpdir(), 'zonewright-purge-'))
test.after(() => rm(folder, { recursive: true, force: true }))
const path = (name: string): string => join(folder, file.stores, name)

async function store(name: string, moves: boolean): Promise<void> {
  const opened = await openEmbeddedStore(path(name), platform)
  await opened.put('a', new Uint8Array(100_000))
  if (moves) {
    await opened.moveSource!().retire({ place: 'etcd', prefix: `/zones/${name}`, at: 0, entries: 1, digest: '00' })
  }
  await opened.close()
}

const journal = (state: Migration['state']): Promise<void> => writeFile(join(folder, file.migration), JSON.stringify({
  state, endpoints: [], prefix: '/zones', startedMs: 0, endedMs: 1, error: null, stores: [],
} satisfies Migration))

test('nothing is removed before all stores have been moved', async () => {
  const files = await platform.host.openFolder(folder)
  await store('vault', true)
  assert.is(await codeOf(purgeStores(files)), 'InvalidArgument')
  await journal('failed')
  assert.is(await codeOf(purgeStores(files)), 'InvalidArgument')
})

test('what a moved store has left behind is removed, and where it went stays known', async () => {
  const files = await platform.host.openFolder(folder)
  await journal('done')
  assert.equal(await purgeStores(files), ['vault'])
  assert.equal(await purgeStores(files), [])
  const left = (await files.list(`${file.stores}/vault`)).filter(({ name }) => name.startsWith('log.'))
  assert.is(left.length, 1)
  assert.ok((await stat(join(path('vault'), left[0]!.name))).size < 1_000)
  assert.is(await codeOf(openEmbeddedStore(path('vault'), platform)), 'StoreMoved')
})

test('a store that was not moved keeps all it has', async () => {
  await store('here', false)
  assert.is(await codeOf(purgeMoved(path('here'))), 'InvalidArgument')
  const again = await openEmbeddedStore(path('here'), platform)
  assert.is((await again.get('a'))!.value.length, 100_000)
  await again.close()
})

test.run()
