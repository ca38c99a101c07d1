import type { Keys } from '../../runtime/platform/ports.ts'
import { digestOfItems } from '../records.ts'
import type { Scope } from './key-path.ts'
import type { Records } from './records.ts'

interface Digest {
  readonly digest: string
  readonly revision: number
}

/**
 * Digests of dumps. The last one is remembered, since the daemons of all hosts ask for the same. What is written has a
 * higher revision than all that was there, so as many keys with the same sum of revisions are the same records.
 */
export function dumpDigests(records: Records, keys: Keys) {
  let last: { readonly of: string; readonly digest: string } | undefined
  return async (scopes: readonly Scope[], leaves: readonly string[] | undefined): Promise<Digest> => {
    const nameOf = (items: readonly { readonly revision: number }[]): string =>
      JSON.stringify([scopes, leaves, items.length, items.reduce((sum, { revision }) => sum + revision, 0)])
    const now = await records.revisions(scopes, leaves)
    if (last?.of === nameOf(now.items)) return { digest: last.digest, revision: now.revision }
    const { items, revision } = await records.list(scopes, leaves)
    last = { of: nameOf(items), digest: digestOfItems(keys, items.map(({ key, value }) => [key, value])) }
    return { digest: last.digest, revision }
  }
}
