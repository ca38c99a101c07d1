import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { Worker } from 'node:worker_threads'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { systemClock as clock } from '../../runtime/platform/clock.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import { openEmbeddedStore } from '../../runtime/store/embedded.ts'
import { bytes, plainErrors, rejects, text, until } from '../compliance/store/checks.ts'
import { childProgram, killAll, startStoreProcess } from './store-process.ts'

const open = (folder: string) => openEmbeddedStore(folder, { clock, random })

const inFolder = (title: string, body: (folder: string) => Promise<void>): void => {
  test(title, async () => {
    const alive = setInterval(() => {}, 1_000)
    const folder = await mkdtemp(join(tmpdir(), 'zonewright-store-'))
    try {
      await plainErrors(() => body(folder))
    } finally {
      clearInterval(alive)
      await killAll()
      await rm(folder, { recursive: true, force: true })
    }
  })
}

/** The error that opening gives; fails the test when it opens. */
async function refusal(folder: string): Promise<ZonewrightError> {
  const outcome = await open(folder).catch((error: unknown) => error)
  if (outcome instanceof ZonewrightError) return outcome
  throw new Error(`It was not refused: ${String(outcome)}`)
}

const logOf = async (folder: string): Promise<string> =>
  (await readdir(folder)).find((name) => /^log\.\d+$/.test(name)) ?? 'no log'

/** The log of a store that was killed after three entries, a delete and a lease: a beginning, then changes. */
async function killedStore(folder: string): Promise<{ contents: Uint8Array; begun: number; name: string }> {
  const store = await open(folder)
  const name = await logOf(folder)
  const begun = (await stat(join(folder, name))).size
  await store.put('a', bytes('one'))
  await store.transact([], ['b', 'c'].map((key) => ({ type: 'put', key, value: bytes('two') })))
  await store.grant(60_000)
  await store.delete('a')
  const contents = await readFile(join(folder, name))
  await store.close()
  return { contents, begun, name }
}

inFolder('the folder is 0700 and its files are 0600, also where the folder was there with more', async (folder) => {
  for (const name of ['new/deep', 'new/deep']) {
    const store = await open(join(folder, name))
    await store.put('a', bytes('1'))
    const files = await readdir(join(folder, name))
    assert.ok(files.length >= 2)
    for (const file of files) assert.is((await stat(join(folder, name, file))).mode & 0o777, 0o600, file)
    assert.is((await stat(join(folder, name))).mode & 0o777, 0o700)
    await store.close()
  }
})

inFolder('a second process gets FolderInUse and the process id of the first, until that dies', async (folder) => {
  const child = startStoreProcess('hold', folder)
  assert.match(await child.started, /^opened /)
  const error = await refusal(folder)
  assert.is(error.code, 'FolderInUse')
  assert.is(error.details.pid, child.pid)
  assert.match(error.message, `process ${child.pid}`)
  assert.match(error.message, folder)
  await child.kill()
  const store = await open(folder)
  assert.is(store.id, child.lines[0]!.split(' ')[1])

  const second = startStoreProcess('hold', folder)
  assert.match(await second.started, new RegExp(`^failed FolderInUse .*process ${process.pid} `))
  await second.kill()
  await store.close()
  const third = startStoreProcess('hold', folder)
  assert.match(await third.started, /^opened /)
  await third.kill()
})

inFolder('of several processes that open a folder together exactly one has it', async (folder) => {
  const children = Array.from({ length: 4 }, () => startStoreProcess('hold', folder))
  const lines = await Promise.all(children.map(({ started }) => started))
  await Promise.all(children.map((child) => child.kill()))
  assert.is(lines.filter((line) => line.startsWith('opened ')).length, 1, lines.join('\n'))
  assert.is(lines.filter((line) => line.startsWith('failed FolderInUse ')).length, 3, lines.join('\n'))
})

inFolder('the same thread cannot open a folder twice, by whatever path', async (folder) => {
  const store = await open(folder)
  assert.is((await refusal(join(folder, '.', 'x', '..'))).code, 'FolderInUse')
  await store.put('a', bytes('1'))
  await store.close()
  const again = await open(folder)
  assert.is(text((await again.get('a'))!.value), '1')
  await again.close()
})

inFolder('a worker that is terminated leaves its store to the next, in the same process', async (folder) => {
  const worker = new Worker(childProgram, { workerData: ['write', folder] })
  const logBytes = async (): Promise<number> =>
    stat(join(folder, await logOf(folder))).then(({ size }) => size, () => 0)
  await until(async () => await logBytes() > 300_000, 15_000)
  await worker.terminate()
  const store = await open(folder)
  assert.ok(await store.revision() > 3)
  const { entries } = await store.list('left/')
  assert.ok(entries.length > 0 && entries.every(({ value }) => value.length === 16_384))
  await store.put('a', bytes('1'))
  await store.close()
})

inFolder('a holder that was fenced acknowledges nothing more, and what it writes then is not there', async (folder) => {
  const store = await open(folder)
  await store.put('before', bytes('1'))
  const hold = (await readdir(folder)).find((name) => name.startsWith('hold.'))!
  // As another process does that takes this one for dead
  await writeFile(join(folder, `hold.${Number(hold.slice(5)) + 1}`), '')
  await rejects(store.put('after', bytes('1')), 'FolderInUse')
  await rejects(store.get('before'), 'FolderInUse')
  await store.close()
})

inFolder('a folder that cannot be written is NotWritable and named', async (folder) => {
  await writeFile(join(folder, 'file'), '')
  const error = await refusal(join(folder, 'file', 'store'))
  assert.is(error.code, 'NotWritable')
  assert.match(error.message, join(folder, 'file', 'store'))
})

inFolder('a changed byte anywhere is StoreDamaged, with folder, place and what to do', async (folder) => {
  const { contents, name } = await killedStore(join(folder, 'source'))
  let trials = 0
  for (let at = 0; at < contents.length; at += 3) {
    const path = join(folder, 'trial')
    await rm(path, { recursive: true, force: true })
    await open(path).then((store) => store.close())
    await rm(join(path, await logOf(path)))
    await writeFile(join(path, name), contents.map((byte, index) => (index === at ? byte ^ (1 << at % 8) : byte)))
    const error = await refusal(path)
    assert.is(error.code, 'StoreDamaged', `byte ${at} of ${contents.length}`)
    assert.match(error.message, path)
    assert.match(error.message, /restore this folder from a backup: \/.+log\.\d+, byte \d+/)
    assert.ok((error.details.byte as number) <= at)
    trials++
  }
  assert.ok(trials > 150, `enough trials: ${trials}`)
})

inFolder('a log that is cut opens with the whole changes; cut in its beginning, it is damaged', async (folder) => {
  const { contents, begun, name } = await killedStore(join(folder, 'source'))
  const seen = new Set<string>()
  for (let length = contents.length; length >= 0; length -= 2) {
    const path = join(folder, `cut${length}`)
    await open(path).then((store) => store.close())
    await writeFile(join(path, name), contents.subarray(0, length))
    // A file may have grown before its data came
    if (length === contents.length) await appendFile(join(path, name), new Uint8Array(500))
    if (length < begun) {
      assert.is((await refusal(path)).code, 'StoreDamaged', `cut at ${length}`)
      continue
    }
    const store = await open(path)
    seen.add(`${await store.revision()}:${(await store.list('')).entries.map(({ key }) => key).join('')}`)
    await store.close()
  }
  assert.equal([...seen], ['3:bc', '2:abc', '1:a', '0:'])
})

inFolder('an empty log, or one with records out of place, is StoreDamaged', async (folder) => {
  const { contents, begun, name } = await killedStore(folder)
  const beginning = contents.subarray(0, begun)
  const changes = contents.subarray(begun)
  const missing = changes.subarray(new DataView(changes.buffer, changes.byteOffset).getUint32(0) + 12)
  for (const parts of [[], [changes], [beginning, missing], [beginning, beginning], [beginning, changes, changes]]) {
    await writeFile(join(folder, name), Uint8Array.from(parts.flatMap((part) => [...part])))
    assert.is((await refusal(folder)).code, 'StoreDamaged')
  }
  await writeFile(join(folder, name), contents)
  const store = await open(folder)
  assert.is(await store.revision(), 3)
  await store.close()
})

inFolder('the log is written anew when it has grown, and stays within its limit', async (folder) => {
  const store = await open(folder)
  const value = new Uint8Array(limits.valueBytes / 4)
  let largest = 0
  for (let written = 0; written < limits.storeLogBytes * 3; written += value.length) {
    value[0]!++
    await store.put('a', value)
    largest = Math.max(largest, (await stat(join(folder, await logOf(folder)))).size)
  }
  const revision = await store.revision()
  await store.close()
  assert.ok(largest < limits.storeLogBytes * 2 + limits.watchHistoryBytes + 2 * limits.valueBytes, `${largest} bytes`)
  const again = await open(folder)
  assert.is(await again.revision(), revision)
  assert.equal((await again.get('a'))!.value[1], value[1])
  assert.equal((await readdir(folder)).length, 2)
  await again.close()
})

test.run()
