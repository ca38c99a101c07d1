/**
 * A program that opens an embedded store and prints what happens, for tests that need a second process or thread.
 *   hold <folder>    opens it and stays
 *   write <folder>   writes pairs of keys, 16 at a time, and prints each that was acknowledged
 */
import process from 'node:process'
import { isMainThread, workerData } from 'node:worker_threads'
import { systemClock as clock } from '../../runtime/platform/clock.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import { openEmbeddedStore } from '../../runtime/store/embedded.ts'
import type { Store } from '../../runtime/store/store.ts'

const [task, folder] = isMainThread ? process.argv.slice(2) : (workerData as string[])
/** A thread shares its parent's output, and says nothing there. */
const say = (line: string): void => void (isMainThread && process.stdout.write(`${line}\n`))

/** Large enough that the log is written anew several times a second. */
const valueBytes = 16_384
const slots = 48

async function writePairs(store: Store, from: number, step: number): Promise<void> {
  for (let number = from; ; number += step) {
    const value = new Uint8Array(valueBytes).fill(number % 251)
    new DataView(value.buffer).setUint32(0, number)
    const { revision } = await store.transact([], [
      { type: 'put', key: `left/${number % slots}`, value },
      { type: 'put', key: `right/${number % slots}`, value },
    ])
    say(`acknowledged ${number} ${revision}`)
  }
}

try {
  const store = await openEmbeddedStore(folder as string, { clock, random })
  say(`opened ${store.id} ${await store.revision()}`)
  setInterval(() => {}, 1_000)
  const begin = (await store.revision()) * 2
  const writers = task === 'write' ? 16 : 0
  await Promise.all(Array.from({ length: writers }, (_, index) => writePairs(store, begin + index, writers)))
} catch (error) {
  say(`failed ${(error as { code?: string }).code} ${(error as Error).message}`)
}
