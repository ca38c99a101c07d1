import { safeParse } from 'valibot'
import { messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Keys } from '../../runtime/platform/ports.ts'
import type { Store } from '../../runtime/store/store.ts'
import { array, maxLength, minLength, object, pipe, string, type Infer } from '../../runtime/protocol.ts'
import { readDeviceBy } from '../read-device.ts'
import { verifyZoneDocument, type ZoneDocument } from '../zone-document.ts'

const text = pipe(string(), maxLength(limits.document))

/** What the owner key stands for: boot parameters of the zone, and the device documents of its control plane. */
export const ZoneDocuments = object({
  zoneDocument: text, oods: pipe(array(text), minLength(1), maxLength(limits.uplinkServers)),
})
export type ZoneDocuments = Infer<typeof ZoneDocuments>

/** The newest that came with a certificate, kept across starts. */
export interface Documents {
  /** Undefined until there were any that are good. */
  readonly known: ZoneDocuments | undefined
  /** @returns why they are not taken */
  take(documents: ZoneDocuments): Promise<string | undefined>
}

export interface DocumentsOptions {
  readonly keys: Keys
  readonly store: Store
  readonly zone: string
  /** As the host has joined by: its owner key says what is good. Without it nothing is taken. */
  readonly zoneDocument: string | undefined
}

const stored = 'documents'

export async function openDocuments({ keys, store, zone, zoneDocument }: DocumentsOptions): Promise<Documents> {
  const first = zoneIn(keys, zoneDocument ?? '', zone)
  let newest = first
  let known: ZoneDocuments | undefined

  /** The zone document, when all is the owner's and no older than what is known. */
  const judge = (documents: unknown): { readonly zone: ZoneDocument; readonly all: ZoneDocuments } | string => {
    const parsed = safeParse(ZoneDocuments, documents)
    if (!parsed.success) return `the documents have the wrong shape: ${parsed.issues[0].message}`
    const next = zoneIn(keys, parsed.output.zoneDocument, zone)
    if (!first || !newest || next?.root.x !== first.root.x) return 'the zone document is not by the owner key'
    if (next.iat < newest.iat || next.epoch < newest.epoch) return 'the zone document is older than the known one'
    const read = readDeviceBy(keys, next)
    if (!parsed.output.oods.every((one) => read(one)?.role === 'ood')) {
      return 'a document of a control plane host does not verify'
    }
    return { zone: next, all: parsed.output }
  }
  const use = (documents: unknown): string | undefined => {
    const judged = judge(documents)
    if (typeof judged === 'string') return judged
    newest = judged.zone
    known = judged.all
    return undefined
  }

  const kept = await store.get(stored)
  // Judged again: the host may have joined anew, by another owner key
  if (kept) use(parsedJson(new TextDecoder().decode(kept.value)))
  return {
    get known() { return known },
    async take({ zoneDocument: next, oods }) {
      const fault = use({ zoneDocument: next, oods })
      if (fault !== undefined) return fault
      try {
        await store.put(stored, new TextEncoder().encode(JSON.stringify(known)))
      } catch (error) {
        // They hold until the next start, and the certificate that they came with counts
        return `they cannot be kept: ${messageOf(error)}`
      }
      return undefined
    },
  }
}

function zoneIn(keys: Keys, document: string, zone: string): ZoneDocument | undefined {
  const verdict = verifyZoneDocument(keys, document)
  return verdict.accepted && verdict.payload.zone === zone ? verdict.payload : undefined
}

function parsedJson(document: string): unknown {
  try {
    return JSON.parse(document)
  } catch {
    return undefined
  }
}
