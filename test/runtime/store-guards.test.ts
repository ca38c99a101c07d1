/** The store's guards, each alone and without a disk: quicker than the suites that find the same. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Compacted, DiskFull, InvalidArgument, LeaseExpired, Overloaded, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import { createMemoryStore, emptyState } from '../../runtime/store/memory.ts'
import type { Operation } from '../../runtime/store/store.ts'
import { bytes, text } from '../compliance/store/checks.ts'
import { failureOf, quiet, testClock } from './link-fixture.ts'

const put = (key: string, value = '1'): Operation => ({ type: 'put', key, value: bytes(value) })

/** On a disk that finishes when it is told to. */
function onSlowDisk() {
  const state = emptyState(random)
  const waiting: { finish: () => void; fail: (reason: Error) => void }[] = []
  const persist = (): Promise<void> => new Promise((finish, fail) => void waiting.push({ finish, fail }))
  return { state, waiting, store: createMemoryStore({ clock: testClock(), random, state, persist }) }
}

/** Undefined while it has not settled; an error as its class. */
function watched<T>(promise: Promise<T>): { now: () => T | Error | undefined } {
  let settled: T | Error | undefined
  promise.then((value) => { settled = value }, (error: Error) => { settled = error })
  return { now: () => settled }
}

test('a transaction whose comparison fails writes nothing', async () => {
  const store = createMemoryStore({ clock: testClock(), random })
  await store.put('a', bytes('1'))
  const { succeeded } = await store.transact([{ key: 'a', modRevision: 0 }], [put('a', '2')])
  assert.is(succeeded, false)
  assert.is(text((await store.get('a'))!.value), '1')
  assert.is(await store.revision(), 1)
})

test('of two transactions in one turn that compare the same, one succeeds', async () => {
  const store = createMemoryStore({ clock: testClock(), random })
  const results = await Promise.all(['1', '2'].map((value) =>
    store.transact([{ key: 'a', modRevision: 0 }], [put('a', value)])))
  assert.equal(results.map(({ succeeded }) => succeeded), [true, false])
})

test('nothing is answered, nor shown, before it is durable; nor that a comparison with it failed', async () => {
  const { store, waiting } = onSlowDisk()
  const first = watched(store.transact([{ key: 'a', modRevision: 0 }], [put('a')]))
  await quiet()
  const second = watched(store.transact([{ key: 'a', modRevision: 0 }], [put('a', '2')]))
  await quiet()
  assert.equal([first.now(), second.now()], [undefined, undefined])
  assert.is(await store.get('a'), undefined)
  waiting[0]!.finish()
  await quiet()
  assert.equal(first.now(), { succeeded: true, revision: 1 })
  assert.is((second.now() as { succeeded: boolean }).succeeded, false)
  assert.is(waiting.length, 1)
})

test('a store whose disk failed has stopped: nothing is read from it any more', async () => {
  const { store, waiting } = onSlowDisk()
  let stopped = 0
  store.onStopped!(() => void stopped++)
  const first = failureOf(store.put('a', bytes('1')))
  await quiet()
  waiting[0]!.fail(new Error('EIO'))
  assert.instance(await first, Unavailable)
  assert.is(stopped, 1)
  assert.instance(await failureOf(store.get('a')), Unavailable)
})

test('a store whose disk is full goes on, without what was refused', async () => {
  const { store, waiting } = onSlowDisk()
  const first = failureOf(store.put('a', bytes('1')))
  await quiet()
  waiting[0]!.fail(new DiskFull('full'))
  assert.instance(await first, DiskFull)
  assert.is(await store.get('a'), undefined)
})

test('writes that wait are few', async () => {
  const { store } = onSlowDisk()
  const many = Array.from({ length: limits.storePending + 1 }, (_, index) => `k${index}`)
  const writes = many.map((key) => watched(store.put(key, bytes(''))))
  const last = watched(store.put('last', bytes('')))
  await quiet()
  assert.is(writes[0]!.now(), undefined)
  assert.instance(last.now(), Overloaded)
})

test('a lease lives by its time: one that is over takes no key and no renewal, one that was renewed does', async () => {
  const clock = testClock()
  let late = false
  // A timer may be late; the time is over all the same
  const after = (ms: number, task: () => void) => clock.after(late ? ms + 60_000 : ms, task)
  const lazy = { ...clock, after, timers: 0 }
  const store = createMemoryStore({ clock: lazy, random })
  const lease = await store.grant(1_000)
  await store.put('a', bytes('1'), { lease: lease.id })
  await clock.advance(900)
  await lease.keepAlive()
  await clock.advance(900)
  assert.ok(await store.get('a'))
  await clock.advance(101)
  assert.is(await store.get('a'), undefined)
  assert.instance(await failureOf(store.put('b', bytes('1'), { lease: lease.id })), LeaseExpired)
  assert.instance(await failureOf(lease.keepAlive()), LeaseExpired)
  late = true
  const other = await store.grant(1_000)
  await clock.advance(1_000)
  assert.instance(await failureOf(other.keepAlive()), LeaseExpired)
})

test('what a caller does to a value stays with the caller', async () => {
  const store = createMemoryStore({ clock: testClock(), random })
  const value = bytes('1')
  await store.put('a', value)
  value.fill(0)
  const found = (await store.get('a'))!.value
  assert.is(text(found), '1')
  found.fill(0)
  assert.is(text((await store.get('a'))!.value), '1')
})

test('keys and values are no longer than they may be, are Unicode, and a transaction writes a key once', async () => {
  const store = createMemoryStore({ clock: testClock(), random })
  const wrong: (() => Promise<unknown>)[] = [
    () => store.put('k'.repeat(limits.keyBytes + 1), bytes('')),
    () => store.put('k', new Uint8Array(limits.valueBytes + 1)),
    () => store.put('\ud800', bytes('')),
    () => store.transact([], [put('a'), put('a')]),
  ]
  for (const attempt of wrong) assert.instance(await failureOf(attempt()), InvalidArgument)
  assert.is(await store.revision(), 0)
})

test('who asks for changes that are forgotten is told', async () => {
  const state = emptyState(random)
  for (let revision = 1; revision <= limits.watchHistory + 1; revision++) {
    state.apply({ revision, writes: [{ key: 'a', entry: undefined }] })
  }
  const store = createMemoryStore({ clock: testClock(), random, state })
  const events = store.watch('', { after: 0, signal: new AbortController().signal })[Symbol.asyncIterator]()
  assert.instance(await failureOf(events.next()), Compacted)
})

test.run()
