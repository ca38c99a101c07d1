import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { catalogue } from '../../boot/catalogue.ts'
import { up, type RunningZone } from '../../boot/up.ts'
import { worker } from '../../runtime/index.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { tokensOf } from '../kv/tokens.ts'
import { fanFolder } from './payload.ts'
import { StoreDriver, watchers } from './protocol.ts'
import type { FanOut, Side } from './side.ts'

/** What a call may take that measures for a while on a busy machine. */
const WITHIN_MS = 120_000
const THREAD = 'store-bench'

export interface ZoneSide extends Side {
  /** As many watches, on so many links: 1 or 4. */
  fanOut(watches: number, links: 1 | 4): Promise<FanOut>
}

/**
 * system-config of a zone that `up` boots in a folder of its own, as a client in another worker sees it: by link, with
 * a session of the device. All clients are actors of one worker, as the package's client is one thread.
 */
export async function inZone<T>(work: (side: ZoneSide) => Promise<T>): Promise<T> {
  const platform = await openPlatform()
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-bench-'))
  const watcherUrls = [
    new URL('./watcher-0.ts', import.meta.url), new URL('./watcher-1.ts', import.meta.url),
    new URL('./watcher-2.ts', import.meta.url), new URL('./watcher-3.ts', import.meta.url),
    new URL('./watcher-4.ts', import.meta.url),
  ]
  // Its modules lie beside it, where a worker on Deno reads nothing by itself
  const read = [fileURLToPath(new URL('..', import.meta.url))]
  const client = { manual: true, thread: THREAD, permissions: { read } }
  let zone: RunningZone | undefined
  try {
    zone = await up({
      platform, folder,
      actors: (stores, config) => [
        ...catalogue(stores, config),
        worker(StoreDriver, new URL('./driver.ts', import.meta.url), client),
        ...watchers.map((each, index) => worker(each, watcherUrls[index]!, client)),
      ],
    })
    for (const { name } of [StoreDriver, ...watchers]) await zone.start(name)
    const { session } = await tokensOf(platform, zone)
    return await work(sideOf(zone, session))
  } finally {
    await zone?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

function sideOf(zone: RunningZone, session: () => string): ZoneSide {
  const driver = zone.get(StoreDriver)
  const settings = { withinMs: WITHIN_MS }
  let number = 0
  const rate = (of: 'put' | 'get') => async (inFlight: number, ms: number): Promise<number> => {
    const answer = await driver.measure({ of, inFlight, ms, from: number, token: session() }, settings)
    number += answer.calls
    return answer.rate
  }
  return {
    fill: async () => void await driver.fill({ token: session() }, settings),
    put: rate('put'),
    get: rate('get'),
    async fanOut(watches, links) {
      const folder = fanFolder(links)
      const clients = (links === 1 ? watchers.slice(0, 1) : watchers.slice(1)).map((each) => zone.get(each))
      const { store: { revision: after } } = await zone.get(SystemConfig).trust({})
      for (const client of clients) {
        await client.open({ folder, watches: watches / links, after, token: session() }, settings)
      }
      let written = 0
      return async (writes) => {
        const seen = Promise.all(clients.map((client) => client.seen({ writes: written + writes }, settings)))
        await driver.write({ folder, from: written, count: writes, token: session() }, settings)
        await seen
        written += writes
      }
    },
  }
}

