import { LimitExceeded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Compare } from '../../../runtime/store/store.ts'
import { parseRevocationList, signRevocationList, type RevokedCertificate } from '../../../runtime/x509/crl.ts'
import type { Barrier, Change } from '../barrier.ts'
import { damaged } from '../record.ts'
import type { OpenAuthority } from './authority-record.ts'

export const crlPath = (authority: string): string => `crl/${authority}`

/** A clock that is behind by less takes it for one of now. */
const BACKDATE_MS = 30_000

/** The newest list of one authority: it is also where its revocations are kept. */
export interface OpenList {
  readonly der: Uint8Array
  readonly number: number
  /** Epoch milliseconds. */
  readonly thisUpdate: number
  readonly nextUpdate: number
  readonly revoked: readonly RevokedCertificate[]
  readonly revision: number
}

/** As they were read last: they are asked for without a token, and to take a long one apart is work. */
const parsed = new WeakMap<Barrier, Map<string, OpenList>>()

/** @throws VaultDamaged */
export async function readList(barrier: Barrier, authority: string): Promise<OpenList | undefined> {
  const path = crlPath(authority)
  const found = await barrier.readBytes(path)
  const known = parsed.get(barrier) ?? new Map<string, OpenList>()
  parsed.set(barrier, known)
  // Of an authority that is gone nothing is kept
  if (found === undefined) return void known.delete(path)
  const last = known.get(path)
  if (last?.revision === found.revision) return last
  try {
    const { number, thisUpdate, nextUpdate, revoked } = parseRevocationList(found.value)
    const list = { der: found.value, number, thisUpdate, nextUpdate, revoked, revision: found.revision }
    known.set(path, list)
    return list
  } catch {
    throw damaged(path, 'it is no revocation list')
  }
}

export interface ListWrite {
  readonly guard: Compare
  readonly change: Change
}

/**
 * The next list of an authority, to be committed with what it says. Its number follows that of the last.
 * @param most certificates on it: fewer than there may be, for what is not to fill the list
 * @throws LimitExceeded
 */
export function nextList(
  authority: OpenAuthority, last: OpenList | undefined, revoked: readonly RevokedCertificate[],
  { now, lifeMs, most = limits.vaultRevoked }: {
    readonly now: number; readonly lifeMs: number; readonly most?: number
  },
): ListWrite {
  if (revoked.length > most) {
    throw new LimitExceeded(`This revocation list has at most ${most} certificates: revoke their authority, or wait`)
  }
  const path = crlPath(authority.id)
  const { certificate: { subject, extensions: { subjectKeyId } } } = authority
  const value = signRevocationList({
    issuer: subject, number: (last?.number ?? 0) + 1, thisUpdate: now - BACKDATE_MS, nextUpdate: now + lifeMs, revoked,
    authorityKeyId: subjectKeyId!,
  }, authority.key!)
  return { guard: { key: path, modRevision: last?.revision ?? 0 }, change: { path, value } }
}
