import { limits } from '../../../runtime/limits.ts'
import { parseCertificate } from '../../../runtime/x509/certificate.ts'
import { identityOf } from '../../join-protocol.ts'
import type { Barrier, Beside } from '../barrier.ts'
import type { WithCertificate } from '../pki/keep.ts'
import type { Pki } from '../pki/pki.ts'
import { JoinRefused } from '../protocol.ts'
import { joinPaths, StoredHost } from './records.ts'

export interface OfOod {
  readonly zone: string
  readonly host: string
  /** Thumbprint of its device key. */
  readonly kid: string
}

/**
 * Every certificate of an OOD that is good still: the one that it joined by, and those that its actors got since, in
 * its name or for themselves.
 */
export async function certificatesOfOod(pki: Pki, { zone, host, kid }: OfOod, now: number): Promise<string[]> {
  const identity = identityOf(zone, 'ood', host)
  const found: string[] = []
  for await (const { key, stored: { holder, notAfter, revokedAt, der } } of pki.certificates.all()) {
    if (notAfter < now || revokedAt !== undefined) continue
    const isIts = holder === `device:${kid}` || holder.endsWith(`@${host}`)
      || (parseCertificate(der).extensions.names ?? []).some(({ value }) => value === identity)
    if (isIts) found.push(key)
  }
  return found
}

const nothing: Beside = { guards: [], changes: [] }

/** Into the lists, as many as one transaction takes at a time. What somebody changes meanwhile the next look takes. */
export async function revokeInBatches(pki: Pki, serials: readonly string[], reason: string): Promise<void> {
  for (let at = 0; at < serials.length; at += limits.vaultTidyBatch) {
    const batch = serials.slice(at, at + limits.vaultTidyBatch)
    for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
      if (await pki.revocation.revokeAll(batch, reason, nothing)) break
    }
  }
}

/**
 * What a certificate is kept with that an actor of this host asks for: a host that was revoked gets nothing more,
 * also when that happens meanwhile. @throws JoinRefused
 */
export async function whileUnrevoked(barrier: Barrier, host: string): Promise<WithCertificate> {
  const path = joinPaths.host(host)
  let revision = 0
  const look = async (): Promise<void> => {
    const found = await barrier.read(path, StoredHost)
    if (found?.value.revokedAt !== undefined) {
      throw new JoinRefused(`The host was revoked: ${host}`, { reason: 'revoked' })
    }
    revision = found?.revision ?? 0
  }
  await look()
  return { get guards() { return [{ key: path, modRevision: revision }] }, changes: () => [], stillHolds: look }
}
