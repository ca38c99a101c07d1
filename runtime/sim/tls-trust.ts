import { InvalidArgument, messageOf, TlsNotTrusted } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Keys } from '../platform/ports.ts'
import type { TlsCall, TlsFault, TlsPair, TlsServing } from '../platform/tls-ports.ts'
import type { AlternativeName } from '../x509/alternative-names.ts'
import { parseCertificate, type Certificate } from '../x509/certificate.ts'
import { sameBytes } from '../x509/der.ts'
import type { ExtendedKeyUsage } from '../x509/extensions.ts'
import { formatIp, parseIp } from '../x509/ip.ts'
import { decodePems } from '../x509/pem.ts'
import { CertificateDistrusted, verifyChain } from '../x509/verify-chain.ts'

/** What one end shows the other: the certificate of its key, and those between it and a root. */
export type Shown = readonly [Certificate, ...Certificate[]]

/** @throws InvalidArgument as a TLS library does when it is set up: no certificate, no key, or not of that key */
export function shownBy({ certificate, key }: TlsPair, keys: Keys): Shown {
  const [leaf, ...others] = parsePems(certificate)
  if (!leaf) throw new InvalidArgument('There is no certificate')
  const { spki } = keys.certificates.importPem(key).public
  if (!sameBytes(leaf.spki, spki)) throw new InvalidArgument('The key is not that of the certificate')
  return [leaf, ...others]
}

const parsePems = (pem: string): readonly Certificate[] =>
  decodePems(pem, 'CERTIFICATE', limits.certificateChain).map(parseCertificate)

/** As the real client does, in the same order. @throws TlsNotTrusted */
export function judgeServer(
  [leaf, ...others]: Shown, tls: TlsCall, name: string, where: string, now: number, keys: Keys,
): void {
  if (tls.roots === 'anybody') return
  const { notBefore, notAfter } = leaf
  if (!endsAt(leaf, others, tls.roots === 'system' ? [] : tls.roots, 'serverAuth', now, keys)) {
    const life = { notBefore, notAfter, now }
    if (now < notBefore) {
      throw notTrusted('not-yet-valid', `The certificate of ${where} begins in ${seconds(notBefore - now)} s`, life)
    }
    if (now > notAfter) {
      throw notTrusted('expired', `The certificate of ${where} ended ${seconds(now - notAfter)} s ago`, life)
    }
    throw notTrusted('unknown-authority', `The certificate of ${where} ends at none of the given roots`)
  }
  const { names = [] } = leaf.extensions
  if (names.some((one) => isNamed(one, name))) return
  const told = names.map(({ type, value }) => `${type}:${value}`).join(', ') || '-'
  throw notTrusted('wrong-name', `The certificate of ${where} is not for ${name}: ${told}`)
}

/** DER of a client's certificate, where the server asks for one and it ends at a root of these, now. */
export function judgeClient(
  shown: Shown | undefined, { clientRoots }: TlsServing, now: number, keys: Keys,
): Uint8Array | undefined {
  if (!shown || !clientRoots) return undefined
  const [leaf, ...others] = shown
  return endsAt(leaf, others, clientRoots, 'clientAuth', now, keys) ? leaf.raw : undefined
}

function endsAt(
  leaf: Certificate, intermediates: readonly Certificate[], roots: readonly string[], purpose: ExtendedKeyUsage,
  at: number, keys: Keys,
): boolean {
  try {
    verifyChain({ leaf, intermediates, roots: roots.flatMap(parsePems), at, keys: keys.certificates, purpose })
    return true
  } catch (error) {
    if (error instanceof CertificateDistrusted) return false
    throw error
  }
}

/** RFC 6125 §6.4: an asterisk stands for the whole first label. */
function isNamed({ type, value }: AlternativeName, name: string): boolean {
  const address = parseIp(name)
  if (address) return type === 'ip' && value === formatIp(address)
  if (type !== 'dns') return false
  const asked = name.toLowerCase()
  return value === asked || (value.startsWith('*.') && asked.slice(asked.indexOf('.')) === value.slice(1))
}

const seconds = (ms: number): number => Math.ceil(ms / 1_000)

export const notTrusted = (reason: TlsFault, message: string, details: object = {}): Error =>
  new TlsNotTrusted(message, { reason, ...details })

export const cannotBeSetUp = (where: string, error: unknown): Error =>
  new InvalidArgument(`TLS to ${where} cannot be set up: ${messageOf(error)}`)
