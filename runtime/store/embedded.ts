import { chmod, mkdir, realpath } from 'node:fs/promises'
import { NotWritable, ZonewrightError } from '../errors.ts'
import { diskFull, isDiskFull } from '../platform/disk-full.ts'
import type { Clock, Random } from '../platform/ports.ts'
import { holdFolder } from './embedded/folder-hold.ts'
import { LogFile, readNewestLog } from './embedded/log-file.ts'
import { StateStore } from './group-commit.ts'
import { emptyState } from './memory.ts'
import type { Store } from './store.ts'

/**
 * The durable store of one actor: a folder, no server. The contents are in memory, with the same code as the memory
 * store, and on the disk as a log of changes that begins with a snapshot; every write in flight shares one append.
 *
 * Why not LMDB, which was measured first: a damaged or cut database file kills the process (SIGBUS, SIGSEGV or a
 * failed assertion in half of 70 trials) where a log with check sums can say what is wrong and where; it has no lock
 * against a second process; and on Deno its native code needs `ffi`, which lifts every other permission of the worker.
 * The price is that the contents must fit in memory (`limits.storeBytes`).
 *
 * @throws FolderInUse, StoreDamaged, NotWritable, DiskFull
 */
export async function openEmbeddedStore(
  folder: string,
  { clock, random }: { clock: Clock; random: Random },
): Promise<Store> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const path = await realpath(folder)
    await chmod(path, 0o700)
    const hold = holdFolder(path)
    try {
      const state = await readNewestLog(path) ?? emptyState(random)
      state.assertHere()
      const log = await LogFile.begin(path, hold, state)
      return new StateStore({
        state,
        clock,
        random,
        persist: (changes) => log.append(changes),
        close: () => log.close().finally(() => hold.release()),
      })
    } catch (error) {
      hold.release()
      throw error
    }
  } catch (error) {
    if (error instanceof ZonewrightError) throw error
    if (isDiskFull(error)) throw diskFull(folder, error)
    const reason = (error as { code?: string }).code ?? (error as Error).message
    throw new NotWritable(`The store's folder cannot be written: ${folder} (${reason})`, { path: folder })
  }
}
