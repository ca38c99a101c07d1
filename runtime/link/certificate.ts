import { safeParse } from 'valibot'
import type { Peer } from '../actor.ts'
import { HandshakeFailed } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Keys, SigningKey, VerifyKey } from '../platform/ports.ts'
import {
  integer, literal, maxLength, minLength, minValue, number, object, pipe, string, type Infer,
} from '../protocol.ts'
import { parseCompact, signCompact } from '../trust/jws.ts'

const name = pipe(string(), minLength(1), maxLength(255))
const count = pipe(number(), integer(), minValue(0))

const Fields = object({
  zone: name, host: name, actor: name, runtimeType: name,
  key: object({ kty: literal('OKP'), crv: literal('Ed25519'), x: name }),
  incarnation: count,
  /** Epoch seconds. */
  exp: count,
})

/** A `typ` of its own, so that no token can be taken for one (RFC 8725 §3.11). */
const TYP = 'zw-link+jwt'

/** What a host says of one incarnation of one of its actors. */
export type LinkCertificate = Infer<typeof Fields>
export type CertifiedPeer = Peer & { readonly key: VerifyKey }

export interface CertificateRules {
  readonly keys: Keys
  readonly zone: string
  readonly nowMs: number
  /** The device key of a host that this host knows. */
  device(host: string): { readonly role: 'ood' | 'node'; readonly key: VerifyKey } | undefined
  /** Whether a device of this role may speak for this actor: runtime/ knows no names of actors. */
  allows(host: string, role: 'ood' | 'node', actor: string, runtimeType: string): boolean
}

/** JWS compact serialisation (RFC 7515 §3.1), signed with the device key of the host. */
export const signLinkCertificate = (deviceKey: SigningKey, fields: LinkCertificate): string =>
  signCompact(deviceKey, TYP, fields)

/** @throws HandshakeFailed with `details.reason` */
export function verifyLinkCertificate(text: string, rules: CertificateRules): CertifiedPeer {
  const parsed = parseCompact(text, limits.certificate)
  if (!('jws' in parsed)) return refuse(`certificate ${parsed.fault}`)
  const { header, payload, signingInput, signature } = parsed.jws
  if (header.typ !== TYP) refuse('not a link certificate')
  const shape = safeParse(Fields, payload)
  if (!shape.success) return refuse('certificate malformed')
  const { zone, host, actor, runtimeType, incarnation, key: jwk, exp } = shape.output
  const device = rules.device(host) ?? refuse('unknown device')
  // The rules choose the key by host; `kid` may only agree with that choice.
  if (header.kid !== device.key.kid) refuse('certificate of another device key')
  if (!device.key.verify(signingInput, signature)) refuse('certificate forged')
  if (zone !== rules.zone) refuse('certificate of another zone')
  if (exp * 1000 <= rules.nowMs) refuse('certificate expired')
  if (!rules.allows(host, device.role, actor, runtimeType)) refuse('device may not speak for this actor')
  const key = importKey(rules.keys, jwk)
  return { zone, host, actor, runtimeType, incarnation, kid: key.kid, key }
}

function importKey(keys: Keys, jwk: LinkCertificate['key']): VerifyKey {
  try {
    return keys.importJwk(jwk)
  } catch {
    return refuse('certificate malformed')
  }
}

function refuse(reason: string): never {
  throw new HandshakeFailed(`Link certificate refused: ${reason}`, { reason })
}
