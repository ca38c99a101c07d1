import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import { systemClock as clock } from '../../runtime/platform/clock.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import type { Change } from '../../runtime/store/change.ts'
import { createMemoryStore, emptyState } from '../../runtime/store/memory.ts'
import { compareKeys, OrderedMap } from '../../runtime/store/ordered-map.ts'
import { bytes, rejects, text } from '../compliance/store/checks.ts'

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0))

/** A store on a disk that finishes a commit when it is told to. */
function onSlowDisk() {
  const state = emptyState(random)
  const commits: { changes: readonly Change[]; finish: () => void; fail: (reason: Error) => void }[] = []
  const persist = (changes: readonly Change[]): Promise<void> =>
    new Promise((finish, fail) => commits.push({ changes, finish, fail }))
  return { state, commits, store: createMemoryStore({ clock, random, state, persist }) }
}

test('writes in flight share commits: the first goes alone at most, the others wait for it together', async () => {
  let commits = 0
  const store = createMemoryStore({ clock, random, persist: async () => { commits++; await turn() } })
  await Promise.all(Array.from({ length: 1_000 }, (_, index) => store.put(`k${index}`, bytes('1'))))
  assert.is(commits, 1)
  await Promise.all(Array.from({ length: 10 }, async (_, index) => {
    if (index > 0) await turn()
    await store.put(`k${index}`, bytes('2'))
  }))
  assert.ok(commits <= 3, `${commits} commits`)
  await store.close()
})

test('what is not durable yet is not seen by a reader, a list or a watch', async () => {
  const { store, commits } = onSlowDisk()
  const stop = new AbortController()
  const events = store.watch('', { after: 0, signal: stop.signal })[Symbol.asyncIterator]()
  const next = events.next()
  const written = store.put('a', bytes('1'))
  await turn()
  assert.is(await store.get('a'), undefined)
  assert.equal((await store.list('')).entries, [])
  assert.is(await store.revision(), 0)
  assert.is(await Promise.race([next.then(() => 'event'), turn().then(() => 'nothing')]), 'nothing')
  commits[0]!.finish()
  assert.is(await written, 1)
  assert.is((await next).value.key, 'a')
  assert.is(text((await store.get('a'))!.value), '1')
  stop.abort()
  await store.close()
})

test('a compare sees what is on its way to the disk, and its answer waits until that is durable', async () => {
  const { store, commits } = onSlowDisk()
  const first = store.transact([{ key: 'a', modRevision: 0 }], [{ type: 'put', key: 'a', value: bytes('first') }])
  await turn()
  let answered = false
  const second = store.transact([{ key: 'a', modRevision: 0 }], [{ type: 'put', key: 'a', value: bytes('second') }])
    .finally(() => { answered = true })
  await turn()
  assert.not(answered)
  commits[0]!.finish()
  assert.equal(await first, { succeeded: true, revision: 1 })
  const result = await second
  assert.not(result.succeeded)
  assert.is(!result.succeeded && text(result.found[0]?.value), 'first')
  await store.close()
})

test('when one commit settles, a later write to the same key that is still on its way is not forgotten', async () => {
  const { store, commits } = onSlowDisk()
  const first = store.put('a', bytes('1'))
  await turn()
  const second = store.put('a', bytes('2'))
  commits[0]!.finish()
  assert.is(await first, 1)
  const third = store.transact([{ key: 'a', modRevision: 2 }], [{ type: 'put', key: 'a', value: bytes('3') }])
  await turn()
  commits[1]!.finish()
  assert.is(await second, 2)
  await turn()
  commits[2]!.finish()
  assert.equal(await third, { succeeded: true, revision: 3 })
  assert.is((await store.get('a'))!.version, 3)
  await store.close()
})

test('a crash before a commit settles takes the writes with it; the state is what was durable', async () => {
  const { state, store, commits } = onSlowDisk()
  const kept = store.put('kept', bytes('1'))
  await turn()
  commits[0]!.finish()
  await kept
  void store.put('lost', bytes('1'))
  await turn()
  assert.is(commits.length, 2)
  const again = createMemoryStore({ clock, random, state })
  assert.is(again.id, store.id)
  assert.equal((await again.list('')).entries.map(({ key }) => key), ['kept'])
  assert.is(await again.put('next', bytes('1')), 2)
  await again.close()
})

test('a commit that fails stops the store: what was in flight and all later calls are Unavailable', async () => {
  const { store, commits } = onSlowDisk()
  const stop = new AbortController()
  const events = store.watch('', { after: 0, signal: stop.signal })[Symbol.asyncIterator]()
  const watch = rejects(events.next(), 'Unavailable')
  const first = rejects(store.put('a', bytes('1')), 'Unavailable')
  await turn()
  const second = rejects(store.put('b', bytes('1')), 'Unavailable')
  commits[0]!.fail(new Error('ENOSPC'))
  await Promise.all([first, second, watch])
  await rejects(store.get('a'), 'Unavailable')
  await rejects(store.put('a', bytes('1')), 'Unavailable')
  assert.is(commits.length, 1)
  await store.close()
})

test('writes that wait for the disk are bounded: one more is Overloaded, and the others are done', async () => {
  const { store, commits } = onSlowDisk()
  const waiting = Array.from({ length: limits.storePending }, (_, index) => store.put(`k${index}`, bytes('1')))
  await rejects(store.put('one more', bytes('1')), 'Overloaded')
  await turn()
  commits[0]!.finish()
  await Promise.all(waiting)
  assert.is(await store.revision(), limits.storePending)
  assert.is(await store.get('one more'), undefined)
  await store.close()
})

test('leases are bounded: one more is Overloaded, and ending one makes room', async () => {
  const store = createMemoryStore({ clock, random })
  const leases = await Promise.all(Array.from({ length: limits.leases }, () => store.grant(60_000)))
  await rejects(store.grant(60_000), 'Overloaded')
  await leases[0]!.revoke()
  await store.grant(60_000)
  assert.is(new Set(leases.map(({ id }) => id)).size, limits.leases)
  await store.close()
})

test('a lease is over when its time is, even where its timer is late; a renewal moves the timer', async () => {
  let now = 0
  const timers: { at: number; task: () => void }[] = []
  const byHand: Clock = { ...clock, monotonic: () => now, after: (delayMs, task) => {
    timers.push({ at: now + delayMs, task })
    return () => {}
  } }
  const store = createMemoryStore({ clock: byHand, random })
  const lease = await store.grant(100)
  await store.put('a', bytes('1'), { lease: lease.id })
  now = 99
  await lease.keepAlive()
  now = 100
  timers.shift()!.task()
  await turn()
  assert.is(text((await store.get('a'))?.value), '1')
  assert.is(timers[0]!.at, 199)
  now = 199
  await rejects(lease.keepAlive(), 'LeaseExpired')
  timers.shift()!.task()
  await turn()
  assert.is(await store.get('a'), undefined)
  await store.close()
})

test('a full store refuses what makes it larger, and takes what makes it smaller', async () => {
  const store = createMemoryStore({ clock, random })
  const value = new Uint8Array(limits.valueBytes)
  const count = Math.floor(limits.storeBytes / value.length) - 1
  for (let index = 0; index < count; index++) await store.put(`k${index}`, value)
  await store.put('last', value.subarray(0, value.length - 8_192))
  await rejects(store.put('more', value), 'LimitExceeded')
  await store.put('k0', bytes('smaller'))
  await store.put('more', value.subarray(0, value.length - 8_192))
  await store.close()
})

test('history keeps its number of revisions and no more', async () => {
  const store = createMemoryStore({ clock, random })
  for (let written = 0; written < limits.watchHistory + 5; written += 1_000) {
    const count = Math.min(1_000, limits.watchHistory + 5 - written)
    await Promise.all(Array.from({ length: count }, () => store.put('a', new Uint8Array(0))))
  }
  const first = async (after: number): Promise<number> => {
    for await (const { revision } of store.watch('', { after, signal: new AbortController().signal })) return revision
    throw new Error('The watch ended')
  }
  const oldest = (await first(limits.watchHistory)) - limits.watchHistory
  assert.is(oldest, 1)
  await rejects(first(4), 'Compacted')
  await store.close()
})

test('a memory store completes by microtasks alone and asks the clock for leases only', async () => {
  let timers = 0
  const counting: Clock = { ...clock, after: (delayMs, task) => { timers++; return clock.after(delayMs, task) } }
  const store = createMemoryStore({ clock: counting, random })
  let turned = false
  setTimeout(() => { turned = true }, 0)
  for (let index = 0; index < 20; index++) {
    await store.put(`k${index}`, bytes('1'))
    await store.get(`k${index}`)
    await store.transact([{ key: `k${index}`, modRevision: index + 1 }], [])
  }
  for await (const { revision } of store.watch('', { after: 0, signal: new AbortController().signal })) {
    if (revision === 20) break
  }
  assert.is(turned, false)
  assert.is(timers, 0)
  const lease = await store.grant(1_000)
  assert.is(timers, 1)
  await lease.revoke()
  await store.close()
})

test('an ordered map is what sorting all its keys gives, after any inserts and deletes', () => {
  const map = new OrderedMap<number>()
  const plain = new Map<string, number>()
  let seed = 1
  const below = (limit: number): number => (seed = (seed * 48_271) % 2_147_483_647) % limit
  const units = ['a', 'b', '\u07ff', '\ud7ff', '\ue000', '\u{10000}', '\u{1f600}']
  for (let step = 0; step < 6_000; step++) {
    const key = Array.from({ length: 1 + below(6) }, () => units[below(units.length)]).join('')
    if (below(3) === 0) {
      map.delete(key)
      plain.delete(key)
    } else {
      map.set(key, step)
      plain.set(key, step)
    }
  }
  const utf8 = (key: string): string => Array.from(bytes(key), (byte) => byte.toString(16).padStart(2, '0')).join('')
  const sorted = [...plain].sort(([left], [right]) => (utf8(left) < utf8(right) ? -1 : 1))
  assert.is(map.size, plain.size)
  assert.ok(plain.size > 1_500, `large enough to have several blocks: ${plain.size}`)
  assert.equal([...map.from('', false)], sorted)
  for (const start of ['a', 'b\ue000', '\u{10000}', '\u{1f601}']) {
    assert.equal([...map.from(start, true)], sorted.filter(([key]) => compareKeys(key, start) > 0))
    assert.equal([...map.from(start, false)], sorted.filter(([key]) => compareKeys(key, start) >= 0))
  }
})

test.run()
