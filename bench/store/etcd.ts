import { Etcd3 } from 'etcd3'
import { startEtcd } from '../../test/runtime/etcd-server.ts'
import { measure } from '../link/payload.ts'
import { fanFolder, fanKey, InOrder, KEYS, keyOf, scattered, valueOf } from './payload.ts'
import type { FanOut, Side } from './side.ts'

export interface EtcdSide extends Side {
  /** Reads that may be stale: what the one server has, without asking for a quorum. */
  serializableGet(inFlight: number, ms: number): Promise<number>
  /** As many watchers of one client, which shares one gRPC stream among them. */
  fanOut(watches: number): Promise<FanOut>
}

/** A real etcd, alone, in the same folder for temporary files, with the fsync of its log on as by default. */
export async function inEtcd<T>(work: (side: EtcdSide) => Promise<T>): Promise<T> {
  const server = await startEtcd()
  const client = new Etcd3({ hosts: server.endpoint })
  try {
    await client.put('ready').value('1')
    return await work(sideOf(client))
  } finally {
    client.close()
    await server.end()
  }
}

function sideOf(client: Etcd3): EtcdSide {
  let number = 0
  const put = async (): Promise<void> => void await client.put(keyOf(scattered(number))).value(valueOf(number++))
  const get = (serializable: boolean) => async (): Promise<void> => {
    const { kvs } = await client.kv.range({ key: keyBytes(keyOf(scattered(number++))), serializable })
    if (kvs.length === 0) throw new Error('A key is missing')
  }
  return {
    async fill() {
      let next = 0
      const loop = async (): Promise<void> => {
        while (next < KEYS) await client.put(keyOf(next)).value(valueOf(next++))
      }
      await Promise.all(Array.from({ length: 64 }, loop))
    },
    put: (inFlight, ms) => measure(put, inFlight, ms),
    get: (inFlight, ms) => measure(get(false), inFlight, ms),
    serializableGet: (inFlight, ms) => measure(get(true), inFlight, ms),
    async fanOut(watches) {
      const folder = fanFolder(0)
      const views: InOrder[] = []
      for (let index = 0; index < watches; index++) {
        const view = new InOrder()
        views.push(view)
        const watcher = await client.watch().prefix(`${folder}/`).create()
        watcher.on('put', ({ value }) => view.take(value.toString()))
      }
      let written = 0
      return async (writes) => {
        const seen = Promise.all(views.map((view) => view.until(written + writes)))
        for (let each = written; each < written + writes; each++) {
          await client.put(fanKey(folder, each)).value(valueOf(each))
        }
        await seen
        written += writes
      }
    },
  }
}

const encoder = new TextEncoder()
const keyBytes = (key: string): Buffer => Buffer.from(encoder.encode(key))
