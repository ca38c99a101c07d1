import type { Peer } from '../../../runtime/actor.ts'
import { alternativeName, isHostname, type AlternativeName } from '../../../runtime/x509/alternative-names.ts'
import type { CertificationRequest } from '../../../runtime/x509/csr.ts'
import { isName } from '../../records.ts'
import type { BuiltInRole, Identity } from './built-in.ts'
import { refused, refusing } from './refused.ts'
import { allowsName, allowsUri } from './role-names.ts'
import type { Role } from './role.ts'

/** What a certificate is asked to say, beside what its signing request says. */
export interface Wish {
  readonly commonName?: string | undefined
  readonly names: readonly AlternativeName[]
  /** The common name does not become an alternative name. */
  readonly excludeCommonName?: boolean
  /** Seconds; the role's own when it does not say. */
  readonly ttl?: number | undefined
  /** Epoch milliseconds, in place of a ttl. */
  readonly notAfter?: number | undefined
  /** Milliseconds by which the asker's clock is behind. */
  readonly skewMs?: number | undefined
}

/** Who asks. */
export interface Asker {
  /** `actor@host`, or the accessor of a vault token. */
  readonly holder: string
  /** By its link certificate; a token has none. */
  readonly peer?: Peer
  /** Told its serial when the certificate is made, and nobody has it yet: what is said of it becomes durable beside it. */
  readonly onMade?: (serial: string) => void
}

/** The role by which a certificate is made. */
export interface RoleInUse {
  readonly name: string
  readonly role: Role
  readonly builtIn?: BuiltInRole
  /** The whole subject of the request is taken. */
  readonly verbatim?: true
}

/** The zone as its certificates name it. */
export interface ZoneNames {
  readonly zone: string
  /** DNS names under which the zone is reached from outside. */
  readonly hostnames: readonly string[]
  /** The mount that gives identities of the zone: on it nobody else gives one. */
  readonly identities: boolean
}

export interface AllowedNames {
  readonly commonName: string
  readonly names: readonly AlternativeName[]
}

/** The names of the certificate, each allowed by the role, or none. @throws CertificateRefused */
export function allowedNames(
  { role: given, builtIn }: RoleInUse, wish: Wish, request: CertificationRequest | undefined, asker: Asker,
  zone: ZoneNames,
): AllowedNames {
  const asked = given.use_csr_common_name ? request?.commonName : undefined
  const wished = asked || wish.commonName || ''
  const identity = builtIn?.identity && identityOf(builtIn.identity, wish.commonName ?? asked, asker)
  const role = builtIn ? withDomains(given, builtIn, identity?.name ?? '', zone) : given
  const uri = identity && `spiffe://${zone.zone}/${identity.kind}/${identity.name}`
  const commonName = wished || identity?.name || ''
  const inRequest = given.use_csr_sans && request ? request.names : []
  const names = distinct([...inRequest, ...wish.names].map((name) =>
    refusing('name', 'A name of the certificate', () => alternativeName(name))))
  for (const name of names) checkName(role, name, uri, zone)
  checkCommonName(role, commonName, identity?.name)
  const all = uri === undefined ? names : distinct([{ type: 'uri', value: uri }, ...names])
  return { commonName, names: wish.excludeCommonName ? all : withCommonName(all, commonName, identity?.name) }
}

/** Who the certificate is for. A name that the caller may not choose is the caller's own. */
function identityOf(identity: Identity, given: string | undefined, { peer }: Asker) {
  const { kind, name: source } = identity
  if ('is' in source) return { kind, name: source.is }
  if (source.from === 'caller-host') {
    if (peer === undefined) {
      throw refused('identity', 'This role is for the hosts of the zone, by a link: not for a token')
    }
    return { kind, name: peer.host }
  }
  if (given === undefined || !isName(given)) {
    throw refused('identity', 'This role asks for a common name, which is whose certificate it is: a word such as ood1')
  }
  return { kind, name: given }
}

const withDomains = (role: Role, { domains, hostnames }: BuiltInRole, name: string, zone: ZoneNames): Role => ({
  ...role, allowed_domains: [...domains(name, zone.zone), ...(hostnames ? zone.hostnames : [])],
})

function checkName(role: Role, { type, value }: AlternativeName, own: string | undefined, zone: ZoneNames): void {
  if (type === 'uri') {
    if (value === own) return
    // Whatever a role allows: an identity of the zone comes of a role that says whose it is
    const foreign = zone.identities && value.startsWith(`spiffe://${zone.zone}/`)
    if (foreign || !allowsUri(role, value)) {
      throw refused('uri', `The role does not allow this URI: ${value}`, { name: value })
    }
    return
  }
  if (type === 'ip') {
    if (!role.allow_ip_sans) throw refused('ip', `The role does not allow IP addresses: ${value}`, { name: value })
    return
  }
  if (!allowsName(role, value)) throw refused('name', `The role does not allow this name: ${value}`, { name: value })
}

function checkCommonName(role: Role, commonName: string, own: string | undefined): void {
  if (commonName === '') {
    if (role.require_cn) throw refused('common-name', 'The role asks for a common name')
    return
  }
  if (commonName !== own && !allowsName(role, commonName)) {
    throw refused('common-name', `The role does not allow this common name: ${commonName}`, { name: commonName })
  }
}

/** Readers of today look at alternative names alone (RFC 6125 §6.4.4), so the common name is one of them. */
function withCommonName(
  names: readonly AlternativeName[], commonName: string, own: string | undefined,
): readonly AlternativeName[] {
  if (commonName === '' || commonName === own) return names
  if (commonName.includes('@')) return distinct([{ type: 'email', value: commonName }, ...names])
  const host = commonName.toLowerCase()
  return isHostname(host, { wildcard: true }) ? distinct([{ type: 'dns', value: host }, ...names]) : names
}

function distinct(names: readonly AlternativeName[]): readonly AlternativeName[] {
  const seen = new Set<string>()
  return names.filter(({ type, value }) => {
    const key = `${type} ${value}`
    return seen.has(key) ? false : seen.add(key)
  })
}
