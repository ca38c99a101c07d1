import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { limits } from '../../runtime/limits.ts'
import { systemClock as clock } from '../../runtime/platform/clock.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import { openEmbeddedStore } from '../../runtime/store/embedded.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import type { Store } from '../../runtime/store/store.ts'
import { storeCompliance } from '../compliance/store.ts'

/** Values of the greatest size, until the history has no room for what came before. */
async function forget(store: Store): Promise<void> {
  const value = new Uint8Array(limits.valueBytes)
  for (let written = 0; written <= limits.watchHistoryBytes; written += value.length) await store.put('forget', value)
}

const memory = storeCompliance('memory', async () => {
  const store = createMemoryStore({ clock, random })
  return { store, forget, end: () => store.close() }
})

const embedded = storeCompliance('embedded', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-store-'))
  const opened: Store[] = []
  const open = async (): Promise<Store> => {
    const store = await openEmbeddedStore(folder, { clock, random })
    opened.push(store)
    return store
  }
  return {
    store: await open(),
    forget,
    reopen: open,
    async end() {
      for (const store of opened) await store.close()
      await rm(folder, { recursive: true })
    },
  }
})

memory.run()
embedded.run()
