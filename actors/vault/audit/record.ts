import { safeParse } from 'valibot'
import type { Evidence } from '../../../runtime/actor.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Keys } from '../../../runtime/platform/ports.ts'
import {
  boolean, integer, minValue, number, object, optional, picklist, pipe, record, string, union, type Infer,
} from '../../../runtime/protocol.ts'
import { toBase64url } from '../../../runtime/trust/base64url.ts'

const count = pipe(number(), integer(), minValue(1))

/**
 * `opened` and `closed`: the vault began, and ended, to keep this chain. `call`: somebody asked for something. `vault`:
 * what became of the vault. `repaired`: the end of a write that a crash cut off stands before it. `lost`: the store
 * knows of records that are gone. `broken`: at its start the vault found the chain broken. `signature`: by the key
 * `audit`, over all before it.
 */
export const auditKinds = [
  'opened', 'closed', 'call', 'vault', 'repaired', 'lost', 'broken', 'signature',
] as const
/** `begun`: allowed, and under way; it was done unless a `failed` follows whose `of` names it, or the host ended. */
export const auditOutcomes = ['begun', 'done', 'failed', 'denied'] as const

/** One line of the audit. `prev` is the hash of the line before; the first has none. */
export const AuditRecord = object({
  seq: count,
  /** Epoch milliseconds. */
  at: number(),
  prev: string(),
  kind: picklist(auditKinds),
  /** `actor@host` by link certificate, or the accessor of a vault token. */
  who: optional(string()),
  method: optional(string()),
  resource: optional(string()),
  outcome: optional(picklist(auditOutcomes)),
  /** Of the error. */
  code: optional(string()),
  /** The record that this one goes on from. */
  of: optional(count),
  about: optional(record(string(), union([string(), number(), boolean()]))),
  /** JWS over the record before this one. */
  signature: optional(string()),
})
export type AuditRecord = Infer<typeof AuditRecord>

/** What a part of the vault has to say; the chain adds the rest. No value of a secret is ever in it. */
export interface AuditEntry {
  readonly kind: AuditRecord['kind']
  readonly who?: string
  readonly method?: string
  readonly resource?: string
  readonly outcome?: AuditRecord['outcome']
  readonly code?: string
  readonly of?: number
  readonly about?: Evidence
  readonly signature?: string
}

/** A place in the chain: up to this record, whose line has this hash. Of an empty chain: 0 and ''. */
export interface AuditPoint {
  readonly seq: number
  readonly hash: string
}
export const emptyChain: AuditPoint = { seq: 0, hash: '' }

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export const hashOf = (keys: Keys, bytes: Uint8Array): string => toBase64url(keys.hash(bytes))

/** The line of the next record without its newline, and where the chain is then. */
export function lineOf(
  keys: Keys, before: AuditPoint, at: number, entry: AuditEntry,
): { readonly line: Uint8Array; readonly point: AuditPoint } {
  const { kind, who, method, resource, outcome, code, of, about, signature } = entry
  const seq = before.seq + 1
  const line = encoder.encode(JSON.stringify({
    seq, at, prev: before.hash, kind,
    ...(who === undefined ? {} : { who: cut(who) }),
    ...(method === undefined ? {} : { method: cut(method) }),
    ...(resource === undefined ? {} : { resource: cut(resource) }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(code === undefined ? {} : { code: cut(code) }),
    ...(of === undefined ? {} : { of }),
    ...(about === undefined || isEmpty(about) ? {} : { about: cutAll(about) }),
    ...(signature === undefined ? {} : { signature }),
  }))
  return { line, point: { seq, hash: hashOf(keys, line) } }
}

/** Undefined where the line is no record. */
export function readRecord(line: Uint8Array): AuditRecord | undefined {
  let value: unknown
  try {
    value = JSON.parse(decoder.decode(line))
  } catch {
    return undefined
  }
  const result = safeParse(AuditRecord, value)
  return result.success ? result.output : undefined
}

const cut = (text: string): string =>
  (text.length <= limits.auditField ? text : `${text.slice(0, limits.auditField - 1)}…`)

function isEmpty(about: Evidence): boolean {
  for (const _ in about) return false
  return true
}

function cutAll(about: Evidence): Evidence {
  const entries = Object.entries(about).slice(0, limits.auditFields)
  return Object.fromEntries(entries.map(([name, value]) => [name, typeof value === 'string' ? cut(value) : value]))
}
