import { limits } from '../../runtime/limits.ts'
import type { ActorStart } from '../../runtime/actor.ts'
import type { TlsPair } from '../../runtime/platform/tls-ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import { backoffMs, fraction } from '../../runtime/restart.ts'
import { pause } from '../../runtime/within.ts'
import { signRequest } from '../../runtime/x509/csr.ts'
import { isHostname } from '../../runtime/x509/alternative-names.ts'
import { parseIp } from '../../runtime/x509/ip.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { decodePem, encodePem } from '../../runtime/x509/pem.ts'
import { fingerprint } from '../join-protocol.ts'
import type { Vault } from '../vault/protocol.ts'

export interface ServerCertificate extends TlsPair {
  readonly serial: string
  /** SHA-256 of the DER: what a device signs that it speaks to. */
  readonly fingerprint: string
  /** Epoch milliseconds. */
  readonly notAfter: number
}

type Ports = Pick<ActorStart, 'keys' | 'random' | 'clock' | 'self' | 'log' | 'stopping'> & {
  readonly vault: Pick<Client<typeof Vault>, 'signCertificate'>
  /** Where hosts reach it. */
  readonly hostname: string
}

/**
 * A new key, born here, and its certificate. It is dated back as far as clocks may be apart, since a host whose clock
 * is behind could not trust it.
 */
export async function makeCertificate({ keys, random, self, vault, hostname }: Ports): Promise<ServerCertificate> {
  const key = await keys.certificates.generate(keys.certificates.preferred, random.fork('key of the listener'))
  const request = signRequest({ subject: encodeName([{ type: 'CN', value: self.host }]) }, key)
  const isIp = parseIp(hostname) !== undefined
  const names = [self.host, ...(!isIp && isHostname(hostname.toLowerCase()) ? [hostname.toLowerCase()] : [])]
  const { serial, certificate, chain, notAfter } = await vault.signCertificate({
    mount: 'pki', role: 'ood', csr: encodePem('CERTIFICATE REQUEST', request), commonName: self.host,
    dns: [...new Set(names)], ...(isIp ? { ip: [hostname] } : {}), skewMs: limits.joinSkewMs,
  })
  return {
    serial, notAfter, certificate: [certificate, ...chain].join(''), key: key.exportPem(),
    fingerprint: fingerprint(keys, decodePem(certificate, 'CERTIFICATE')),
  }
}

/** Renews it at a random point of 50 to 80 % of its life, for as long as the actor runs. */
export async function keepRenewed(
  ports: Ports, first: ServerCertificate, replace: (next: ServerCertificate) => void,
): Promise<void> {
  const { clock, random, stopping, log } = ports
  let current = first
  while (!stopping.aborted) {
    const lifeMs = Math.max(0, current.notAfter - clock.now())
    await pause(clock, Math.min(TIMER_MS_MAX, lifeMs * (0.5 + 0.3 * fraction(random))), stopping)
    for (let failures = 0; !stopping.aborted; failures++) {
      try {
        current = await makeCertificate(ports)
        replace(current)
        log.info('The certificate of the listener was renewed', { serial: current.serial })
        break
      } catch (error) {
        log.warn(`The certificate of the listener could not be renewed: ${(error as Error).message}`)
        await pause(clock, backoffMs(random, failures, RETRY), stopping)
      }
    }
  }
}

const RETRY = { min: 1_000, max: 60_000 }
/** Beyond it timers of the runtimes fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1
