/** One store on its way into a real etcd: what stays the same, and what waits. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Entry, Event, Store } from '../../runtime/store/store.ts'
import { codeOf, plainErrors, put, rejects, take, text, until, watching } from '../compliance/store/checks.ts'
import { startEtcd, type EtcdServer } from './etcd-server.ts'
import { bytes, move, newFolder, open, openFolder, removeFolder, type EtcdLocation } from './move-fixture.ts'

let etcd: EtcdServer
const folders: string[] = []
const moves = suite('store: a move')
const test = (title: string, body: () => Promise<void>): void => moves(title, () => plainErrors(body))
moves.before(async () => { etcd = await startEtcd() })
moves.after(async () => {
  await etcd.end()
  await Promise.all(folders.map(removeFolder))
})

let prefixes = 0
const target = (): EtcdLocation => ({ type: 'etcd', endpoints: [etcd.endpoint], prefix: `/moves/${++prefixes}` })
async function folder(): Promise<string> {
  const made = await newFolder()
  folders.push(made)
  return made
}

/** Entries of several versions, of which some are gone. */
async function fill(store: Store, count: number): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    const keys = Array.from({ length: Math.min(500, count - from) }, (_, index) => `k/${from + index}`)
    await store.transact([], keys.map((key) => put(key, `1 of ${key}`)))
  }
  const every = (step: number): readonly string[] =>
    Array.from({ length: Math.ceil(count / step) }, (_, index) => `k/${index * step}`)
  await Promise.all(every(7).map((key) => store.put(key, bytes(`2 of ${key}`))))
  await Promise.all(every(11).map((key) => store.delete(key)))
}

const shown = ({ value, ...entry }: Entry) => ({ ...entry, value: text(value) })
const all = async (store: Store) => (await store.list('')).entries.map(shown)

test('entries keep their values, order and revisions, and are the same when the store is opened there', async () => {
  const [from, to] = [await folder(), target()]
  const store = await openFolder(from)
  await fill(store, 1_500)
  await store.put('ü/😀', bytes('not only ASCII'))
  const [before, id, revision] = [await all(store), store.id, await store.revision()]
  const moved = await move(store, to, 'one')
  assert.is(moved.entries, before.length)
  assert.is(moved.revision, revision)
  assert.equal(await all(store), before)
  assert.is(store.id, id)
  assert.ok(await store.revision() >= revision)
  const again = await open(to, 'one')
  assert.equal(await all(again), before)
  assert.is(again.id, id)
  await Promise.all([store.close(), again.close()])
  await rejects(openFolder(from), 'StoreMoved')
})

test('a revision from before the move is good for a compare as long as the key was not written since', async () => {
  const store = await openFolder(await folder())
  await fill(store, 40)
  const old = (await store.get('k/1'))!
  const older = (await store.get('k/7'))!
  await move(store, target(), 'one')
  const compare = { key: 'k/1', modRevision: old.modRevision }
  assert.not((await store.transact([{ ...compare, modRevision: older.modRevision }], [put('no')])).succeeded)
  const failed = await store.transact([compare, { key: 'k/7', modRevision: 1 }], [put('no')])
  assert.not(failed.succeeded)
  const found = failed.succeeded ? [] : failed.found.map((each) => each?.modRevision)
  assert.equal(found, [old.modRevision, older.modRevision])
  const won = await store.transact([compare, { key: 'absent', modRevision: 0 }], [put('k/1', 'new')])
  assert.ok(won.succeeded)
  assert.not((await store.transact([compare], [put('k/1', 'stale')])).succeeded)
  const now = (await store.get('k/1'))!
  assert.equal([now.createRevision, now.modRevision, now.version], [old.createRevision, won.revision, old.version + 1])
  assert.ok((await store.transact([{ key: 'k/1', modRevision: now.modRevision }], [put('k/1', 'newer')])).succeeded)
  await store.delete('k/1')
  const made = await store.put('k/1', bytes('another'))
  const another = (await store.get('k/1'))!
  assert.equal([another.createRevision, another.modRevision, another.version], [made, made, 1])
  assert.not((await store.transact([compare], [put('no')])).succeeded)
  assert.is(await store.get('no'), undefined)
  await store.close()
})

test('a watch ends with Compacted as the store changes its place; one from a revision of before does too', async () => {
  const store = await openFolder(await folder())
  await fill(store, 20)
  const before = await store.revision()
  await watching(store, '', before, async (events) => {
    const ended = codeOf(events.next())
    await move(store, target(), 'one')
    assert.is(await ended, 'Compacted')
  })
  const early = watching(store, '', before - 1, async (events) => void await events.next())
  await rejects(Promise.race([early, new Promise((resolve) => setTimeout(resolve, 3_000))]), 'Compacted')
  await watching(store, 'k/', before, async (events) => {
    const next = await store.put('k/new', bytes('1'))
    const [event] = await take(events, 1) as [Event]
    assert.equal([event.key, event.revision], ['k/new', next])
    assert.ok(next > before)
  })
  await store.close()
})

test('what is written while the store is copied is there, in the state that was acknowledged', async () => {
  const [from, to] = [await folder(), target()]
  const store = await openFolder(from)
  await fill(store, 4_000)
  const known = new Map<string, string | undefined>()
  let [writing, writes] = [true, 0]
  const writer = async (number: number): Promise<void> => {
    for (let index = number; writing; index += 13) {
      const key = `k/${(index * 31) % 5_000}-${number}`
      const [deletes, value] = [index % 5 === 0, `${number} ${index}`]
      if (deletes) await store.delete(key)
      else await store.put(key, bytes(value))
      known.set(key, deletes ? undefined : value)
      writes++
    }
  }
  const writers = [1, 2, 3, 4].map(writer)
  const moved = await move(store, to, 'one')
  const during = writes
  await until(async () => writes > during + 20, 10_000)
  writing = false
  await Promise.all(writers)
  assert.ok(during > 0)
  assert.is(await store.moveSource, undefined)
  const again = await open(to, 'one')
  for (const [key, value] of known) assert.is(text((await again.get(key))?.value), value, key)
  assert.ok(moved.fences >= 1)
  await Promise.all([store.close(), again.close()])
})

test('reads and writes go on while 20,000 entries move: nobody waits longer than the fence may last', async () => {
  const store = await openFolder(await folder())
  await fill(store, 20_000)
  let [moving, stalledMs] = [true, 0]
  const waits = { read: 0, write: 0 }
  const follow = async (what: 'read' | 'write', ask: () => Promise<unknown>): Promise<void> => {
    for (let last = performance.now(); moving;) {
      await ask()
      await new Promise((resolve) => setTimeout(resolve, 1))
      const now = performance.now()
      waits[what] = Math.max(waits[what], now - last)
      last = now
    }
  }
  // What this thread stands still for where the machine is busy
  const idle = (async () => {
    for (let last = performance.now(); moving;) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      const now = performance.now()
      stalledMs = Math.max(stalledMs, now - last)
      last = now
    }
  })()
  const reading = follow('read', () => store.get('k/1'))
  const writing = follow('write', () => store.put('k/2', bytes('again')))
  const moved = await move(store, target(), 'one')
  moving = false
  await Promise.all([reading, writing, idle])
  assert.ok(moved.entries > 18_000)
  assert.ok(waits.read < 200 + stalledMs, `a read waited ${waits.read} ms, the thread ${stalledMs} ms`)
  assert.ok(waits.write < 200 + 2 * stalledMs, `a write waited ${waits.write} ms, the thread ${stalledMs} ms`)
  await store.close()
})

moves.run()
