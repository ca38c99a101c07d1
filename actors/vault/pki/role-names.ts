import { isHostname } from '../../../runtime/x509/alternative-names.ts'
import type { Role } from './role.ts'

type NameRules = Pick<Role, 'allow_localhost' | 'allowed_domains' | 'allow_bare_domains' | 'allow_subdomains'
  | 'allow_glob_domains' | 'allow_wildcard_certificates' | 'allow_any_name' | 'enforce_hostnames'>

/** Before the `@`: no space, no control character. */
const MAILBOX = /^[\x21-\x7e]+$/

/** Whether the role lets a certificate bear this DNS name, mail address or common name. */
export function allowsName(role: NameRules, name: string): boolean {
  const parts = name.split('@')
  const isEmail = parts.length > 1
  if (parts.length > 2 || (isEmail && !MAILBOX.test(parts[0]!))) return false
  let host = parts.at(-1)!
  const isWildcard = host.includes('*')
  if (isWildcard) {
    // A mail address of any host is none of a host; a `*` is the whole first label (RFC 6125 §6.4.3)
    if (isEmail || !role.allow_wildcard_certificates || !host.startsWith('*.')) return false
    host = host.slice(2)
    if (host.includes('*')) return false
  }
  if (role.enforce_hostnames && !isHostname(host.toLowerCase())) return false
  if (role.allow_any_name) return true
  return allowsLocal(role, host, isWildcard) || allowsDomain(role, { name, host, isWildcard, isEmail })
}

function allowsLocal(role: NameRules, host: string, isWildcard: boolean): boolean {
  if (!role.allow_localhost) return false
  return LOCAL.some((local) => (host === local && (!isWildcard || role.allow_subdomains))
    || (role.allow_subdomains && host.endsWith(`.${local}`)))
}
const LOCAL = ['localhost', 'localdomain']

interface Asked {
  readonly name: string
  readonly host: string
  readonly isWildcard: boolean
  readonly isEmail: boolean
}

function allowsDomain(role: NameRules, { name, host, isWildcard, isEmail }: Asked): boolean {
  const [asked, askedHost] = [name.toLowerCase(), host.toLowerCase()]
  return role.allowed_domains.some((given) => {
    const domain = given.toLowerCase()
    if (role.allow_bare_domains && (asked === domain || (isEmail && askedHost === domain))) return true
    if (role.allow_subdomains && (askedHost.endsWith(`.${domain}`) || (isWildcard && askedHost === domain))) return true
    return role.allow_glob_domains && domain.includes('*') && matchesGlob(domain, asked)
  })
}

/** `*` stands for any characters, none included. Linear: a pattern is an operator's, a name is anybody's. */
export function matchesGlob(pattern: string, text: string): boolean {
  const parts = pattern.split('*')
  const [first, last] = [parts[0]!, parts.at(-1)!]
  if (parts.length === 1) return pattern === text
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
  let at = first.length
  const end = text.length - last.length
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at)
    if (found < 0 || found + part.length > end) return false
    at = found + part.length
  }
  return true
}

export const allowsUri = (role: Pick<Role, 'allowed_uri_sans'>, uri: string): boolean =>
  role.allowed_uri_sans.some((pattern) => matchesGlob(pattern, uri))
