/** Folders with chains of an audit, and what `audit verify` says of them. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AuditRecord } from '../../actors/vault/audit/record.ts'
import { verifyAudit } from '../../boot/audit/verify.ts'
import { openPlatform } from '../../runtime/platform/index.ts'

const platform = await openPlatform()
const folders: string[] = []

export async function removeFolders(): Promise<void> {
  for (const folder of folders) await rm(folder, { recursive: true })
}

export const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-audit-'))
  folders.push(folder)
  return folder
}

export const namesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.endsWith('.jsonl')).sort()

export async function recordsIn(folder: string): Promise<AuditRecord[]> {
  const texts = await Promise.all((await namesIn(folder)).map((name) => readFile(join(folder, name), 'utf8')))
  return texts.join('').split('\n').filter(Boolean).map((line) => JSON.parse(line) as AuditRecord)
}

export const verified = (folder: string) => verifyAudit({ platform, folder })
export const faultsOf = async (folder: string): Promise<string[]> =>
  (await verified(folder)).findings.map(({ fault, seq }) => `${fault} ${seq}`)
