import type { CertificateSigningKey } from '../../runtime/platform/certificate-keys.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { signRequest } from '../../runtime/x509/csr.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { encodePem } from '../../runtime/x509/pem.ts'

export const HOST = 'ood1'
/** Keys of their own, so that nobody who remembers one gains by it. */
const KEYS = 256

export interface Requests {
  readonly pems: readonly string[]
  readonly keys: readonly CertificateSigningKey[]
}

/** Signing requests as a host makes them: P-256, a common name and two names. */
export async function makeRequests({ keys, random }: Platform): Promise<Requests> {
  const made = await Promise.all(Array.from({ length: KEYS }, () => keys.certificates.generate('ec-p256', random)))
  const subject = encodeName([{ type: 'CN', value: HOST }])
  const names = [{ type: 'dns', value: HOST }, { type: 'dns', value: 'localhost' }] as const
  return {
    keys: made, pems: made.map((key) => encodePem('CERTIFICATE REQUEST', signRequest({ subject, names }, key))),
  }
}

/** Does `count` pieces of work, so many at a time; microseconds of wall time each. */
export async function timed(
  count: number, inFlight: number, work: (index: number) => Promise<unknown>,
): Promise<number> {
  const began = performance.now()
  let next = 0
  const loop = async (): Promise<void> => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: inFlight }, loop))
  return (performance.now() - began) * 1_000 / count
}
