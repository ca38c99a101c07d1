import type { CertificatePublicKey } from '../../../runtime/platform/certificate-keys.ts'
import { limits } from '../../../runtime/limits.ts'
import type { ExtendedKeyUsage, KeyUsage } from '../../../runtime/x509/extensions.ts'
import type { NameAttribute } from '../../../runtime/x509/name.ts'
import type { OpenAuthority } from './authority-record.ts'
import { wholeSeconds } from './make-authority.ts'
import { refused } from './refused.ts'
import { extendedUsageOf, keyUsageOf, type Role } from './role.ts'
import type { RoleInUse, Wish } from './wish.ts'

/** Seconds of a certificate, and at most, where neither role nor mount says: Vault's own. */
export const mountTtl = { ttl: 768 * 3_600, max: 768 * 3_600 }

const KINDS: Readonly<Record<string, readonly [type: 'ec' | 'rsa' | 'ed25519', bits: number]>> = {
  'ec-p256': ['ec', 256], 'ec-p384': ['ec', 384], ed25519: ['ed25519', 256],
  'rsa-2048': ['rsa', 2048], 'rsa-3072': ['rsa', 3072], 'rsa-4096': ['rsa', 4096],
}

/** @throws CertificateRefused when the role wants another or a longer key */
export function checkKey({ key_type: wanted, key_bits: bits }: Role, { type }: CertificatePublicKey): void {
  const [kind, size] = KINDS[type]!
  if (wanted !== 'any' && wanted !== kind) {
    throw refused('key', `The role asks for a key of type ${wanted}: ${kind}`, { type: kind })
  }
  const least = bits === 0 && kind === 'rsa' ? 2048 : bits
  if (wanted !== 'any' && wanted !== 'ed25519' && size < least) {
    throw refused('key', `The role asks for a key of at least ${least} bits: ${size}`, { bits: size })
  }
}

export interface Validity {
  /** Epoch milliseconds, whole seconds. */
  readonly notBefore: number
  readonly notAfter: number
  readonly warning?: string
}

/** A measured skew moves notBefore, and never notAfter. @throws CertificateRefused */
export function validityOf(
  { role, builtIn }: RoleInUse, { ttl, notAfter, skewMs = 0 }: Wish, authority: OpenAuthority, now: number,
): Validity {
  const most = role.max_ttl || mountTtl.max
  const asked = notAfter === undefined
    ? (ttl || role.ttl || Math.min(mountTtl.ttl, most))
    : Math.floor((notAfter - now) / 1_000)
  if (!(asked > 0)) throw refused('ttl', 'The certificate would have ended before it begins')
  const seconds = Math.min(asked, most)
  const warning = asked > most ? `TTL "${asked}s" is longer than permitted maxTTL "${most}s", so maxTTL is being used`
    : undefined
  const back = role.not_before_duration * 1_000 + Math.min(Math.max(0, skewMs), limits.vaultSkewMs)
  const end = { notBefore: wholeSeconds(now - back), notAfter: wholeSeconds(now + seconds * 1_000) }
  const { notAfter: authorityEnd } = authority.certificate
  if (end.notAfter <= authorityEnd) return warning === undefined ? end : { ...end, warning }
  // Who did not say how long gets what there is of a zone's own authority
  const truncated = authority.stored.overEnd === 'truncate' || (builtIn !== undefined && !ttl && notAfter === undefined)
  if (!truncated || authorityEnd <= now) {
    const [own, whole] = [end.notAfter - now, authorityEnd - now].map((ms) => Math.floor(ms / 1_000))
    throw refused('not-after', `The certificate would outlive its authority, which ends in ${whole} s: ${own} s`)
  }
  return { notBefore: end.notBefore, notAfter: authorityEnd, warning: 'The certificate ends with its authority' }
}

export interface Usages {
  readonly key: readonly KeyUsage[]
  readonly extended: readonly ExtendedKeyUsage[]
}

/** Those of the role, without what a key of this type cannot do (RFC 8813 §3, RFC 8410 §5, RFC 3279 §2.3.1). */
export function usagesOf(role: Role, { type }: CertificatePublicKey): Usages {
  const ciphers: readonly KeyUsage[] = ['keyEncipherment', 'dataEncipherment']
  const without: readonly KeyUsage[] = type.startsWith('rsa') ? ['keyAgreement']
    : type === 'ed25519' ? [...ciphers, 'keyAgreement'] : ciphers
  const key = new Set(role.key_usage.map((name) => keyUsageOf(name)!))
  for (const usage of without) key.delete(usage)
  const extended = new Set<ExtendedKeyUsage>()
  if (role.server_flag) extended.add('serverAuth')
  if (role.client_flag) extended.add('clientAuth')
  if (role.code_signing_flag) extended.add('codeSigning')
  if (role.email_protection_flag) extended.add('emailProtection')
  for (const name of role.ext_key_usage) extended.add(extendedUsageOf(name)!)
  return { key: [...key], extended: [...extended] }
}

/** The widest part first. Nothing of the subject that a request brings is taken but its common name. */
export function subjectOf(role: Role, commonName: string): readonly NameAttribute[] {
  const each = (type: string, values: readonly string[]): readonly NameAttribute[] =>
    values.map((value) => ({ type, value }))
  return [
    ...each('C', role.country), ...each('ST', role.province), ...each('L', role.locality),
    ...each('STREET', role.street_address), ...each('POSTALCODE', role.postal_code),
    ...each('O', role.organization), ...each('OU', role.ou),
    // RFC 5280 A.1: a longer one is in the alternative names alone
    ...each('CN', commonName === '' || commonName.length > 64 ? [] : [commonName]),
  ]
}
