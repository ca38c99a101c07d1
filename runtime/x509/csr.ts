import { InvalidArgument } from '../errors.ts'
import { limits } from '../limits.ts'
import type { CertificateKeys, CertificatePublicKey, CertificateSigningKey } from '../platform/certificate-keys.ts'
import { encodeNames, type AlternativeName } from './alternative-names.ts'
import { algorithmOf, readAlgorithm, verifySigned } from './algorithm.ts'
import { bitString, bytesOf, der, derOf, oid, sequence } from './der-write.ts'
import { contextOf, readDer, sameBytes, tags, type DerReader } from './der.ts'
import { extension, type Extensions, type KeyUsage } from './extensions.ts'
import { readExtensions } from './extensions-read.ts'
import { commonNameOf, readName } from './name.ts'

/** What somebody asks for (PKCS #10, RFC 2986). That they have the key is not known before `verify`. */
export interface CertificationRequest {
  readonly raw: Uint8Array
  /** DER of a Name. */
  readonly subject: Uint8Array
  readonly commonName?: string
  readonly spki: Uint8Array
  readonly names: readonly AlternativeName[]
  readonly keyUsage?: Extensions['keyUsage']
  readonly extendedKeyUsage?: Extensions['extendedKeyUsage']
  /** It asks to be an authority, or to sign as one does. */
  readonly asksForAuthority: boolean
  /** The key that signed it, which is the one that it asks for. @throws InvalidArgument when it is weak or did not */
  verify(keys: CertificateKeys): CertificatePublicKey
}

/** INTEGER 0: version 1. */
const VERSION_1 = Uint8Array.of(tags.integer, 1, 0)
const AUTHORITY: readonly KeyUsage[] = ['keyCertSign', 'cRLSign']
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'
const extensionRequest = oid(EXTENSION_REQUEST)

/** Strict DER. @throws InvalidArgument, also for a critical extension that is not understood */
export function parseRequest(der: Uint8Array): CertificationRequest {
  return readDer('signing request', der, limits.certificateBytes, (reader) => reader.inside(tags.sequence, (outer) => {
    const info = outer.element(tags.sequence)
    const algorithm = readAlgorithm(outer)
    const signature = outer.bytes()
    const asked = readDer('signing request', info, limits.certificateBytes, readInfo)
    return {
      ...asked,
      raw: der,
      verify(keys) {
        const key = keys.importSpki(asked.spki)
        if (!verifySigned(key, algorithm, info, signature)) {
          throw new InvalidArgument('The signing request is not signed by the key that it asks for')
        }
        return key
      },
    }
  }))
}

const readInfo = (reader: DerReader) => reader.inside(tags.sequence, (info) => {
  if (!sameBytes(info.element(), VERSION_1)) info.fail('it is not of version 1')
  const subject = info.element(tags.sequence)
  const commonName = commonNameOf(readDer(info.what, subject, limits.certificateBytes, readName))
  const spki = info.element(tags.sequence)
  const { names = [], keyUsage, extendedKeyUsage, ca } = readAttributes(info)
  return {
    subject, spki, names,
    ...(commonName === undefined ? {} : { commonName }),
    ...(keyUsage ? { keyUsage } : {}),
    ...(extendedKeyUsage ? { extendedKeyUsage } : {}),
    asksForAuthority: ca !== undefined || (keyUsage ?? []).some((usage) => AUTHORITY.includes(usage)),
  }
})

/** Attributes that are not about extensions (a challenge password, whose system it is) say nothing to us. */
function readAttributes(info: DerReader): Extensions {
  const readAttribute = (attribute: DerReader) => {
    if (attribute.oid() !== EXTENSION_REQUEST) return void attribute.element(tags.set)
    return attribute.inside(tags.set, readExtensions)
  }
  const lists = info
    .all(contextOf(0), limits.certificateExtensions, (list) => list.inside(tags.sequence, readAttribute))
    .filter((list) => list !== undefined)
  if (lists.length > 1) info.fail('it asks for extensions twice')
  const [list] = lists
  const unknown = list?.unknownCritical ?? []
  if (unknown.length > 0) info.fail(`it asks for critical extensions that are not known: ${unknown.join(', ')}`)
  return list?.extensions ?? {}
}

/** A request for a certificate of `key`, DER. */
export function signRequest(
  asked: { readonly subject: Uint8Array; readonly names?: readonly AlternativeName[] }, key: CertificateSigningKey,
): Uint8Array {
  const { subject, names = [] } = asked
  const extensions = names.length === 0 ? [] : [
    sequence(extensionRequest, der(tags.set, sequence(extension('names', encodeNames(names), subject.length === 2)))),
  ]
  const info = bytesOf(sequence(VERSION_1, subject, key.public.spki, derOf(contextOf(0), extensions)))
  return bytesOf(sequence(info, algorithmOf(key.public.type).der, bitString(key.sign(info))))
}
