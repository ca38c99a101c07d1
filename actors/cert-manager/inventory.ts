import type { Client, Infer } from '../../runtime/protocol.ts'
import { limits } from '../../runtime/limits.ts'
import type { CertificateRecord as RecordOf, Vault } from '../vault/protocol.ts'
import { nextUrgencyAt, urgencyOf, type Urgency } from './due.ts'

export type CertificateRecord = Infer<typeof RecordOf>
export type State = 'valid' | 'revoked' | 'ended'

/** Mounts that the zone keeps by itself. */
export const mounts = ['pki', 'pki-etcd'] as const

/** A certificate that nothing newer of the same kind has followed, and that is to be renewed. */
export interface Expiring {
  readonly mount: string
  readonly record: CertificateRecord
  readonly urgency: Urgency
}

/** What is to be known of all certificates of a mount, without keeping them. */
export interface Survey {
  readonly mount: string
  readonly counts: Readonly<Record<State, number>>
  /** Epoch milliseconds by role: the first to end of those that nothing newer has followed. */
  readonly soonest: ReadonlyMap<string, number>
  /** Of certificates that are neither revoked nor at their end. */
  readonly lastEnds: ReadonlyMap<string, number>
  /** First to end first, at most `limits.certificatesTold`. */
  readonly expiring: readonly Expiring[]
  /** Epoch milliseconds at which one of them will be more urgent; undefined where there is none. */
  readonly changesAt: number | undefined
}

export const stateOf = ({ revokedAt, notAfter }: CertificateRecord, now: number): State =>
  (revokedAt !== undefined ? 'revoked' : notAfter <= now ? 'ended' : 'valid')

/** Whoever has the newer of two certificates that say the same has renewed it: the older may end. */
const identityOf = ({ role, subject, names, holder }: CertificateRecord): string =>
  JSON.stringify([role, subject, [...names].sort(), holder])

/** Reads the whole inventory of a mount, page by page. `now`: epoch milliseconds. */
export async function survey(
  vault: Pick<Client<typeof Vault>, 'certificates'>, mount: string, now: number,
): Promise<Survey> {
  const counts = { valid: 0, revoked: 0, ended: 0 }
  const lastEnds = new Map<string, number>()
  const newest = new Map<string, CertificateRecord>()
  for (let after: string | undefined; ;) {
    const page = await vault.certificates({
      mount, limit: limits.certificatePage, ...(after === undefined ? {} : { after }),
    })
    for (const record of page.certificates) {
      const state = stateOf(record, now)
      counts[state]++
      if (state !== 'valid') continue
      lastEnds.set(record.authority, Math.max(lastEnds.get(record.authority) ?? 0, record.notAfter))
      const identity = identityOf(record)
      const known = newest.get(identity)
      const isNewest = known ? known.notAfter < record.notAfter : newest.size < limits.certificateHolders
      if (isNewest) newest.set(identity, record)
    }
    after = page.certificates.at(-1)?.serial
    if (!page.more || after === undefined) break
  }
  const soonest = new Map<string, number>()
  const expiring: Expiring[] = []
  let changesAt: number | undefined
  for (const record of newest.values()) {
    soonest.set(record.role, Math.min(soonest.get(record.role) ?? Infinity, record.notAfter))
    const urgency = urgencyOf(record, now)
    if (urgency !== 'good') expiring.push({ mount, record, urgency })
    const at = nextUrgencyAt(record, now)
    if (at !== undefined) changesAt = Math.min(changesAt ?? Infinity, at)
  }
  expiring.sort((a, b) => a.record.notAfter - b.record.notAfter || (a.record.serial < b.record.serial ? -1 : 1))
  return { mount, counts, soonest, lastEnds, expiring: expiring.slice(0, limits.certificatesTold), changesAt }
}
