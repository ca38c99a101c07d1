/**
 * A disk without room. A write that does not fit fails with DiskFull and nothing of it is kept; what was acknowledged
 * stays, reads go on, and so do writes once there is room.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../runtime/limits.ts'
import { systemClock as clock } from '../runtime/platform/clock.ts'
import { openFolder } from '../runtime/platform/files.ts'
import { systemRandom as random } from '../runtime/platform/random.ts'
import { openEmbeddedStore } from '../runtime/store/embedded.ts'
import { limitedDisk, mountedDisk, type SmallDisk } from './robustness/small-disk.ts'

const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value)
const text = (value: Uint8Array | undefined): string => new TextDecoder().decode(value)
const open = (folder: string) => openEmbeddedStore(folder, { clock, random })
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(() => 'done', (error: unknown) => (error as { code?: string }).code ?? String(error))
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Not every user may mount one; a limit on file sizes anyone may set. */
const disks = [mountedDisk(24), limitedDisk()].filter((disk) => disk !== undefined)
let made = 0

function onEachDisk(name: string, run: (disk: SmallDisk, folder: string) => Promise<void>): void {
  for (const disk of disks) {
    test(`${name}, by a ${disk.kind}`, async () => {
      const folder = join(disk.path, String(++made))
      try {
        await run(disk, folder)
      } finally {
        disk.free()
        rmSync(folder, { recursive: true, force: true })
      }
    })
  }
}

onEachDisk('a store refuses what does not fit and keeps what it has acknowledged', async (disk, folder) => {
  const store = await open(folder)
  for (let index = 0; index < 50; index++) await store.put(`kept/${index}`, utf8(`value ${index}`))
  const stop = new AbortController()
  const events = store.watch('', { after: 50, signal: stop.signal })[Symbol.asyncIterator]()
  const next = events.next()
  disk.fill()
  assert.is(await codeOf(store.put('refused', new Uint8Array(100_000))), 'DiskFull')
  const large = new Uint8Array(9_000)
  const together = Array.from({ length: 20 }, (_, index) => codeOf(store.put(`refused/${index}`, large)))
  assert.equal([...new Set(await Promise.all(together))], ['DiskFull'])
  assert.is(await codeOf(store.grant(60_000).then(() => store.put('refused', new Uint8Array(100_000)))), 'DiskFull')
  assert.is(text((await store.get('kept/7'))?.value), 'value 7')
  assert.is((await store.list('')).entries.length, 50)
  assert.is(await store.revision(), 50)
  disk.free()
  assert.is(await store.put('after', utf8('1')), 51)
  assert.is((await next).value.key, 'after', 'a watch sees nothing of what was refused')
  stop.abort()
  await store.close()
  const again = await open(folder)
  const others = (await again.list('')).entries.map(({ key }) => key).filter((key) => !key.startsWith('kept/'))
  assert.equal(others, ['after'])
  assert.is((await again.list('kept/')).entries.length, 50)
  await again.close()
})

onEachDisk('part of a write that did not fit is not found by the next opening', async (disk, folder) => {
  const store = await open(folder)
  await store.put('before', new Uint8Array(50_000))
  const log = (): string => join(folder, readdirSync(folder).find((name) => /^log\.\d+$/.test(name))!)
  const size = readFileSync(log()).length
  // Room for several records of the batch, but not for all
  disk.fill(disk.kind === 'tmpfs' ? 300_000 : size + 300_000)
  const large = new Uint8Array(100_000)
  const batch = Array.from({ length: 10 }, (_, index) => codeOf(store.put(`refused/${index}`, large)))
  const outcomes = await Promise.all(batch)
  assert.ok(outcomes.includes('DiskFull'), outcomes.join())
  const done = outcomes.flatMap((outcome, index) => (outcome === 'done' ? [`refused/${index}`] : []))
  assert.is(await codeOf(store.put('small', utf8('fits'))), 'done', 'there is room for less')
  disk.free()
  // As kill -9 would leave it
  const bytes = readFileSync(log())
  await store.close()
  writeFileSync(log(), bytes)
  const again = await open(folder)
  assert.equal((await again.list('')).entries.map(({ key }) => key), ['before', ...done, 'small'])
  await again.close()
})

onEachDisk('a log that has no room to be written anew goes on as it is', async (disk, folder) => {
  const store = await open(folder)
  const value = new Uint8Array(limits.valueBytes)
  // The next but one finds the log too long
  for (let written = value.length; written < limits.storeLogBytes; written += value.length) await store.put('a', value)
  // Room for a few more changes, not for a second log
  const size = readFileSync(join(folder, readdirSync(folder).find((name) => /^log\.\d+$/.test(name))!)).length
  disk.fill(disk.kind === 'tmpfs' ? 4 * value.length : size + 4 * value.length)
  const outcomes: string[] = []
  for (let more = 0; more < 6; more++) outcomes.push(await codeOf(store.put('a', value)))
  assert.equal(outcomes.slice(0, 3), ['done', 'done', 'done'], outcomes.join())
  if (disk.kind === 'tmpfs') assert.equal(outcomes.slice(-2), ['DiskFull', 'DiskFull'], outcomes.join())
  const { version } = (await store.get('a'))!
  disk.free()
  assert.is(await codeOf(store.put('a', value)), 'done')
  await store.close()
  const again = await open(folder)
  assert.is((await again.get('a'))?.version, version + 1)
  await again.close()
})

onEachDisk('a store that is opened without room says so, and opens whole afterwards', async (disk, folder) => {
  const store = await open(folder)
  await store.put('kept', utf8('1'))
  await store.close()
  disk.fill()
  assert.is(await codeOf(open(folder)), 'DiskFull')
  disk.free()
  const again = await open(folder)
  assert.is(text((await again.get('kept'))?.value), '1')
  await again.close()
})

onEachDisk('a lease that ends while there is no room is over, and its keys go once there is', async (disk, folder) => {
  const store = await open(folder)
  const lease = await store.grant(300)
  await store.put('leased', utf8('1'), { lease: lease.id })
  disk.fill()
  await sleep(500)
  assert.is(await codeOf(lease.keepAlive()), 'LeaseExpired')
  disk.free()
  await sleep(limits.leaseEndMs + 500)
  assert.is(await store.get('leased'), undefined)
  await store.close()
})

onEachDisk('a file of the zone is written whole or not at all', async (disk, folder) => {
  const files = await openFolder(folder)
  await files.write('identity.json', utf8('{"first":true}'), { mode: 0o600 })
  disk.fill()
  const large = new Uint8Array(100_000)
  assert.is(await codeOf(files.write('identity.json', large, { mode: 0o600 })), 'DiskFull')
  assert.is(await codeOf(files.create('owner.key', large, { mode: 0o600 })), 'DiskFull')
  assert.is(text(await files.read('identity.json')), '{"first":true}')
  assert.is(await files.read('owner.key'), undefined)
  assert.equal((await files.list('')).map(({ name }) => name), ['identity.json'], 'nothing half written stays')
  disk.free()
  await files.write('identity.json', utf8('{"second":true}'), { mode: 0o600 })
  assert.is(text(await files.read('identity.json')), '{"second":true}')
})

test.run()
