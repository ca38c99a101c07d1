import { limits } from '../../runtime/limits.ts'
import type { Keys } from '../../runtime/platform/ports.ts'
import { digestOfDigests, digestOfText } from '../records.ts'
import type { Scope } from './key-path.ts'
import type { KvRecord, Records, Revised } from './records.ts'

interface Digest {
  readonly digest: string
  readonly revision: number
}

/**
 * Digests of dumps. The last one is remembered, since the daemons of all hosts ask for the same. What is written has a
 * higher revision than all that was there, so as many keys with the same sum of revisions are the same records; and a
 * key has one value at one revision, so of most keys nothing is read again when some have changed.
 */
export function dumpDigests(records: Pick<Records, 'revisions' | 'list' | 'get'>, keys: Keys) {
  let last: { readonly of: string; readonly digest: string } | undefined
  const known = new Map<string, Digest>()
  const knownOf = ({ key, revision }: Revised): string | undefined => {
    const found = known.get(key)
    return found?.revision === revision ? found.digest : undefined
  }
  const digestOf = (record: KvRecord): string => {
    const digest = knownOf(record) ?? digestOfText(keys, record.value)
    if (known.size >= limits.deviceDocuments && !known.has(record.key)) known.delete(known.keys().next().value!)
    known.set(record.key, { digest, revision: record.revision })
    return digest
  }
  /** Of what is known, and of few keys more, if they are still as they were when they were listed. */
  const byFew = async (items: readonly Revised[]): Promise<string | undefined> => {
    const changed = items.filter((item) => knownOf(item) === undefined)
    if (changed.length > limits.dumpDigestReads) return undefined
    const read = await Promise.all(changed.map(({ key }) => records.get(key)))
    const now = new Map(read.flatMap((record) =>
      (record ? [[record.key, { digest: digestOf(record), revision: record.revision }] as const] : [])))
    const pairs: [string, string][] = []
    for (const item of items) {
      const found = now.get(item.key)
      const digest = found?.revision === item.revision ? found.digest : knownOf(item)
      if (digest === undefined) return undefined
      pairs.push([item.key, digest])
    }
    return digestOfDigests(keys, pairs)
  }
  return async (scopes: readonly Scope[], leaves: readonly string[] | undefined): Promise<Digest> => {
    const nameOf = (items: readonly Revised[]): string =>
      JSON.stringify([scopes, leaves, items.length, items.reduce((sum, { revision }) => sum + revision, 0)])
    const now = await records.revisions(scopes, leaves)
    const of = nameOf(now.items)
    if (last?.of === of) return { digest: last.digest, revision: now.revision }
    const digest = await byFew(now.items)
    if (digest !== undefined) {
      last = { of, digest }
      return { digest, revision: now.revision }
    }
    const { items, revision } = await records.list(scopes, leaves)
    last = { of: nameOf(items), digest: digestOfDigests(keys, items.map((item) => [item.key, digestOf(item)])) }
    return { digest: last.digest, revision }
  }
}
