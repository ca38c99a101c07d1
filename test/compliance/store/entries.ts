import * as assert from 'uvu/assert'
import { bytes, keysOf, put, text, type Check } from './checks.ts'

export function entries(check: Check): void {
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

  check('writes to one key in flight together each get a revision, and the last one stays', async (store) => {
    const values = ['1', '2', '3', '4']
    const revisions = await Promise.all(values.map((value) => store.put('a', bytes(value))))
    assert.is(new Set(revisions).size, 4)
    const last = Math.max(...revisions)
    const entry = (await store.get('a'))!
    assert.equal([entry.version, entry.modRevision], [4, last])
    assert.is(text(entry.value), values[revisions.indexOf(last)])
  })
}

export function listings(check: Check): void {
  check('a list has the keys that start with the prefix, and no other', async (store) => {
    for (const key of ['user', 'users/', 'users/a', 'users/b', 'users0', 'v']) await store.put(key, bytes(key))
    const { entries, more } = await store.list('users/')
    assert.equal(keysOf(entries), ['users/', 'users/a', 'users/b'])
    assert.equal(entries.map(({ value }) => text(value)), ['users/', 'users/a', 'users/b'])
    assert.is(more, false)
    assert.equal(keysOf((await store.list('')).entries).length, 6)
    assert.equal((await store.list('w')).entries, [])
  })

  check('a list of keys only has the same keys and revisions, and no values', async (store) => {
    await store.put('a/1', bytes('one'))
    await store.put('a/2', bytes('two'))
    const [whole, keysOnly] = [await store.list('a/'), await store.list('a/', { keysOnly: true })]
    const revisions = ({ entries: found }: typeof whole) => found.map(({ key, modRevision }) => [key, modRevision])
    assert.equal(revisions(keysOnly), revisions(whole))
    assert.equal(keysOnly.entries.map(({ value }) => value.length), [0, 0])
    assert.is(text(whole.entries[0]!.value), 'one')
  })

  check('keys are ordered by their UTF-8 bytes', async (store) => {
    // In UTF-16 the last two would stand the other way round
    const ordered = [
      '\u0000', 'A', 'Z', 'a', 'aa', 'b', 'ä', '\u07ff', '\u0800', '\ud7ff',
      '\ue000', '\uffff', '\u{10000}', '\u{10ffff}',
    ]
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
    assert.is(entries.length, keys.length)
    assert.ok(entries.every(({ key, value }, index) => key === keys[index] && text(value) === key))
  })
}
