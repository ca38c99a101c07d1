import type { CertificateSigningKey } from '../runtime/platform/certificate-keys.ts'
import type { Platform } from '../runtime/platform/ports.ts'
import type { TlsPair } from '../runtime/platform/tls-ports.ts'
import { parseCertificate } from '../runtime/x509/certificate.ts'
import { signRequest } from '../runtime/x509/csr.ts'
import { sameBytes } from '../runtime/x509/der.ts'
import { encodeName } from '../runtime/x509/name.ts'
import { decodePem, encodePem } from '../runtime/x509/pem.ts'
import { verifyChain } from '../runtime/x509/verify-chain.ts'
import { identityOf, type JoinAnswer } from './join-protocol.ts'
import type { DeviceRole } from './records.ts'

/** The certificate by which a host speaks TLS, as the host itself asks for it and takes it: in memory only. */

type Ports = Pick<Platform, 'keys' | 'random' | 'clock'>

/** The key of the host's certificate and the request for it: made once, so that each attempt asks for the same. */
export interface CertificateAsked {
  readonly key: CertificateSigningKey
  /** PKCS #10, PEM. */
  readonly csr: string
}

export interface HostCertificate {
  readonly tls: TlsPair
  readonly key: CertificateSigningKey
  /** DER: the host's, then those between it and the root. */
  readonly chain: readonly Uint8Array[]
  readonly serial: string
  /** Epoch milliseconds. */
  readonly notBefore: number
  readonly notAfter: number
}

export async function askForCertificate(
  { keys, random }: Pick<Ports, 'keys' | 'random'>, host: string,
): Promise<CertificateAsked> {
  const key = await keys.certificates.generate(keys.certificates.preferred, random.fork('key of the host'))
  const request = signRequest({ subject: encodeName([{ type: 'CN', value: host }]) }, key)
  return { key, csr: encodePem('CERTIFICATE REQUEST', request) }
}

/**
 * What was given is checked as if it came from anybody: for this key, this host, by a root that is trusted. Undefined:
 * it is for another key or host. @throws CertificateDistrusted, InvalidArgument
 */
export function takeCertificate(
  { keys, clock }: Pick<Ports, 'keys' | 'clock'>, { key }: CertificateAsked,
  { certificate, chain, serial, notBefore, notAfter }: Pick<
    JoinAnswer, 'certificate' | 'chain' | 'serial' | 'notBefore' | 'notAfter'
  >,
  { zone, host, role, roots, skewMs }: {
    readonly zone: string; readonly host: string; readonly role: DeviceRole
    readonly roots: readonly string[]; readonly skewMs: number
  },
): HostCertificate | undefined {
  const ders = [certificate, ...chain].map((pem) => decodePem(pem, 'CERTIFICATE'))
  const [leaf, ...intermediates] = ders.map((der) => parseCertificate(der))
  verifyChain({
    leaf: leaf!, intermediates, roots: roots.map((pem) => parseCertificate(decodePem(pem, 'CERTIFICATE'))),
    // By the clock of who signed it: ours is known to be so far off, and no further than is allowed
    at: clock.now() + skewMs,
    keys: keys.certificates, purpose: 'clientAuth',
  })
  const isOurs = sameBytes(leaf!.spki, key.public.spki)
    && (leaf!.extensions.names ?? []).some(({ value }) => value === identityOf(zone, role, host))
  if (!isOurs) return undefined
  return {
    tls: { certificate: [certificate, ...chain].join(''), key: key.exportPem() }, key, chain: ders, serial, notBefore,
    notAfter,
  }
}
