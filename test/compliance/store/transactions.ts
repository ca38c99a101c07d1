import * as assert from 'uvu/assert'
import { limits } from '../../../runtime/limits.ts'
import { bytes, put, rejects, text, watching, type Check } from './checks.ts'

export function transactions(check: Check): void {
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
        const compare = [{ key: 'count', modRevision: entry?.modRevision ?? 0 }]
        const result = await store.transact(compare, [put('count', next)])
        if (result.succeeded) return
      }
      assert.unreachable('a hundred attempts failed')
    }
    await Promise.all(Array.from({ length: 12 }, increment))
    assert.is(text((await store.get('count'))!.value), '12')
  })
}

export function boundaries(check: Check): void {
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
