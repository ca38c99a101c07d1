import { InvalidArgument } from '../errors.ts'
import { limits } from '../limits.ts'
import { asciiBytes, der, sequence, type DerNode } from './der-write.ts'
import { context, tags, type DerReader } from './der.ts'
import { formatIp, isMappedIpv4, parseIp } from './ip.ts'
import { readAscii } from './text.ts'

/** A GeneralName (RFC 5280 §4.2.1.6), of the kinds that are issued. */
export interface AlternativeName {
  readonly type: 'dns' | 'ip' | 'uri' | 'email'
  /** A DNS name in lower case; an address as RFC 5952 writes it. */
  readonly value: string
}

const numbers = { email: 1, dns: 2, uri: 6, ip: 7 } as const
const types = new Map(Object.entries(numbers).map(([type, number]) =>
  [context(number), type as AlternativeName['type']]))

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
/** RFC 3986: a scheme, and then its characters; escapes are whole. */
const URI = /^[a-z][a-z0-9+.-]*:([A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/
const EMAIL = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([^@]+)$/

/** The value in its one spelling. @throws InvalidArgument when it is none, or has characters beyond ASCII */
export function alternativeName({ type, value }: AlternativeName): AlternativeName {
  const normal = value.length > limits.certificateNameCharacters ? undefined : spelled(type, value)
  if (normal === undefined) throw new InvalidArgument(`It is no ${words[type]}: ${JSON.stringify(value.slice(0, 80))}`)
  return normal === value ? { type, value } : { type, value: normal }
}

const words = {
  dns: 'DNS name (names beyond ASCII are written as xn--…)',
  ip: 'IP address', uri: 'absolute URI', email: 'mail address',
} as const

function spelled(type: AlternativeName['type'], value: string): string | undefined {
  switch (type) {
    case 'dns': return isHostname(value.toLowerCase(), { wildcard: true }) ? value.toLowerCase() : undefined
    case 'uri': return URI.test(value) ? value : undefined
    case 'email': return isHostname((EMAIL.exec(value)?.[1] ?? '').toLowerCase()) ? value : undefined
    case 'ip': {
      const bytes = parseIp(value)
      return bytes && !isMappedIpv4(bytes) ? formatIp(bytes) : undefined
    }
  }
}

/** RFC 1034 §3.5 in lower case; not an address. A wildcard is the whole first label (RFC 6125 §6.4.3). */
export function isHostname(name: string, { wildcard = false } = {}): boolean {
  if (name.length > 253) return false
  const labels = name.split('.')
  if (wildcard && labels[0] === '*' && labels.length > 2) labels.shift()
  return labels.every((label) => LABEL.test(label)) && !/^\d+$/.test(labels.at(-1)!)
}

export function encodeNames(names: readonly AlternativeName[]): DerNode {
  if (names.length === 0 || names.length > limits.certificateNames) {
    throw new InvalidArgument(`There must be 1 to ${limits.certificateNames} alternative names: ${names.length}`)
  }
  return sequence(...names.map(encodeAlternativeName))
}

export function encodeAlternativeName(name: AlternativeName): DerNode {
  const { type, value } = alternativeName(name)
  return der(context(numbers[type]), type === 'ip' ? parseIp(value)! : asciiBytes(value))
}

export function readNames(reader: DerReader): readonly AlternativeName[] {
  const names = reader.all(tags.sequence, limits.certificateNames, (inner) => {
    const type = types.get(inner.next)
    if (type === undefined) return inner.fail('an alternative name is no DNS name, IP address, URI or mail address')
    const bytes = inner.contents(inner.next)
    if (type === 'ip') {
      if (bytes.length !== 4 && bytes.length !== 16) inner.fail(`an IP address has ${bytes.length} bytes`)
      return alternativeName({ type, value: formatIp(bytes) })
    }
    return alternativeName({ type, value: readAscii(bytes) ?? inner.fail('an alternative name is not ASCII') })
  })
  return names.length > 0 ? names : reader.fail('a list of alternative names is empty')
}
