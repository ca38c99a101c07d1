import { InvalidArgument, Overloaded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { CertificateKeyType, CertificatePublicKey } from '../../../runtime/platform/certificate-keys.ts'
import { keyIdOf, signCertificate } from '../../../runtime/x509/certificate.ts'
import { parseRequest, type CertificationRequest } from '../../../runtime/x509/csr.ts'
import type { Extensions } from '../../../runtime/x509/extensions.ts'
import { encodeName } from '../../../runtime/x509/name.ts'
import { decodePem } from '../../../runtime/x509/pem.ts'
import { newSerial } from '../../../runtime/x509/serial.ts'
import type { EnginePorts } from '../engine.ts'
import type { OpenAuthority } from './authority-record.ts'
import type { Authorities, Book } from './book.ts'
import { certificatePath } from './certificates.ts'
import { encodeRecord } from './certificate-record.ts'
import { refused, refusing } from './refused.ts'
import { serialKey } from './serials.ts'
import { checkKey, subjectOf, usagesOf, validityOf } from './terms.ts'
import { allowedNames, type Asker, type RoleInUse, type Wish, type ZoneNames } from './wish.ts'

export interface Issued {
  readonly key: string
  readonly der: Uint8Array
  readonly notBefore: number
  readonly notAfter: number
  readonly authority: OpenAuthority
  readonly book: Book
  readonly warnings: readonly string[]
}

export interface IssuePorts {
  readonly ports: EnginePorts
  readonly authorities: Authorities
  readonly zone: ZoneNames
  readonly crlUrls: () => Promise<readonly string[]>
}

export interface Issuing {
  /** @throws CertificateRefused, Overloaded */
  sign(csr: string, use: RoleInUse, wish: Wish, asker: Asker): Promise<Issued>
  /** With a key that is made here, and kept nowhere. */
  issue(use: RoleInUse, wish: Wish, asker: Asker): Promise<Issued & { readonly privateKey: string; readonly keyType: string }>
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
    async sign(csr, use, wish, asker) {
      const { request, key } = checkedRequest(ports, csr)
      if (request.asksForAuthority) {
        throw refused('authority-request', 'The signing request asks for an authority; a role certifies none')
      }
      checkKey(use.role, key)
      return certify(given, key, use, wish, asker, request)
    },
    async issue(use, wish, asker) {
      const key = await ports.keys.certificates.generate(keyTypeOf(given, use), ports.random)
      const issued = await certify(given, key.public, use, wish, asker, undefined)
      return { ...issued, privateKey: key.exportPem(), keyType: key.public.type }
    },
  }
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
  request: CertificationRequest | undefined,
): Promise<Issued> {
  const { authorities, ports } = given
  const { commonName, names } = allowedNames(use, wish, request, asker, given.zone)
  const subject = refusing('common-name', 'The subject', () => encodeName(subjectOf(use.role, commonName)))
  const usages = usagesOf(use.role, key)
  const crlUrls = await given.crlUrls()
  const extensions: Extensions = {
    ...(usages.key.length === 0 ? {} : { keyUsage: usages.key }),
    ...(usages.extended.length === 0 ? {} : { extendedKeyUsage: usages.extended }),
    ...(names.length === 0 ? {} : { names }),
    ...(crlUrls.length === 0 ? {} : { crlUrls }),
    subjectKeyId: keyIdOf(key.spki, ports.keys.hash),
  }
  let book = await (use.role.no_store ? authorities.fresh() : authorities.seen())
  for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
    const authority = book.signer
    if (authority?.key === undefined) throw refused('no-authority', 'This mount has no authority that signs')
    const { warning, ...validity } = validityOf(use, wish, authority, ports.clock.now())
    const serial = newSerial(ports.random)
    const { subject: issuer, extensions: { subjectKeyId: authorityKeyId } } = authority.certificate
    const der = refusing('names', 'The certificate', () => signCertificate({
      serial, issuer, subject, spki: key.spki, ...validity,
      extensions: authorityKeyId === undefined ? extensions : { ...extensions, authorityKeyId },
    }, authority.key!))
    const issued: Issued = {
      key: serialKey(serial), der, ...validity, authority, book, warnings: warning === undefined ? [] : [warning],
    }
    if (use.role.no_store) return issued
    const path = certificatePath(issued.key)
    const value = encodeRecord({
      role: use.name, holder: asker.holder, authority: authority.idBytes, notAfter: validity.notAfter, der,
    })
    // No serial twice, and none by an authority that has changed since: it may sign no more
    const guards = [{ key: path, modRevision: 0 }, authorities.guard(book)]
    if (await ports.barrier.commit(guards, [{ path, value }])) return issued
    book = await authorities.fresh()
  }
  throw new Overloaded(`The authorities of the mount change too often; attempts: ${limits.vaultTransactionAttempts}`)
}
