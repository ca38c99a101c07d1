import { statSync } from 'node:fs'
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ZonewrightError } from '../../runtime/errors.ts'
import { systemClock as clock } from '../../runtime/platform/clock.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import { openEmbeddedStore } from '../../runtime/store/embedded.ts'
import { decodeLog } from '../../runtime/store/embedded/log-contents.ts'
import { endTogether, openLogCopy, type LogCopy } from '../../runtime/store/embedded/log-copy.ts'
import { scanLog } from '../../runtime/store/embedded/log-scan.ts'
import type { StoreState } from '../../runtime/store/state.ts'
import type { Store } from '../../runtime/store/store.ts'
import { bytes, plainErrors, text } from '../compliance/store/checks.ts'

const open = (folder: string) => openEmbeddedStore(folder, { clock, random })

const inFolder = (title: string, body: (folder: string) => Promise<void>): void => {
  test(title, async () => {
    const alive = setInterval(() => {}, 1_000)
    const folder = await mkdtemp(join(tmpdir(), 'zonewright-copy-'))
    try {
      await plainErrors(() => body(folder))
    } finally {
      clearInterval(alive)
      await rm(folder, { recursive: true, force: true })
    }
  })
}

const pause = (ms: number): Promise<void> => new Promise((settle) => setTimeout(settle, ms))

/** Writes rising numbers until it is told to stop; what was acknowledged is in `acked`. */
function writer(next: () => Promise<Store> | Store, value: (number: number) => Uint8Array) {
  const acked = new Map<string, number>()
  let stopping = false
  const done = (async () => {
    for (let number = 1; !stopping; number++) {
      const store = await next()
      await Promise.all([0, 1, 2, 3].map(async (lane) => {
        await store.put(`lane/${lane}`, value(number))
        acked.set(`lane/${lane}`, number)
      }))
    }
  })()
  return { acked, stop: () => (stopping = true, done) }
}

const numberIn = (state: StoreState, key: string): number => {
  const entry = state.entry(key)
  return entry ? Number((text(entry.value) ?? '').split(' ')[0]) : 0
}

/** Copies again and again, and compares with what had been acknowledged before each. */
async function copyOften(folder: string, acked: ReadonlyMap<string, number>, times: number): Promise<Set<string>> {
  const seen = new Set<string>()
  for (let time = 0; time < times; time++) {
    const before = new Map(acked)
    const copy = (await openLogCopy(folder))!
    const { state, bytes: length } = await copy.check()
    for (const [key, number] of before) assert.ok(numberIn(state, key) >= number, `${key} of copy ${time}`)
    let read = 0
    for await (const piece of copy.read()) read += piece.length
    assert.is(read, length)
    seen.add(`${copy.name} ${copy.isNewest()}`)
    await copy.close()
    await pause(3)
  }
  return seen
}

inFolder('a copy holds every write acknowledged before it, while the log is written anew again and again',
  async (folder) => {
    const store = await open(folder)
    const inodes = new Set<number>()
    // Nine MiB of changes make the log begin anew
    const filler = 'x'.repeat(200_000)
    const { acked, stop } = writer(() => store, (number) => bytes(`${number} ${filler}`))
    while (acked.size < 4) await pause(1)
    const watch = setInterval(() => inodes.add(statSync(join(folder, 'log.1')).ino), 2)
    await copyOften(folder, acked, 15)
    clearInterval(watch)
    await stop()
    assert.ok(inodes.size > 1, 'the log was never written anew')
    await store.close()
  })

inFolder('a copy holds every write acknowledged before, while the store is opened again and again', async (folder) => {
  let store = await open(folder)
  let writes = 0
  const { acked, stop } = writer(async () => {
    if (++writes % 3 > 0) return store
    await store.close()
    return store = await open(folder)
  }, (number) => bytes(`${number} `))
  while (acked.size < 4) await pause(1)
  const seen = await copyOften(folder, acked, 40)
  await stop()
  assert.ok(new Set([...seen].map((name) => name.split(' ')[0])).size > 3, [...seen].join(', '))
  await store.close()
})

inFolder('copies of several stores that end together keep the order between them', async (folder) => {
  const [first, second] = [await open(join(folder, 'a')), await open(join(folder, 'b'))]
  let stopping = false
  const writing = (async () => {
    for (let number = 1; !stopping; number++) {
      await first.put('n', bytes(String(number)))
      await second.put('n', bytes(String(number)))
    }
  })()
  await pause(20)
  let together = 0
  for (let time = 0; time < 60; time++) {
    const copies = [(await openLogCopy(join(folder, 'a')))!, (await openLogCopy(join(folder, 'b')))!]
    const isSame = endTogether(copies)
    const numbers = await Promise.all(copies.map(async (copy) => numberIn((await copy.check()).state, 'n')))
    for (const copy of copies) await copy.close()
    if (!isSame) continue
    together++
    const ahead = (numbers[0] as number) - (numbers[1] as number)
    assert.ok(ahead === 0 || ahead === 1, `the first store is ahead by ${ahead}`)
    await pause(1)
  }
  stopping = true
  await writing
  assert.ok(together > 0, 'never at one moment')
  await Promise.all([first.close(), second.close()])
})

test('stores that are written between two looks are looked at again, until they are still or it is said', () => {
  const fake = (lengths: readonly number[], newest = true): LogCopy & { readonly ends: number[] } => {
    let look = 0
    const ends: number[] = []
    return {
      name: 'log.1', bytes: 0, ends, length: () => lengths[Math.min(look++, lengths.length - 1)] as number,
      isNewest: () => newest, endAt: (length) => void ends.push(length),
      check: () => Promise.reject(new Error('not asked for')), read: async function* () {}, close: async () => {},
    }
  }
  const [still, busy] = [fake([5]), fake([1, 2, 3, 4, 4, 4])]
  assert.is(endTogether([still, busy]), true)
  assert.equal([still.ends, busy.ends], [[5], [4]])
  const never = fake(Array.from({ length: 1_000 }, (_, at) => at))
  assert.is(endTogether([fake([5]), never]), false)
  assert.is(never.ends.length, 1)
  assert.is(endTogether([fake([5]), fake([7], false)]), false)
})

inFolder('of two logs the newer one is copied, as a crash leaves them before the older is removed', async (folder) => {
  const store = await open(folder)
  await store.put('a', bytes('old'))
  await store.close()
  const old = await readFile(join(folder, 'log.1'))
  const again = await open(folder)
  await again.put('a', bytes('new'))
  await again.close()
  await writeFile(join(folder, 'log.1'), old)
  await writeFile(join(folder, 'log.3.new'), old.subarray(0, 40))
  const copy = (await openLogCopy(folder))!
  const { state } = await copy.check()
  await copy.close()
  assert.equal([copy.name, text(state.entry('a')!.value)], ['log.2', 'new'])
})

inFolder('a copy leaves no trace, and one of a folder without a log is none', async (folder) => {
  assert.is(await openLogCopy(folder), undefined)
  const store = await open(folder)
  await store.put('a', bytes('1'))
  const before = await readdir(folder)
  const copy = (await openLogCopy(folder))!
  const { state } = await copy.check()
  await copy.close()
  assert.equal([state.id, state.revision], [store.id, 1])
  assert.equal(await readdir(folder), before)
  await store.put('a', bytes('2'))
  await store.close()
})

inFolder('a copy ends before a record that is cut, and one with a changed byte is refused', async (folder) => {
  const store = await open(folder)
  await store.put('a', bytes('one'))
  await store.put('b', bytes('two'))
  await store.close()
  const path = join(folder, 'log.1')
  const whole = new Uint8Array(await readFile(path))
  await appendFile(path, whole.subarray(0, 20))
  const copy = (await openLogCopy(folder))!
  assert.is(copy.bytes, whole.length + 20)
  assert.is((await copy.check()).bytes, whole.length)
  assert.is(copy.bytes, whole.length)
  await copy.close()
  const changed = whole.slice()
  changed[whole.length - 2] = (changed[whole.length - 2] as number) ^ 1
  await writeFile(path, changed)
  const damaged = (await openLogCopy(folder))!
  const error = await damaged.check().catch((thrown: unknown) => thrown)
  await damaged.close()
  assert.ok(error instanceof ZonewrightError)
  assert.is((error as ZonewrightError).code, 'StoreDamaged')
})

inFolder('a log read in pieces is judged as one read whole: cut anywhere, and changed anywhere', async (folder) => {
  const store = await open(folder)
  for (let number = 0; number < 5; number++) await store.put(`key ${number}`, random.bytes(number * 30))
  await store.grant(60_000)
  await store.close()
  const reopened = await open(folder)
  await reopened.delete('key 3')
  await reopened.close()
  const whole = new Uint8Array(await readFile(join(folder, 'log.2')))
  const changed = (at: number): Uint8Array => whole.map((byte, index) => (index === at ? byte ^ 0x10 : byte))
  const logs = [...whole.keys()].flatMap((at) => [whole.slice(0, at), changed(at)])
  let [damaged, good] = [0, 0]
  for (const [index, log] of logs.entries()) {
    const size = 1 + index % 97
    const pieces = Array.from({ length: Math.ceil(log.length / size) }, (_, at) =>
      log.subarray(at * size, at * size + size))
    const [scanned, decoded] = [await scanLog(pieces), decodeLog(log)]
    if ('damagedAt' in decoded) {
      damaged++
      assert.equal(scanned, decoded, `log ${index}`)
    } else {
      good++
      assert.ok(!('damagedAt' in scanned), `log ${index}`)
      const { state } = scanned as { state: StoreState }
      assert.equal([state.id, state.revision, state.size], [decoded.id, decoded.revision, decoded.size], `log ${index}`)
    }
  }
  assert.ok(damaged > 100 && good > 10, `${damaged} damaged, ${good} good`)
})

test.run()
