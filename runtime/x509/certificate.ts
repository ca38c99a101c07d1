import { InvalidArgument } from '../errors.ts'
import { limits } from '../limits.ts'
import type { CertificatePublicKey, CertificateSigningKey } from '../platform/certificate-keys.ts'
import { algorithmOf, readAlgorithm, verifySigned, type SignatureAlgorithm } from './algorithm.ts'
import { bitString, bytesOf, derOf, natural, sequence, time } from './der-write.ts'
import { contextOf, readDer, sameBytes, tags, type DerReader } from './der.ts'
import { encodeExtensions, type Extensions } from './extensions.ts'
import { readExtensions } from './extensions-read.ts'
import { readName } from './name.ts'
import { isSerial, readSerial } from './serial.ts'
import { publicKeyBits } from './spki.ts'

export interface CertificateFields {
  /** Big-endian, positive, without leading zeros. */
  readonly serial: Uint8Array
  /** DER of a Name each. */
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  /** Epoch milliseconds, cut to seconds; both belong to its life. */
  readonly notBefore: number
  readonly notAfter: number
  /** DER of the SubjectPublicKeyInfo. */
  readonly spki: Uint8Array
  readonly extensions: Extensions
}

export interface Certificate extends CertificateFields {
  readonly raw: Uint8Array
  /** What is signed. */
  readonly tbs: Uint8Array
  readonly algorithm: SignatureAlgorithm
  readonly signature: Uint8Array
  /** Object identifiers; with one of these it is of no use to us. */
  readonly unknownCritical: readonly string[]
  /** That it is signed by this key, and no more: see `verifyChain`. */
  verify(issuer: CertificatePublicKey): boolean
}

const EMPTY_NAME_BYTES = 2
/** [0] EXPLICIT INTEGER 2: version 3. */
const VERSION_3 = Uint8Array.of(contextOf(0), 3, tags.integer, 1, 2)

/**
 * An X.509 certificate (RFC 5280), DER. The names, the key and what else is given as DER goes in as it is, so that
 * little is done beside the signature.
 * @throws InvalidArgument for what RFC 5280 forbids
 */
export function signCertificate(fields: CertificateFields, issuerKey: CertificateSigningKey): Uint8Array {
  const { serial, issuer, subject, notBefore, notAfter, spki, extensions } = fields
  if (!isSerial(serial)) throw new InvalidArgument('A serial must be positive and have at most 20 bytes')
  if (!(notBefore <= notAfter)) throw new InvalidArgument(`It would end before it begins: ${notBefore}, ${notAfter}`)
  const subjectIsEmpty = subject.length === EMPTY_NAME_BYTES
  if (issuer.length === EMPTY_NAME_BYTES) throw new InvalidArgument('An issuer must have a name')
  if (subjectIsEmpty && extensions.ca) throw new InvalidArgument('An authority must have a name')
  const algorithm = algorithmOf(issuerKey.public.type).der
  const tbs = bytesOf(sequence(
    VERSION_3, natural(serial), algorithm, issuer, sequence(time(notBefore), time(notAfter)), subject, spki,
    derOf(contextOf(3), [derOf(tags.sequence, encodeExtensions(extensions, subjectIsEmpty))]),
  ))
  return bytesOf(sequence(tbs, algorithm, bitString(issuerKey.sign(tbs))))
}

/** Version 3, strict DER. @throws InvalidArgument */
export function parseCertificate(der: Uint8Array): Certificate {
  return readDer('certificate', der, limits.certificateBytes, (reader) => reader.inside(tags.sequence, (outer) => {
    const tbs = outer.element(tags.sequence)
    const algorithm = readAlgorithm(outer)
    const signature = outer.bytes()
    const { inner, ...fields } = readDer('certificate', tbs, limits.certificateBytes, readTbs)
    if (inner !== algorithm) outer.fail('it is signed by another algorithm than it says')
    let signer: Uint8Array | undefined
    return {
      ...fields, raw: der, tbs, algorithm, signature,
      verify(issuer) {
        // Of an authority it is asked again with each certificate below it
        if (signer && sameBytes(signer, issuer.spki)) return true
        const signed = verifySigned(issuer, algorithm, tbs, signature)
        if (signed) signer = issuer.spki
        return signed
      },
    }
  }))
}

const readTbs = (reader: DerReader) => reader.inside(tags.sequence, (tbs) => {
  if (!sameBytes(tbs.element(), VERSION_3)) tbs.fail('it is not of version 3')
  const serial = readSerial(tbs)
  const inner = readAlgorithm(tbs)
  const issuer = readNameElement(tbs)
  const [notBefore, notAfter] = tbs.inside(tags.sequence, (life) => [life.time(), life.time()] as const)
  if (notBefore > notAfter) tbs.fail('it ends before it begins')
  const subject = readNameElement(tbs)
  const spki = tbs.element(tags.sequence)
  const extensions = tbs.inside(contextOf(3), readExtensions)
  return { serial, inner, issuer, notBefore, notAfter, subject, spki, ...extensions }
})

/** The DER of a Name whose form is right. */
export function readNameElement(reader: DerReader): Uint8Array {
  const name = reader.element(tags.sequence)
  readDer(reader.what, name, limits.certificateBytes, readName)
  return name
}

/** RFC 7093 §2 method 1: the first 160 bits of SHA-256 over the key. `hash` is SHA-256. */
export const keyIdOf = (spki: Uint8Array, hash: (message: Uint8Array) => Uint8Array): Uint8Array =>
  new Uint8Array(hash(publicKeyBits(spki)).subarray(0, 20))
