import { InvalidArgument } from '../errors.ts'
import { limits } from '../limits.ts'
import type { CertificatePublicKey, CertificateSigningKey } from '../platform/certificate-keys.ts'
import { algorithmOf, readAlgorithm, verifySigned } from './algorithm.ts'
import { readNameElement } from './certificate.ts'
import { bitString, derOf, natural, sequence, small, time } from './der-write.ts'
import { contextOf, readDer, sameBytes, tags, type DerReader } from './der.ts'
import { authorityKeyIdExtension, extension, extensionOids } from './extensions.ts'
import { readAuthorityKeyId, readEach } from './extensions-read.ts'
import { isSerial, readSerial, serialText } from './serial.ts'

/** RFC 5280 §5.3.1, by their numbers; 7 is not used, and 8 is for delta lists. */
export const revocationReasons = [
  'unspecified', 'keyCompromise', 'cACompromise', 'affiliationChanged', 'superseded', 'cessationOfOperation',
  'certificateHold', undefined, undefined, 'privilegeWithdrawn', 'aACompromise',
] as const
export type RevocationReason = NonNullable<(typeof revocationReasons)[number]>

export interface RevokedCertificate {
  readonly serial: Uint8Array
  /** Epoch milliseconds. */
  readonly at: number
  /** None is `unspecified` (RFC 5280 §5.3.1). */
  readonly reason?: RevocationReason
}

export interface RevocationListFields {
  /** DER of a Name. */
  readonly issuer: Uint8Array
  /** Of this list of its issuer, always rising. */
  readonly number: number
  /** Epoch milliseconds, cut to seconds. */
  readonly thisUpdate: number
  readonly nextUpdate: number
  readonly authorityKeyId: Uint8Array
  readonly revoked: readonly RevokedCertificate[]
}

export interface RevocationList extends RevocationListFields {
  readonly raw: Uint8Array
  /** What it says of a certificate of its issuer. */
  find(serial: Uint8Array): RevokedCertificate | undefined
  verify(issuer: CertificatePublicKey): boolean
}

const VERSION_2 = Uint8Array.of(tags.integer, 1, 1)

/** A full list of version 2 (RFC 5280 §5), DER. @throws InvalidArgument when it would be longer than is read */
export function signRevocationList(fields: RevocationListFields, key: CertificateSigningKey): Uint8Array {
  const { issuer, number, thisUpdate, nextUpdate, authorityKeyId, revoked } = fields
  if (revoked.length > limits.revokedSerials) {
    throw new InvalidArgument(`A revocation list has at most ${limits.revokedSerials} serials: ${revoked.length}`)
  }
  if (!(thisUpdate < nextUpdate)) {
    throw new InvalidArgument(`It would end before it begins: ${thisUpdate}, ${nextUpdate}`)
  }
  const algorithm = algorithmOf(key.public.type).der
  const tbs = sequence(
    VERSION_2, algorithm, issuer, time(thisUpdate), time(nextUpdate),
    // RFC 5280 §5.1.2.6: absent when there are none
    ...(revoked.length > 0 ? [derOf(tags.sequence, revoked.map(encodeEntry))] : []),
    derOf(contextOf(0), [sequence(authorityKeyIdExtension(authorityKeyId), extension('crlNumber', small(number)))]),
  )
  return sequence(tbs, algorithm, bitString(key.sign(tbs)))
}

const reasonExtensions = new Map(revocationReasons.flatMap((reason, number) =>
  reason === undefined || number === 0 ? []
    : [[reason, sequence(extension('reasonCode', small(number, tags.enumerated)))]]))

function encodeEntry({ serial, at, reason }: RevokedCertificate): Uint8Array {
  if (!isSerial(serial)) throw new InvalidArgument('A serial must be positive and have at most 20 bytes')
  const extensions = reason && reasonExtensions.get(reason)
  return extensions ? sequence(natural(serial), time(at), extensions) : sequence(natural(serial), time(at))
}

/**
 * A full list of one issuer. @throws InvalidArgument, also for one that has no end or no number, is about a part of the
 * certificates, or has other critical extensions (RFC 5280 §5.2)
 */
export function parseRevocationList(der: Uint8Array): RevocationList {
  return read('revocation list', der, (reader) => reader.inside(tags.sequence, (outer) => {
    const tbs = outer.element(tags.sequence)
    const algorithm = readAlgorithm(outer)
    const signature = outer.bytes()
    const { inner, bySerial, ...fields } = read('revocation list', tbs, readTbs)
    if (inner !== algorithm) outer.fail('it is signed by another algorithm than it says')
    let signer: Uint8Array | undefined
    return {
      ...fields,
      raw: der,
      find: (serial) => bySerial.get(serialText(serial)),
      verify(issuer) {
        // A list is asked for every connection, and it may be long
        if (signer && sameBytes(signer, issuer.spki)) return true
        const signed = verifySigned(issuer, algorithm, tbs, signature)
        if (signed) signer = issuer.spki
        return signed
      },
    }
  }))
}

const read = <T>(what: string, der: Uint8Array, each: (reader: DerReader) => T): T =>
  readDer(what, der, limits.revocationListBytes, each)

const readTbs = (reader: DerReader) => reader.inside(tags.sequence, (tbs) => {
  if (!sameBytes(tbs.element(), VERSION_2)) tbs.fail('it is not of version 2')
  const inner = readAlgorithm(tbs)
  const issuer = readNameElement(tbs)
  const [thisUpdate, nextUpdate] = [tbs.time(), tbs.time()]
  if (thisUpdate >= nextUpdate) tbs.fail('it ends before it begins')
  const revoked = tbs.next === tags.sequence ? tbs.all(tags.sequence, limits.revokedSerials, readEntry) : []
  const bySerial = new Map(revoked.map((entry) => [serialText(entry.serial), entry]))
  if (bySerial.size < revoked.length) tbs.fail('a serial stands there twice')
  return { inner, issuer, thisUpdate, nextUpdate, revoked, bySerial, ...tbs.inside(contextOf(0), readListExtensions) }
})

function readListExtensions(reader: DerReader): { number: number; authorityKeyId: Uint8Array } {
  const found: { number?: number; authorityKeyId?: Uint8Array | undefined } = {}
  readEach(reader, (dotted, critical, value) => {
    if (dotted === extensionOids.crlNumber) found.number = read(reader.what, value, (one) => one.small())
    else if (dotted === extensionOids.authorityKeyId) {
      found.authorityKeyId = read(reader.what, value, (one) => one.inside(tags.sequence, readAuthorityKeyId))
    } else if (critical) reader.fail(`a critical extension is not known: ${dotted}`)
  })
  const { number, authorityKeyId } = found
  if (number === undefined || !authorityKeyId) return reader.fail('it has no number, or does not say whose it is')
  return { number, authorityKeyId }
}

function readEntry(list: DerReader): RevokedCertificate {
  return list.inside(tags.sequence, (entry) => {
    const [serial, at] = [readSerial(entry), entry.time()]
    let reason: RevocationReason | undefined
    if (!entry.done) {
      readEach(entry, (dotted, critical, value) => {
        if (dotted === extensionOids.reasonCode) {
          const number = read(entry.what, value, (one) => one.small(tags.enumerated))
          reason = revocationReasons[number] ?? entry.fail(`there is no such reason: ${number}`)
        } else if (critical) entry.fail(`a critical extension is not known: ${dotted}`)
      })
    }
    return { serial, at, ...(reason === undefined ? {} : { reason }) }
  })
}
