import type { Keys, PublicJwk } from '../runtime/platform/ports.ts'
import { verifyDocument } from '../runtime/trust/keys.ts'
import { DeviceDocument, deviceDocumentType } from './records.ts'

/** A device document, checked: undefined for what is none of the zone's. */
export type ReadDevice = (text: string) => DeviceDocument | undefined

/** Device documents count only when the owner key signed them, for this zone. */
export function readDeviceBy(
  keys: Keys, { zone, root }: { readonly zone: string; readonly root: PublicJwk },
): ReadDevice {
  return (text) => {
    const verdict = verifyDocument(keys, text, { typ: deviceDocumentType, schema: DeviceDocument, key: root })
    return verdict.accepted && verdict.payload.zone === zone ? verdict.payload : undefined
  }
}
