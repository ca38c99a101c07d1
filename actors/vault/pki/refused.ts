import { InvalidArgument, type ZonewrightError } from '../../../runtime/errors.ts'
import { CertificateRefused, NotInVault } from '../protocol.ts'

/** Why a certificate is not made. */
export type RefusalReason =
  | 'request' | 'signature' | 'key' | 'authority-request' | 'common-name' | 'name' | 'uri' | 'ip' | 'names' | 'ttl'
  | 'not-after' | 'identity' | 'no-authority'

export const refused = (reason: RefusalReason, message: string, details: object = {}): ZonewrightError =>
  new CertificateRefused(message, { reason, ...details })

/** What a reader of X.509 says is wrong with a request is a refusal of it; anything else is no verdict. */
export function refusing<T>(reason: RefusalReason, what: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof InvalidArgument)) throw error
    throw refused(reason, `${what}: ${error.message}`)
  }
}

export const notInVault = (what: string, name: string): ZonewrightError =>
  new NotInVault(`There is no such ${what}: ${name}`, { what, name })
