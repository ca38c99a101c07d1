/** `vault migrate` on a zone that runs, with the certificates of `gen pems` and a real etcd of three members. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { file } from '../boot/init.ts'
import type { Migration, MigrationPlan } from '../runtime/migration.ts'
import { limits } from '../runtime/limits.ts'
import { liveZone, newFolder, objectOf, removeFolders, type LiveCommandLine } from './boot-fixtures/command-line.ts'
import { freeEndpoints, startPemCluster, type PemCluster } from './boot-fixtures/pem-cluster.ts'
import { configText, PATH, pemsIn } from './boot-fixtures/pems.ts'

const onDeno = 'Deno' in globalThis
const cwd = newFolder()
const folder = join(cwd, '.zone')
const endpoints = await freeEndpoints()
const text = configText({ endpoints })
const OPERATIONS = { 'max-txn-ops': String(limits.transactionOperations) }
let cluster: PemCluster
let zone: LiveCommandLine

test.before(async () => {
  mkdirSync(folder)
  const { error } = await pemsIn(folder, { config: { path: PATH, text } })
  if (error) throw error
  cluster = await startPemCluster(folder, endpoints, OPERATIONS)
  zone = await liveZone({ cwd })
})
test.after(async () => {
  await zone.stop()
  await cluster.end()
  removeFolders()
})

const migrate = (...words: readonly string[]) => ['vault', 'migrate', ...words]

test('nothing was moved yet, and a config without etcd says what is missing', async () => {
  assert.is((await zone.fails(20, ...migrate('--status'))).message, 'No store was ever moved')
  const failure = await zone.fails(3, ...migrate())
  assert.match(failure.message, /xline_config is missing/)
  assert.is((await zone.fails(25, ...migrate('--purge'))).code, 'InvalidArgument')
  assert.is((await zone.fails(2, ...migrate('--status', '--dry-run'))).code, 'Usage')
  assert.is((await zone.fails(2, ...migrate('--config', 'other.yaml'))).code, 'Usage')
})

if (onDeno) {
  test('workers that may not reach etcd say so: on Deno permissions are for good', async () => {
    writeFileSync(join(folder, file.config), text)
    const failure = await zone.fails(3, ...migrate())
    assert.match(failure.message, /The workers of this zone may not reach https:\/\/localhost:\d+/)
    assert.match(failure.next ?? '', /Stop the zone and start it again/)
    assert.match((await zone.fails(3, ...migrate('--dry-run'))).message, /may not reach/)
  })
} else {
  test('a dry run says what would be moved, and changes nothing', async () => {
    writeFileSync(join(folder, file.config), text)
    const plan = await zone.json(...migrate('--dry-run')) as unknown as MigrationPlan
    assert.is(plan.error, null)
    assert.is(plan.operationsMax, limits.transactionOperations)
    assert.ok(plan.stores.some(({ name, entries }) => name === 'vault' && entries > 0))
    assert.ok(plan.stores.every(({ what, error }) => what === 'moves' && error === null))
    const last = await zone.json(...migrate('--status')) as unknown as Migration
    assert.equal([last.state, last.error?.code, last.stores], ['failed', 'ConfigInvalid', []])
  })

  test('all stores move while the zone serves; the status says how, also to who is not logged in', async () => {
    await zone.json('kv', 'set', 'users/owner/test/key', 'before')
    const before = await zone.json('kv', 'get', 'users/owner/test/key')
    const done = await zone.json(...migrate()) as unknown as Migration
    assert.is(done.state, 'done')
    assert.ok(done.stores.length >= 4)
    assert.ok(done.stores.every(({ phase, entries, verified, fences }) =>
      phase === 'done' && entries === verified && fences >= 1))
    const status = await zone.json(...migrate('--status')) as unknown as Migration
    assert.equal(status.stores.map(({ name, digest }) => [name, digest]), done.stores.map((s) => [s.name, s.digest]))
    const nobody = await zone.run(...migrate('--status', '--session', 'nobody.json', '--json'))
    assert.is((objectOf(nobody) as unknown as Migration).state, 'done')
    assert.equal(await zone.json('kv', 'get', 'users/owner/test/key'), before)
    assert.is(statSync(join(folder, file.migration)).mode & 0o777, 0o600)
    const journal = readFileSync(join(folder, file.migration), 'utf8')
    assert.not.match(journal, /PRIVATE KEY|CERTIFICATE/)
  })

  test('what came back after the move is on etcd too, and a second move has nothing to do', async () => {
    await zone.json('kill', 'system-config')
    await zone.json('kv', 'set', 'users/owner/test/key', 'after')
    const again = await zone.json(...migrate()) as unknown as Migration
    assert.ok(again.stores.every(({ before }) => before))
    const human = await zone.run(...migrate('--status'))
    assert.match(human.stdout, /done {2}to \/zones\/zone\.local of https:\/\/localhost/)
    assert.match(human.stdout, /vault +was there/)
  })

  test('what stays behind is removed when that is asked for, and where it went stays known', async () => {
    const bytes = (): number => statSync(join(folder, file.stores, 'system-config')).size
    assert.ok(bytes() > 0)
    const { purged } = await zone.json(...migrate('--purge')) as { purged: string[] }
    assert.ok(purged.includes('vault') && purged.includes('system-config'))
    assert.equal((await zone.json(...migrate('--purge')))['purged'], [])
    await zone.stop()
    const offline = await zone.json(...migrate('--status')) as unknown as Migration
    assert.is(offline.state, 'done')
    writeFileSync(join(folder, file.config), '')
    assert.match((await zone.fails(45, 'up', '--once')).message, /lie in etcd|moved to etcd/)
    writeFileSync(join(folder, file.config), text)
    zone = await liveZone({ cwd, login: false })
    assert.is((await zone.json('kv', 'get', 'users/owner/test/key'))['value'], 'after')
  })
}

test.run()
