import { safeParse } from 'valibot'
import { messageOf, TlsNotTrusted } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock, Keys } from '../../runtime/platform/ports.ts'
import type { Certificate } from '../../runtime/x509/certificate.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { parseRevocationList, type RevocationList } from '../../runtime/x509/crl.ts'
import { sameBytes } from '../../runtime/x509/der.ts'
import { decodePem, encodePem } from '../../runtime/x509/pem.ts'
import { verifyChain } from '../../runtime/x509/verify-chain.ts'
import { RevocationDocument } from '../host-identity.ts'

/** Authorities of the zone and what they have taken back: the newest list of each that was ever told. */
export interface Revocations {
  readonly authorities: readonly Certificate[]
  /**
   * Adds what a document says; nothing that it leaves out is taken back. What is not sound is passed over by itself.
   * @returns why each of that was passed over
   * @throws TlsNotTrusted when it has another shape, or lists of which none is sound
   */
  take(document: string, rootsNow: () => readonly Certificate[]): readonly string[]
  /** As it was accepted once: it is not judged again. @throws whatever a damaged text leads to */
  restore(document: string): void
  /** All that is held, for `restore`. */
  text(): string
  revoked(certificate: Certificate): boolean
}

export const distrust = (message: string): Error => new TlsNotTrusted(message, { reason: 'unknown-authority' })
export const certificateOf = (pem: string): Certificate => parseCertificate(decodePem(pem, 'CERTIFICATE'))
const listOf = (pem: string): RevocationList => parseRevocationList(decodePem(pem, 'X509 CRL'))
const byteText = (bytes: Uint8Array): string => String.fromCharCode(...bytes)

export function createRevocations({ keys, clock }: { readonly keys: Keys; readonly clock: Clock }): Revocations {
  /** By its bytes: one authority may have several certificates. */
  let authorities = new Map<string, Certificate>()
  /** By the key of who signed it. */
  let lists = new Map<string, RevocationList>()

  const useAuthority = (authority: Certificate): void => void authorities.set(byteText(authority.raw), authority)
  const useList = (list: RevocationList): void => {
    const key = byteText(list.authorityKeyId)
    // An older list takes nothing back that a newer one has said
    if ((lists.get(key)?.number ?? -1) < list.number) lists.set(key, list)
  }
  /** What an authority that has ended has signed, has ended as well. */
  const forgetEnded = (): void => {
    const ended = [...authorities].filter(([, { notAfter }]) => notAfter + 1_000 <= clock.now())
    for (const [key] of ended) authorities.delete(key)
    const living = new Set([...authorities.values()].map(keyIdOf))
    for (const [, authority] of ended) if (!living.has(keyIdOf(authority))) lists.delete(keyIdOf(authority))
  }

  return {
    get authorities() { return [...authorities.values()] },
    take(document, rootsNow) {
      const told = shapeOf(document)
      const roots = rootsNow()
      const passed: string[] = []
      const each = <T>(pems: readonly string[], read: (pem: string) => T): T[] => pems.flatMap((pem) => {
        try {
          return [read(pem)]
        } catch (error) {
          passed.push(messageOf(error))
          return []
        }
      })
      const found = each(told.authorities, certificateOf)
      const sound = found.filter((leaf) => {
        try {
          verifyChain({ leaf, intermediates: found, roots, at: clock.now(), keys: keys.certificates })
          return true
        } catch (error) {
          passed.push(messageOf(error))
          return false
        }
      })
      const signers = [...sound, ...authorities.values(), ...roots]
      const taken = each(told.lists, (pem) => {
        const list = listOf(pem)
        const isSigned = signers.some((signer) => keyIdOf(signer) === byteText(list.authorityKeyId)
          && sameBytes(signer.subject, list.issuer) && list.verify(keys.certificates.importSpki(signer.spki)))
        if (!isSigned) throw distrust('A revocation list is by no authority of the zone')
        return list
      })
      if (taken.length === 0 && told.lists.length > 0) {
        throw distrust(`The revocation lists are not sound: ${passed[0] ?? ''}`)
      }
      const before = [authorities, lists] as const
      authorities = new Map(authorities)
      lists = new Map(lists)
      sound.forEach(useAuthority)
      taken.forEach(useList)
      forgetEnded()
      if (Math.max(authorities.size, lists.size) > limits.toldCertificates) {
        [authorities, lists] = before
        throw distrust(`There are more authorities than a zone has: ${limits.toldCertificates}`)
      }
      return passed
    },
    restore(document) {
      const kept = shapeOf(document)
      kept.authorities.map(certificateOf).forEach(useAuthority)
      kept.lists.map(listOf).forEach(useList)
    },
    text: () => JSON.stringify({
      authorities: [...authorities.values()].map(({ raw }) => encodePem('CERTIFICATE', raw)),
      lists: [...lists.values()].map(({ raw }) => encodePem('X509 CRL', raw)),
    } satisfies RevocationDocument),
    revoked({ issuer, serial, extensions: { authorityKeyId } }) {
      return [...lists.values()].some((list) => sameBytes(list.issuer, issuer)
        && (!authorityKeyId || sameBytes(list.authorityKeyId, authorityKeyId)) && list.find(serial) !== undefined)
    },
  }
}

const keyIdOf = ({ extensions: { subjectKeyId } }: Certificate): string => byteText(subjectKeyId ?? new Uint8Array())

function shapeOf(document: string): RevocationDocument {
  let read: unknown
  try {
    read = JSON.parse(document)
  } catch {
    throw distrust('The revocation lists are not JSON')
  }
  const parsed = safeParse(RevocationDocument, read)
  if (!parsed.success) throw distrust(`The revocation lists have the wrong shape: ${parsed.issues[0].message}`)
  return parsed.output
}
