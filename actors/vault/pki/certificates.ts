import { InvalidArgument, Overloaded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import { toBase64url } from '../../../runtime/trust/base64url.ts'
import { parseCertificate } from '../../../runtime/x509/certificate.ts'
import { displayName } from '../../../runtime/x509/name.ts'
import type { Barrier } from '../barrier.ts'
import type { CertificateRecord } from '../protocol.ts'
import { certificatePem, type OpenAuthority } from './authority-record.ts'
import { decodeRecord, type StoredCertificate } from './certificate-record.ts'
import { notInVault } from './refused.ts'
import { readSerial, serialText } from './serials.ts'

const PREFIX = 'certs/'
export const certificatePath = (key: string): string => PREFIX + key

export interface FoundCertificate {
  readonly key: string
  readonly stored: StoredCertificate
  readonly revision: number
}

export interface Page {
  readonly certificates: readonly CertificateRecord[]
  readonly more: boolean
}

/** What the authorities of a mount have signed, by serial. */
export interface Certificates {
  /** By a serial in any of its forms. @throws NotInVault, VaultDamaged */
  read(serial: string): Promise<FoundCertificate>
  /** By the form of a serial in a path. */
  find(key: string): Promise<FoundCertificate | undefined>
  told(found: FoundCertificate): CertificateRecord & { pem: string }
  page(after: string | undefined, limit: number | undefined): Promise<Page>
  keys(after: string | undefined, limit: number): Promise<{ keys: readonly string[]; more: boolean }>
  /** How many by these have not ended. */
  unexpired(authorities: readonly OpenAuthority[], now: number): Promise<number>
  /** Each of them, in the order of their serials. */
  all(): AsyncIterable<FoundCertificate>
}

export function openCertificates(barrier: Barrier): Certificates {
  const at = async (key: string): Promise<FoundCertificate | undefined> => {
    const path = certificatePath(key)
    const found = await barrier.readBytes(path)
    return found && { key, stored: decodeRecord(path, found.value), revision: found.revision }
  }
  const keys = async (after: string | undefined, limit: number) => {
    const { paths, more } = await barrier.list(PREFIX, {
      limit, ...(after === undefined ? {} : { after: certificatePath(after) }),
    })
    return { keys: paths.map((path) => path.slice(PREFIX.length)), more }
  }
  const record = ({ key, stored }: FoundCertificate): CertificateRecord => {
    const { subject, extensions: { names = [] }, notBefore, notAfter } = parseCertificate(stored.der)
    return {
      serial: serialText(key), role: stored.role, subject: displayName(subject), names: names.map(({ value }) => value),
      authority: toBase64url(stored.authority), holder: stored.holder, notBefore, notAfter,
      ...(stored.revokedAt === undefined ? {} : { revokedAt: stored.revokedAt }),
    }
  }
  const told = (found: FoundCertificate) => ({ ...record(found), pem: certificatePem(found.stored.der) })
  async function* all(): AsyncIterable<FoundCertificate> {
    for (let after: string | undefined; ;) {
      const listed = await keys(after, limits.vaultTidyBatch)
      for (const key of listed.keys) {
        const found = await at(key)
        if (found !== undefined) yield found
      }
      after = listed.keys.at(-1)
      if (!listed.more || after === undefined) return
    }
  }
  return {
    keys, told, all, find: at,
    async read(serial) {
      const key = readSerial(serial)
      const found = key === undefined ? undefined : await at(key)
      if (found === undefined) throw notInVault('certificate', serial.slice(0, 64))
      return found
    },
    async page(after, limit = PAGE) {
      if (!(limit >= 1 && limit <= limits.vaultCertificatePage)) {
        throw new InvalidArgument(`A page has 1 to ${limits.vaultCertificatePage} certificates: ${limit}`)
      }
      const from = after === undefined ? undefined : readSerial(after)
      if (after !== undefined && from === undefined) throw new InvalidArgument('`after` is no serial')
      const listed = await keys(from, limit)
      const found = await Promise.all(listed.keys.map(at))
      // One that was tidied meanwhile is left out
      const certificates = found.flatMap((one) => (one === undefined ? [] : [record(one)]))
      return { certificates, more: listed.more }
    },
    async unexpired(authorities, now) {
      const ids = new Set(authorities.map(({ id }) => id))
      let count = 0
      for await (const { stored } of all()) {
        const counts = stored.notAfter > now && stored.revokedAt === undefined
        if (counts && ids.has(toBase64url(stored.authority))) count++
      }
      return count
    },
  }
}

const PAGE = 100

/** @throws Overloaded */
export const overtaken = (): Error =>
  new Overloaded(`Too many writers of one certificate; attempts: ${limits.vaultTransactionAttempts}`)
