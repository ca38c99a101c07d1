import { safeParse } from 'valibot'
import { limits } from '../runtime/limits.ts'
import type { Keys, PublicJwk, SigningKey } from '../runtime/platform/ports.ts'
import {
  array, integer, maxLength, minValue, number, object, optional, pipe, string, type Infer,
} from '../runtime/protocol.ts'
import { fromBase64url, toBase64url } from '../runtime/trust/base64url.ts'
import { parseCompact } from '../runtime/trust/jws.ts'
import { signDocument, verifyDocument, type DocumentVerdict } from '../runtime/trust/keys.ts'
import { DeviceRole, Name } from './records.ts'
import { PublicKey } from './system-config/protocol.ts'

/** What a host that joins and the control plane say to each other, as JSON over HTTP over TLS. */

/** Protocols of the listener (RFC 7301): without a certificate of the zone there is only the first. */
export const joinAlpn = 'zonewright-join/1'
export const hostAlpn = 'zonewright/1'
/** Many streams between two hosts, over one connection; with a certificate of the zone only. */
export const tunnelAlpn = 'zonewright-tunnel/1'

export const joinPath = {
  /** Who is there, and which roots hold. Without a certificate. */
  hello: '/join/hello',
  /** A token for a certificate. Without a certificate. */
  request: '/join/request',
  /** The next certificate, by the device key alone: after a restart, or when the last has ended. */
  again: '/join/renew',
  /** Whom the control plane takes the caller for. With a certificate. */
  whoami: '/host/whoami',
  /** The next certificate. With one that is valid. */
  renew: '/host/renew',
} as const

const count = pipe(number(), integer(), minValue(0))
const Pem = pipe(string(), maxLength(limits.joinPemCharacters))
/** SHA-256 of something, or an Ed25519 signature. */
const Short = pipe(string(), maxLength(128))

export const JoinHello = object({
  zone: string(), host: string(),
  /** Epoch milliseconds: how far the clocks are apart. */
  now: count,
  /** The roots that hold, signed by the zone's anchor (`zw-roots+jws`); none where the zone has no anchor. */
  roots: optional(string()),
})

export const JoinRequest = object({
  token: pipe(string(), maxLength(limits.joinTokenCharacters)),
  host: Name,
  /** PKCS #10, PEM. */
  csr: Pem,
  /** `DeviceStatement`, signed by the device key. */
  device: pipe(string(), maxLength(limits.document)),
  /** By the device key over `joinProof`, base64url. */
  proof: Short,
  /** Epoch milliseconds by the clock of the host. */
  now: count,
})
export type JoinRequest = Infer<typeof JoinRequest>

/** As a join, by the device key in place of the token. */
export const RenewRequest = object({ csr: Pem, device: JoinRequest.entries.device, proof: Short, now: count })

/** The same where there is no certificate to show. */
export const RenewAgainRequest = object({ host: Name, ...RenewRequest.entries })

/** In place of the token in the proof of such a request. */
export const renewalOf = (zone: string, host: string): string => `zonewright renewal of ${host} in ${zone}`

export const JoinAnswer = object({
  serial: string(), certificate: string(), chain: array(string()), roots: array(string()),
  notBefore: count, notAfter: count,
  /** Milliseconds by which the clock of the host is behind that of the control plane; negative when it is ahead. */
  skewMs: pipe(number(), integer()),
  /** What a host needs to judge others from now on. Nothing of it is believed that the owner key does not stand for. */
  zoneDocument: string(),
  /** Its own device document. */
  document: string(),
  /** Device documents of the OODs, and their certificates of the enrolment key. */
  oods: array(string()), certificates: array(string()),
})
export type JoinAnswer = Infer<typeof JoinAnswer>

export const WhoAmI = object({ zone: string(), host: string(), role: string(), serial: string(), notAfter: count })

/** What a device says of itself; that the zone takes it for one of its hosts is another document (`DeviceDocument`). */
export const DeviceStatement = object({
  zone: string(), name: Name, role: DeviceRole, key: PublicKey, iat: count,
})
export type DeviceStatement = Infer<typeof DeviceStatement>
export const deviceStatementType = 'zw-device-statement+jws'

export const signStatement = (device: SigningKey, statement: DeviceStatement): string =>
  signDocument(device, deviceStatementType, statement)

/** It names the key that must have signed it. */
export function verifyStatement(keys: Keys, text: string): DocumentVerdict<typeof DeviceStatement> {
  const parsed = parseCompact(text, limits.document)
  const claimed = 'fault' in parsed ? undefined : safeParse(DeviceStatement, parsed.jws.payload)
  const key = claimed?.success ? claimed.output.key : undefined
  return verifyDocument(keys, text, { typ: deviceStatementType, schema: DeviceStatement, lookup: () => key })
}

export interface ProofInput {
  /** The token; of a renewal, the serial of the certificate that is to be followed. */
  readonly token: string
  readonly csr: string
  /** `fingerprint` of the certificate that the control plane showed. */
  readonly server: string
}

/** SHA-256, base64url. */
export const fingerprint = (keys: Keys, bytes: Uint8Array): string => toBase64url(keys.hash(bytes))

/** What the device key signs: by whom it is shown, for which request, and to which server. A relay has another one. */
function proofText(keys: Keys, { token, csr, server }: ProofInput): Uint8Array {
  const hashed = (text: string): string => fingerprint(keys, new TextEncoder().encode(text))
  return new TextEncoder().encode(['zonewright join proof 1', hashed(token), hashed(csr), server].join('\n'))
}

export const signProof = (keys: Keys, device: SigningKey, input: ProofInput): string =>
  toBase64url(device.sign(proofText(keys, input)))

export function proofHolds(keys: Keys, device: PublicJwk, proof: string, input: ProofInput): boolean {
  const signature = fromBase64url(proof)
  return signature !== undefined && keys.importJwk(device).verify(proofText(keys, input), signature)
}

export const identityOf = (zone: string, kind: string, name: string): string => `spiffe://${zone}/${kind}/${name}`
