import { Compacted, WatchOverrun } from '../../runtime/errors.ts'
import { parseScope } from './key-path.ts'
import type { Records } from './records.ts'

/**
 * Calls `read` after each change of one key, also of changes that another OOD made in the same store. Where history
 * does not reach back, it reads and goes on from there.
 */
export async function follow(
  records: Records, key: string, signal: AbortSignal, read: () => Promise<void>,
): Promise<void> {
  const scope = { ...parseScope(key), tree: false }
  while (!signal.aborted) {
    const { revision } = await records.list([scope])
    await read()
    try {
      for await (const _ of records.watch(scope, revision, signal)) await read()
    } catch (error) {
      if (!(error instanceof Compacted || error instanceof WatchOverrun)) throw error
    }
  }
}
