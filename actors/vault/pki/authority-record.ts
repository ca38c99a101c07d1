import type { CertificateKeys, CertificateSigningKey } from '../../../runtime/platform/certificate-keys.ts'
import { array, literal, nullable, object, picklist, string, type Infer } from '../../../runtime/protocol.ts'
import { fromBase64url, toBase64url } from '../../../runtime/trust/base64url.ts'
import { parseCertificate, type Certificate } from '../../../runtime/x509/certificate.ts'
import { displayName } from '../../../runtime/x509/name.ts'
import { encodePem } from '../../../runtime/x509/pem.ts'
import type { Authority } from '../protocol.ts'
import { damaged } from '../record.ts'
import { serialKey, serialText } from './serials.ts'

export const authoritiesPath = 'authorities'

/** DER, base64url. */
const Der = string()

/** Every authority of a mount, newest last: one entry, so that a step of a rotation is one transaction. */
export const StoredAuthorities = object({
  format: literal(1),
  authorities: array(object({
    id: string(),
    kind: picklist(['root', 'intermediate']),
    state: picklist(['next', 'active', 'tainted', 'revoked']),
    /** PKCS #8 PEM. Of one that is revoked nothing is left. */
    key: nullable(string()),
    certificate: Der,
    signedBy: string(),
    /** A root's, by the roots before it: who trusts only those accepts it. */
    crossSigned: array(object({ certificate: Der, signedBy: string() })),
    /** Above one that was signed elsewhere, nearest first. */
    above: array(Der),
    /** What a certificate gets that would outlive it. */
    overEnd: picklist(['err', 'truncate']),
  })),
})
export type StoredAuthority = Infer<typeof StoredAuthorities>['authorities'][number]

/** A stored authority as it is used. */
export interface OpenAuthority {
  readonly stored: StoredAuthority
  readonly id: string
  readonly idBytes: Uint8Array
  readonly kind: StoredAuthority['kind']
  readonly state: StoredAuthority['state']
  readonly certificate: Certificate
  readonly pem: string
  readonly serial: string
  /** Undefined when it is revoked. */
  readonly key: CertificateSigningKey | undefined
}

export const toDer = (text: string): Uint8Array => fromBase64url(text) ?? new Uint8Array()
export const toText = (der: Uint8Array): string => toBase64url(der)
export const certificatePem = (der: Uint8Array): string => encodePem('CERTIFICATE', der)

/** @throws VaultDamaged */
export function openAuthority(stored: StoredAuthority, keys: CertificateKeys): OpenAuthority {
  const der = toDer(stored.certificate)
  const idBytes = toDer(stored.id)
  try {
    const certificate = parseCertificate(der)
    return {
      stored, id: stored.id, idBytes, kind: stored.kind, state: stored.state, certificate,
      pem: certificatePem(der), serial: serialKey(certificate.serial),
      key: stored.key === null ? undefined : keys.importPem(stored.key),
    }
  } catch (error) {
    throw damaged(authoritiesPath, `an authority cannot be read (${error instanceof Error ? error.message : 'no'})`)
  }
}

/** What is told of it. */
export const told = (mount: string, authority: OpenAuthority): Authority => ({
  mount, id: authority.id, kind: authority.kind, state: authority.state,
  subject: displayName(authority.certificate.subject), serial: serialText(authority.serial),
  notBefore: authority.certificate.notBefore, notAfter: authority.certificate.notAfter,
  pem: authority.pem, signedBy: authority.stored.signedBy,
})
