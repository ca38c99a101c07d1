import { safeParse } from 'valibot'
import { readHead } from '../../../actors/vault/audit/audit.ts'
import { emptyChain, type AuditPoint, type AuditRecord } from '../../../actors/vault/audit/record.ts'
import { keyFile, segmentsIn } from '../../../actors/vault/audit/segments.ts'
import { pointFault } from '../../../actors/vault/audit/signature.ts'
import { ChainWalk, linesOf } from '../../../actors/vault/audit/walk.ts'
import { keyringPath } from '../../../actors/vault/keyring.ts'
import { termOf } from '../../../actors/vault/record.ts'
import { PublicKey } from '../../../actors/system-config/protocol.ts'
import type { Files, Keys } from '../../../runtime/platform/ports.ts'
import { object, string } from '../../../runtime/protocol.ts'
import type { Store } from '../../../runtime/store/store.ts'
import { parseJson } from '../../parse-json.ts'
import { OOD, ZONE } from './start.ts'

const KeyFile = object({ zone: string(), host: string(), kid: string(), jwk: PublicKey })
const NAME = { zone: ZONE, host: OOD }

/** Entries that are not of the newest term, after all was sealed anew. */
export async function staleEntries(store: Store, term: number): Promise<readonly string[]> {
  const { entries } = await store.list('')
  return entries.filter(({ key, value }) => !key.startsWith('core/') && termOf(value) !== term)
    .map(({ key, value }) => `${key} is of term ${termOf(value)}, not ${term}`)
    .concat(entries.some(({ key }) => key === keyringPath) ? [] : ['the keyring is gone'])
}

/** What is wrong with the chain, from its first record to its last, by its files alone. */
export async function auditFaults(
  files: Files, keys: Keys, store: Store,
): Promise<{ readonly records: number; readonly repaired: number; readonly faults: readonly string[] }> {
  const faults: string[] = []
  const bytes = await files.read(keyFile)
  const parsed = safeParse(KeyFile, bytes && parseJson(bytes))
  if (!parsed.success) return { records: 0, repaired: 0, faults: ['there is no key beside it'] }
  const { jwk } = parsed.output
  let last: AuditRecord | undefined
  const hashes = new Map<number, string>()
  const known = await readHead(store, OOD)
  const walk = new ChainWalk({
    keys, from: emptyChain,
    onRecord(record, point: AuditPoint) {
      last = record
      if (point.seq === known?.seq) hashes.set(point.seq, point.hash)
      if (record.kind !== 'signature') return
      const before = { seq: record.seq - 1, hash: record.prev }
      const wrong = pointFault(keys, jwk, NAME, before, record.signature ?? '')
      if (wrong !== undefined) faults.push(`signature at ${record.seq}: ${wrong}`)
    },
    onFinding: ({ fault, seq, detail }) => void faults.push(`${fault} at ${seq}: ${detail}`),
  })
  for (const name of await segmentsIn(files)) {
    walk.rest(linesOf((await files.read(name))!, (line) => walk.line(line)))
  }
  if (last?.kind !== 'signature') faults.push(`it ends with ${last?.kind}, which nobody has signed`)
  if (known && hashes.get(known.seq) !== known.hash) faults.push(`it has not what the store knows of: ${known.seq}`)
  if (walk.region.length > 0) faults.push(`behind its last record stand ${walk.region.length} bytes`)
  return { records: walk.records, repaired: walk.repaired, faults }
}
