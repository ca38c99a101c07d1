/**
 * The move of a store into etcd against etcd alone, taking transactions of the same size by the same client, as many at
 * a time, in the same run and in turn; medians are compared. The move reads all of it back and compares it, and keeps
 * a digest, within its time. One etcd in the folder for temporary files, with the fsync of its log on, as by default.
 */
import { cp } from 'node:fs/promises'
import { Etcd3 } from 'etcd3'
import { limits } from '../runtime/limits.ts'
import type { MovableStore } from '../runtime/store/movable.ts'
import type { Moved } from '../runtime/store/move/move.ts'
import { startEtcd, type EtcdServer } from '../test/runtime/etcd-server.ts'
import { bytes, move, newFolder, openFolder, removeFolder } from '../test/runtime/move-fixture.ts'
import { Live } from './migrate/live.ts'
import { interleaved } from './interleaved.ts'
import type { Bench, Row } from './report.ts'

const ROUNDS = 3
/** Until the disk has what was copied before. */
const SETTLE_MS = 1_000
const ENTRIES = 100_000
const FEWER = 20_000
const VALUE = new Uint8Array(256).fill(7)
const RATIO_MIN = 0.8
const GAP_MS_MAX = 200

const keyOf = (index: number): string => `kv/users/u${String(index).padStart(8, '0')}/settings/name`

const bench: Bench = async ({ say }) => {
  const [many, fewer] = await Promise.all([filled(ENTRIES), filled(FEWER)])
  const etcd = await startEtcd()
  try {
    const gaps = { read: 0, write: 0, fence: 0 }
    const perSecond = (ms: number): number => ENTRIES / ms * 1_000
    const rates = await interleaved(ROUNDS, {
      alone: async () => perSecond(await alone(etcd)),
      move: async () => perSecond((await moved(many, etcd)).ms),
      serving: async () => {
        const { ms, waited } = await whileServing(many, etcd)
        for (const what of ['read', 'write', 'fence'] as const) gaps[what] = Math.max(gaps[what], waited[what])
        return perSecond(ms)
      },
    })
    say(`etcd alone ${thousands(rates.alone)}, move ${thousands(rates.move)}, with use ${thousands(rates.serving)}`)
    const live = { fewer: await liveMb(fewer, etcd), many: await liveMb(many, etcd) }
    const unit = 'entries/s'
    const gap = (name: string, value: number): Row => ({
      name: `longest wait of ${name} during a move`, value, unit: 'ms', ratio: GAP_MS_MAX / value, target: 1,
    })
    return [
      { name: `etcd by etcd3, transactions of ${limits.moveOperations} puts`, inFlight: limits.moveInFlight,
        value: rates.alone, unit },
      { name: `move of ${ENTRIES} entries, verified, against that`, inFlight: limits.moveInFlight, value: rates.move,
        unit, ratio: rates.move / rates.alone, target: RATIO_MIN },
      { name: 'the same while the store is read and written', value: rates.serving, unit,
        ratio: rates.serving / rates.alone },
      gap('a read', gaps.read), gap('a write', gaps.write),
      { name: 'for which writes were held back', value: gaps.fence, unit: 'ms' },
      { name: `memory beside the store, ${FEWER} entries`, value: live.fewer, unit: 'MB' },
      { name: `memory beside the store, ${ENTRIES} entries`, value: live.many, unit: 'MB' },
    ]
  } finally {
    await etcd.end()
    await Promise.all([many, fewer].map(removeFolder))
  }
}
export default bench

/** A folder with a store of so many entries. */
async function filled(count: number): Promise<string> {
  const folder = await newFolder()
  const store = await openFolder(folder)
  for (let from = 0; from < count; from += 1_000) {
    await store.transact([], Array.from({ length: 1_000 }, (_, index) => {
      const value = VALUE.slice()
      new DataView(value.buffer).setUint32(0, from + index)
      return { type: 'put', key: keyOf(from + index), value }
    }))
  }
  await store.close()
  return folder
}

let prefixes = 0

/** @returns milliseconds */
async function alone({ endpoint }: EtcdServer): Promise<number> {
  const client = new Etcd3({ hosts: endpoint })
  const prefix = `/alone/${++prefixes}`
  const [each, compare] = [limits.moveOperations - 1, [{
    key: Buffer.from(prefix), target: 'Mod', result: 'Equal', mod_revision: '0',
  } as const]]
  let next = 0
  const lane = async (): Promise<void> => {
    for (let from = next; from < ENTRIES; from = next) {
      next += each
      const success = Array.from({ length: Math.min(each, ENTRIES - from) }, (_, index) => ({
        request_put: { key: Buffer.from(`${prefix}/keys/${keyOf(from + index)}`), value: Buffer.from(VALUE) },
      }))
      await client.kv.txn({ compare: [...compare] as never, success, failure: [] })
    }
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: limits.moveInFlight }, lane))
  const ms = performance.now() - began
  await client.delete().prefix(prefix)
  client.close()
  return ms
}

/** Of a copy of the folder, since a store moves once. */
async function withCopy<T>(of: string, work: (store: MovableStore) => Promise<T>): Promise<T> {
  const folder = await newFolder()
  await cp(of, folder, { recursive: true })
  const store = await openFolder(folder)
  try {
    return await work(store)
  } finally {
    await store.close()
    await removeFolder(folder)
  }
}

async function into({ endpoint }: EtcdServer, store: MovableStore, onProgress = (): void => {}): Promise<Moved> {
  const prefix = `/moved/${++prefixes}`
  const done = await move(store, { type: 'etcd', endpoints: [endpoint], prefix }, 'one', { onProgress })
  const client = new Etcd3({ hosts: endpoint })
  await client.delete().prefix(prefix)
  client.close()
  return done
}

const moved = (folder: string, etcd: EtcdServer): Promise<Moved> => withCopy(folder, (store) => into(etcd, store))

/** One who reads and one who writes, each as soon as it was answered. */
async function whileServing(folder: string, etcd: EtcdServer) {
  return withCopy(folder, async (store) => {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    const waited = { read: 0, write: 0, fence: 0 }
    let over = false
    const follow = async (what: 'read' | 'write', ask: () => Promise<unknown>): Promise<void> => {
      while (!over) {
        const began = performance.now()
        await ask()
        // When it is answered is seen only when this thread comes to it
        waited[what] = Math.max(waited[what], performance.now() - began)
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    }
    const following = [
      follow('read', () => store.get(keyOf(5))), follow('write', () => store.put(keyOf(7), bytes('written meanwhile'))),
    ]
    const { ms, fenceMs } = await into(etcd, store, () => { over ||= !store.moveSource })
    over = true
    await Promise.all(following)
    return { ms, waited: { ...waited, fence: fenceMs } }
  })
}

/** What lives beside the store while it moves, in megabytes. */
const liveMb = (folder: string, etcd: EtcdServer): Promise<number> => withCopy(folder, async (store) => {
  const live = await Live.begin()
  await into(etcd, store)
  return live.end()
})

const thousands = (rate: number): string => `${(rate / 1_000).toFixed(1)} k/s`
