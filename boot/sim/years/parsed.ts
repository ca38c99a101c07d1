import type { CertificateKeys, CertificatePublicKey } from '../../../runtime/platform/certificate-keys.ts'
import { parseCertificate, type Certificate } from '../../../runtime/x509/certificate.ts'
import { parseRevocationList, type RevocationList } from '../../../runtime/x509/crl.ts'
import { sameBytes } from '../../../runtime/x509/der.ts'
import { decodePem } from '../../../runtime/x509/pem.ts'

/** Entries of one table; then it begins anew. */
const KEPT_MAX = 4_096

/**
 * Certificates and lists that many hosts look at again and again: each is read once, and each signature checked once
 * by each key. What a check says of the same bytes does not change.
 */
export class Parsed {
  readonly keys: CertificateKeys
  readonly #certificates = new Map<string, Certificate>()
  readonly #lists = new Map<string, RevocationList>()

  constructor(keys: CertificateKeys) {
    const imported = new WeakMap<Uint8Array, CertificatePublicKey>()
    this.keys = {
      ...keys,
      importSpki(spki) {
        const key = imported.get(spki) ?? keys.importSpki(spki)
        imported.set(spki, key)
        return key
      },
    }
  }

  certificate(pem: string): Certificate {
    return kept(this.#certificates, pem, () => checkedOnce(parseCertificate(decodePem(pem, 'CERTIFICATE'))))
  }

  list(pem: string): RevocationList {
    return kept(this.#lists, pem, () => checkedOnce(parseRevocationList(decodePem(pem, 'X509 CRL'))))
  }

  /** Both are of one authority, and `next` is the newer. */
  follows(next: RevocationList, before: RevocationList): boolean {
    return sameBytes(next.authorityKeyId, before.authorityKeyId) && next.number > before.number
  }
}

function kept<T>(table: Map<string, T>, key: string, make: () => T): T {
  const found = table.get(key)
  if (found !== undefined) return found
  if (table.size >= KEPT_MAX) table.clear()
  const made = make()
  table.set(key, made)
  return made
}

function checkedOnce<T extends { verify(key: CertificatePublicKey): boolean }>(signed: T): T {
  const verdicts = new Map<CertificatePublicKey, boolean>()
  const verify = (key: CertificatePublicKey): boolean => {
    const verdict = verdicts.get(key) ?? signed.verify(key)
    verdicts.set(key, verdict)
    return verdict
  }
  return Object.assign(Object.create(signed) as T, { verify })
}
