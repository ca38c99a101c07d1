import { safeParse } from 'valibot'
import { messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Keys } from '../../runtime/platform/ports.ts'
import type { Store } from '../../runtime/store/store.ts'
import {
  array, maxLength, minLength, object, optional, pipe, record, string, type Infer,
} from '../../runtime/protocol.ts'
import { HostsDocument, Servers } from '../host-identity.ts'
import { readDeviceBy } from '../read-device.ts'
import { verifyZoneDocument, type ZoneDocument } from '../zone-document.ts'

const text = pipe(string(), maxLength(limits.document))

/** What the owner key stands for: boot parameters of the zone, and the device documents of its control plane. */
export const ZoneDocuments = object({
  zoneDocument: text, oods: pipe(array(text), minLength(1), maxLength(limits.uplinkServers)),
})
export type ZoneDocuments = Infer<typeof ZoneDocuments>

/** The newest that came with a certificate, or were told over a tunnel, kept across starts. */
export interface Documents {
  /** Undefined until there were any that are good. */
  readonly known: ZoneDocuments | undefined
  /** Names of the control plane's hosts, as far as anything is known. */
  readonly names: readonly string[]
  /** HOST:PORT of each of them, as told. */
  readonly servers: readonly string[]
  /** @returns why they are not taken */
  take(documents: ZoneDocuments): Promise<string | undefined>
  /** With where they are reached: whoever is not in it is forgotten. @returns why it is not taken */
  takeHosts(document: string): Promise<string | undefined>
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
  /** By host: of those that are known. */
  let addresses: ReadonlyMap<string, readonly string[]> = new Map()

  /** The zone document, and who the hosts are, when all is the owner's and no older than what is known. */
  const judge = (documents: unknown): Judged | string => {
    const parsed = safeParse(Kept, documents)
    if (!parsed.success) return `the documents have the wrong shape: ${parsed.issues[0].message}`
    const { servers = {}, ...all } = parsed.output
    const next = zoneIn(keys, all.zoneDocument, zone)
    if (!first || !newest || next?.root.x !== first.root.x) return 'the zone document is not by the owner key'
    if (next.iat < newest.iat || next.epoch < newest.epoch) return 'the zone document is older than the known one'
    const read = readDeviceBy(keys, next)
    const oods = all.oods.map(read)
    if (!oods.every((one) => one?.role === 'ood')) return 'a document of a control plane host does not verify'
    return { zone: next, all, servers: new Map(oods.map((one) => [one!.name, servers[one!.name] ?? []])) }
  }
  /** @returns why they are not taken */
  const use = (documents: unknown): string | undefined => {
    const judged = judge(documents)
    if (typeof judged === 'string') return judged
    newest = judged.zone
    known = judged.all
    addresses = judged.servers
    return undefined
  }
  const keep = async (documents: unknown): Promise<string | undefined> => {
    const fault = use(documents)
    const text = JSON.stringify({ ...known, servers: Object.fromEntries(addresses) })
    if (fault !== undefined || text === keptText) return fault
    try {
      await store.put(stored, new TextEncoder().encode(text))
      keptText = text
    } catch (error) {
      // They hold until the next start, and the certificate that they came with counts
      return `they cannot be kept: ${messageOf(error)}`
    }
    return undefined
  }

  const kept = await store.get(stored)
  let keptText = kept && new TextDecoder().decode(kept.value)
  // Judged again: the host may have joined anew, by another owner key
  if (keptText !== undefined) use(parsedJson(keptText))
  return {
    get known() { return known },
    get names() { return [...addresses.keys()] },
    get servers() { return [...new Set([...addresses.values()].flat())] },
    take: ({ zoneDocument: next, oods }) =>
      keep({ zoneDocument: next, oods, servers: Object.fromEntries(addresses) }),
    async takeHosts(document) {
      const parsed = safeParse(HostsDocument, parsedJson(document))
      if (!parsed.success) return `the hosts have the wrong shape: ${parsed.issues[0].message}`
      const { zoneDocument: next, oods } = parsed.output
      const read = first ? readDeviceBy(keys, first) : () => undefined
      return await keep({
        zoneDocument: next, oods: oods.map(({ document: text }) => text),
        // Of a document that is not the owner's no name is known, and nothing is taken
        servers: Object.fromEntries(oods.map(({ document: text, servers }) => [read(text)?.name ?? '', servers])),
      })
    },
  }
}

/** As stored: the addresses beside. */
const Kept = object({ ...ZoneDocuments.entries, servers: optional(record(string(), Servers)) })

interface Judged {
  readonly zone: ZoneDocument
  readonly all: ZoneDocuments
  readonly servers: ReadonlyMap<string, readonly string[]>
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
