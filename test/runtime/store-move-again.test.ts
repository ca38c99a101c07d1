/** One store on its way into a real etcd: what is refused, what goes on later, and what is out of the ordinary. */
import { Etcd3 } from 'etcd3'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import type { MoveProgress } from '../../runtime/store/move/move.ts'
import type { Entry, Operation, Store } from '../../runtime/store/store.ts'
import { codeOf, keysOf, plainErrors, put, rejects, text, until } from '../compliance/store/checks.ts'
import { startEtcd, type EtcdServer } from './etcd-server.ts'
import { bytes, move, newFolder, open, openFolder, removeFolder, type EtcdLocation } from './move-fixture.ts'

let etcd: EtcdServer
const folders: string[] = []
const moves = suite('store: a move that is none, or not yet')
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
const client = (): Etcd3 => new Etcd3({ hosts: etcd.endpoint })

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

test('the store of another is refused, with both ids, and nothing of it is changed', async () => {
  const to = target()
  const theirs = await openFolder(await folder())
  await theirs.put('theirs', bytes('1'))
  await move(theirs, to, 'one')
  const ours = await openFolder(await folder())
  await ours.put('ours', bytes('1'))
  const error = await move(ours, to, 'one').catch((reason: Error) => reason)
  assert.is((error as { code?: string }).code, 'StoreOfAnother')
  for (const id of [ours.id, theirs.id]) assert.match((error as Error).message, id)
  assert.equal(keysOf((await theirs.list('')).entries), ['theirs'])
  await ours.put('ours', bytes('2'))
  const fresh = target()
  const native = await open(fresh, 'one')
  await rejects(move(ours, fresh, 'one'), 'StoreOfAnother')
  await Promise.all([ours.close(), theirs.close(), native.close()])
})

test('of two that move one store at once one is refused; what is being filled cannot be opened', async () => {
  const to = target()
  const store = await openFolder(await folder())
  await fill(store, 600)
  let other: Promise<string> | undefined
  let opened: Promise<string> | undefined
  const onProgress = ({ phase }: MoveProgress): void => {
    if (phase !== 'copying') return
    other ??= codeOf(move(store, to, 'one', { host: 'ood2' }))
    opened ??= codeOf(open(to, 'one'))
  }
  await move(store, to, 'one', { onProgress })
  assert.is(await other, 'StoreBeingMoved')
  assert.is(await opened, 'StoreBeingMoved')
  await store.close()
})

test('a move that was ended goes on where it was, with what has changed since; what is done is done', async () => {
  const [from, to] = [await folder(), target()]
  let store = await openFolder(from)
  await fill(store, 3_000)
  const stop = new AbortController()
  const first = move(store, to, 'one', {
    signal: stop.signal, onProgress: ({ entries }) => { if (entries > 1_000) stop.abort() },
  })
  await rejects(first, 'Cancelled')
  await store.put('k/5', bytes('since'))
  await store.delete('k/6')
  await store.put('a/first', bytes('since'))
  await store.close()
  store = await openFolder(from)
  await store.put('k/7', bytes('after a restart'))
  const before = await all(store)
  let found = 0
  const onProgress = ({ phase, entries }: MoveProgress): void => {
    if (phase === 'copying' && found === 0) found = entries
  }
  const moved = await move(store, to, 'one', { onProgress })
  assert.ok(found > 0)
  assert.ok(found < moved.entries)
  assert.equal(await all(store), before)
  await store.close()
  await rejects(openFolder(from), 'StoreMoved')
})

test('a copy of a folder that was moved does not overwrite what is newer, nor is it taken for the store', async () => {
  const [from, to] = [await folder(), target()]
  const store = await openFolder(from)
  await store.put('a', bytes('1'))
  await store.close()
  const { cp } = await import('node:fs/promises')
  const [same, ahead] = [await folder(), await folder()]
  for (const copy of [same, ahead]) await cp(from, copy, { recursive: true })
  const moving = await openFolder(from)
  await move(moving, to, 'one')
  await moving.put('a', bytes('newer'))
  const asBefore = await openFolder(same)
  const nothing = await move(asBefore, to, 'one')
  assert.not(nothing.moved)
  assert.is(text((await asBefore.get('a'))!.value), 'newer')
  const wentOn = await openFolder(ahead)
  await wentOn.put('a', bytes('of its own'))
  await rejects(move(wentOn, to, 'one'), 'StoreDiverged')
  assert.is(text((await moving.get('a'))!.value), 'newer')
  assert.is(text((await wentOn.get('a'))!.value), 'of its own')
  await Promise.all([moving, asBefore, wentOn].map((each) => each.close()))
})

test('a lease goes along: it is renewed by who holds it, and ends there', async () => {
  const store = await openFolder(await folder())
  const [kept, lost] = [await store.grant(60_000), await store.grant(1_500)]
  await store.put('kept', bytes('1'), { lease: kept.id })
  await store.put('lost', bytes('1'), { lease: lost.id })
  await fill(store, 300)
  await move(store, target(), 'one')
  assert.is((await store.get('kept'))!.lease, kept.id)
  await kept.keepAlive()
  await store.put('later', bytes('1'), { lease: kept.id })
  await until(async () => await store.get('lost') === undefined, 15_000)
  await rejects(lost.keepAlive(), 'LeaseExpired')
  await kept.revoke()
  assert.equal(await Promise.all(['kept', 'later'].map((key) => store.get(key))), [undefined, undefined])
  await store.close()
})

test('what somebody else writes under the prefix is noticed: as strange, or as not what is to be there', async () => {
  const to = target()
  const store = await openFolder(await folder())
  await fill(store, 2_000)
  const stop = new AbortController()
  const onProgress = ({ verified }: MoveProgress): void => { if (verified > 500) stop.abort() }
  await rejects(move(store, to, 'one', { signal: stop.signal, onProgress }), 'Cancelled')
  const other = client()
  for (const key of ['k/10', 'k/999999']) {
    await other.put(`${to.prefix}/one/keys/${key}`).value('not ours')
    if (key === 'k/10') continue
    await rejects(move(store, to, 'one'), 'MoveMismatch')
    await other.delete().key(`${to.prefix}/one/keys/${key}`)
  }
  await store.put('k/1', bytes('it goes on'))
  const before = await all(store)
  await move(store, to, 'one')
  assert.equal(await all(store), before)
  other.close()
  await store.close()
})

test('values and transactions of the largest size move, by as few operations as a cluster allows', async () => {
  const small = await startEtcd(undefined, { 'max-txn-ops': '16' })
  try {
    const store = await openFolder(await folder())
    await store.put('large', new Uint8Array(limits.valueBytes).fill(1))
    await store.put('larger', new Uint8Array(limits.valueBytes).fill(2))
    await fill(store, 100)
    const before = await all(store)
    const to: EtcdLocation = { type: 'etcd', endpoints: [small.endpoint], prefix: '/small' }
    const operations: Operation[] = [put('k/1', 'while it is copied'), put('new/1')]
    let wrote: Promise<unknown> | undefined
    await move(store, to, 'one', {
      onProgress: ({ verified }) => { if (verified > 50) wrote ??= store.transact([], operations) },
    })
    await wrote
    assert.is((await all(store)).length, before.length + 1)
    assert.is((await store.get('larger'))!.value.length, limits.valueBytes)
    await store.close()
  } finally {
    await small.end()
  }
})

moves.run()
