import { safeParse } from 'valibot'
import { messageOf, TlsNotTrusted, ZonewrightError } from '../../runtime/errors.ts'
import type { Clock, Keys } from '../../runtime/platform/ports.ts'
import type { Store } from '../../runtime/store/store.ts'
import { parseCertificate, type Certificate } from '../../runtime/x509/certificate.ts'
import { parseRevocationList, type RevocationList } from '../../runtime/x509/crl.ts'
import { decodePem } from '../../runtime/x509/pem.ts'
import { verifyChain } from '../../runtime/x509/verify-chain.ts'
import { hostNamed, RevocationDocument } from '../host-identity.ts'
import { readRootSet, type RootSet } from '../root-set.ts'
import type { UplinkStart } from './protocol.ts'

export interface TrustOptions {
  readonly keys: Keys
  readonly clock: Clock
  readonly store: Store
  readonly zone: string
  readonly start: UplinkStart
}

/** By which certificates the control plane is known, as last told by it; kept across starts. */
export interface UplinkTrust {
  /** PEM. */
  readonly roots: readonly string[]
  /** A set that the zone's anchor signed, no older than the one that is known. @throws TlsNotTrusted */
  takeRoots(document: string): Promise<void>
  /** Each list must be signed by an authority below our roots. @throws TlsNotTrusted */
  takeRevocations(document: string): Promise<void>
  /** Name of the control plane's host that has this certificate. @throws TlsNotTrusted */
  oodOf(certificate: Uint8Array): string
}

const stored = { roots: 'roots', revocations: 'revocations' } as const
const encoder = new TextEncoder()
const decoder = new TextDecoder()

const distrust = (message: string): Error => new TlsNotTrusted(message, { reason: 'unknown-authority' })
const certificateOf = (pem: string): Certificate => parseCertificate(decodePem(pem, 'CERTIFICATE'))

export async function openTrust({ keys, clock, store, zone, start }: TrustOptions): Promise<UplinkTrust> {
  let roots: readonly string[] = start.roots
  let version = start.rootsVersion
  let authorities: readonly Certificate[] = []
  let lists: readonly RevocationList[] = []

  const verified = (document: string, now: number): RootSet => {
    const verdicts = start.anchors.map((anchor) =>
      readRootSet(keys, document, { zone, anchor, now, versionMin: version }))
    for (const verdict of verdicts) if (verdict.accepted) return verdict.set
    const whys = verdicts.map((verdict) => (verdict.accepted ? '' : verdict.why))
    throw distrust(`The set of roots is not by an anchor of ours: ${whys.join('; ') || 'there is none'}`)
  }
  const useRoots = (set: RootSet): void => {
    roots = set.roots
    version = set.version
  }
  const readRevocations = (document: string): { authorities: Certificate[]; lists: RevocationList[] } => {
    let read: unknown
    try {
      read = JSON.parse(document)
    } catch {
      throw distrust('The revocation lists are not JSON')
    }
    const parsed = safeParse(RevocationDocument, read)
    if (!parsed.success) throw distrust(`The revocation lists have the wrong shape: ${parsed.issues[0].message}`)
    try {
      const found = parsed.output.authorities.map(certificateOf)
      const trusted = roots.map(certificateOf)
      for (const authority of found) {
        verifyChain({
          leaf: authority, intermediates: found, roots: trusted, at: clock.now(), keys: keys.certificates,
        })
      }
      const signers = [...found, ...trusted].map(({ spki }) => keys.certificates.importSpki(spki))
      const all = parsed.output.lists.map((pem) => parseRevocationList(decodePem(pem, 'X509 CRL')))
      if (!all.every((list) => signers.some((signer) => list.verify(signer)))) {
        throw distrust('A revocation list is by no authority of the zone')
      }
      return { authorities: found, lists: all }
    } catch (error) {
      throw error instanceof TlsNotTrusted ? error : distrust(`The revocation lists are not sound: ${messageOf(error)}`)
    }
  }
  const useRevocations = (document: string): void => {
    const next = readRevocations(document)
    // An older list takes nothing back that a newer one has said
    const older = lists.some((list) => next.lists.some((one) =>
      list.number > one.number && String(list.authorityKeyId) === String(one.authorityKeyId)))
    if (older) throw distrust('The revocation lists are older than those that are known')
    authorities = next.authorities
    lists = next.lists
  }

  const [keptRoots, keptRevocations] = await Promise.all([store.get(stored.roots), store.get(stored.revocations)])
  // What was kept was checked when it came: of a set that has ended since, the roots still hold until told otherwise
  try {
    if (keptRoots) useRoots(verified(decoder.decode(keptRoots.value), 0))
    if (keptRevocations) useRevocations(decoder.decode(keptRevocations.value))
  } catch {
    // Of other anchors: the host has joined anew
  }

  return {
    get roots() { return roots },
    async takeRoots(document) {
      const set = verified(document, clock.now())
      useRoots(set)
      await store.put(stored.roots, encoder.encode(document))
    },
    async takeRevocations(document) {
      useRevocations(document)
      await store.put(stored.revocations, encoder.encode(document))
    },
    oodOf(der) {
      const leaf = certificateIn(der)
      const named = hostNamed(leaf, zone)
      if (named?.role !== 'ood') {
        throw new TlsNotTrusted('What answers is no control plane of the zone', { reason: 'wrong-name' })
      }
      try {
        verifyChain({
          leaf, intermediates: authorities, roots: roots.map(certificateOf), at: clock.now(), keys: keys.certificates,
          purpose: 'serverAuth', revocationLists: lists,
        })
      } catch (error) {
        // TLS has checked that it ends at a root of ours, and when; a host that was away long has no newer list
        const reason = error instanceof ZonewrightError ? error.details['reason'] : undefined
        if (reason === 'revoked') throw distrust(`The certificate of ${named.name} was revoked`)
      }
      return named.name
    },
  }
}

function certificateIn(der: Uint8Array): Certificate {
  try {
    return parseCertificate(der)
  } catch {
    throw distrust('The certificate of the server cannot be read')
  }
}
