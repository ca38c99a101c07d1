import { emptyChain, type AuditPoint, type AuditRecord } from '../../actors/vault/audit/record.ts'
import { pointFault, type ChainName } from '../../actors/vault/audit/signature.ts'
import { ChainWalk, type Finding } from '../../actors/vault/audit/walk.ts'
import { limits } from '../../runtime/limits.ts'
import type { Platform, PublicJwk } from '../../runtime/platform/ports.ts'
import { thumbprint } from '../../runtime/trust/keys.ts'
import { fileBytes } from '../backup/disk.ts'
import {
  auditFolder, headInStore, keyBeside, nameOf, readKeyFile, readLines, segmentsOf, type Segment,
} from './chain-files.ts'

export interface VerifyOptions {
  readonly platform: Platform
  /** A zone's, which may run, or a folder of segments. */
  readonly folder: string
  /** File of the public key. Default: the one that lies beside the chain, which whoever changed it may have replaced. */
  readonly keyFile?: string
  readonly onProgress?: (bytes: number, of: number) => void
  readonly signal?: AbortSignal
}

export interface Verified {
  readonly folder: string
  readonly name: ChainName | undefined
  readonly segments: number
  readonly records: number
  readonly bytes: number
  /** Epoch milliseconds; undefined in an empty chain. */
  readonly firstAt: number | undefined
  readonly lastAt: number | undefined
  readonly end: AuditPoint
  readonly signatures: number
  /** Records behind the last signature that is good. */
  readonly unsigned: number
  readonly key: { readonly kid: string; readonly pinned: boolean } | undefined
  /** What the store of the vault says; undefined where it is not here. */
  readonly storeKnows: number | undefined
  /** Ends of writes that a crash cut off; the vault has said so of each. */
  readonly repaired: number
  /** Bytes of a last write that was cut off; the vault will say so when it starts. */
  readonly cutOff: number
  /** The first `limits.auditFindings`, and how many there are. */
  readonly findings: readonly Finding[]
  readonly faults: number
}

/** Reads a chain from its first record to its last. What is wrong with it is in the answer, not thrown. */
export async function verifyAudit({ platform, keyFile, signal, onProgress, ...given }: VerifyOptions): Promise<Verified> {
  const { keys } = platform
  const { folder, zone } = await auditFolder(given.folder)
  const beside = await keyBeside(folder)
  const told = keyFile === undefined ? beside : await readKeyFile(keyFile)
  const name = await nameOf(platform, zone) ?? told?.name ?? beside?.name
  // Before the chain: what it gets meanwhile is more than the store knew
  const head = name ? await headInStore(platform, zone, name.host) : 'elsewhere'
  const known = typeof head === 'string' ? undefined : head
  const check = new Check(platform, name, told?.jwk, known)
  const segments = await segmentsOf(folder)
  const sizes = await Promise.all(segments.map(({ path }) => fileBytes(path)))
  const of = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
  let bytes = 0
  for (const segment of segments) {
    check.begin(segment)
    check.end(await readLines(segment.path, (line) => check.line(line), (count) => {
      signal?.throwIfAborted()
      onProgress?.(bytes += count, of)
    }))
  }
  return {
    folder, name, segments: segments.length, bytes,
    key: told && { kid: thumbprint(keys, told.jwk), pinned: keyFile !== undefined },
    storeKnows: known?.seq, ...check.result(),
  }
}

/** How long, and how many, records may stand unsigned at the end: more, and signatures were taken away. */
const UNSIGNED_MS = 3 * limits.auditSignMs
const UNSIGNED_RECORDS = limits.auditSignRecords + limits.auditPending

class Check {
  readonly #platform: Platform
  readonly #name: ChainName | undefined
  readonly #key: PublicJwk | undefined
  readonly #known: AuditPoint | undefined
  readonly #walk: ChainWalk
  readonly #findings: Finding[] = []
  #faults = 0
  #firstAt: number | undefined
  #lastAt: number | undefined
  #signatures = 0
  #signedThrough = 0
  /** While the vault is open it has a key to sign with; these are of the records since the last signature. */
  #unsigned = { open: false, since: undefined as number | undefined, count: 0 }
  #cutOff = 0

  constructor(
    platform: Platform, name: ChainName | undefined, key: PublicJwk | undefined, known: AuditPoint | undefined,
  ) {
    this.#platform = platform
    this.#name = name
    this.#key = key
    this.#known = known
    this.#walk = new ChainWalk({
      keys: platform.keys, from: emptyChain,
      onRecord: (record, point) => this.#record(record, point),
      onFinding: (finding) => this.#find(finding),
    })
  }

  begin({ name, first }: Segment): void {
    const expected = (this.#walk.point?.seq ?? 0) + 1
    if (first > expected) {
      this.#find({ fault: 'segment-missing', seq: expected, detail: `The next segment is ${name}: one before it is gone` })
    }
  }

  line(bytes: Uint8Array): void {
    this.#walk.line(bytes)
  }

  /** The end of a segment. */
  end(rest: Uint8Array): void {
    const before = this.#walk.region.length
    this.#walk.rest(rest)
    this.#cutOff = Math.max(0, this.#walk.region.length - before)
  }

  result() {
    const end = this.#walk.point ?? emptyChain
    this.#atEnd(end)
    return {
      records: this.#walk.records, firstAt: this.#firstAt, lastAt: this.#lastAt, end, signatures: this.#signatures,
      unsigned: end.seq - this.#signedThrough, repaired: this.#walk.repaired, cutOff: this.#cutOff,
      findings: this.#findings, faults: this.#faults,
    }
  }

  #record(record: AuditRecord, point: AuditPoint): void {
    this.#firstAt ??= record.at
    this.#lastAt = record.at
    const known = this.#known
    if (known?.seq === point.seq && known.hash !== point.hash) {
      this.#find({ fault: 'changed', seq: point.seq, detail: 'It is not the one that the store of the vault knows' })
    }
    if (record.kind === 'signature') return this.#signature(record, point)
    const { kind, method, outcome } = record
    if (kind === 'opened' || (kind === 'vault' && method === 'seal')) this.#unsigned.open = false
    if (kind === 'vault' && method === 'unseal' && outcome === 'done') this.#unsigned.open = true
    if (!this.#unsigned.open) return
    this.#unsigned.since ??= record.at
    this.#unsigned.count++
  }

  #signature(record: AuditRecord, { seq }: AuditPoint): void {
    const before = { seq: seq - 1, hash: record.prev }
    const wrong = !this.#key || !this.#name ? 'there is no key to verify it by'
      : pointFault(this.#platform.keys, this.#key, this.#name, before, record.signature ?? '')
    if (wrong !== undefined) return this.#find({ fault: 'signature', seq, detail: `The signature is not good: ${wrong}` })
    this.#signatures++
    this.#signedThrough = seq
    this.#unsigned = { open: this.#unsigned.open, since: undefined, count: 0 }
  }

  #atEnd(end: AuditPoint): void {
    const region = this.#walk.region
    if (region.length > this.#cutOff) {
      const detail = `What stands behind it is no record: ${region.length} bytes`
      this.#find({ fault: 'changed', seq: end.seq, detail })
    }
    const known = this.#known
    if (known && known.seq > end.seq) {
      const detail = `The store of the vault knows records up to ${known.seq}: the end of the chain is gone`
      this.#find({ fault: 'tail-missing', seq: end.seq + 1, detail })
    }
    const { since, count } = this.#unsigned
    const ms = since === undefined ? 0 : (this.#lastAt ?? since) - since
    if (count <= UNSIGNED_RECORDS && ms <= UNSIGNED_MS) return
    const detail = `No signature stands behind it, over ${count} records and ${Math.round(ms / 1_000)} s`
    this.#find({ fault: 'signature', seq: this.#signedThrough, detail })
  }

  #find(finding: Finding): void {
    this.#faults++
    if (this.#findings.length < limits.auditFindings) this.#findings.push(finding)
  }
}
