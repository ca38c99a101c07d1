import { defineError, InvalidArgument } from '../errors.ts'
import { limits } from '../limits.ts'
import type { CertificateKeys, CertificatePublicKey } from '../platform/certificate-keys.ts'
import type { Certificate } from './certificate.ts'
import type { RevocationList } from './crl.ts'
import { sameBytes } from './der.ts'
import type { ExtendedKeyUsage, KeyUsage } from './extensions.ts'
import { displayName } from './name.ts'
import { serialText } from './serial.ts'

/** `details.reason` is a DistrustReason, `details.serial` says of which certificate. */
export const CertificateDistrusted = defineError('CertificateDistrusted')

export type DistrustReason =
  | 'expired' | 'not-yet-valid'
  /** No root of ours signed it, or whoever did signed with another key, or may not sign. */
  | 'unknown-authority' | 'bad-signature' | 'bad-key' | 'not-authority' | 'path-too-long'
  | 'wrong-purpose' | 'name-not-permitted' | 'unknown-critical'
  /** Of its issuer there is no list that is valid now. */
  | 'revoked' | 'revocation-unknown'

export interface ChainQuestion {
  readonly leaf: Certificate
  /** What the peer sent beside it, in any order; more than `limits.certificateChain` are not looked at. */
  readonly intermediates: readonly Certificate[]
  readonly roots: readonly Certificate[]
  /** Epoch milliseconds. */
  readonly at: number
  readonly keys: CertificateKeys
  /** What it is shown for. Without it, also an authority may be asked about. */
  readonly purpose?: ExtendedKeyUsage
  /** When given, each certificate below a root needs a list of its issuer that is valid and does not name it. */
  readonly revocationLists?: readonly RevocationList[]
}

/**
 * Path validation for zones' own chains (RFC 5280 §6.1): a leaf, few intermediates, a root that is trusted as it is.
 * @returns the chain, from the leaf to its root
 * @throws CertificateDistrusted with the reason of the most promising chain
 */
export function verifyChain(question: ChainQuestion): readonly Certificate[] {
  const { leaf, purpose } = question
  if (purpose !== undefined) {
    demandPurpose(leaf, purpose)
    // All that TLS 1.3 does with the key of a leaf is sign; an authority signs certificates and nothing else
    if (leaf.extensions.ca || !mayUse(leaf, 'digitalSignature')) {
      throw distrust('wrong-purpose', leaf, leaf.extensions.ca ? 'it is an authority' : 'its key may not sign')
    }
  }
  return chainFrom([leaf], { ...question, keyOf: keysOnce(question.keys) })
}

interface Search extends ChainQuestion {
  readonly keyOf: (certificate: Certificate) => CertificatePublicKey
}

/** Goes on from the last of `chain`: by a root if there is one that fits, else by an intermediate. */
function chainFrom(chain: readonly Certificate[], search: Search): readonly Certificate[] {
  const last = chain.at(-1)!
  demandValid(last, search.at)
  const failed: Error[] = []
  const attempt = (issuer: Certificate, next: () => readonly Certificate[]): readonly Certificate[] | undefined => {
    try {
      demandIssuer(issuer, chain, search)
      return next()
    } catch (error) {
      if (!(error instanceof CertificateDistrusted)) throw error
      failed.push(error)
      return undefined
    }
  }
  for (const root of search.roots.filter((each) => mayHaveIssued(each, last))) {
    const found = attempt(root, () => (demandValid(root, search.at), [...chain, root]))
    if (found) return found
  }
  for (const issuer of search.intermediates.slice(0, limits.certificateChain)) {
    if (chain.some((each) => sameBytes(each.raw, issuer.raw)) || !mayHaveIssued(issuer, last)) continue
    const found = attempt(issuer, () => chainFrom([...chain, issuer], search))
    if (found) return found
  }
  throw failed[0] ?? distrust('unknown-authority', last, `no authority that is trusted is ${displayName(last.issuer)}`)
}

/** By name, and by key identifier where both have one (RFC 5280 §4.2.1.1). */
function mayHaveIssued(issuer: Certificate, { issuer: name, extensions: { authorityKeyId } }: Certificate): boolean {
  const { subject, extensions: { subjectKeyId } } = issuer
  return sameBytes(subject, name) && (!authorityKeyId || !subjectKeyId || sameBytes(authorityKeyId, subjectKeyId))
}

/** That `issuer` signed the last of `chain`, might do so, and has not taken it back. */
function demandIssuer(issuer: Certificate, chain: readonly Certificate[], search: Search): void {
  const last = chain.at(-1)!
  const { ca, permittedDns } = issuer.extensions
  if (!ca || !mayUse(issuer, 'keyCertSign')) throw distrust('not-authority', issuer, 'it may not sign certificates')
  if (!last.verify(search.keyOf(issuer))) {
    throw distrust('bad-signature', last, `it is not signed by ${displayName(issuer.subject)}`)
  }
  // Authorities below it that are not the leaf, which may be one (§6.1.4 m); those that issued themselves do not count
  const below = chain.slice(1).filter(({ subject, issuer: name }) => !sameBytes(subject, name)).length
  if (ca.pathLength !== undefined && below > ca.pathLength) {
    throw distrust('path-too-long', issuer, `it allows ${ca.pathLength} authorities below it: ${below}`)
  }
  if (search.purpose !== undefined) demandPurpose(issuer, search.purpose)
  if (permittedDns) chain.forEach((each) => demandNames(each, permittedDns))
  if (search.revocationLists) demandNotRevoked(last, issuer, search.revocationLists, search)
}

function demandValid(certificate: Certificate, at: number): void {
  const { notBefore, notAfter, unknownCritical } = certificate
  if (at < notBefore) throw distrust('not-yet-valid', certificate, `it begins in ${notBefore - at} ms by this clock`)
  // The last second belongs to it
  if (at >= notAfter + 1000) throw distrust('expired', certificate, `it ended ${at - notAfter} ms ago`)
  if (unknownCritical.length > 0) {
    throw distrust('unknown-critical', certificate, `it has critical extensions: ${unknownCritical.join(', ')}`)
  }
}

/** Without a list of purposes it is for any; of an authority the list is for all below it, as in OpenSSL and Go. */
function demandPurpose(certificate: Certificate, purpose: ExtendedKeyUsage): void {
  const { extendedKeyUsage } = certificate.extensions
  if (!extendedKeyUsage || extendedKeyUsage.includes(purpose) || extendedKeyUsage.includes('any')) return
  throw distrust('wrong-purpose', certificate, `it is not for ${purpose}`)
}

const mayUse = ({ extensions: { keyUsage } }: Certificate, usage: KeyUsage): boolean =>
  !keyUsage || keyUsage.includes(usage)

function demandNames(certificate: Certificate, permitted: readonly string[]): void {
  for (const { type, value } of certificate.extensions.names ?? []) {
    if (type !== 'dns' || permitted.some((name) => value === name || value.endsWith(`.${name}`))) continue
    throw distrust('name-not-permitted', certificate, `its authority may not issue for ${value}`)
  }
}

function demandNotRevoked(
  certificate: Certificate, issuer: Certificate, lists: readonly RevocationList[], { at, keyOf }: Search,
): void {
  const ofIssuer = lists.filter((list) => sameBytes(list.issuer, issuer.subject)
    && (!issuer.extensions.subjectKeyId || sameBytes(list.authorityKeyId, issuer.extensions.subjectKeyId))
    && mayUse(issuer, 'cRLSign') && list.verify(keyOf(issuer)))
  // What a list once named stays revoked, however old that list is
  const entry = ofIssuer.map((list) => list.find(certificate.serial)).find((each) => each !== undefined)
  if (entry) throw distrust('revoked', certificate, `it was revoked: ${entry.reason ?? 'unspecified'}`)
  if (!ofIssuer.some(({ thisUpdate, nextUpdate }) => thisUpdate <= at && at <= nextUpdate)) {
    const why = ofIssuer.length === 0 ? 'there is none' : 'the last has ended'
    throw distrust('revocation-unknown', certificate, `no revocation list of its issuer is valid: ${why}`)
  }
}

function distrust(reason: DistrustReason, certificate: Certificate, detail: string): Error {
  const serial = serialText(certificate.serial)
  const whose = displayName(certificate.subject) || serial
  return new CertificateDistrusted(`The certificate of ${whose} is not to be trusted: ${detail}`, { reason, serial })
}

const imported = new WeakMap<CertificateKeys, WeakMap<Certificate, CertificatePublicKey>>()

/** Each key is imported once, for as long as somebody has the certificate: authorities are asked for every leaf. */
function keysOnce(keys: CertificateKeys): Search['keyOf'] {
  const known = imported.get(keys) ?? new WeakMap<Certificate, CertificatePublicKey>()
  imported.set(keys, known)
  return (certificate) => {
    const key = known.get(certificate) ?? importKey(certificate, keys)
    known.set(certificate, key)
    return key
  }
}

function importKey(certificate: Certificate, keys: CertificateKeys): CertificatePublicKey {
  try {
    return keys.importSpki(certificate.spki)
  } catch (error) {
    if (error instanceof InvalidArgument) throw distrust('bad-key', certificate, error.message)
    throw error
  }
}
