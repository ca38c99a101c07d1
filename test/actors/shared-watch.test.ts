/** Watches of a store that is elsewhere: one stream for all, without gap and without a change told twice. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openRecords } from '../../actors/system-config/records.ts'
import { SharedWatches } from '../../actors/system-config/shared-watch.ts'
import { parseScope } from '../../actors/system-config/key-path.ts'
import { Compacted } from '../../runtime/errors.ts'
import { PENDING, type Feed } from '../../runtime/feed.ts'
import { limits } from '../../runtime/limits.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { StoreWatch } from '../../runtime/store/store-watch.ts'
import type { EventQueue } from '../../runtime/store/event-queue.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import type { Event, Store } from '../../runtime/store/store.ts'

const platform = await openPlatform()

/** A store that is asked for its contents, and its watches as they are begun. */
function farStore() {
  const memory = createMemoryStore(platform)
  const begun: { readonly prefix: string; readonly after: number; readonly queue: EventQueue }[] = []
  let live = 0
  const store = new Proxy(memory, {
    get(target, name) {
      if (name === 'peek') return undefined
      if (name !== 'watch') {
        const value = Reflect.get(target, name) as unknown
        return typeof value === 'function' ? value.bind(target) as unknown : value
      }
      return (prefix: string, { after, signal }: { after: number; signal: AbortSignal }) =>
        new StoreWatch(signal, (queue) => {
          begun.push({ prefix, after, queue })
          live++
          const inner = target.watch(prefix, { after, signal }) as Feed<Event>
          const drain = (): void => {
            for (let event = inner.poll(); typeof event === 'object'; event = inner.poll()) queue.push([event])
          }
          inner.onReady = drain
          drain()
          return () => {
            live--
            inner.close()
          }
        })
    },
  }) as Store
  return { store, begun, get live() { return live } }
}

const never = new AbortController().signal
/** All that is there now, as `key@revision`. */
function seen<T extends { readonly key: string; readonly revision: number }>(feed: Feed<T>): string[] {
  const all: string[] = []
  for (let item = feed.poll(); typeof item === 'object'; item = feed.poll()) all.push(`${item.key}@${item.revision}`)
  return all
}

test('a thousand hosts that follow keys of their own are one stream, and each hears of its own', async () => {
  const { store, begun } = farStore()
  const records = openRecords(store)
  const after = await records.put('nodes/first/config', '1')
  const feeds = Array.from({ length: 1_000 }, (_, index) =>
    records.watch(parseScope(`nodes/n${index}/config`), after, never))
  for (const feed of feeds) assert.is(feed.poll(), PENDING)
  for (let index = 0; index < 1_000; index++) await records.put(`nodes/n${index}/config`, String(index))
  for (const [index, feed] of feeds.entries()) {
    assert.equal(seen(feed), [`nodes/n${index}/config@${after + 1 + index}`])
  }
  assert.is(begun.length, 1)
  assert.is(records.watch(parseScope('nodes/'), after, never).poll() === PENDING, false, 'who comes later has them all')
  assert.is(begun.length, 1)
})

test('who comes back goes on where it stopped, by the same stream', async () => {
  const { store, begun } = farStore()
  const records = openRecords(store)
  const first = await records.put('users/a/settings', '1')
  const stopping = new AbortController()
  const feed = records.watch(parseScope('users/'), first, stopping.signal)
  assert.is(feed.poll(), PENDING)
  const second = await records.put('users/a/settings', '2')
  assert.equal(seen(feed), [`users/a/settings@${second}`])
  stopping.abort()
  const third = await records.put('users/a/settings', '3')
  await records.put('nodes/a/config', 'not its business')
  const again = records.watch(parseScope('users/'), second, never)
  assert.equal(seen(again), [`users/a/settings@${third}`])
  const fourth = await records.put('users/a/settings', '4')
  assert.equal(seen(again), [`users/a/settings@${fourth}`])
  assert.is(begun.length, 1)
})

test('what hosts tell of themselves is not kept: who watches it hears of all of it', async () => {
  const { store, begun } = farStore()
  const records = openRecords(store)
  const before = await records.put('devices/a/doc', '1')
  const documents = records.watch({ ...parseScope('devices/'), leaves: ['doc'] }, before, never)
  assert.is(documents.poll(), PENDING)
  const told = await records.put('devices/a/info', '1')
  const reports = records.watch(parseScope('devices/'), before, never)
  assert.equal(seen(reports), [`devices/a/info@${told}`], 'by a stream of its own')
  assert.is(begun.length, 2)
  const later = records.watch({ ...parseScope('devices/'), leaves: ['doc'] }, before, never)
  const document = await records.put('devices/b/doc', '1')
  const again = await records.put('devices/a/info', '2')
  assert.equal(seen(later), [`devices/b/doc@${document}`])
  assert.equal(seen(documents), [`devices/b/doc@${document}`])
  assert.equal(seen(reports), [`devices/b/doc@${document}`, `devices/a/info@${again}`])
  assert.is(begun.length, 2)
})

test('as many bytes of changes as the limit are kept; who comes from before catches up alone, and joins',
  async () => {
    const far = farStore()
    const shared = new SharedWatches(far.store, 'k/')
    const from = (after: number) => shared.watch({ prefix: 'k/', seesUnkept: false, after }, never)
    const start = await far.store.put('k/0', new Uint8Array())
    const whole = from(start)
    assert.is(whole.poll(), PENDING)
    const piece = new Uint8Array(limits.sharedWatchBytes / 8 - 256 - 'k/10'.length)
    const revisions: number[] = []
    for (let name = 10; name < 18; name++) revisions.push(await far.store.put(`k/${name}`, piece))
    assert.is(seen(from(start)).length, 8, 'all of them are kept')
    assert.is(far.begun.length, 1)
    const next = await far.store.put('k/18', new Uint8Array())
    assert.is(seen(from(revisions[0]!)).length, 8)
    assert.is(far.begun.length, 1, 'the oldest one is gone, behind it are the others')
    const late = from(start)
    const all = [...revisions.map((revision, index) => `k/${index + 10}@${revision}`), `k/18@${next}`]
    assert.equal(seen(late), all)
    assert.is(far.begun.length, 2, 'alone')
    assert.is(far.live, 1, 'and then with the others')
    const last = await far.store.put('k/19', new Uint8Array())
    assert.equal(seen(late), [`k/19@${last}`])
    assert.equal(seen(whole), [...all, `k/19@${last}`])
  })

test('when the stream fails, all who watch are told, and the next watch begins another', async () => {
  const { store, begun } = farStore()
  const records = openRecords(store)
  const after = await records.put('nodes/a/config', '1')
  const feeds = ['a', 'b'].map((name) => records.watch(parseScope(`nodes/${name}/config`), after, never))
  for (const feed of feeds) assert.is(feed.poll(), PENDING)
  begun[0]!.queue.fail(new Compacted('History is gone'))
  for (const feed of feeds) assert.throws(() => feed.poll(), (error: unknown) => error instanceof Compacted)
  const next = records.watch(parseScope('nodes/a/config'), after, never)
  assert.is(next.poll(), PENDING)
  const revision = await records.put('nodes/a/config', '2')
  assert.equal(seen(next), [`nodes/a/config@${revision}`])
  assert.is(begun.length, 2)
})

test('a reader that leaves in the midst of a change keeps it from nobody', async () => {
  const { store } = farStore()
  const records = openRecords(store)
  const after = await records.put('nodes/a/config', '1')
  const stopping = new AbortController()
  const [leaving, staying] = [stopping.signal, never].map((signal) =>
    records.watch(parseScope('nodes/'), after, signal)) as [Feed<never>, Feed<Event & { readonly value: never }>]
  assert.is(leaving.poll(), PENDING)
  assert.is(staying.poll(), PENDING)
  leaving.onReady = () => stopping.abort()
  const revision = await records.put('nodes/a/config', '2')
  assert.equal(seen(staying), [`nodes/a/config@${revision}`])
})

test.run()
