import {
  array, integer, literal, number, object, optional, pipe, string, type Infer,
} from '../../../runtime/protocol.ts'
import { DeviceRole, Name, type EnrolledRole } from '../../records.ts'
import { SealedUnsealKey } from '../../sealed-unseal-key.ts'
import { PublicKey } from '../../system-config/protocol.ts'

const count = pipe(number(), integer())

/** What the vault keeps of a join token. The token itself it has forgotten. */
export const StoredToken = object({
  format: literal(1),
  /** Keyed digest of the secret part. */
  digest: string(),
  host: string(), role: DeviceRole,
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
    /** Of an OOD: what it was given beside its certificate. */
    ood: optional(object({ etcd: string(), etcdChain: array(string()), unseal: SealedUnsealKey })),
  })),
  /** Of a token for an OOD: who asked by it, for what, and what the owner has said to that. */
  request: optional(object({
    at: count, device: PublicKey, kid: string(),
    /** Digests of the two signing requests, and the X25519 key. */
    csr: string(), etcdCsr: string(), agreement: string(),
    /** The device document by which the owner approves. */
    document: optional(string()), approvedAt: optional(count),
    refusedAt: optional(count), refusedBy: optional(string()),
  })),
  /** Of those who had the token itself. */
  refused: count,
})
export type StoredToken = Infer<typeof StoredToken>

/** The host as it last joined: its device key gets the next certificate. */
export const StoredHost = object({
  format: literal(1), device: PublicKey, kid: string(), role: DeviceRole, serial: string(), token: string(),
  joinedAt: count,
  /** As the token says. */
  owner: optional(Name),
  /** Of that certificate. Absent in records from before hosts were registered, as is the document. */
  notAfter: optional(count),
  /** Those before it that count still, oldest first. Any other of this host opens nothing, and is in no list. */
  earlier: optional(array(object({ serial: string(), notAfter: count }))),
  /** Digest of the request for the newest, and who signed it: the same request gets the same bytes. */
  csr: optional(string()), chain: optional(array(string())),
  /** When it got its last certificates without a token, within the window of the limit. */
  renewals: optional(array(count)),
  /** Of an OOD: serial of the certificate by which etcd knows it. */
  etcd: optional(string()),
  /** Its document, by the enrolment key, or for an OOD by the owner: `devices/{host}/doc` is to say the same. */
  document: optional(string()),
  /** From then on it is nobody: its device gets no certificate, and its document goes. */
  revokedAt: optional(count), revokedBy: optional(string()),
})
export type StoredHost = Infer<typeof StoredHost>

export const isEnrolled = (host: StoredHost): host is StoredHost & { readonly role: EnrolledRole } =>
  host.role !== 'ood'

/** Of the digests. */
export const StoredKey = object({ format: literal(1), key: string() })

export const joinPaths = {
  key: 'join/key',
  tokens: 'join/tokens/',
  token: (id: string): string => `join/tokens/${id}`,
  hosts: 'join/hosts/',
  host: (name: string): string => `join/hosts/${name}`,
} as const
