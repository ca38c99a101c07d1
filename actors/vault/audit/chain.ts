import { DiskFull, messageOf, Overloaded, Unavailable } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Clock, Files, Keys, SigningKey } from '../../../runtime/platform/ports.ts'
import { emptyChain, hashOf, lineOf, type AuditEntry, type AuditPoint } from './record.ts'
import { readEnd, segmentName } from './segments.ts'
import { signPoint, type ChainName } from './signature.ts'
import { joined } from './walk.ts'

export interface ChainOptions {
  readonly name: ChainName
  readonly files: Files
  readonly keys: Keys
  readonly clock: Clock
  /** How far the vault's store says that this chain has come. */
  readonly known: AuditPoint | undefined
  /** Told of what is wrong with what lay in the folder. */
  onFault(message: string): void
  /** The disk failed, and nobody knows what of a write is on it: the chain takes no more. */
  onBroken(error: Error): void
  /** From time to time, while there is a key, when this much is durable. */
  onCheckpoint(point: AuditPoint): void
}

interface Waiting {
  readonly entry: AuditEntry
  readonly line: Uint8Array
  readonly point: AuditPoint
  readonly resolve: (seq: number) => void
  readonly reject: (error: Error) => void
}

const NEWLINE = Uint8Array.of(0x0a)
const mode = { mode: 0o600, durable: true }

/** Appends records to the chain of one host. One write, and one sync, for all that wait. */
export class AuditChain {
  readonly #options: ChainOptions
  #waiting: Waiting[] = []
  /** Of the chain with all that waits. */
  #head: AuditPoint = emptyChain
  #durable: AuditPoint = emptyChain
  #segment: string | undefined
  #size = 0
  /** Ends a line that was cut off; goes before the next record. */
  #newlineFirst = false
  /** To be said before the next record: of what was found when the folder was read. */
  #owed: AuditEntry[] = []
  /** A write failed: what lies there is looked at before the next one. */
  #doubtful = false
  /** What lies there was read anew, since it was not what it should be. */
  #readAnew = false
  #writing: Promise<void> | undefined
  #broken: Error | undefined
  #key: SigningKey | undefined
  #signed = 0
  #cancelTimer: (() => void) | undefined
  #closing = false

  constructor(options: ChainOptions) {
    this.#options = options
  }

  /** @throws NotWritable */
  static async open(options: ChainOptions, opened: AuditEntry): Promise<AuditChain> {
    const chain = new AuditChain(options)
    await chain.#load()
    chain.#checkKnown()
    chain.#owed.push(opened)
    // Said before the first answer in any case; a disk that is full now may have room then
    await chain.#flushOwed().catch((error: unknown) => {
      if (!(error instanceof DiskFull)) throw error
    })
    return chain
  }

  /** The last record that is on the disk. */
  get durable(): AuditPoint {
    return this.#durable
  }

  /** Signs from now on; without one the chain grows unsigned. */
  set key(key: SigningKey | undefined) {
    this.#key = key
    if (key && this.#durable.seq > this.#signed) this.#startTimer()
  }

  /** The number of the record, once it is durable. @throws DiskFull, Overloaded, Unavailable: then there is none */
  async record(entry: AuditEntry): Promise<number> {
    if (this.#broken) throw this.#broken
    if (this.#waiting.length >= limits.auditPending) {
      throw new Overloaded(`Too many records wait for the audit: ${this.#waiting.length}`)
    }
    return this.#push(entry)
  }

  /** Signs what there is; then nothing more is taken. */
  async close(closed: AuditEntry): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    this.#cancelTimer?.()
    if (this.#broken) return
    await this.#push(closed).catch(() => {})
    await this.checkpoint().catch(() => {})
    this.#broken ??= new Unavailable('The audit is closed')
    await this.#writing
  }

  /** A signature over all that is recorded now, where there is a key. */
  async checkpoint(): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (this.#broken || !this.#key) return
    if (this.#head.seq > this.#signed) await this.#push(this.#signature(this.#key))
    this.#options.onCheckpoint(this.#durable)
  }

  #signature(key: SigningKey): AuditEntry {
    const signature = signPoint(key, this.#options.name, this.#head)
    this.#signed = this.#head.seq + 1
    return { kind: 'signature', signature }
  }

  #push(entry: AuditEntry): Promise<number> {
    const owed = this.#owed.splice(0)
    for (const one of owed) this.#chain(one).catch(() => {})
    const done = this.#chain(entry)
    this.#writing ??= this.#writeAll()
    return done
  }

  async #flushOwed(): Promise<void> {
    const last = this.#owed.pop()
    if (last) await this.#push(last)
  }

  #chain(entry: AuditEntry): Promise<number> {
    const { keys, clock } = this.#options
    const { line, point } = lineOf(keys, this.#head, clock.now(), entry)
    this.#head = point
    return new Promise<number>((resolve, reject) => {
      this.#waiting.push({ entry, line, point, resolve, reject })
    })
  }

  async #writeAll(): Promise<void> {
    // What is recorded in the same turn shares the first write
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      if (this.#key && this.#head.seq - this.#signed >= limits.auditSignRecords) {
        this.#chain(this.#signature(this.#key)).catch(() => {})
      }
      const batch = this.#waiting
      this.#waiting = []
      try {
        if (this.#doubtful) await this.#lookAgain()
        await this.#write(batch)
      } catch (error) {
        this.#failed(error, batch)
        continue
      }
      this.#durable = batch.at(-1)!.point
      for (const { resolve, point } of batch) resolve(point.seq)
      if (this.#durable.seq > this.#signed) this.#startTimer()
    }
    this.#writing = undefined
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const parts = batch.flatMap(({ line }) => [line, NEWLINE])
    const bytes = joined(this.#newlineFirst ? [NEWLINE, ...parts] : parts)
    const isFull = this.#size > 0 && this.#size + bytes.length > limits.auditSegmentBytes
    if (this.#segment === undefined || (isFull && !this.#newlineFirst)) {
      this.#segment = segmentName(batch[0]!.point.seq)
      this.#size = 0
    }
    const expected = this.#size + bytes.length
    const size = await this.#options.files.append(this.#segment, bytes, mode)
    // Another process writes here, or what was cut away came back
    if (size !== expected) throw new Unavailable(`The audit was written to by somebody else: ${this.#segment}`)
    this.#size = size
    this.#newlineFirst = false
  }

  /** What waits was chained to what has failed, so it fails with it; what is owed stays owed. */
  #failed(error: unknown, batch: readonly Waiting[]): void {
    const failed = [...batch, ...this.#waiting]
    this.#waiting = []
    this.#head = this.#durable
    this.#signed = Math.min(this.#signed, this.#durable.seq)
    this.#doubtful = true
    const again = this.#readAnew ? stillOwing : owing
    this.#readAnew = false
    this.#owed.push(...failed.map(({ entry }) => entry).filter(({ kind }) => again.has(kind)))
    const isFull = error instanceof DiskFull
    const reason = isFull ? error : new Unavailable(`The audit cannot be written: ${messageOf(error)}`)
    if (!isFull) this.#broken ??= reason
    for (const { reject } of failed) reject(reason)
    if (!isFull) this.#options.onBroken(reason)
  }

  /** Part of a write that failed may be there. @throws DiskFull where the batch must be chained anew */
  async #lookAgain(): Promise<void> {
    const found = this.#segment === undefined ? undefined : await this.#options.files.read(this.#segment)
    this.#doubtful = false
    if ((found?.length ?? 0) === this.#size) return
    await this.#load()
    this.#readAnew = true
    throw new DiskFull('The audit had kept part of a write that failed, and has put that right; try again')
  }

  async #load(): Promise<void> {
    const { files, keys, onFault } = this.#options
    const { point, segment, size, region, open, findings } = await readEnd(files, keys)
    this.#head = point
    this.#durable = point
    this.#segment = segment
    this.#size = size
    this.#newlineFirst = open
    this.#owed = this.#owed.filter(({ kind }) => stillOwing.has(kind))
    if (findings.length > 0) {
      const [{ fault, seq, detail }] = findings as [typeof findings[0]]
      onFault(`The audit is broken (${fault}) at record ${seq}: ${detail}`)
      this.#owed.unshift({ kind: 'broken', about: { fault, seq, findings: findings.length } })
    }
    if (region.length === 0) return
    onFault(`The last write of the audit was cut off after ${region.length} bytes`)
    this.#owed.unshift({ kind: 'repaired', about: { bytes: region.length, sha256: hashOf(keys, region) } })
  }

  #checkKnown(): void {
    const { known, onFault } = this.#options
    const { seq } = this.#head
    if (!known || known.seq <= seq) return
    onFault(`The end of the audit is gone: records ${seq + 1} to ${known.seq}`)
    this.#owed.push({ kind: 'lost', about: { from: seq + 1, to: known.seq, hash: known.hash } })
  }

  #startTimer(): void {
    if (this.#closing || this.#cancelTimer || !this.#key) return
    this.#cancelTimer = this.#options.clock.after(limits.auditSignMs, () => {
      this.#cancelTimer = undefined
      this.checkpoint().catch(() => {})
    })
  }
}

/** What the vault has to say of the chain itself; it is not lost with a write that fails. */
const owing: ReadonlySet<AuditEntry['kind']> = new Set(['opened', 'repaired', 'lost', 'broken'])
/** The others are found again. */
const stillOwing: ReadonlySet<AuditEntry['kind']> = new Set(['opened', 'lost'])
