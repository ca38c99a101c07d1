import type { ActorStart } from '../../../runtime/actor.ts'
import { ZonewrightError } from '../../../runtime/errors.ts'
import { integer, minValue, number, object, pipe, string } from '../../../runtime/protocol.ts'
import type { SigningKey } from '../../../runtime/platform/ports.ts'
import type { Operation, Store } from '../../../runtime/store/store.ts'
import { readJson } from '../json.ts'
import { AuditChain } from './chain.ts'
import { emptyChain, type AuditEntry, type AuditPoint } from './record.ts'
import { keyFile } from './segments.ts'

/** How far the chain of a host has come, as the vault's store knows it; in clear text, so that anybody can compare. */
export const auditHeadPath = (host: string): string => `core/audit-head/${host}`

export const AuditHead = object({ seq: pipe(number(), integer(), minValue(1)), hash: string() })

/** What was asked of the vault, and what became of it. */
export interface Audit {
  /** False where the vault was given no folder for it. */
  readonly isKept: boolean
  /** The number of the record, once it is durable. @throws DiskFull, Overloaded, Unavailable: then there is none */
  record(entry: AuditEntry): Promise<number>
  /** The last record that is durable. */
  readonly durable: AuditPoint
  /** Signs by this key from now on, and tells its public half beside the chain. */
  useKey(key: SigningKey): Promise<void>
  /** Signs what there is, and then no more. */
  forgetKey(): Promise<void>
  /** Joins a transaction of the store that is made anyway. */
  headOperations(): readonly Operation[]
  close(): Promise<void>
}

/** Of a vault that was given no folder of files: nothing is kept. */
export const unkept: Audit = {
  isKept: false,
  record: async () => 0,
  durable: emptyChain,
  async useKey() {},
  async forgetKey() {},
  headOperations: () => [],
  async close() {},
}

export const codeOf = (error: unknown): string => (error instanceof ZonewrightError ? error.code : 'Internal')

/** @throws NotWritable, VaultDamaged */
export async function openAudit(start: ActorStart<{}>): Promise<Audit> {
  const { store, keys, clock, log, self: { zone, host, incarnation } } = start
  if (!start.files) {
    log.warn('The vault was given no folder for its audit: nothing of it is kept')
    return unkept
  }
  const files = await start.files()
  const path = auditHeadPath(host)
  const operations = (point: AuditPoint): readonly Operation[] =>
    (point.seq === 0 ? [] : [{ type: 'put', key: path, value: new TextEncoder().encode(JSON.stringify(point)) }])
  const chain = await AuditChain.open({
    name: { zone, host }, files, keys, clock, known: await readHead(store, host),
    onFault: (message) => log.error(message, { path: files.path('.') }),
    onBroken: (error) => start.background(() => Promise.reject(error)),
    // Best effort: the next transaction of the vault tells it as well
    onCheckpoint: (point) => void store.transact([], operations(point)).catch(() => {}),
  }, { kind: 'opened', about: { zone, host, incarnation } })
  return {
    isKept: true,
    record: (entry) => chain.record(entry),
    get durable() { return chain.durable },
    async useKey(key) {
      const { kid, jwk } = key.public
      const text = `${JSON.stringify({ zone, host, kid, jwk }, null, 2)}\n`
      const bytes = new TextEncoder().encode(text)
      const found = await files.read(keyFile)
      if (!found || !keys.equal(found, bytes)) await files.write(keyFile, bytes, { mode: 0o600 })
      chain.key = key
    },
    async forgetKey() {
      await chain.checkpoint()
      chain.key = undefined
    },
    headOperations: () => operations(chain.durable),
    close: () => chain.close({ kind: 'closed' }),
  }
}

/** @throws VaultDamaged */
export async function readHead(store: Pick<Store, 'get'>, host: string): Promise<AuditPoint | undefined> {
  const entry = await store.get(auditHeadPath(host))
  return entry && readJson(AuditHead, auditHeadPath(host), entry.value)
}
