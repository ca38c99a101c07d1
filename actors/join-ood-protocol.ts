import type { Keys, PublicJwk, SigningKey } from '../runtime/platform/ports.ts'
import {
  array, integer, maxLength, minValue, number, object, optional, pipe, string, type Infer,
} from '../runtime/protocol.ts'
import { fromBase64url, toBase64url } from '../runtime/trust/base64url.ts'
import { fingerprint, JoinAnswer, JoinRequest, type ProofInput } from './join-protocol.ts'
import { SealedUnsealKey } from './sealed-unseal-key.ts'

/** What a host that joins as an OOD, and the control plane, say to each other. */

/** Asked again and again, until the owner has decided. Without a certificate. */
export const oodJoinPath = '/join/ood'

const count = pipe(number(), integer(), minValue(0))

export const OodJoinRequest = object({
  ...JoinRequest.entries,
  /** For the key by which etcd will know it: PKCS #10, PEM. */
  etcdCsr: JoinRequest.entries.csr,
  /** X25519 public key, base64url: the unseal key is sealed to it. */
  agreement: pipe(string(), maxLength(64)),
})
export type OodJoinRequest = Infer<typeof OodJoinRequest>

/** What makes a host an OOD, beside what each host is given. */
export const OodJoined = object({
  ...JoinAnswer.entries,
  etcd: object({
    certificate: string(), chain: array(string()),
    /** PEM: what certificates of its members end at. */
    roots: array(string()),
    endpoints: array(string()), prefix: string(),
  }),
  /** Of system-config, and the revision of its boot: this host may never find another. */
  store: object({ id: string(), revision: count }),
  unseal: SealedUnsealKey,
})
export type OodJoined = Infer<typeof OodJoined>

export const OodJoinAnswer = object({
  /** The owner has not decided yet: thumbprint of the device key that the zone has noted, and since when. */
  waiting: optional(object({ device: string(), since: count })),
  joined: optional(OodJoined),
})

export interface OodProofInput extends ProofInput {
  readonly etcdCsr: string
  readonly agreement: string
}

/** Another text than that of a node's proof: neither can be shown in the place of the other. */
function proofText(keys: Keys, { token, csr, etcdCsr, agreement, server }: OodProofInput): Uint8Array {
  const encoder = new TextEncoder()
  const hashed = [token, csr, etcdCsr, agreement].map((text) => fingerprint(keys, encoder.encode(text)))
  return encoder.encode(['zonewright ood join proof 1', ...hashed, server].join('\n'))
}

export const signOodProof = (keys: Keys, device: SigningKey, input: OodProofInput): string =>
  toBase64url(device.sign(proofText(keys, input)))

export function oodProofHolds(keys: Keys, device: PublicJwk, proof: string, input: OodProofInput): boolean {
  const signature = fromBase64url(proof)
  return signature !== undefined && keys.importJwk(device).verify(proofText(keys, input), signature)
}
