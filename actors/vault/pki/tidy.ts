import { limits } from '../../../runtime/limits.ts'
import type { EnginePorts } from '../engine.ts'
import type { Authorities } from './book.ts'
import { certificatePath, type Certificates, type FoundCertificate } from './certificates.ts'
import type { Revocation } from './revocation.ts'
import { serialKey } from './serials.ts'

export interface Tidied {
  readonly removed: number
  readonly left: number
  /** Entries that revocation lists lost. */
  readonly unlisted: number
}

/** Milliseconds for which what has ended is kept, so that a clock that is behind misses nothing: Vault's own. */
export const safetyMs = 72 * 3_600_000

export interface TidyPorts {
  readonly ports: EnginePorts
  readonly authorities: Authorities
  readonly certificates: Certificates
  readonly revocation: Revocation
}

/** Forgets certificates that ended long enough ago, and then their places in revocation lists. */
export async function tidy(
  { ports: { barrier, clock }, authorities, certificates, revocation }: TidyPorts, safety: number,
): Promise<Tidied> {
  const before = clock.now() - safety
  let [removed, left] = [0, 0]
  let batch: FoundCertificate[] = []
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return
    const guards = batch.map(({ key, revision }) => ({ key: certificatePath(key), modRevision: revision }))
    const changes = batch.map(({ key }) => ({ path: certificatePath(key), value: undefined }))
    // What somebody changes meanwhile is looked at by the next tidy
    if (await barrier.commit(guards, changes)) removed += batch.length
    else left += batch.length
    batch = []
  }
  for await (const found of certificates.all()) {
    if (found.stored.notAfter >= before) left++
    else if (batch.push(found) === limits.vaultTidyBatch) await flush()
  }
  await flush()
  const own = new Map((await authorities.fresh()).authorities.map((one) => [one.serial, one.certificate.notAfter]))
  const unlisted = await revocation.prune(async (_, serial) => {
    const key = serialKey(serial)
    const end = own.get(key) ?? (await certificates.find(key))?.stored.notAfter
    return end !== undefined && end >= before
  })
  return { removed, left, unlisted }
}
