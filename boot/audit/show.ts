import { readRecord, type AuditRecord } from '../../actors/vault/audit/record.ts'
import { auditFolder, readLines, segmentsOf } from './chain-files.ts'

export interface ShowOptions {
  readonly folder: string
  /** Epoch milliseconds. */
  readonly since?: number
  readonly who?: string
  readonly method?: string
}

/** The records that fit, oldest first, as they are: whether the chain is whole is what `verify` says. */
export async function* showAudit({ folder: given, since, who, method }: ShowOptions): AsyncGenerator<AuditRecord> {
  const { folder } = await auditFolder(given)
  const fits = (record: AuditRecord): boolean => (since === undefined || record.at >= since)
    && (who === undefined || (record.who?.includes(who) ?? false))
    && (method === undefined || record.method === method)
  for (const { path } of await segmentsOf(folder)) {
    // A segment at a time: it has a limit
    const found: AuditRecord[] = []
    await readLines(path, (line) => {
      const record = readRecord(line)
      if (record && fits(record)) found.push(record)
    }, () => {})
    yield* found
  }
}
