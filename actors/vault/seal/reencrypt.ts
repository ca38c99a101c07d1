import { mayCrash } from '../../../runtime/fault-points.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Store } from '../../../runtime/store/store.ts'
import type { Unsealed } from '../core.ts'
import { termOf } from '../record.ts'

export interface ReencryptProgress {
  /** Entries that were looked at. */
  readonly seen: number
  /** Of these, sealed anew under the current term. */
  readonly resealed: number
}

/**
 * Seals every entry that is of an older term anew. What somebody writes meanwhile is left to them: they write under
 * the new term. Ends early when `vault.sealing` or `signal` aborts; run again it goes on with what is still old.
 */
export async function reencrypt(
  { store }: { readonly store: Store }, vault: Unsealed, signal: AbortSignal,
  onProgress: (progress: ReencryptProgress) => void = () => {},
): Promise<ReencryptProgress> {
  const { term, barrier } = vault
  let [seen, resealed] = [0, 0]
  let after: string | undefined
  for (let more = true; more && !signal.aborted && !vault.sealing.aborted;) {
    const page = await store.list('', { limit: limits.vaultReencryptPage, ...(after === undefined ? {} : { after }) })
    after = page.entries.at(-1)?.key
    more = page.more
    const old = page.entries.filter(({ key, value }) => !key.startsWith('core/') && termOf(value) < term)
    const guards: { key: string; modRevision: number }[] = []
    const changes: { path: string; value: Uint8Array }[] = []
    for (const { key } of old) {
      const found = await barrier.readBytes(key)
      if (!found) continue
      guards.push({ key, modRevision: found.revision })
      changes.push({ path: key, value: found.value })
    }
    if (changes.length > 0) resealed += await commit(vault, guards, changes)
    for (const { value } of changes) value.fill(0)
    mayCrash('vault/re-encrypted')
    seen += page.entries.length
    onProgress({ seen, resealed })
  }
  return { seen, resealed }
}

/** All at once, or one by one where somebody wrote one of them. How many. */
async function commit(
  { barrier }: Unsealed, guards: readonly { key: string; modRevision: number }[],
  changes: readonly { path: string; value: Uint8Array }[],
): Promise<number> {
  if (await barrier.commit(guards, changes)) return changes.length
  let done = 0
  for (const [index, change] of changes.entries()) if (await barrier.commit([guards[index]!], [change])) done++
  return done
}
