import { integer, number, object, pipe, string, type Infer } from '../runtime/protocol.ts'
import { Name } from './records.ts'
import { PublicKey } from './system-config/protocol.ts'

/** The boot parameters, signed by the owner key: what a zone is before it has a store. */
export const ZoneDocument = object({
  zone: string(),
  /** The owner as a person: an ordinary user. */
  owner: Name,
  /** The owner key. */
  root: PublicKey,
  /** The first OOD. */
  host: Name,
  epoch: pipe(number(), integer()),
  iat: pipe(number(), integer()),
})
export type ZoneDocument = Infer<typeof ZoneDocument>

/** `typ` of the compact JWS that holds it. */
export const zoneDocumentType = 'zw-zone+jws'
