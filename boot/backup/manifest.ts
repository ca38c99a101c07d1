import { safeParse } from 'valibot'
import { keyFile } from '../../actors/vault/audit/segments.ts'
import { limits } from '../../runtime/limits.ts'
import {
  array, boolean, integer, literal, minValue, number, object, picklist, pipe, regex, string, type Infer,
} from '../../runtime/protocol.ts'
import { BackupDamaged, BackupUnsupported } from '../errors.ts'
import { file } from '../init.ts'
import { parseJson } from '../parse-json.ts'
import { shown } from './tar.ts'

/** The first file of a backup: what else is in it. */
export const manifestPath = 'manifest.json'
/** The second: the device key of the host signed the first. */
export const signaturePath = 'manifest.jws'
export const signatureType = 'zw-backup+jws'
export const Signature = object({ zone: string(), host: string(), manifest: string() })

/** 1 had no audit and no certificates of etcd. */
export const formatVersion = 2
const format = 'zonewright-backup'

const count = pipe(number(), integer(), minValue(0))
const Sha256 = pipe(string(), regex(/^[0-9a-f]{64}$/))

export const Manifest = object({
  format: literal(format),
  version: picklist([1, formatVersion]),
  zone: string(),
  host: string(),
  /** Of `boot/config`. */
  epoch: count,
  madeAtMs: count,
  /** Key files are in it only when it is encrypted as a whole. */
  keys: boolean(),
  /** The stores are as they were together at one moment; else some microseconds apart. */
  oneMoment: boolean(),
  files: array(object({ path: string(), bytes: count, sha256: Sha256 })),
  stores: array(object({ path: string(), id: string(), revision: count, records: count })),
})
export type Manifest = Infer<typeof Manifest>
export type ManifestFile = Manifest['files'][number]

export const newManifest = (content: Omit<Manifest, 'format' | 'version'>): Manifest =>
  ({ format, version: formatVersion, ...content })

export const encodeManifest = (manifest: Manifest): Uint8Array =>
  new TextEncoder().encode(`${JSON.stringify(manifest, null, 1)}\n`)

/** @throws BackupUnsupported, BackupDamaged */
export function decodeManifest(bytes: Uint8Array): Manifest {
  const value = parseJson(bytes) as { format?: unknown; version?: unknown } | null | undefined
  if (value?.format !== format) throw damaged('its manifest is not one of Zonewright')
  if (typeof value.version === 'number' && value.version > formatVersion) {
    throw new BackupUnsupported(`The backup is of format ${value.version}; this version reads ${formatVersion}`, {
      next: 'Use the version of Zonewright that made it, or a newer one',
    })
  }
  const parsed = safeParse(Manifest, value)
  if (!parsed.success) throw damaged(`its manifest has a wrong shape: ${parsed.issues[0].message}`)
  const { files, stores } = parsed.output
  if (files.length > limits.backupFiles) throw damaged(`it names ${files.length} files`)
  const wrong = files.find(({ path, bytes }) => !isPath(path) || bytes > bytesMax(path))
  if (wrong) throw damaged(`it names a file that no backup has: ${shown(wrong.path)}, ${wrong.bytes} bytes`)
  const others = files.filter(({ path }) => !isLog(path) && !isSegment(path)).reduce((sum, { bytes }) => sum + bytes, 0)
  if (others > limits.backupFilesBytes) throw damaged(`its files that are no stores have ${others} bytes`)
  if (new Set(files.map(({ path }) => path)).size < files.length) throw damaged('it names a file twice')
  const logs = files.map(({ path }) => path).filter(isLog)
  if (logs.join('\n') !== stores.map(({ path }) => path).join('\n')) throw damaged('its stores are not its logs')
  if (new Set(logs.map(storeOf)).size < logs.length) throw damaged('it has two logs of one store')
  return parsed.output
}

const NAME = '[A-Za-z0-9][A-Za-z0-9._-]{0,62}'
const log = `${file.stores}/${NAME}/log\\.[0-9]{1,15}`
const hostFile = new RegExp(`^(${file.nodes}/${NAME}/)?(${NAME})$`)
const logFile = new RegExp(`^(${file.nodes}/${NAME}/)?${log}$`)
const segmentFile = new RegExp(`^${file.audit}/[0-9]{12}\\.jsonl$`)
/** Of folders that are copied file by file. */
const smallFile = new RegExp(`^(${file.audit}/${keyFile.replace('.', '\\.')}|${file.pems}/${NAME})$`)

/** Private keys of hosts and of the vault. */
export const isKey = (path: string): boolean => path.endsWith('.key')
export const isLog = (path: string): boolean => logFile.test(path)
/** `stores/vault` of `stores/vault/log.7`. */
export const storeOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))
/** A segment of the audit: it only ever grows, and the next one is begun when it is full. */
export const isSegment = (path: string): boolean => segmentFile.test(path)

export const bytesMax = (path: string): number => (isLog(path) ? limits.backupLogBytes
  : isSegment(path) ? limits.auditSegmentBytes : limits.backupFileBytes)

/** Of the zone's first host, whatever its folder holds beside these. */
const ownFiles: ReadonlySet<string> = new Set([
  file.identity, file.booted, file.config, file.deviceKey, file.unsealKey,
])

/** What is in no backup, of any host. */
const never: ReadonlySet<string> = new Set([
  file.ownerKey, file.recoveryShares, file.services, file.logs, file.endpoint, file.restoring, file.lock,
])

/** What a backup may hold: nothing that leaves the zone's folder has such a path. */
export function isPath(path: string): boolean {
  if (isLog(path) || isSegment(path)) return true
  if (smallFile.test(path)) return !path.endsWith('.tmp')
  const [, node, name = ''] = hostFile.exec(path) ?? []
  return node === undefined ? ownFiles.has(name) : isHostFile(name)
}

/** A node's folder is copied whatever its files are called. */
const isHostFile = (name: string): boolean =>
  !never.has(name) && !name.startsWith(`${file.lock}.`) && !name.endsWith('.tmp')

const damaged = (what: string): Error =>
  new BackupDamaged(`The backup is damaged: ${what}`, { next: 'Take another copy of it, or another backup' })
