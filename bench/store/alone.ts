import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock as clock } from '../../runtime/platform/clock.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import { openEmbeddedStore } from '../../runtime/store/embedded.ts'
import { measure } from '../link/payload.ts'
import { KEYS, keyOf, scattered, valueOf } from './payload.ts'
import type { Side } from './side.ts'

/** The embedded store without actor and link: what the way to it costs is the difference. */
export async function inStore<T>(work: (side: Side) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-bench-'))
  const store = await openEmbeddedStore(folder, { clock, random })
  const encoder = new TextEncoder()
  let number = 0
  try {
    return await work({
      async fill() {
        await Promise.all(Array.from({ length: KEYS }, (_, index) =>
          store.put(keyOf(index), encoder.encode(valueOf(index)))))
      },
      put: (inFlight, ms) => measure(
        () => store.put(keyOf(scattered(number)), encoder.encode(valueOf(number++))), inFlight, ms,
      ),
      get: (inFlight, ms) => measure(() => store.get(keyOf(scattered(number++))), inFlight, ms),
    })
  } finally {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Appends of one record, each on the disk before the next: what the disk itself allows. */
export async function durableAppends(ms: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-bench-'))
  const { O_CREAT, O_WRONLY, O_APPEND, O_DSYNC } = constants
  const file = openSync(join(folder, 'log'), O_CREAT | O_WRONLY | O_APPEND | O_DSYNC)
  const record = new Uint8Array(400)
  try {
    return await measure(async () => void writeSync(file, record), 1, ms)
  } finally {
    closeSync(file)
    rmSync(folder, { recursive: true, force: true })
  }
}
