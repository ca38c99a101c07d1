import { InvalidArgument, type ZonewrightError } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { ExtendedKeyUsage, KeyUsage } from '../../../runtime/x509/extensions.ts'
import { readDuration } from './duration.ts'

/**
 * What may be asked of an authority, in the names of HashiCorp Vault's API. Each field that can be set is enforced when
 * a certificate is made; what is not enforced here cannot be set.
 */
const flag = (value: boolean) => ({ type: 'flag', value }) as const
const list = (...value: readonly string[]) => ({ type: 'list', value }) as const
const seconds = (value: number) => ({ type: 'seconds', value }) as const
const choice = <const C extends readonly string[]>(value: C[number], choices: C) =>
  ({ type: 'choice', value, choices }) as const
const bits = (value: number) => ({ type: 'bits', value }) as const

export const roleFields = {
  /** 0: the mount's. */
  ttl: seconds(0),
  max_ttl: seconds(0),
  not_before_duration: seconds(30),
  allow_localhost: flag(true),
  allowed_domains: list(),
  allow_bare_domains: flag(false),
  allow_subdomains: flag(false),
  allow_glob_domains: flag(false),
  allow_wildcard_certificates: flag(true),
  allow_any_name: flag(false),
  enforce_hostnames: flag(true),
  allow_ip_sans: flag(true),
  /** With `*` for any characters. */
  allowed_uri_sans: list(),
  server_flag: flag(true),
  client_flag: flag(true),
  code_signing_flag: flag(false),
  email_protection_flag: flag(false),
  key_type: choice('rsa', ['rsa', 'ec', 'ed25519', 'any']),
  /** At least so many; 0: 2048 for RSA, 256 for EC. */
  key_bits: bits(0),
  key_usage: list('DigitalSignature', 'KeyAgreement', 'KeyEncipherment'),
  ext_key_usage: list(),
  use_csr_common_name: flag(true),
  use_csr_sans: flag(true),
  require_cn: flag(true),
  ou: list(),
  organization: list(),
  country: list(),
  locality: list(),
  province: list(),
  street_address: list(),
  postal_code: list(),
  no_store: flag(false),
} as const

type Fields = typeof roleFields
type ValueOf<F> = F extends { type: 'flag' } ? boolean
  : F extends { type: 'list' } ? readonly string[]
  : F extends { choices: readonly (infer C)[] } ? C
  : number
export type Role = { readonly [Name in keyof Fields]: ValueOf<Fields[Name]> }

export const defaultRole: Role = Object.fromEntries(
  Object.entries(roleFields).map(([name, { value }]) => [name, value]),
) as unknown as Role

/** Fields of the original that would loosen or change a certificate, and that nothing here enforces. */
const unsupported: Readonly<Record<string, readonly unknown[]>> = {
  allowed_domains_template: [false], allowed_uri_sans_template: [false], allowed_other_sans: ['', null],
  allowed_serial_numbers: ['', null], allowed_user_ids: ['', null], ext_key_usage_oids: ['', null],
  signature_bits: [0, 256], use_pss: [false], policy_identifiers: ['', null], not_after: [''],
  basic_constraints_valid_for_non_ca: [false], generate_lease: [false], issuer_ref: ['', 'default'],
  cn_validations: ['', 'email,hostname', 'hostname,email'],
}

export interface ReadRole {
  readonly role: Role
  /** Names that were given and mean nothing here. */
  readonly ignored: readonly string[]
}

/** `data` over `base`. @throws InvalidArgument naming the field */
export function readRole(data: Readonly<Record<string, unknown>>, base: Role = defaultRole): ReadRole {
  const ignored: string[] = []
  const changes: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(data)) {
    const field = Object.hasOwn(roleFields, name) ? roleFields[name as keyof Fields] : undefined
    if (field !== undefined) changes[name] = readField(name, field, value)
    else if (!Object.hasOwn(unsupported, name)) ignored.push(name)
    else if (!unsupported[name]!.includes(Array.isArray(value) ? value.join(',') : value)) {
      throw new InvalidArgument(`This field of a role is not supported: ${name}`, { field: name })
    }
  }
  const role: Role = { ...base, ...changes }
  checkRole(role)
  return { role, ignored }
}

function readField(name: string, field: Fields[keyof Fields], value: unknown): unknown {
  const wrong = (expected: string): ZonewrightError =>
    new InvalidArgument(`The field must be ${expected}: ${name}`, { field: name })
  switch (field.type) {
    case 'flag':
      if (value === true || value === 'true') return true
      if (value === false || value === 'false') return false
      throw wrong('true or false')
    case 'list': {
      const items = readList(value)
      if (items === undefined) throw wrong('a list of words, or one text with commas')
      if (items.length > limits.vaultRoleWords) throw wrong(`at most ${limits.vaultRoleWords} words`)
      return items
    }
    case 'seconds': {
      const read = readDuration(value)
      if (read === undefined) throw wrong('a time such as 3600, "72h" or "30d"')
      return read
    }
    case 'bits':
      if (!KEY_BITS.includes(Number(value))) throw wrong(`one of ${KEY_BITS.join(', ')}`)
      return Number(value)
    case 'choice':
      if (!(field.choices as readonly unknown[]).includes(value)) throw wrong(`one of ${field.choices.join(', ')}`)
      return value
  }
}

const KEY_BITS: readonly number[] = [0, 256, 384, 2048, 3072, 4096]

/** Words, without empty ones; undefined when it is none. */
export function readList(value: unknown): readonly string[] | undefined {
  const items = typeof value === 'string' ? value.split(',') : value === null ? [] : value
  if (!Array.isArray(items) || items.some((item) => typeof item !== 'string')) return undefined
  return (items as string[]).map((item) => item.trim()).filter((item) => item !== '')
}

function checkRole(role: Role): void {
  const refuse = (why: string): never => { throw new InvalidArgument(`The role makes no sense: ${why}`) }
  if (role.max_ttl > 0 && role.ttl > role.max_ttl) refuse(`ttl is over max_ttl: ${role.ttl} over ${role.max_ttl}`)
  if (role.not_before_duration * 1_000 > limits.vaultSkewMs) {
    refuse(`not_before_duration is over ${limits.vaultSkewMs / 1_000} s: ${role.not_before_duration}`)
  }
  const { key_type: type, key_bits: size } = role
  if (size !== 0 && (type === 'any' || type === 'ed25519' || (type === 'ec') !== size < 2048)) {
    refuse(`a key of type ${type} has no ${size} bits`)
  }
  for (const usage of role.key_usage) {
    if (keyUsageOf(usage) === undefined) refuse(`there is no such key_usage, or it is an authority's: ${usage}`)
  }
  for (const usage of role.ext_key_usage) {
    if (extendedUsageOf(usage) === undefined) refuse(`there is no such ext_key_usage: ${usage}`)
  }
}

/** RFC 5280 §4.2.1.3, in lower case; those of an authority are left out. */
const KEY_USAGES: Readonly<Record<string, KeyUsage>> = {
  digitalsignature: 'digitalSignature', contentcommitment: 'contentCommitment', keyencipherment: 'keyEncipherment',
  dataencipherment: 'dataEncipherment', keyagreement: 'keyAgreement',
}
/** RFC 5280 §4.2.1.12. To answer for an authority (OCSP) is left to it. */
const EXTENDED_USAGES: Readonly<Record<string, ExtendedKeyUsage>> = {
  serverauth: 'serverAuth', clientauth: 'clientAuth', codesigning: 'codeSigning', emailprotection: 'emailProtection',
  timestamping: 'timeStamping',
}

const usageNamed = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined => {
  const key = name.trim().toLowerCase()
  return Object.hasOwn(table, key) ? table[key] : undefined
}
export const keyUsageOf = (name: string): KeyUsage | undefined => usageNamed(KEY_USAGES, name)
export const extendedUsageOf = (name: string): ExtendedKeyUsage | undefined => usageNamed(EXTENDED_USAGES, name)

/** As Vault answers a read of it: sizes of 0 are said as they stand. */
export const roleAnswer = (role: Role): Readonly<Record<string, unknown>> => ({ ...role })
