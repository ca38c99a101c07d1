import { realpath } from 'node:fs/promises'
import { InvalidArgument } from '../../errors.ts'
import { StoreState } from '../state.ts'
import { holdFolder } from './folder-hold.ts'
import { LogFile, readNewestLog } from './log-file.ts'

/**
 * Removes what a store that was moved has left behind. Its log stays, with nothing but where it went, so that it is
 * never taken for a new one. False where that was done before, or there is no store.
 * @throws InvalidArgument when it was not moved; FolderInUse, StoreDamaged
 */
export async function purgeMoved(folder: string): Promise<boolean> {
  const path = await realpath(folder)
  const hold = holdFolder(path)
  try {
    const state = await readNewestLog(path)
    if (!state || state.moved?.purged) return false
    if (!state.moved) throw new InvalidArgument(`This store was not moved: its data is all there is of it: ${folder}`)
    const left = new StoreState(state.id, state.revision)
    left.moved = { ...state.moved, purged: true }
    await (await LogFile.begin(path, hold, left)).close()
    return true
  } finally {
    hold.release()
  }
}
