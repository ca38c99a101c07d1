import * as assert from 'uvu/assert'
import type { Operation } from '../../../runtime/store/store.ts'
import { bytes, keysOf, put, rejects, take, text, until, watching, type Check } from './checks.ts'

export function leases(check: Check): void {
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

  check('keepAlive holds a lease beyond its time', async (store, { wait }) => {
    const lease = await store.grant(300)
    await store.put('a', bytes('1'), { lease: lease.id })
    for (let waited = 0; waited < lease.ttlMs * 1.6; waited += lease.ttlMs / 4) {
      await wait(lease.ttlMs / 4)
      await lease.keepAlive()
    }
    assert.is(text((await store.get('a'))?.value), '1')
  })

  check('after expiry a lease cannot be kept alive or used', async (store, { wait }) => {
    const lease = await store.grant(100)
    await store.put('a', bytes('1'), { lease: lease.id })
    await until(async () => (await store.get('a')) === undefined, 15_000, wait)
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

export function lifetimes(check: Check): void {
  check('after close every call is Unavailable and open watches end so', async (store) => {
    const after = await store.revision()
    const events = store.watch('', { after, signal: new AbortController().signal })[Symbol.asyncIterator]()
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

  check('a store that is opened again has its id, entries, revision and history', async (store, { reopen }) => {
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

  check('a lease outlives a restart, and still expires', async (store, { reopen, wait }) => {
    if (!reopen) return assert.ok(store.id.length > 0)
    const lease = await store.grant(500)
    await store.put('a', bytes('1'), { lease: lease.id })
    await store.close()
    const again = await reopen()
    await until(async () => (await again.get('a')) === undefined, 15_000, wait)
    await rejects(again.put('b', bytes('1'), { lease: lease.id }), 'LeaseExpired')
  })
}
