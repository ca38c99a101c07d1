import { readDocuments, vaultStore } from '../backup/zone.ts'
import { absolute, listFolder, readPieces, readSmallFile } from '../backup/disk.ts'
import { readHead } from '../../actors/vault/audit/audit.ts'
import type { AuditPoint } from '../../actors/vault/audit/record.ts'
import { firstOf, keyFile } from '../../actors/vault/audit/segments.ts'
import type { ChainName } from '../../actors/vault/audit/signature.ts'
import { joined, linesOf } from '../../actors/vault/audit/walk.ts'
import { limits } from '../../runtime/limits.ts'
import type { Platform, PublicJwk } from '../../runtime/platform/ports.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import { openLogCopy } from '../../runtime/store/embedded/log-copy.ts'
import { object, string, type Infer } from '../../runtime/protocol.ts'
import { PublicKey } from '../../actors/system-config/protocol.ts'
import { safeParse } from 'valibot'
import { FolderDamaged, Usage } from '../errors.ts'
import { file } from '../init.ts'
import { parseJson } from '../parse-json.ts'

const KeyFile = object({ zone: string(), host: string(), kid: string(), jwk: PublicKey })

export interface AuditKey {
  readonly jwk: PublicJwk
  /** Whose chain it signs, where the file says so. */
  readonly name?: ChainName
}

export interface Segment {
  readonly name: string
  readonly path: string
  /** The record that its name says it begins with. */
  readonly first: number
}

/** Where the audit of a zone's folder lies; the folder itself may be it, as a copy that was taken elsewhere is. */
export async function auditFolder(given: string): Promise<{ readonly folder: string; readonly zone: string | undefined }> {
  const root = absolute(given)
  const names = (await listFolder(root) ?? []).map(({ name }) => name)
  if (names.includes(file.audit)) return { folder: `${root}/${file.audit}`, zone: root }
  if (names.some((name) => firstOf(name) !== undefined)) return { folder: root, zone: undefined }
  throw new FolderDamaged(`There is no audit in this folder: ${root}`, {
    path: root, next: 'Give the folder of a zone with --dir, or a folder of audit segments',
  })
}

export async function segmentsOf(folder: string): Promise<readonly Segment[]> {
  const names = (await listFolder(folder) ?? []).filter(({ kind }) => kind === 'file').map(({ name }) => name)
  return names.flatMap((name) => {
    const first = firstOf(name)
    return first === undefined ? [] : [{ name, path: `${folder}/${name}`, first }]
  }).sort((left, right) => left.first - right.first)
}

/** Each line of a segment, and what is behind the last newline; in pieces, so that memory stays as it is. */
export async function readLines(
  path: string, onLine: (line: Uint8Array) => void, onPiece: (bytes: number) => void,
): Promise<Uint8Array> {
  let rest: Uint8Array = new Uint8Array()
  for await (const piece of readPieces(path)) {
    rest = linesOf(rest.length === 0 ? piece : joined([rest, piece]), onLine)
    onPiece(piece.length)
  }
  return rest
}

/** @throws Usage when it is no key */
export async function readKeyFile(path: string): Promise<AuditKey> {
  const value = parseJson(await readSmallFile(path, limits.backupFileBytes) ?? new Uint8Array())
  const whole = safeParse(KeyFile, value)
  if (whole.success) return keyIn(whole.output)
  const bare = safeParse(PublicKey, value)
  if (bare.success) return { jwk: bare.output }
  throw new Usage(`The file is no public key of an audit: ${path}`, {
    path, next: `Give a copy of ${file.audit}/${keyFile}, or a JWK`,
  })
}

export async function keyBeside(folder: string): Promise<AuditKey | undefined> {
  const bytes = await readSmallFile(`${folder}/${keyFile}`, limits.backupFileBytes)
  const parsed = safeParse(KeyFile, bytes && parseJson(bytes))
  return parsed.success ? keyIn(parsed.output) : undefined
}

const keyIn = ({ zone, host, jwk }: Infer<typeof KeyFile>): AuditKey => ({ jwk, name: { zone, host } })

/** Whose chain it should be, by the documents that the owner signed. */
export async function nameOf(platform: Platform, zone: string | undefined): Promise<ChainName | undefined> {
  const bytes = zone === undefined ? undefined : await readSmallFile(`${zone}/${file.identity}`, limits.backupFileBytes)
  if (!bytes) return undefined
  const { device } = readDocuments(platform, bytes)
  return { zone: device.zone, host: device.name }
}

/**
 * How far the vault's own store knows the chain to have come. 'elsewhere': the store is not in this folder, or is of a
 * host that keeps it in etcd.
 */
export async function headInStore(
  platform: Platform, zone: string | undefined, host: string,
): Promise<AuditPoint | 'none' | 'elsewhere'> {
  const folder = `${zone}/${vaultStore}`
  if (zone === undefined || !(await listFolder(folder))?.length) return 'elsewhere'
  const copy = await openLogCopy(folder)
  if (!copy) return 'elsewhere'
  try {
    const { state } = await copy.check()
    const { clock, random } = platform
    const store = createMemoryStore({ clock, random, state, persist: async () => {} })
    try {
      return await readHead(store, host) ?? 'none'
    } finally {
      await store.close()
    }
  } finally {
    await copy.close()
  }
}
