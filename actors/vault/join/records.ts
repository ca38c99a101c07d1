import {
  array, integer, literal, number, object, optional, pipe, string, type Infer,
} from '../../../runtime/protocol.ts'
import { JoiningRole, Name } from '../../records.ts'
import { PublicKey } from '../../system-config/protocol.ts'

const count = pipe(number(), integer())

/** What the vault keeps of a join token. The token itself it has forgotten. */
export const StoredToken = object({
  format: literal(1),
  /** Keyed digest of the secret part. */
  digest: string(),
  host: string(), role: JoiningRole,
  /** The user that it is to belong to; else the owner of the zone. */
  owner: optional(Name),
  cidr: optional(string()),
  /** Epoch milliseconds. */
  createdAt: count, expiresAt: count,
  createdBy: string(),
  revokedAt: optional(count),
  /** By whom it was used, and what they got for it. */
  used: optional(object({
    at: count, device: PublicKey, kid: string(), serial: string(), csr: string(), chain: array(string()),
  })),
  /** Of those who had the token itself. */
  refused: count,
})
export type StoredToken = Infer<typeof StoredToken>

/** The host as it last joined: its device key gets the next certificate. */
export const StoredHost = object({
  format: literal(1), device: PublicKey, kid: string(), role: JoiningRole, serial: string(), token: string(),
  joinedAt: count,
  /** As the token says. */
  owner: optional(Name),
  /** Of that certificate. Absent in records from before hosts were registered, as is the document. */
  notAfter: optional(count),
  /** Those before it that have not ended, oldest first. */
  earlier: optional(array(object({ serial: string(), notAfter: count }))),
  /** The device document, signed by the enrolment key: `devices/{host}/doc` is to say the same. */
  document: optional(string()),
  /** From then on it is nobody: its device gets no certificate, and its document goes. */
  revokedAt: optional(count), revokedBy: optional(string()),
})
export type StoredHost = Infer<typeof StoredHost>

/** Of the digests. */
export const StoredKey = object({ format: literal(1), key: string() })

export const joinPaths = {
  key: 'join/key',
  tokens: 'join/tokens/',
  token: (id: string): string => `join/tokens/${id}`,
  hosts: 'join/hosts/',
  host: (name: string): string => `join/hosts/${name}`,
} as const
