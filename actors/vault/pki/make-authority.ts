import type { CertificateKeyType, CertificateSigningKey } from '../../../runtime/platform/certificate-keys.ts'
import { toBase64url } from '../../../runtime/trust/base64url.ts'
import { keyIdOf, signCertificate } from '../../../runtime/x509/certificate.ts'
import { newSerial } from '../../../runtime/x509/serial.ts'
import type { EnginePorts } from '../engine.ts'
import { toText, type OpenAuthority, type StoredAuthority } from './authority-record.ts'

/** A clock that is behind by less takes it for one of now. */
export const BACKDATE_MS = 30_000

export const authorityIdOf = ({ keys }: Pick<EnginePorts, 'keys'>, spki: Uint8Array): string =>
  toBase64url(keys.hash(spki))

export interface AuthorityWish {
  readonly kind: StoredAuthority['kind']
  readonly state: 'next' | 'active'
  /** DER of its Name, by the id of its key. */
  readonly subject: (id: string) => Uint8Array
  readonly notAfter: number
  readonly pathLength?: number
  readonly keyType?: CertificateKeyType
}

/** A key, and its certificate by `signer`, or by itself. */
export async function makeAuthority(
  ports: EnginePorts, wish: AuthorityWish, signer?: OpenAuthority,
): Promise<StoredAuthority> {
  const { keys, random } = ports
  const key = await keys.certificates.generate(wish.keyType ?? keys.certificates.preferred, random)
  return authorityOf(ports, wish, key, signer)
}

export function authorityOf(
  ports: EnginePorts, wish: AuthorityWish, key: CertificateSigningKey, signer?: OpenAuthority,
): StoredAuthority {
  const { spki } = key.public
  const id = authorityIdOf(ports, spki)
  const der = signAuthority(ports, { ...wish, subject: wish.subject(id), spki }, signer ?? { key })
  return {
    id, kind: wish.kind, state: wish.state, key: key.exportPem(), certificate: toText(der),
    signedBy: signer?.id ?? id, crossSigned: [], above: [], overEnd: 'err',
  }
}

interface AuthorityFields {
  readonly subject: Uint8Array
  readonly spki: Uint8Array
  readonly notAfter: number
  readonly pathLength?: number
}

/** The certificate of an authority: that of another, or by its own key. It never outlives who signs it. */
export function signAuthority(
  ports: EnginePorts, { subject, spki, notAfter, pathLength }: AuthorityFields,
  signer: OpenAuthority | { readonly key: CertificateSigningKey },
): Uint8Array {
  const subjectKeyId = keyIdOf(spki, ports.keys.hash)
  const above = 'certificate' in signer ? signer.certificate : undefined
  const now = ports.clock.now()
  return signCertificate({
    serial: newSerial(ports.random), issuer: above?.subject ?? subject, subject, spki,
    notBefore: wholeSeconds(now - BACKDATE_MS), notAfter: wholeSeconds(Math.min(notAfter, above?.notAfter ?? notAfter)),
    extensions: {
      ca: pathLength === undefined ? {} : { pathLength },
      keyUsage: ['digitalSignature', 'keyCertSign', 'cRLSign'],
      subjectKeyId, authorityKeyId: above?.extensions.subjectKeyId ?? subjectKeyId,
    },
  }, signer.key!)
}

export const wholeSeconds = (ms: number): number => Math.floor(ms / 1_000) * 1_000
