import { defaultRole, type Role } from './role.ts'

/** The identity that a role puts into a certificate: `spiffe://{zone}/{kind}/{name}`. */
export interface Identity {
  readonly kind: string
  /** `caller-host`: by the caller's link certificate; `given`: the common name asked for; else the name itself. */
  readonly name: { readonly from: 'caller-host' } | { readonly from: 'given' } | { readonly is: string }
}

export interface BuiltInRole {
  readonly role: Role
  readonly identity?: Identity
  /** DNS names beside localhost; may hold `*`. */
  readonly domains: (name: string, zone: string) => readonly string[]
  /** And those under which this zone is reached from outside, as configured. */
  readonly hostnames?: true
}

const DAY = 86_400

const zoneRole = (changes: Partial<Role>): Role => ({
  ...defaultRole,
  key_type: 'any', allow_bare_domains: true, allow_glob_domains: true, allow_wildcard_certificates: false,
  key_usage: ['DigitalSignature', 'KeyEncipherment'],
  ...changes,
})
const month = { ttl: 30 * DAY, max_ttl: 90 * DAY }
const own = (name: string, zone: string): readonly string[] => [name, `${name}.${zone}`]
/** The zone, and any name in it. */
const all = (name: string, zone: string): readonly string[] => [name, zone, `*.${zone}`]

const etcdRole = (changes: Partial<Role>): Role => zoneRole({
  ttl: 180 * DAY, max_ttl: 360 * DAY, allow_any_name: true, ...changes,
})

/** Roles of the mounts that every zone has. They are data of this program: nobody writes them. */
export const builtInRoles: Readonly<Record<string, Readonly<Record<string, BuiltInRole>>>> = {
  pki: {
    ood: {
      role: zoneRole(month), identity: { kind: 'ood', name: { from: 'caller-host' } }, domains: own, hostnames: true,
    },
    // An address is no name of a host: who holds one today is not who holds it tomorrow
    node: {
      role: zoneRole({ ...month, allow_ip_sans: false, allow_localhost: false }),
      identity: { kind: 'node', name: { from: 'given' } }, domains: own,
    },
    'client-device': {
      role: zoneRole({ ...month, server_flag: false, allow_ip_sans: false, allow_localhost: false }),
      identity: { kind: 'client-device', name: { from: 'given' } }, domains: own,
    },
    service: {
      role: zoneRole({ ttl: DAY, max_ttl: 30 * DAY }),
      identity: { kind: 'service', name: { from: 'given' } }, domains: own,
    },
    gateway: {
      role: zoneRole(month), identity: { kind: 'gateway', name: { from: 'caller-host' } }, domains: all,
      hostnames: true,
    },
    vault: {
      role: zoneRole({ ...month, client_flag: false }),
      identity: { kind: 'service', name: { is: 'vault' } }, domains: all, hostnames: true,
    },
  },
  'pki-etcd': {
    member: { role: etcdRole({}), domains: () => [] },
    client: { role: etcdRole({ server_flag: false }), domains: () => [] },
  },
}

export interface MountShape {
  /** The root signs nothing but the intermediate that signs. */
  readonly intermediate: boolean
  /** Its certificates say who somebody is in the zone. */
  readonly identities: boolean
  readonly commonName: (zone: string, kind: 'root' | 'intermediate') => string
}

/** Mounts whose authorities the zone makes by itself. */
export const zoneMounts: Readonly<Record<string, MountShape>> = {
  pki: {
    intermediate: true, identities: true,
    commonName: (zone, kind) => (kind === 'root' ? `${zone} root` : `${zone} intermediate`),
  },
  'pki-etcd': { intermediate: false, identities: false, commonName: (zone) => `${zone} etcd root` },
}
