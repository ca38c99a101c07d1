import type { Keys, HttpTls, Random } from '../../../runtime/platform/ports.ts'
import type { Client } from '../../../runtime/protocol.ts'
import { fraction } from '../../../runtime/restart.ts'
import { signRequest } from '../../../runtime/x509/csr.ts'
import { encodeName } from '../../../runtime/x509/name.ts'
import { encodePem } from '../../../runtime/x509/pem.ts'
import type { Vault } from '../protocol.ts'

export interface Certified {
  readonly tls: HttpTls
  readonly serial: string
  /** Epoch milliseconds. */
  readonly notAfter: number
  /** When the next one is to be asked for. */
  readonly renewAt: number
}

export interface CertifyOptions {
  readonly vault: Pick<Client<typeof Vault>, 'signCertificate'>
  readonly keys: Keys
  readonly random: Random
  /** Where it listens. */
  readonly hostname: string
  readonly zone: string
  readonly now: number
}

const MOUNT = 'pki'
const ROLE = 'vault'
const ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|.*:.*)$/

/** A new key, which is born here and leaves this process by no way, and the certificate for it. @throws what the vault does */
export async function certify({ vault, keys, random, hostname, zone, now }: CertifyOptions): Promise<Certified> {
  const { certificates } = keys
  const key = await certificates.generate(certificates.preferred, random)
  const name = `vault.${zone}`
  const csr = encodePem('CERTIFICATE REQUEST', signRequest({ subject: encodeName([{ type: 'CN', value: name }]) }, key))
  const isAddress = ADDRESS.test(hostname)
  const issued = await vault.signCertificate({
    mount: MOUNT, role: ROLE, csr, commonName: name,
    dns: [...new Set([name, 'localhost', ...(isAddress ? [] : [hostname])])],
    ip: [...new Set(['127.0.0.1', '::1', ...(isAddress && !ANY.has(hostname) ? [hostname] : [])])],
  })
  const { serial, notAfter } = issued
  return {
    tls: { certificate: [issued.certificate, ...issued.chain].join(''), key: key.exportPem() }, serial, notAfter,
    renewAt: renewalOf(now, notAfter, fraction(random)),
  }
}

/** Every address of the host: none that a certificate could say. */
const ANY: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** At a random point of 50 to 80 % of what is left: those that started together do not come together. */
export const renewalOf = (now: number, notAfter: number, random: number): number =>
  now + (notAfter - now) * (0.5 + 0.3 * random)
