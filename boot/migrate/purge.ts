import { InvalidArgument } from '../../runtime/errors.ts'
import type { Files } from '../../runtime/platform/ports.ts'
import { purgeMoved } from '../../runtime/store/embedded/purge.ts'
import { file } from '../init.ts'
import { readJournal } from './journal.ts'
import { storeNames } from './move-stores.ts'

/**
 * Removes the data that moved stores have left behind; what is there of each is where it went. Answers with the names
 * of those that had any.
 * @throws InvalidArgument where the last migration is not done: the data may be needed for it
 */
export async function purgeStores(files: Files): Promise<readonly string[]> {
  const migration = await readJournal(files)
  if (migration?.state !== 'done') {
    throw new InvalidArgument(migration ? 'The stores have not all been moved' : 'No store of this folder was moved', {
      path: files.path(file.migration), next: 'First `vault migrate`: it goes on where it was',
    })
  }
  const purged: string[] = []
  for (const name of await storeNames(files)) {
    if (await purgeMoved(files.path(`${file.stores}/${name}`))) purged.push(name)
  }
  return purged
}
