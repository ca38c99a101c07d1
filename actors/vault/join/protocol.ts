import { defineError } from '../../../runtime/errors.ts'
import {
  array, boolean, integer, number, object, optional, picklist, pipe, string, type Infer,
} from '../../../runtime/protocol.ts'
import { DeviceRole } from '../../records.ts'
import { SealedUnsealKey } from '../../sealed-unseal-key.ts'
import { PublicKey } from '../../system-config/protocol.ts'

/** What the vault tells of hosts that join; `vault/protocol.ts` says by which methods. */

const count = pipe(number(), integer())

export const IssuedCertificate = object({
  serial: string(), certificate: string(),
  /** PEM of who signed it, up to the root, without the root. */
  chain: array(string()),
  /** PEM of the roots that a peer's certificate may end at, now. */
  roots: array(string()),
  notBefore: count, notAfter: count,
})
export type IssuedCertificate = Infer<typeof IssuedCertificate>

/** What is told of a join token; the token itself is told once, by `createJoinToken`. Times are epoch milliseconds. */
export const JoinToken = object({
  id: string(), host: string(), role: DeviceRole, owner: optional(string()),
  state: picklist(['open', 'used', 'revoked', 'expired']),
  cidr: optional(string()),
  createdAt: count, expiresAt: count,
  /** Who asked for it. */
  createdBy: string(),
  usedAt: optional(count), revokedAt: optional(count),
  /** Thumbprint of the device key that used it, and the certificate it got. */
  device: optional(string()), serial: optional(string()),
  /** How often somebody who had it was refused. */
  refused: count,
})
export type JoinToken = Infer<typeof JoinToken>

export const Enrolled = object({
  ...IssuedCertificate.entries,
  /** Id of the join token, thumbprint of the device key. */
  token: string(), device: string(),
  /** It was signed before, for the same request. */
  retried: boolean(),
  /** The device document of the host, signed by the enrolment key. */
  document: optional(string()),
})
export type Enrolled = Infer<typeof Enrolled>

/** What the enrolment key stands by at an OOD (`DeviceDocument.enrolment`), and to whom the hosts belong. */
export const Registrar = object({ ood: string(), certificate: string(), owner: string() })
export type Registrar = Infer<typeof Registrar>

/** A host that joined, by its name. Times are epoch milliseconds. */
export const JoinedHost = object({
  host: string(), role: DeviceRole,
  /** Thumbprint of its device key. */
  device: string(),
  /** Of its newest certificate, and the end of that. */
  serial: string(), notAfter: optional(count),
  /** Of its certificates that count, the newest last. Of an OOD those by which it joined: it gets others itself. */
  serials: optional(array(string())),
  /** Id of the join token. */
  token: string(), joinedAt: count,
  document: optional(string()),
  revokedAt: optional(count), revokedBy: optional(string()),
})
export type JoinedHost = Infer<typeof JoinedHost>

/** What a join and a renewal ask. `csr` is PKCS #10, PEM; the others as `join-protocol` has them. */
export const enrolmentAsked = {
  host: string(), csr: string(), device: string(), proof: string(), server: string(), skewMs: optional(count),
  /** With it the host is registered by the same transaction. */
  registrar: optional(Registrar),
} as const

/** What a host that wants to be an OOD asks. `etcdCsr` is PKCS #10, PEM; `agreement` an X25519 key, base64url. */
export const oodAsked = {
  token: string(), host: string(), csr: string(), etcdCsr: string(), agreement: string(), device: string(),
  proof: string(), server: string(), skewMs: optional(count),
} as const

export const OodIssued = object({
  ...IssuedCertificate.entries,
  /** The device document, signed by the owner. */
  document: string(),
  etcd: object({ certificate: string(), chain: array(string()), roots: array(string()), serial: string() }),
  unseal: SealedUnsealKey, retried: boolean(),
})
export type OodIssued = Infer<typeof OodIssued>

/** A host that wants to be an OOD, until it is one. Times are epoch milliseconds. */
export const OodRequest = object({
  host: string(),
  /** Id of the join token, and when that ends. */
  token: string(), expiresAt: count,
  /** Thumbprint of its device key, and the key: what the owner is to sign. */
  device: string(), key: PublicKey,
  at: count,
  /** The document by which the owner approved it. */
  document: optional(string()),
  approvedAt: optional(count), refusedAt: optional(count), refusedBy: optional(string()),
})
export type OodRequest = Infer<typeof OodRequest>

/** A join that the token, the device or the address does not allow. `details.reason` is a JoinRefusal. */
export const JoinRefused = defineError('JoinRefused')
export type JoinRefusal = 'unknown' | 'expired' | 'revoked' | 'used' | 'host' | 'address' | 'device' | 'proof'
  /** Another device has this name, or the owner has signed for it. */
  | 'taken' | 'owned'
  /** The last certificate ended too long ago. */
  | 'ended'
  /** The zone's own program said no. */
  | 'hook'
  /** The token is for another role. */
  | 'role'
  /** The owner said no, or has signed something else. */
  | 'refused' | 'approval'
