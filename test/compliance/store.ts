import { suite, type uvu } from 'uvu'
import * as assert from 'uvu/assert'
import { ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Event, Operation, Store } from '../../runtime/store/store.ts'

export interface StoreUnderTest {
  readonly store: Store
  /** Makes the store forget all history before its present revision. */
  forget(store: Store): Promise<void>
  /** A Store over the same contents, as a new process would open it; absent where nothing outlives the process. */
  reopen?(): Promise<Store>
  end(): Promise<void>
}

/** What every Store does, whatever it is made of. `open` gives an empty one. The caller runs the suite. */
export function storeCompliance(name: string, open: () => Promise<StoreUnderTest>): uvu.Test {
  const test = suite(`store: ${name}`)
  const check = (title: string, body: (store: Store, under: StoreUnderTest) => Promise<void>): void => {
    test(title, async () => {
      const under = await open()
      try {
        await body(under.store, under)
      } finally {
        await under.end()
      }
    })
  }
  entries(check)
  listings(check)
  transactions(check)
  boundaries(check)
  watches(check)
  watchEnds(check)
  leases(check)
  lifetimes(check)
  return test
}

type Check = (title: string, body: (store: Store, under: StoreUnderTest) => Promise<void>) => void

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (value: Uint8Array | undefined): string | undefined => value && new TextDecoder().decode(value)

/** The promise must reject with this code. */
export async function rejects(promise: Promise<unknown>, code: string): Promise<void> {
  const outcome = await promise.then(() => 'no error', (error: unknown) =>
    error instanceof ZonewrightError ? error.code : `not one of ours: ${String(error)}`)
  assert.is(outcome, code)
}

async function take(events: AsyncIterator<Event>, count: number): Promise<Event[]> {
  const taken: Event[] = []
  while (taken.length < count) {
    const { value, done } = await events.next()
    assert.not(done, `the watch ended after ${taken.length} of ${count} events`)
    taken.push(value as Event)
  }
  return taken
}

/** Runs `body` with an open watch, and ends it. */
async function watching(
  store: Store, prefix: string, after: number, body: (events: AsyncIterator<Event>, stop: AbortController) => Promise<void>,
): Promise<void> {
  const stop = new AbortController()
  const events = store.watch(prefix, { after, signal: stop.signal })[Symbol.asyncIterator]()
  try {
    await body(events, stop)
  } finally {
    stop.abort()
    await events.return?.()
  }
}

async function until(reached: () => Promise<boolean>, withinMs: number): Promise<void> {
  for (let waited = 0; waited < withinMs; waited += 25) {
    if (await reached()) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  assert.unreachable(`not reached within ${withinMs} ms`)
}

const put = (key: string, value = ''): Operation => ({ type: 'put', key, value: bytes(value) })
const keysOf = (list: readonly { key: string }[]): string[] => list.map(({ key }) => key)

function entries(check: Check): void {
  check('a key that was never written is absent', async (store) => {
    assert.is(await store.get('a'), undefined)
  })

  check('a put returns its revision, and get gives value, revisions and version', async (store) => {
    const first = await store.put('a', bytes('one'))
    const second = await store.put('a', bytes('two'))
    const { value, ...entry } = (await store.get('a'))!
    assert.is(text(value), 'two')
    assert.equal(entry, { key: 'a', createRevision: first, modRevision: second, version: 2 })
  })

  check('revisions grow with every write, and revision() is the last of them', async (store) => {
    const before = await store.revision()
    const first = await store.put('a', bytes('1'))
    const second = await store.put('b', bytes('2'))
    assert.ok(before < first && first < second)
    assert.is(await store.revision(), second)
  })

  check('a delete uses a revision and starts the key anew', async (store) => {
    const first = await store.put('a', bytes('1'))
    assert.is(await store.delete('a'), true)
    assert.is(await store.get('a'), undefined)
    const deleted = await store.revision()
    const again = await store.put('a', bytes('2'))
    assert.ok(first < deleted && deleted < again)
    const entry = (await store.get('a'))!
    assert.equal([entry.createRevision, entry.modRevision, entry.version], [again, again, 1])
  })

  check('deleting an absent key is false and uses no revision', async (store) => {
    const before = await store.put('a', bytes('1'))
    assert.is(await store.delete('b'), false)
    assert.is(await store.revision(), before)
  })

  check('a value may be empty and may hold any byte', async (store) => {
    const every = Uint8Array.from({ length: 256 }, (_, index) => index)
    await store.put('every', every)
    await store.put('empty', new Uint8Array(0))
    assert.equal([...(await store.get('every'))!.value], [...every])
    assert.is((await store.get('empty'))!.value.length, 0)
  })

  check('a value is the caller\'s own, before the put settles and after the get', async (store) => {
    const value = bytes('mine')
    const done = store.put('a', value)
    value.fill(0)
    await done
    const read = (await store.get('a'))!.value
    assert.is(text(read), 'mine')
    read.fill(0)
    assert.is(text((await store.get('a'))!.value), 'mine')
  })

  check('writes to one key in flight together take effect in the order of the calls', async (store) => {
    const revisions = await Promise.all(['1', '2', '3', '4'].map((value) => store.put('a', bytes(value))))
    assert.equal(revisions, [...revisions].sort((left, right) => left - right))
    const entry = (await store.get('a'))!
    assert.equal([text(entry.value), entry.version, entry.modRevision], ['4', 4, revisions[3]])
  })
}

function listings(check: Check): void {
  check('a list has the keys that start with the prefix, and no other', async (store) => {
    for (const key of ['user', 'users/', 'users/a', 'users/b', 'users0', 'v']) await store.put(key, bytes(key))
    const { entries, more } = await store.list('users/')
    assert.equal(keysOf(entries), ['users/', 'users/a', 'users/b'])
    assert.equal(entries.map(({ value }) => text(value)), ['users/', 'users/a', 'users/b'])
    assert.is(more, false)
    assert.equal(keysOf((await store.list('')).entries).length, 6)
    assert.equal((await store.list('w')).entries, [])
  })

  check('keys are ordered by their UTF-8 bytes', async (store) => {
    // In UTF-16 the last two would stand the other way round
    const ordered = ['\u0000', 'A', 'Z', 'a', 'aa', 'b', 'ä', '\u07ff', '\u0800', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}']
    for (const key of [...ordered].reverse()) await store.put(`k${key}`, bytes(key))
    assert.equal(keysOf((await store.list('k')).entries), ordered.map((key) => `k${key}`))
    assert.equal(keysOf((await store.list('k', { after: 'k\uffff' })).entries), ['k\u{10000}', 'k\u{10ffff}'])
  })

  check('a list in pages gives every key once, and says when it is the last page', async (store) => {
    const keys = Array.from({ length: 25 }, (_, index) => `p/${String(index).padStart(2, '0')}`)
    await store.transact([], [...keys, 'o', 'q'].map((key) => put(key)))
    const seen: string[] = []
    let pages = 0
    for (let after: string | undefined; ;) {
      const page = await store.list('p/', { limit: 10, ...(after !== undefined && { after }) })
      pages++
      seen.push(...keysOf(page.entries))
      if (!page.more) break
      after = seen.at(-1)!
    }
    assert.equal(seen, keys)
    assert.is(pages, 3)
    assert.is((await store.list('p/', { limit: 25 })).more, false)
  })

  check('a list may begin after a key that is absent, and before or behind the prefix', async (store) => {
    await store.transact([], ['p/a', 'p/c'].map((key) => put(key)))
    assert.equal(keysOf((await store.list('p/', { after: 'p/b' })).entries), ['p/c'])
    assert.equal(keysOf((await store.list('p/', { after: 'a' })).entries), ['p/a', 'p/c'])
    assert.equal(keysOf((await store.list('p/', { after: 'q' })).entries), [])
  })

  check('a list says the revision at which it was true', async (store) => {
    await store.put('a', bytes('1'))
    const { revision } = await store.list('a')
    assert.is(revision, await store.revision())
    await store.put('b', bytes('1'))
    assert.ok((await store.list('a')).revision > revision)
  })

  check('ten thousand keys, written in no order, are listed in order', async (store) => {
    const keys = Array.from({ length: 10_000 }, (_, index) => `n/${String(index).padStart(5, '0')}`)
    const mixed = keys.map((_, index) => keys[(index * 7_919) % keys.length]!)
    for (let from = 0; from < mixed.length; from += 1_000) {
      await store.transact([], mixed.slice(from, from + 1_000).map((key) => put(key, key)))
    }
    const { entries, more } = await store.list('n/')
    assert.is(more, false)
    assert.ok(entries.length === keys.length && entries.every(({ key, value }, index) => key === keys[index] && text(value) === key))
  })
}

function transactions(check: Check): void {
  check('a transaction whose compares hold does all operations at one revision', async (store) => {
    const a = await store.put('a', bytes('1'))
    await store.put('gone', bytes('1'))
    const result = await store.transact(
      [{ key: 'a', modRevision: a }, { key: 'b', modRevision: 0 }],
      [put('a', '2'), put('b', '2'), { type: 'delete', key: 'gone' }],
    )
    assert.equal(result, { succeeded: true, revision: await store.revision() })
    assert.is((await store.get('a'))!.modRevision, result.revision)
    assert.is((await store.get('b'))!.modRevision, result.revision)
    assert.is(await store.get('gone'), undefined)
  })

  check('a transaction with a compare that fails does nothing and says what it found', async (store) => {
    const a = await store.put('a', bytes('1'))
    const result = await store.transact(
      [{ key: 'a', modRevision: a }, { key: 'a', modRevision: 0 }, { key: 'b', modRevision: 0 }],
      [put('a', '2'), put('b', '2')],
    )
    assert.not(result.succeeded)
    assert.is(result.revision, a)
    if (result.succeeded) return
    assert.equal(result.found.map((entry) => text(entry?.value)), ['1', '1', undefined])
    assert.is(result.found[0]!.modRevision, a)
    assert.is(text((await store.get('a'))!.value), '1')
    assert.is(await store.get('b'), undefined)
    assert.is(await store.revision(), a)
  })

  check('a compare with an old revision fails after a delete and a new creation', async (store) => {
    const first = await store.put('a', bytes('1'))
    await store.delete('a')
    assert.not((await store.transact([{ key: 'a', modRevision: first }], [put('b')])).succeeded)
    await store.put('a', bytes('1'))
    assert.not((await store.transact([{ key: 'a', modRevision: first }], [put('b')])).succeeded)
    assert.is(await store.get('b'), undefined)
  })

  check('a transaction that changes nothing succeeds and uses no revision', async (store) => {
    const before = await store.put('a', bytes('1'))
    assert.equal(await store.transact([], []), { succeeded: true, revision: before })
    assert.equal(await store.transact([], [{ type: 'delete', key: 'b' }]), { succeeded: true, revision: before })
    assert.is(await store.revision(), before)
  })

  check('of racing compare-and-sets exactly one wins', async (store) => {
    const { modRevision } = (await store.put('a', bytes('0')), (await store.get('a'))!)
    const results = await Promise.all(Array.from({ length: 20 }, (_, index) =>
      store.transact([{ key: 'a', modRevision }], [put('a', `winner ${index}`)])))
    const winners = results.flatMap(({ succeeded }, index) => (succeeded ? [index] : []))
    assert.is(winners.length, 1)
    assert.is(text((await store.get('a'))!.value), `winner ${winners[0]}`)
    assert.is((await store.get('a'))!.version, 2)
  })

  check('counting by compare-and-set, with retries, loses no increment', async (store) => {
    const increment = async (): Promise<void> => {
      for (let attempt = 0; attempt < 100; attempt++) {
        const entry = await store.get('count')
        const next = String(Number(text(entry?.value) ?? 0) + 1)
        const result = await store.transact([{ key: 'count', modRevision: entry?.modRevision ?? 0 }], [put('count', next)])
        if (result.succeeded) return
      }
      assert.unreachable('a hundred attempts failed')
    }
    await Promise.all(Array.from({ length: 12 }, increment))
    assert.is(text((await store.get('count'))!.value), '12')
  })
}

function boundaries(check: Check): void {
  check('a key may be as long as the limit in bytes, and no longer', async (store) => {
    // Two bytes each
    const longest = 'ä'.repeat(limits.keyBytes / 2)
    await store.put(longest, bytes('1'))
    assert.is(text((await store.get(longest))!.value), '1')
    await rejects(store.put(`${longest}a`, bytes('1')), 'InvalidArgument')
    await rejects(store.get(`${longest}a`), 'InvalidArgument')
    await rejects(store.delete(`${longest}a`), 'InvalidArgument')
    await rejects(store.list(`${longest}a`), 'InvalidArgument')
  })

  check('a key is neither empty nor half a character', async (store) => {
    for (const key of ['', 'a\ud800', '\udc00b']) {
      await rejects(store.put(key, bytes('1')), 'InvalidArgument')
      await rejects(store.get(key), 'InvalidArgument')
      await rejects(store.delete(key), 'InvalidArgument')
      await rejects(store.transact([{ key, modRevision: 0 }], []), 'InvalidArgument')
    }
    assert.equal((await store.list('')).entries, [])
  })

  check('a value may be as long as the limit, and no longer', async (store) => {
    const longest = new Uint8Array(limits.valueBytes).fill(7)
    await store.put('a', longest)
    assert.is((await store.get('a'))!.value.length, longest.length)
    await rejects(store.put('a', new Uint8Array(limits.valueBytes + 1)), 'InvalidArgument')
  })

  check('a transaction may have as many operations as the limit, and no more', async (store) => {
    const operations = Array.from({ length: limits.transactionOperations + 1 }, (_, index) => put(`k${index}`))
    const compares = operations.map(({ key }) => ({ key, modRevision: 0 }))
    assert.ok((await store.transact(compares.slice(1), operations.slice(1))).succeeded)
    await rejects(store.transact([], operations), 'InvalidArgument')
    await rejects(store.transact(compares, []), 'InvalidArgument')
    assert.is((await store.list('k')).entries.length, limits.transactionOperations)
  })

  check('a transaction may write a key only once', async (store) => {
    await rejects(store.transact([], [put('a', '1'), put('b'), put('a', '2')]), 'InvalidArgument')
    await rejects(store.transact([], [put('a', '1'), { type: 'delete', key: 'a' }]), 'InvalidArgument')
    assert.equal((await store.list('')).entries, [])
  })

  check('a revision, a page and a lease that make no sense are refused', async (store) => {
    for (const modRevision of [-1, 0.5, NaN]) {
      await rejects(store.transact([{ key: 'a', modRevision }], []), 'InvalidArgument')
      await rejects(watching(store, '', modRevision, async (events) => void await events.next()), 'InvalidArgument')
    }
    for (const limit of [0, -1, 1.5]) await rejects(store.list('', { limit }), 'InvalidArgument')
    for (const ttlMs of [0, -1, 0.5, limits.leaseMs + 1]) await rejects(store.grant(ttlMs), 'InvalidArgument')
  })
}

function watches(check: Check): void {
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

  check('the events of one transaction come together, at one revision, in the order of its operations', async (store) => {
    await store.put('w/c', bytes('old'))
    const before = await store.revision()
    const { revision } = await store.transact([], [put('w/b'), { type: 'delete', key: 'w/c' }, put('w/a')])
    await watching(store, 'w/', before, async (events) => {
      const seen = await take(events, 3)
      assert.ok(seen.every((event) => event.revision === revision))
      assert.equal(keysOf(seen), ['w/b', 'w/c', 'w/a'])
    })
  })

  check('a watch that begins while others write has no gap and no double', async (store) => {
    const total = 400
    let acknowledged = 0
    const writers = Promise.all(Array.from({ length: 4 }, async (_, writer) => {
      for (let index = 0; index < total / 4; index++) {
        await store.put(`w/${writer}`, bytes(String(index)))
        acknowledged++
      }
    }))
    const begun = await store.revision()
    const readAll = async (after: number, count: number): Promise<Event[]> => {
      let seen: Event[] = []
      await watching(store, 'w/', after, async (events) => { seen = await take(events, count) })
      return seen
    }
    const whole = readAll(0, total)
    await until(async () => acknowledged > total / 4, 10_000)
    const middle = await store.revision()
    const late = readAll(middle, 1)
    const seen = await whole
    await writers
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

function watchEnds(check: Check): void {
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

  check('a watch from before the history is Compacted; one from the history\'s edge is not', async (store, { forget }) => {
    const early = await store.put('w/a', bytes('1'))
    await store.put('w/a', bytes('2'))
    await forget(store)
    const edge = await store.revision()
    await rejects(watching(store, 'w/', early, async (events) => void await events.next()), 'Compacted')
    await watching(store, 'w/', edge, async (events) => {
      const next = await store.put('w/b', bytes('3'))
      assert.is((await take(events, 1))[0]!.revision, next)
    })
  })

  check('a reader that is too far behind gets WatchOverrun, and others go on', async (store) => {
    const after = await store.revision()
    await watching(store, 'w/', after, async (slow) => {
      await watching(store, 'last', after, async (other) => {
        await store.put('w/begun', bytes('1'))
        await take(slow, 1)
        const otherNext = take(other, 1)
        const operations = Array.from({ length: limits.transactionOperations }, (_, index) => put(`w/${index}`))
        for (let events = 0; events <= limits.watchBacklog; events += operations.length) await store.transact([], operations)
        const last = await store.put('last', bytes('1'))
        assert.is((await otherNext)[0]!.revision, last)
        // Where events travel, the overrun shows when they have arrived
        await rejects((async () => {
          await until(async () => (await store.revision()) >= last, 5_000)
          for (let read = 0; read < 10; read++) {
            await new Promise((resolve) => setTimeout(resolve, 300))
            await take(slow, 1)
          }
        })(), 'WatchOverrun')
      })
    })
  })
}

function leases(check: Check): void {
  check('keys with a lease are deleted when it expires, at one revision, and watchers see it', async (store) => {
    const lease = await store.grant(300)
    assert.ok(lease.ttlMs >= 300)
    await store.put('l/kept', bytes('1'))
    await store.put('l/a', bytes('1'), { lease: lease.id })
    const put = await store.put('l/b', bytes('1'), { lease: lease.id })
    assert.is((await store.get('l/b'))!.lease, lease.id)
    await watching(store, 'l/', put, async (events) => {
      const seen = await take(events, 2)
      assert.equal(seen.map(({ type }) => type), ['delete', 'delete'])
      assert.is(seen[0]!.revision, seen[1]!.revision)
      assert.equal(keysOf(seen).sort(), ['l/a', 'l/b'])
    })
    assert.equal(keysOf((await store.list('l/')).entries), ['l/kept'])
  })

  check('keepAlive holds a lease beyond its time', async (store) => {
    const lease = await store.grant(300)
    await store.put('a', bytes('1'), { lease: lease.id })
    for (let waited = 0; waited < lease.ttlMs * 1.6; waited += lease.ttlMs / 4) {
      await new Promise((resolve) => setTimeout(resolve, lease.ttlMs / 4))
      await lease.keepAlive()
    }
    assert.is(text((await store.get('a'))?.value), '1')
  })

  check('after expiry a lease cannot be kept alive or used', async (store) => {
    const lease = await store.grant(100)
    await store.put('a', bytes('1'), { lease: lease.id })
    await until(async () => (await store.get('a')) === undefined, 15_000)
    await rejects(lease.keepAlive(), 'LeaseExpired')
    await rejects(store.put('b', bytes('1'), { lease: lease.id }), 'LeaseExpired')
    assert.is(await store.get('b'), undefined)
    await lease.revoke()
  })

  check('revoke deletes the keys at once', async (store) => {
    const lease = await store.grant(60_000)
    await store.put('a', bytes('1'), { lease: lease.id })
    await store.transact([], [{ type: 'put', key: 'b', value: bytes('1'), lease: lease.id }])
    await lease.revoke()
    assert.equal((await store.list('')).entries, [])
    await rejects(lease.keepAlive(), 'LeaseExpired')
    await lease.revoke()
  })

  check('a later put without the lease detaches the key', async (store) => {
    const lease = await store.grant(60_000)
    await store.put('a', bytes('1'), { lease: lease.id })
    await store.put('a', bytes('2'))
    assert.is((await store.get('a'))!.lease, undefined)
    await lease.revoke()
    assert.is(text((await store.get('a'))!.value), '2')
  })

  check('a lease that nobody granted is refused, but only where its put would run', async (store) => {
    await rejects(store.put('a', bytes('1'), { lease: '7' }), 'LeaseExpired')
    const operation: Operation = { type: 'put', key: 'a', value: bytes('1'), lease: '7' }
    await rejects(store.transact([], [put('b'), operation]), 'LeaseExpired')
    assert.equal((await store.list('')).entries, [])
    assert.not((await store.transact([{ key: 'b', modRevision: 1 }], [put('c'), operation])).succeeded)
  })
}

function lifetimes(check: Check): void {
  check('after close every call is Unavailable and open watches end so', async (store) => {
    const events = store.watch('', { after: 0, signal: new AbortController().signal })[Symbol.asyncIterator]()
    const ended = rejects(events.next(), 'Unavailable')
    await store.close()
    await ended
    await rejects(store.get('a'), 'Unavailable')
    await rejects(store.put('a', bytes('1')), 'Unavailable')
    await rejects(store.list(''), 'Unavailable')
    await rejects(store.revision(), 'Unavailable')
    await rejects(store.grant(1_000), 'Unavailable')
    await store.close()
  })

  check('everything is there when the store is opened again: id, entries, revision, history', async (store, { reopen }) => {
    if (!reopen) return assert.ok(store.id.length > 0)
    const first = await store.put('a', bytes('1'))
    await store.put('b', bytes('1'))
    await store.delete('b')
    const revision = await store.revision()
    const entry = await store.get('a')
    await store.close()
    const again = await reopen()
    assert.is(again.id, store.id)
    assert.equal(await again.get('a'), entry)
    assert.is(await again.get('b'), undefined)
    assert.is(await again.revision(), revision)
    await watching(again, '', first, async (events) => {
      assert.equal((await take(events, 2)).map(({ type, key }) => `${type} ${key}`), ['put b', 'delete b'])
    })
    assert.ok(await again.put('b', bytes('2')) > revision)
  })

  check('a lease outlives a restart, and still expires', async (store, { reopen }) => {
    if (!reopen) return assert.ok(store.id.length > 0)
    const lease = await store.grant(500)
    await store.put('a', bytes('1'), { lease: lease.id })
    await store.close()
    const again = await reopen()
    await until(async () => (await again.get('a')) === undefined, 15_000)
    await rejects(again.put('b', bytes('1'), { lease: lease.id }), 'LeaseExpired')
  })
}
