import { damaged } from '../record.ts'

/** What is kept of a certificate, beside the certificate itself. */
export interface StoredCertificate {
  readonly role: string
  readonly holder: string
  /** Thumbprint of the authority's key: 32 bytes. */
  readonly authority: Uint8Array
  /** Epoch milliseconds, whole seconds. */
  readonly notAfter: number
  readonly revokedAt?: number
  readonly der: Uint8Array
}

/**
 * Format 1: format (1 byte), notAfter and revokedAt (6 bytes each, seconds, big-endian; 0 is not revoked), authority
 * (32 bytes), lengths of role and holder (1 byte each), role, holder, DER to the end.
 */
const FORMAT = 1
const AUTHORITY_AT = 13
const ROLE_AT = 47
const AUTHORITY_BYTES = 32
const TEXT_MAX = 255

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export function encodeRecord({ role, holder, authority, notAfter, revokedAt, der }: StoredCertificate): Uint8Array {
  const [roleBytes, holderBytes] = [encoder.encode(role), encoder.encode(holder).subarray(0, TEXT_MAX)]
  const holderAt = ROLE_AT + roleBytes.length
  const record = new Uint8Array(holderAt + holderBytes.length + der.length)
  record[0] = FORMAT
  writeSeconds(record, 1, notAfter)
  writeSeconds(record, 7, revokedAt ?? 0)
  record.set(authority, AUTHORITY_AT)
  record[45] = roleBytes.length
  record[46] = holderBytes.length
  record.set(roleBytes, ROLE_AT)
  record.set(holderBytes, holderAt)
  record.set(der, holderAt + holderBytes.length)
  return record
}

/** @throws VaultDamaged */
export function decodeRecord(path: string, record: Uint8Array): StoredCertificate {
  const [role, holder] = [record[45] ?? 0, record[46] ?? 0]
  const derAt = ROLE_AT + role + holder
  if (record[0] !== FORMAT || record.length <= derAt) throw damaged(path, 'it is no record of a certificate')
  const revokedAt = readSeconds(record, 7)
  try {
    return {
      role: decoder.decode(record.subarray(ROLE_AT, ROLE_AT + role)),
      holder: decoder.decode(record.subarray(ROLE_AT + role, derAt)),
      authority: record.subarray(AUTHORITY_AT, AUTHORITY_AT + AUTHORITY_BYTES),
      notAfter: readSeconds(record, 1),
      ...(revokedAt === 0 ? {} : { revokedAt }),
      der: record.subarray(derAt),
    }
  } catch {
    throw damaged(path, 'it names its role or its holder in no text')
  }
}

function writeSeconds(record: Uint8Array, at: number, ms: number): void {
  let rest = Math.floor(ms / 1_000)
  for (let index = at + 5; index >= at; index--) {
    record[index] = rest % 256
    rest = Math.floor(rest / 256)
  }
}

function readSeconds(record: Uint8Array, at: number): number {
  let seconds = 0
  for (let index = at; index < at + 6; index++) seconds = seconds * 256 + record[index]!
  return seconds * 1_000
}
