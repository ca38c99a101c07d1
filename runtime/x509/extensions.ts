import { InvalidArgument } from '../errors.ts'
import { encodeAlternativeName, encodeNames, isHostname, type AlternativeName } from './alternative-names.ts'
import {
  asciiBytes, bytesOf, der, flags, octets, oid, sequence, small, TRUE, type Der, type DerNode,
} from './der-write.ts'
import { context, contextOf } from './der.ts'

/** In the order of their bits (RFC 5280 §4.2.1.3). */
export const keyUsages = [
  'digitalSignature', 'contentCommitment', 'keyEncipherment', 'dataEncipherment', 'keyAgreement', 'keyCertSign',
  'cRLSign', 'encipherOnly', 'decipherOnly',
] as const
export type KeyUsage = (typeof keyUsages)[number]

/** RFC 5280 §4.2.1.12 */
export const extendedKeyUsages = {
  any: '2.5.29.37.0',
  serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2', codeSigning: '1.3.6.1.5.5.7.3.3',
  emailProtection: '1.3.6.1.5.5.7.3.4', timeStamping: '1.3.6.1.5.5.7.3.8', ocspSigning: '1.3.6.1.5.5.7.3.9',
} as const
export type ExtendedKeyUsage = keyof typeof extendedKeyUsages

export interface Extensions {
  /** It is an authority, with at most so many others below it before a leaf. */
  readonly ca?: { readonly pathLength?: number }
  readonly keyUsage?: readonly KeyUsage[]
  /** Words, or object identifiers for what has no word here. */
  readonly extendedKeyUsage?: readonly (ExtendedKeyUsage | (string & {}))[]
  readonly names?: readonly AlternativeName[]
  readonly subjectKeyId?: Uint8Array
  readonly authorityKeyId?: Uint8Array
  /** Where the revocation list of its issuer is to be had. */
  readonly crlUrls?: readonly string[]
  /** Of an authority: DNS names below it are these or end with them (RFC 5280 §4.2.1.10). */
  readonly permittedDns?: readonly string[]
}

export const extensionOids = {
  subjectKeyId: '2.5.29.14', keyUsage: '2.5.29.15', names: '2.5.29.17', basicConstraints: '2.5.29.19',
  crlNumber: '2.5.29.20', reasonCode: '2.5.29.21', nameConstraints: '2.5.29.30', crlUrls: '2.5.29.31',
  authorityKeyId: '2.5.29.35', extendedKeyUsage: '2.5.29.37',
} as const

const encodedOids = Object.fromEntries(
  Object.entries(extensionOids).map(([name, dotted]) => [name, oid(dotted)]),
) as Record<keyof typeof extensionOids, Uint8Array>

export const extension = (name: keyof typeof extensionOids, value: Der, critical = false): DerNode =>
  critical ? sequence(encodedOids[name], TRUE, octets(value)) : sequence(encodedOids[name], octets(value))

export const authorityKeyIdExtension = (id: Uint8Array): DerNode =>
  extension('authorityKeyId', sequence(der(context(0), id)))

const NOT_AUTHORITY = bytesOf(extension('basicConstraints', sequence(), true))
/** By the set of bits: usages are few, and the same for every certificate of a role. */
const usageExtensions = new Map<number, Uint8Array>()
const purposeExtensions = new Map<string, Uint8Array>()
const purposes = new Map<string, string>(Object.entries(extendedKeyUsages))
const PURPOSES_KEPT = 64

/**
 * What stands in a certificate, with basicConstraints always. `subjectIsEmpty`: then the alternative names are critical
 * (RFC 5280 §4.2.1.6).
 * @throws InvalidArgument for what RFC 5280 forbids
 */
export function encodeExtensions(given: Extensions, subjectIsEmpty: boolean): readonly Der[] {
  const all: Der[] = [basicConstraints(given)]
  if (given.keyUsage) all.push(usageExtension(given.keyUsage))
  if (given.extendedKeyUsage) all.push(purposeExtension(given.extendedKeyUsage))
  if (given.subjectKeyId) all.push(extension('subjectKeyId', octets(given.subjectKeyId)))
  if (given.authorityKeyId) all.push(authorityKeyIdExtension(given.authorityKeyId))
  if (given.names) all.push(extension('names', encodeNames(given.names), subjectIsEmpty))
  else if (subjectIsEmpty) refuse('A certificate with an empty subject must have alternative names')
  if (given.crlUrls) all.push(extension('crlUrls', crlUrls(given.crlUrls)))
  if (given.permittedDns) all.push(extension('nameConstraints', nameConstraints(given), true))
  return all
}

function basicConstraints({ ca, keyUsage }: Extensions): Der {
  const signs = keyUsage?.includes('keyCertSign') ?? false
  if (!ca) return signs ? refuse('keyCertSign is for authorities') : NOT_AUTHORITY
  if (!signs) refuse('An authority must have the key usage keyCertSign')
  const { pathLength } = ca
  if (pathLength === undefined) return extension('basicConstraints', sequence(TRUE), true)
  if (!Number.isInteger(pathLength) || pathLength < 0 || pathLength > 255) {
    refuse(`A path length is 0 to 255: ${pathLength}`)
  }
  return extension('basicConstraints', sequence(TRUE, small(pathLength)), true)
}

export function usageExtension(usages: readonly KeyUsage[]): Uint8Array {
  let set = 0
  for (const usage of usages) set |= 1 << keyUsages.indexOf(usage)
  if (set === 0) refuse('Key usage must not be empty')
  const known = usageExtensions.get(set)
  if (known) return known
  const made = bytesOf(extension('keyUsage', flags(set), true))
  usageExtensions.set(set, made)
  return made
}

export function purposeExtension(usages: Extensions['extendedKeyUsage'] & {}): Uint8Array {
  if (usages.length === 0 || usages.length > 32) refuse(`Extended key usages must be 1 to 32: ${usages.length}`)
  const key = usages.join()
  const known = purposeExtensions.get(key)
  if (known) return known
  const all = sequence(...usages.map((usage) => oid(purposes.get(usage) ?? usage)))
  const made = bytesOf(extension('extendedKeyUsage', all))
  if (purposeExtensions.size < PURPOSES_KEPT) purposeExtensions.set(key, made)
  return made
}

/** Each URL is a name, [0] fullName of [0] distributionPoint (RFC 5280 §4.2.1.13). */
const crlUrls = (urls: readonly string[]): DerNode => sequence(...urls.map((url) =>
  sequence(der(contextOf(0), der(contextOf(0), encodeAlternativeName({ type: 'uri', value: url }))))))

function nameConstraints({ ca, permittedDns = [] }: Extensions): DerNode {
  if (!ca || permittedDns.length === 0) refuse('Name constraints are for authorities, and must not be empty')
  return sequence(der(contextOf(0), ...permittedDns.map((name) => {
    const normal = name.toLowerCase()
    if (!isHostname(normal)) refuse(`It is no DNS name: ${JSON.stringify(name)}`)
    return sequence(der(context(2), asciiBytes(normal)))
  })))
}

function refuse(message: string): never {
  throw new InvalidArgument(message)
}
