import type { Keys, PublicJwk, SigningKey } from '../../../runtime/platform/ports.ts'
import { integer, number, object, pipe, string } from '../../../runtime/protocol.ts'
import { signDocument, verifyDocument } from '../../../runtime/trust/keys.ts'
import type { AuditPoint } from './record.ts'

const type = 'zw-audit+jws'

/** Whose chain it is: a signature over one host's chain is none over another's. */
export interface ChainName {
  readonly zone: string
  readonly host: string
}

const Signed = object({ zone: string(), host: string(), seq: pipe(number(), integer()), hash: string() })

/** A JWS over the chain up to a record. */
export const signPoint = (key: SigningKey, { zone, host }: ChainName, { seq, hash }: AuditPoint): string =>
  signDocument(key, type, { zone, host, seq, hash })

/** Whether the text is a signature by this key over exactly this; undefined when it is, else what is wrong. */
export function pointFault(
  keys: Keys, key: PublicJwk, { zone, host }: ChainName, { seq, hash }: AuditPoint, text: string,
): string | undefined {
  const verdict = verifyDocument(keys, text, { typ: type, schema: Signed, key })
  if (!verdict.accepted) return verdict.denial.detail
  const { payload } = verdict
  if (payload.zone !== zone || payload.host !== host) return `it is of ${payload.host} in ${payload.zone}`
  return payload.seq === seq && payload.hash === hash ? undefined : 'it is over another chain'
}
