import { Compacted, Overloaded } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { Listing } from '../store.ts'

/**
 * A list in pages is read at the revision of the first page; when etcd forgets that one before the last page, the list
 * begins anew. @throws Overloaded when that happens again and again
 */
export async function listAnew(pages: () => Promise<Listing>): Promise<Listing> {
  for (let attempt = 0; attempt < limits.storeRaces; attempt++) {
    try {
      return await pages()
    } catch (error) {
      if (!(error instanceof Compacted)) throw error
    }
  }
  throw new Overloaded(`etcd forgets more quickly than a list is read: ${limits.storeRaces} attempts`)
}
