import { InvalidArgument } from '../errors.ts'
import { limits } from '../limits.ts'
import { asciiBytes, bytesOf, der, oid, sequence, type Der } from './der-write.ts'
import { readDer, tags, type DerReader } from './der.ts'
import { isAscii, isPlain, isPrintableString, readText, utf8Bytes } from './text.ts'

/** `type` is a word of `attributeTypes`, or an object identifier. */
export interface NameAttribute {
  readonly type: string
  readonly value: string
}

interface AttributeType {
  readonly oid: string
  /** RFC 5280 Appendix A.1: upper bounds, in characters. */
  readonly most: number
  readonly text?: 'printable' | 'ia5'
}

/** The words of RFC 4514 §3 and RFC 4519, and what else is usual. */
export const attributeTypes = {
  CN: { oid: '2.5.4.3', most: 64 },
  SERIALNUMBER: { oid: '2.5.4.5', most: 64, text: 'printable' },
  C: { oid: '2.5.4.6', most: 2, text: 'printable' },
  L: { oid: '2.5.4.7', most: 128 },
  ST: { oid: '2.5.4.8', most: 128 },
  STREET: { oid: '2.5.4.9', most: 128 },
  O: { oid: '2.5.4.10', most: 64 },
  OU: { oid: '2.5.4.11', most: 64 },
  POSTALCODE: { oid: '2.5.4.17', most: 40 },
  DC: { oid: '0.9.2342.19200300.100.1.25', most: 128, text: 'ia5' },
  UID: { oid: '0.9.2342.19200300.100.1.1', most: 128 },
  EMAILADDRESS: { oid: '1.2.840.113549.1.9.1', most: 255, text: 'ia5' },
} as const satisfies Readonly<Record<string, AttributeType>>

const words = new Map<string, string>(Object.entries(attributeTypes).map(([word, { oid }]) => [oid, word]))
const byWord = new Map<string, AttributeType & { readonly der: Uint8Array }>(
  Object.entries(attributeTypes).map(([word, type]) => [word, { ...type, der: oid(type.oid) }]))

/** A Name with one attribute in each of its parts, the widest first: `C`, `O`, `CN`. None: an empty Name. */
export const encodeName = (attributes: readonly NameAttribute[]): Uint8Array =>
  bytesOf(sequence(...attributes.map(({ type, value }) => der(tags.set, sequence(...attribute(type, value))))))

function attribute(type: string, value: string): readonly Der[] {
  const { most, text, der: encoded } = byWord.get(type)
    ?? refuse(`There is no such part of a name: ${JSON.stringify(type)}`)
  if (value === '' || [...value].length > most || (type === 'C' && value.length !== 2)) {
    refuse(`${type} must have ${type === 'C' ? '' : '1 to '}${most} characters: ${JSON.stringify(value)}`)
  }
  const allowed = text === 'printable' ? isPrintableString(value) : text === 'ia5' ? isAscii(value) : isPlain(value)
  if (!allowed) refuse(`${type} has characters that do not belong there: ${JSON.stringify(value)}`)
  const bytes = text ? asciiBytes(value) : utf8Bytes(value)
  return [encoded, der(text === undefined ? tags.utf8 : tags[text], bytes)]
}

function refuse(message: string): never {
  throw new InvalidArgument(message)
}

/** The parts of a Name as it stands there, each mostly one attribute. A value of an unknown type is `#` and hex. */
export type NameParts = readonly (readonly NameAttribute[])[]

/** @throws InvalidArgument */
export const parseName = (name: Uint8Array): NameParts =>
  readDer('name', name, limits.certificateBytes, readName)

export function readName(reader: DerReader): NameParts {
  return reader.all(tags.sequence, limits.certificateNameParts, (inner) => {
    const part = inner.all(tags.set, limits.certificateNameParts, (one) => one.inside(tags.sequence, readAttribute))
    return part.length > 0 ? part : inner.fail('a part of a name is empty')
  })
}

function readAttribute(reader: DerReader): NameAttribute {
  const dotted = reader.oid()
  const type = words.get(dotted)
  if (type !== undefined) return { type, value: readText(reader, limits.certificateNameCharacters) }
  const hex = Array.from(reader.element(), (byte) => byte.toString(16).padStart(2, '0')).join('')
  return { type: dotted, value: `#${hex}` }
}

/** As people read it (RFC 4514): the narrowest part first, `CN=ood1,O=zone`. */
export const displayName = (name: Uint8Array): string =>
  [...parseName(name)].reverse().map((part) => part.map(({ type, value }) =>
    `${type}=${byWord.has(type) ? escaped(value) : value}`).join('+')).join(',')

/** RFC 4514 §2.4 */
const escaped = (value: string): string =>
  value.replace(/[,+"\\<>;]/g, '\\$&').replace(/^[ #]/, '\\$&').replace(/ $/, '\\ ')

/** @throws InvalidArgument when it has more than one: each reader would take another for the name */
export function commonNameOf(parts: NameParts): string | undefined {
  const all = parts.flat().filter(({ type }) => type === 'CN')
  if (all.length > 1) refuse(`A name must have one CN: ${all.map(({ value }) => JSON.stringify(value)).join(', ')}`)
  return all[0]?.value
}
