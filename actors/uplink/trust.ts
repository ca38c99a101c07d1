import { messageOf, TlsNotTrusted } from '../../runtime/errors.ts'
import type { Clock, Keys } from '../../runtime/platform/ports.ts'
import type { Store } from '../../runtime/store/store.ts'
import { parseCertificate, type Certificate } from '../../runtime/x509/certificate.ts'
import { sameBytes } from '../../runtime/x509/der.ts'
import { verifyChain } from '../../runtime/x509/verify-chain.ts'
import { hostNamed } from '../host-identity.ts'
import { readRootSet, type RootSet } from '../root-set.ts'
import type { UplinkStart } from './protocol.ts'
import { certificateOf, createRevocations, distrust } from './revocations.ts'

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
  /**
   * Merges what each authority below our roots has taken back; nothing is forgotten because it is left out.
   * @returns why single lists or authorities were passed over
   * @throws TlsNotTrusted
   */
  takeRevocations(document: string): Promise<readonly string[]>
  /**
   * Name of the control plane's host that has this certificate. With the certificates that came with it (DER) it has
   * to end at a root of ours by them; without, TLS has seen to that: an authority that we were not told of yet is
   * no fault then. @throws TlsNotTrusted
   */
  oodOf(certificate: Uint8Array, intermediates?: readonly Uint8Array[]): string
}

const stored = { roots: 'roots', revocations: 'revocations' } as const
const encoder = new TextEncoder()
const decoder = new TextDecoder()

export async function openTrust({ keys, clock, store, zone, start }: TrustOptions): Promise<UplinkTrust> {
  let roots: readonly string[] = start.roots
  let version = start.rootsVersion
  const revocations = createRevocations({ keys, clock })

  const verified = (document: string, now: number): RootSet => {
    const verdicts = start.anchors.map((anchor) =>
      readRootSet(keys, document, { zone, anchor, now, versionMin: version }))
    for (const verdict of verdicts) if (verdict.accepted) return verdict.set
    const whys = verdicts.map((verdict) => (verdict.accepted ? '' : verdict.why))
    throw distrust(`The set of roots is not by an anchor of ours: ${whys.join('; ') || 'there is none'}`)
  }
  const rootsNow = (): readonly Certificate[] => {
    try {
      return roots.map(certificateOf)
    } catch (error) {
      throw distrust(`A root is not sound: ${messageOf(error)}`)
    }
  }
  const useRoots = (set: RootSet): void => {
    roots = set.roots
    version = set.version
  }

  const [keptRoots, keptRevocations] = await Promise.all([store.get(stored.roots), store.get(stored.revocations)])
  // What was kept was checked when it came: of a set that has ended since, the roots still hold until told otherwise
  try {
    if (keptRoots) useRoots(verified(decoder.decode(keptRoots.value), 0))
  } catch {
    // Of other anchors: the host has joined anew
  }
  try {
    // By itself: what was revoked stays so, whatever became of the roots
    if (keptRevocations) revocations.restore(decoder.decode(keptRevocations.value))
  } catch {
    // Damaged: it is told anew
  }

  return {
    get roots() { return roots },
    async takeRoots(document) {
      const set = verified(document, clock.now())
      useRoots(set)
      await store.put(stored.roots, encoder.encode(document))
    },
    async takeRevocations(document) {
      const passed = revocations.take(document, rootsNow)
      await store.put(stored.revocations, encoder.encode(revocations.text()))
      return passed
    },
    oodOf(der, presented) {
      const leaf = certificateIn(der)
      const named = hostNamed(leaf, zone)
      if (named?.role !== 'ood') {
        throw new TlsNotTrusted('What answers is no control plane of the zone', { reason: 'wrong-name' })
      }
      if (revocations.revoked(leaf)) throw distrust(`The certificate of ${named.name} was revoked`)
      const all = [...(presented ?? []).map(certificateIn), ...revocations.authorities]
      const issuers = all.filter((each) => hasIssued(each, leaf))
      // TLS has seen to the chain, by an authority that we are told of as soon as the tunnel is there
      if (presented === undefined && issuers.length === 0) return named.name
      // Revocation is told apart from the chain, which is judged to its root whether there are lists or not: a host
      // that was away long has none that is valid now, and what the last one named is revoked all the same
      const intermediates = [...issuers, ...all.filter((each) => !issuers.includes(each))]
        .filter((each) => !revocations.revoked(each))
      try {
        verifyChain({
          leaf, intermediates, roots: rootsNow(), at: clock.now(), keys: keys.certificates,
          purpose: 'serverAuth',
        })
      } catch (error) {
        throw distrust(`The certificate of ${named.name} is not good: ${messageOf(error)}`)
      }
      return named.name
    },
  }
}

/** By name, and by key where both say by which (RFC 5280 §4.2.1.1). */
const hasIssued = ({ subject, extensions: { subjectKeyId } }: Certificate, leaf: Certificate): boolean =>
  sameBytes(subject, leaf.issuer) && (!subjectKeyId || !leaf.extensions.authorityKeyId
    || sameBytes(subjectKeyId, leaf.extensions.authorityKeyId))

function certificateIn(der: Uint8Array): Certificate {
  try {
    return parseCertificate(der)
  } catch {
    throw distrust('The certificate of the server cannot be read')
  }
}
