/** One store on its way into a real etcd, with somebody between who spoils, adds, takes and delays. */
import { Etcd3 } from 'etcd3'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import { connectEtcd } from '../../runtime/store/etcd.ts'
import type { MovableStore } from '../../runtime/store/movable.ts'
import type { Area } from '../../runtime/store/move/area.ts'
import { Scan } from '../../runtime/store/move/scan.ts'
import { moveStore } from '../../runtime/store/move/move.ts'
import type { Store } from '../../runtime/store/store.ts'
import { plainErrors, put, text } from '../compliance/store/checks.ts'
import { startEtcd, type EtcdServer } from './etcd-server.ts'
import { bytes, newFolder, openFolder, ports, removeFolder, type EtcdLocation } from './move-fixture.ts'

let etcd: EtcdServer
const folders: string[] = []
const moves = suite('store: a move that is disturbed')
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

test('what is new when all was looked at is told of once, as changed', async () => {
  const store = await openFolder(await folder())
  await fill(store, 10)
  const source = store.moveSource!()
  const scan = new Scan(source)
  const limit = { entries: 100, bytes: 100_000 }
  assert.ok(scan.next(limit))
  assert.is(scan.next(limit), undefined)
  await store.put('zz', bytes('new'))
  assert.is(scan.next(limit), undefined)
  assert.is(scan.digest.count, source.size)
  assert.equal([...scan.changed.keys()], ['zz'])
  await store.close()
})

/** As the target of a move: what stands between it and its mover. */
async function moveThrough(
  store: MovableStore, to: EtcdLocation, between: (area: Area) => Partial<Area>,
): Promise<unknown> {
  const { area, native } = connectEtcd({ endpoints: to.endpoints, prefix: `${to.prefix}/one`, clock: ports.clock })
  const plain: Area = {
    place: area.place, transact: (request) => area.transact(request), read: (ranges) => area.read(ranges),
    grant: (ms, id) => area.grant(ms, id), lease: (id, ms) => area.lease(id, ms),
    operationsMax: (wanted) => area.operationsMax(wanted), close: () => area.close(),
  }
  return moveStore({
    ...ports, source: store.moveSource!(), fence: store, native, prefix: to.prefix,
    area: { ...plain, ...between(area) },
    owner: { host: 'ood1', source: '/one' }, signal: new AbortController().signal, onProgress: () => {},
  }).catch(async (error: Error) => {
    await area.close()
    return (error as { code?: string }).code
  })
}

test('what is read back is compared byte by byte, and nobody else may have added to it', async () => {
  const store = await openFolder(await folder())
  await fill(store, 1_200)
  let spoilt = 0
  const spoil = (area: Area): Partial<Area> => ({
    async read(ranges) {
      const found = await area.read(ranges)
      const entry = found.ranges[0]?.kvs[5]
      if (!entry?.key.startsWith('keys/') || entry.value.length === 0 || spoilt++ > 0) return found
      entry.value[0]! ^= 1
      return found
    },
  })
  assert.is(await moveThrough(store, target(), spoil), 'MoveMismatch')
  const to = target()
  const other = client()
  const add = (area: Area): Partial<Area> => ({
    async read(ranges) {
      // When all was read back, and before it is counted
      if (ranges[0]?.countOnly && spoilt++ > 1) await other.put(`${to.prefix}/one/keys/k/100x`).value('not ours')
      return area.read(ranges)
    },
  })
  spoilt = 1
  assert.is(await moveThrough(store, to, add), 'MoveMismatch')
  other.close()
  await store.put('k/1', bytes('it goes on'))
  await store.close()
})

test('a mover whose lock was taken by another one writes nothing more', async () => {
  const to = target()
  const store = await openFolder(await folder())
  await fill(store, 3_000)
  const other = client()
  let taken = 0
  const take = (area: Area): Partial<Area> => ({
    async transact(request) {
      const copies = request.success.filter(({ key }) => key.startsWith('keys/')).length > 0
      if (copies && taken++ === 3) {
        const holder = JSON.stringify({ host: 'ood2', source: '/other', run: 'another', since: Date.now() })
        await other.put(`${to.prefix}/one/lock`).value(holder)
      }
      return area.transact(request)
    },
  })
  assert.is(await moveThrough(store, to, take), 'StoreBeingMoved')
  const { count } = await other.getAll().prefix(`${to.prefix}/one/keys/`).exec()
  assert.ok(Number(count) > 0 && Number(count) < 2_000, `${count} keys`)
  other.close()
  await store.close()
})

test('an activation that is heard of too late is taken back: the source had gone on', async () => {
  const to = target()
  const store = await openFolder(await folder())
  await fill(store, 100)
  let late = 0
  const delay = (area: Area): Partial<Area> => ({
    async transact(request) {
      const answer = await area.transact(request)
      const activates = request.success.some(({ type, key }) => type === 'put' && key === 'id')
      if (activates && late++ === 0) {
        await new Promise((resolve) => setTimeout(resolve, 3 * limits.moveFenceMs))
        assert.ok(store.moveSource, 'it is the store still')
        await store.put('k/1', bytes('written by then'))
      }
      return answer
    },
  })
  const moved = await moveThrough(store, to, delay) as { fences: number }
  assert.is(moved.fences, 2)
  assert.is(text((await store.get('k/1'))!.value), 'written by then')
  await store.close()
})

moves.run()
