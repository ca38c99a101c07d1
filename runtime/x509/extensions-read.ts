import { limits } from '../limits.ts'
import { isHostname, readNames } from './alternative-names.ts'
import { context, contextOf, readDer, tags, type DerReader } from './der.ts'
import { extendedKeyUsages, extensionOids, keyUsages, type Extensions, type KeyUsage } from './extensions.ts'
import { readAscii } from './text.ts'

export interface ReadExtensions {
  readonly extensions: Extensions
  /** Object identifiers of critical extensions that are not understood here: nobody may go by such a certificate. */
  readonly unknownCritical: readonly string[]
}

type Mutable = { -readonly [Name in keyof Extensions]: Extensions[Name] }

/** One extension into `found`; false when it is not understood. */
type Read = (reader: DerReader, found: Mutable) => boolean | void

const purposes = new Map<string, string>(Object.entries(extendedKeyUsages).map(([word, dotted]) => [dotted, word]))

const known = new Map<string, Read>([
  [extensionOids.basicConstraints, (reader, found) => {
    const ca = reader.inside(tags.sequence, readBasicConstraints)
    if (ca) found.ca = ca
  }],
  [extensionOids.keyUsage, (reader, found) => {
    found.keyUsage = readKeyUsage(reader)
  }],
  [extensionOids.extendedKeyUsage, (reader, found) => {
    const all = reader.all(tags.sequence, limits.certificateNameParts, (inner) => inner.oid())
    if (all.length === 0) reader.fail('a list of purposes is empty')
    found.extendedKeyUsage = all.map((dotted) => purposes.get(dotted) ?? dotted)
  }],
  [extensionOids.names, (reader, found) => {
    found.names = readNames(reader)
  }],
  [extensionOids.subjectKeyId, (reader, found) => {
    found.subjectKeyId = reader.contents(tags.octetString)
  }],
  [extensionOids.authorityKeyId, (reader, found) => {
    const id = reader.inside(tags.sequence, readAuthorityKeyId)
    if (id) found.authorityKeyId = id
  }],
  [extensionOids.crlUrls, (reader, found) => {
    const urls = reader.all(tags.sequence, limits.certificateNameParts, readDistributionPoint).flat()
    if (urls.length > 0) found.crlUrls = urls
  }],
  [extensionOids.nameConstraints, (reader, found) => {
    const names = reader.inside(tags.sequence, readNameConstraints)
    if (names === undefined) return false
    found.permittedDns = names
  }],
])

/** The extensions of a certificate, or of a request. @throws InvalidArgument, also when one stands there twice */
export function readExtensions(reader: DerReader): ReadExtensions {
  const found: Mutable = {}
  const unknownCritical: string[] = []
  readEach(reader, (dotted, critical, value) => {
    const read = known.get(dotted)
    const understood = read && readDer(reader.what, value, limits.certificateBytes, (inner) => read(inner, found))
    if ((!read || understood === false) && critical) unknownCritical.push(dotted)
  })
  return { extensions: found, unknownCritical }
}

/** Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension; each once. */
export function readEach(
  reader: DerReader, each: (dotted: string, critical: boolean, value: Uint8Array) => void,
): void {
  const seen = new Set<string>()
  reader.all(tags.sequence, limits.certificateExtensions, (list) => list.inside(tags.sequence, (inner) => {
    const dotted = inner.oid()
    if (seen.has(dotted)) inner.fail(`the extension ${dotted} stands there twice`)
    seen.add(dotted)
    each(dotted, inner.flag(), inner.contents(tags.octetString))
  }))
  if (seen.size === 0) reader.fail('a list of extensions is empty')
}

function readBasicConstraints(reader: DerReader): Extensions['ca'] | undefined {
  if (!reader.flag()) return undefined
  return reader.done ? {} : { pathLength: reader.small() }
}

function readKeyUsage(reader: DerReader): readonly KeyUsage[] {
  const set = reader.flags()
  if (set === 0 || set >= 1 << keyUsages.length) reader.fail('a key usage is empty or unknown')
  return keyUsages.filter((_, bit) => (set & (1 << bit)) !== 0)
}

export function readAuthorityKeyId(reader: DerReader): Uint8Array | undefined {
  const id = reader.next === context(0) ? reader.contents(context(0)) : undefined
  while (!reader.done) reader.element()
  return id
}

/** Its URLs; of other forms of a point nothing is known here, and nothing depends on them. */
function readDistributionPoint(list: DerReader): readonly string[] {
  return list.inside(tags.sequence, (point) => {
    const urls: string[] = []
    const takeUrl = (names: DerReader): void => {
      const isUrl = names.next === context(6)
      const url = isUrl ? readAscii(names.contents(context(6))) : void names.element()
      if (url !== undefined) urls.push(url)
    }
    while (!point.done) {
      if (point.next !== contextOf(0)) point.element()
      else point.inside(contextOf(0), (name) => {
        if (name.next === contextOf(0)) name.all(contextOf(0), limits.certificateNameParts, takeUrl)
        else name.element()
      })
    }
    return urls
  })
}

/** The permitted DNS names; undefined when there are constraints of another kind. */
function readNameConstraints(reader: DerReader): readonly string[] | undefined {
  const names: string[] = []
  let understood = true
  while (!reader.done) {
    if (reader.next !== contextOf(0)) {
      reader.element()
      understood = false
      continue
    }
    reader.all(contextOf(0), limits.certificateNames, (list) => list.inside(tags.sequence, (subtree) => {
      const name = subtree.next === context(2) ? readAscii(subtree.contents(context(2))) : void subtree.element()
      if (name !== undefined && isHostname(name.toLowerCase())) names.push(name.toLowerCase())
      else understood = false
      while (!subtree.done) {
        subtree.element()
        understood = false
      }
    }))
  }
  return understood && names.length > 0 ? names : undefined
}
