import { InvalidArgument } from '../../../runtime/errors.ts'
import type { CertificateKeyType, CertificatePublicKey } from '../../../runtime/platform/certificate-keys.ts'
import { keyIdOf, parseCertificate, signCertificate, type Certificate } from '../../../runtime/x509/certificate.ts'
import { parseRequest, type CertificationRequest } from '../../../runtime/x509/csr.ts'
import { sameBytes } from '../../../runtime/x509/der.ts'
import type { Extensions } from '../../../runtime/x509/extensions.ts'
import { encodeName } from '../../../runtime/x509/name.ts'
import { decodePem } from '../../../runtime/x509/pem.ts'
import type { EnginePorts } from '../engine.ts'
import { certificatePath } from './certificates.ts'
import { encodeRecord } from './certificate-record.ts'
import { kept, type Issued, type KeepPorts, type WithCertificate } from './keep.ts'
import { signAuthority } from './make-authority.ts'
import { refused, refusing } from './refused.ts'
import { defaultRole } from './role.ts'
import { serialKey } from './serials.ts'
import { checkKey, subjectOf, usagesOf, validityOf } from './terms.ts'
import { allowedNames, type Asker, type RoleInUse, type Wish, type ZoneNames } from './wish.ts'

export interface IssuePorts extends KeepPorts {
  readonly zone: ZoneNames
  readonly crlUrls: () => Promise<readonly string[]>
}

export interface Issuing {
  /** @throws CertificateRefused, Overloaded */
  sign(
    csr: string | CheckedRequest, use: RoleInUse, wish: Wish, asker: Asker, beside?: WithCertificate,
  ): Promise<Issued>
  /** With a key that is made here, and kept nowhere. */
  issue(use: RoleInUse, wish: Wish, asker: Asker): Promise<IssuedWithKey>
  /** For an authority below the one that signs. */
  signAuthority(csr: string, wish: AuthorityRequest, asker: Asker): Promise<Issued>
  /** Into the inventory, what an authority here has signed and nothing was kept of. @throws CertificateRefused */
  adopt(certificate: Certificate, asker: Asker): Promise<void>
}

export interface IssuedWithKey extends Issued {
  /** PKCS #8 PEM. */
  readonly privateKey: string
  readonly keyType: CertificateKeyType
}

export interface AuthorityRequest {
  /** DER of a Name, in place of that of the request. */
  readonly subject?: Uint8Array
  readonly pathLength: number | undefined
  readonly ttl: number | undefined
  /** Epoch milliseconds. */
  readonly notAfter: number | undefined
  readonly life?: Wish['life']
}

/** A request that has shown that it has its key: nothing else that it says is believed. @throws CertificateRefused */
export function checkedRequest({ keys }: Pick<EnginePorts, 'keys'>, csr: string): CheckedRequest {
  const request = refusing('request', 'The signing request', () =>
    parseRequest(decodePem(csr, 'CERTIFICATE REQUEST')))
  try {
    return { request, key: request.verify(keys.certificates) }
  } catch (error) {
    if (!(error instanceof InvalidArgument)) throw error
    refusing('key', 'The key of the signing request', () => keys.certificates.importSpki(request.spki))
    throw refused('signature', 'The signing request is not signed by the key that it is for')
  }
}

export interface CheckedRequest {
  readonly request: CertificationRequest
  readonly key: CertificatePublicKey
}

export function createIssuing(given: IssuePorts): Issuing {
  const { ports } = given
  return {
    async sign(csr, use, wish, asker, beside) {
      const { request, key } = typeof csr === 'string' ? checkedRequest(ports, csr) : csr
      if (request.asksForAuthority) {
        throw refused('authority-request', 'The signing request asks for an authority; a role certifies none')
      }
      checkKey(use.role, key)
      return certify(given, key, use, wish, asker, request, beside)
    },
    async issue(use, wish, asker) {
      const key = await ports.keys.certificates.generate(keyTypeOf(given, use), ports.random)
      const issued = await certify(given, key.public, use, wish, asker, undefined)
      return { ...issued, privateKey: key.exportPem(), keyType: key.public.type }
    },
    signAuthority: (csr, wish, asker) => certifyAuthority(given, csr, wish, asker),
    adopt: (certificate, asker) => adopt(given, certificate, asker),
  }
}

async function certifyAuthority(
  given: IssuePorts, csr: string, { subject, pathLength, ttl, notAfter, life }: AuthorityRequest, { holder }: Asker,
): Promise<Issued> {
  const { request, key } = checkedRequest(given.ports, csr)
  const use = { name: '', role: { ...defaultRole, max_ttl: AUTHORITY_SECONDS_MAX } }
  return kept(given, { role: '', holder, noStore: false }, (authority) => {
    const { ca } = authority.certificate.extensions
    if (ca?.pathLength === 0) throw refused('authority-request', 'The authority that signs may have none below it')
    const length = pathLength ?? (ca?.pathLength === undefined ? undefined : ca.pathLength - 1)
    if (ca?.pathLength !== undefined && length! >= ca.pathLength) {
      throw refused('authority-request', `The path below the authority is shorter than that: ${ca.pathLength}`)
    }
    const validity = validityOf(use, { names: [], ttl, notAfter, life }, authority, given.ports.clock.now())
    const der = signAuthority(given.ports, {
      subject: subject ?? request.subject, spki: key.spki, notAfter: validity.notAfter,
      ...(length === undefined ? {} : { pathLength: length }),
    }, authority)
    const { serial, notBefore } = parseCertificate(der)
    const warnings = validity.warning === undefined ? [] : [validity.warning]
    return { der, serial, notBefore, notAfter: validity.notAfter, warnings }
  })
}

/** Ten years. */
const AUTHORITY_SECONDS_MAX = 10 * 365 * 86_400

async function adopt({ ports, authorities }: IssuePorts, certificate: Certificate, { holder }: Asker): Promise<void> {
  const { serial, issuer, notAfter, raw: der } = certificate
  const book = await authorities.fresh()
  const authority = book.authorities.find((one) => one.key !== undefined
    && sameBytes(one.certificate.subject, issuer) && certificate.verify(one.key.public))
  if (authority === undefined) throw refused('no-authority', 'No authority of this mount has signed this certificate')
  const path = certificatePath(serialKey(serial))
  const value = encodeRecord({ role: '', holder, authority: authority.idBytes, notAfter, der })
  // One that is there already stays as it is
  await ports.barrier.commit([{ key: path, modRevision: 0 }], [{ path, value }])
}

function keyTypeOf({ ports }: IssuePorts, { role: { key_type: type, key_bits: bits } }: RoleInUse): CertificateKeyType {
  switch (type) {
    case 'any': return ports.keys.certificates.preferred
    case 'ed25519': return 'ed25519'
    case 'ec': return bits === 384 ? 'ec-p384' : 'ec-p256'
    case 'rsa': return `rsa-${(bits || 2048) as 2048 | 3072 | 4096}`
  }
}

async function certify(
  given: IssuePorts, key: CertificatePublicKey, use: RoleInUse, wish: Wish, asker: Asker,
  request: CertificationRequest | undefined, beside?: WithCertificate,
): Promise<Issued> {
  const { ports } = given
  const { commonName, names } = allowedNames(use, wish, request, asker, given.zone)
  const subject = use.verbatim && request ? request.subject
    : refusing('common-name', 'The subject', () => encodeName(subjectOf(use.role, commonName)))
  const usages = usagesOf(use.role, key)
  const crlUrls = await given.crlUrls()
  const extensions: Extensions = {
    ...(usages.key.length === 0 ? {} : { keyUsage: usages.key }),
    ...(usages.extended.length === 0 ? {} : { extendedKeyUsage: usages.extended }),
    ...(names.length === 0 ? {} : { names }),
    ...(crlUrls.length === 0 ? {} : { crlUrls }),
    subjectKeyId: keyIdOf(key.spki, ports.keys.hash),
  }
  const { holder, onMade } = asker
  const as = { role: use.name, holder, onMade, noStore: use.role.no_store, beside }
  return kept(given, as, (authority, serial) => {
    const { warning, ...validity } = validityOf(use, wish, authority, ports.clock.now())
    const { subject: issuer, extensions: { subjectKeyId: authorityKeyId } } = authority.certificate
    const der = refusing('names', 'The certificate', () => signCertificate({
      serial, issuer, subject, spki: key.spki, ...validity,
      extensions: authorityKeyId === undefined ? extensions : { ...extensions, authorityKeyId },
    }, authority.key!))
    return { der, ...validity, warnings: warning === undefined ? [] : [warning] }
  })
}
