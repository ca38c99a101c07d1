import * as assert from 'uvu/assert'
import { limits } from '../../../runtime/limits.ts'
import type { Event } from '../../../runtime/store/store.ts'
import { bytes, keysOf, put, rejects, take, text, until, watching, type Check } from './checks.ts'

export function watches(check: Check): void {
  check('a watch gives puts and deletes in order, each with its revision', async (store) => {
    const before = await store.put('w/0', bytes('not seen'))
    await watching(store, 'w/', before, async (events) => {
      const a = await store.put('w/a', bytes('1'))
      await store.put('x', bytes('other prefix'))
      await store.delete('w/a')
      const deleted = await store.revision()
      const b = await store.put('w/b', bytes('2'))
      const seen = (await take(events, 3)).map(({ value, ...event }) => ({ ...event, value: text(value) }))
      assert.equal(seen, [
        { type: 'put', key: 'w/a', revision: a, value: '1' },
        { type: 'delete', key: 'w/a', revision: deleted, value: '' },
        { type: 'put', key: 'w/b', revision: b, value: '2' },
      ])
    })
  })

  check('a watch from a past revision replays what came after it', async (store) => {
    const revisions: number[] = []
    for (let index = 0; index < 10; index++) revisions.push(await store.put(`w/${index}`, bytes(String(index))))
    await watching(store, 'w/', revisions[3]!, async (events) => {
      assert.equal((await take(events, 6)).map(({ revision }) => revision), revisions.slice(4))
    })
  })

  check('a watch from a future revision begins there', async (store) => {
    const now = await store.put('w/a', bytes('1'))
    await watching(store, 'w/', now + 2, async (events) => {
      const next = take(events, 1)
      for (let revision = now; revision <= now + 2;) revision = await store.put('w/a', bytes('later'))
      assert.ok((await next)[0]!.revision > now + 2)
    })
  })

  check('the events of one transaction have one revision, and the order of its operations', async (store) => {
    await store.put('w/c', bytes('old'))
    const before = await store.revision()
    const { revision } = await store.transact([], [put('w/b'), { type: 'delete', key: 'w/c' }, put('w/a')])
    await watching(store, 'w/', before, async (events) => {
      const seen = await take(events, 3)
      assert.ok(seen.every((event) => event.revision === revision))
      assert.equal(keysOf(seen), ['w/b', 'w/c', 'w/a'])
    })
  })

  check('a watch that begins while others write has no gap and no double', async (store, { wait }) => {
    const total = 400
    let acknowledged = 0
    const begun = await store.revision()
    const writers = Promise.all(Array.from({ length: 4 }, async (_, writer) => {
      for (let index = 0; index < total / 4; index++) {
        await store.put(`w/${writer}`, bytes(String(index)))
        acknowledged++
      }
    }))
    const readAll = async (after: number, count: number): Promise<Event[]> => {
      let seen: Event[] = []
      await watching(store, 'w/', after, async (events) => { seen = await take(events, count) })
      return seen
    }
    const whole = readAll(begun, total + 1)
    await until(async () => acknowledged > total / 4, 10_000, wait)
    const middle = await store.revision()
    const late = readAll(middle, 1)
    await writers
    await store.put('w/last', bytes('1'))
    const seen = await whole
    assert.ok(middle > begun)
    assert.is((await late)[0]!.revision, seen.find(({ revision }) => revision > middle)!.revision)
    assert.ok(seen.every(({ revision }, index) => index === 0 || revision > seen[index - 1]!.revision))
    for (const writer of [0, 1, 2, 3]) {
      const values = seen.filter(({ key }) => key === `w/${writer}`).map(({ value }) => Number(text(value)))
      assert.equal(values, Array.from({ length: total / 4 }, (_, index) => index))
    }
  })

  check('list, then watch from its revision, leaves nothing out', async (store) => {
    const writing = Promise.all(Array.from({ length: 100 }, (_, index) => store.put(`w/${index}`, bytes('1'))))
    const { entries, revision } = await store.list('w/')
    await watching(store, 'w/', revision, async (events) => {
      const later = await take(events, 100 - entries.length)
      assert.is(new Set([...keysOf(entries), ...keysOf(later)]).size, 100)
    })
    await writing
  })
}

export function watchEnds(check: Check): void {
  check('a watch ends when its signal aborts, waiting or not', async (store) => {
    const after = await store.put('w/a', bytes('1'))
    await watching(store, 'w/', after, async (events, stop) => {
      const waiting = events.next()
      await store.put('x', bytes('1'))
      stop.abort()
      assert.equal(await waiting, { value: undefined, done: true })
    })
    await watching(store, 'w/', after - 1, async (events, stop) => {
      await take(events, 1)
      await store.put('w/a', bytes('2'))
      stop.abort()
      assert.is((await events.next()).done, true)
    })
    await watching(store, 'w/', after, async (events, stop) => {
      stop.abort()
      assert.is((await events.next()).done, true)
    })
  })

  check('a reader may leave a watch by leaving its loop', async (store) => {
    const after = await store.revision()
    await store.transact([], [put('w/a'), put('w/b')])
    const keys: string[] = []
    for await (const { key } of store.watch('w/', { after, signal: new AbortController().signal })) {
      keys.push(key)
      break
    }
    assert.equal(keys, ['w/a'])
    await store.put('w/c', bytes('1'))
  })

  check('what a reader does to an event is not seen by another', async (store) => {
    const after = await store.revision()
    await store.put('w/a', bytes('mine'))
    await watching(store, '', after, async (events) => void (await take(events, 1))[0]!.value.fill(0))
    await watching(store, '', after, async (events) => assert.is(text((await take(events, 1))[0]!.value), 'mine'))
  })

  check('a watch from before the history is Compacted, one from its edge is not', async (store, { forget }) => {
    const early = await store.put('w/a', bytes('1'))
    await store.put('w/a', bytes('2'))
    await store.put('w/a', bytes('3'))
    await forget(store)
    const edge = await store.revision()
    await rejects(watching(store, 'w/', early, async (events) => void await events.next()), 'Compacted')
    await watching(store, 'w/', edge, async (events) => {
      const next = await store.put('w/b', bytes('3'))
      assert.is((await take(events, 1))[0]!.revision, next)
    })
  })

  check('a reader that is too far behind gets WatchOverrun, and others go on', async (store, { wait }) => {
    const after = await store.revision()
    await watching(store, 'w/', after, async (slow) => {
      await watching(store, 'last', after, async (other) => {
        await store.put('w/begun', bytes('1'))
        await take(slow, 1)
        const otherNext = take(other, 1)
        const operations = Array.from({ length: limits.transactionOperations }, (_, index) => put(`w/${index}`))
        for (let events = 0; events <= limits.watchBacklog; events += operations.length) {
          await store.transact([], operations)
        }
        const last = await store.put('last', bytes('1'))
        assert.is((await otherNext)[0]!.revision, last)
        // Where events travel, the overrun shows when they have arrived
        await rejects((async () => {
          await until(async () => (await store.revision()) >= last, 5_000, wait)
          for (let read = 0; read < 10; read++) {
            await wait(300)
            await take(slow, 1)
          }
        })(), 'WatchOverrun')
      })
    })
  })
}
