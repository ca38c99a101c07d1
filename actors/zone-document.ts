import { safeParse } from 'valibot'
import { limits } from '../runtime/limits.ts'
import type { Keys } from '../runtime/platform/ports.ts'
import { integer, minValue, number, object, pipe, string, type Infer } from '../runtime/protocol.ts'
import { parseCompact } from '../runtime/trust/jws.ts'
import { verifyDocument, type DocumentVerdict } from '../runtime/trust/keys.ts'
import { Name } from './records.ts'
import { PublicKey } from './system-config/protocol.ts'

const count = pipe(number(), integer(), minValue(0))

/** The boot parameters, signed by the owner key: what a zone is before it has a store. */
export const ZoneDocument = object({
  zone: string(),
  /** The owner as a person: an ordinary user. */
  owner: Name,
  /** The owner key. */
  root: PublicKey,
  /** The first OOD. */
  host: Name,
  epoch: count,
  iat: count,
})
export type ZoneDocument = Infer<typeof ZoneDocument>

/** `typ` of the compact JWS that holds it. */
export const zoneDocumentType = 'zw-zone+jws'

/** It names the key that must have signed it: what makes it true is who gave it, a supervisor or the zone's folder. */
export function verifyZoneDocument(keys: Keys, text: string): DocumentVerdict<typeof ZoneDocument> {
  const parsed = parseCompact(text, limits.document)
  const claimed = 'fault' in parsed ? undefined : safeParse(ZoneDocument, parsed.jws.payload)
  const root = claimed?.success ? claimed.output.root : undefined
  return verifyDocument(keys, text, { typ: zoneDocumentType, schema: ZoneDocument, lookup: () => root })
}
