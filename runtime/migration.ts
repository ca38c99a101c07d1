import {
  array, boolean, integer, minValue, nullable, number, object, picklist, pipe, string, type Infer,
} from './protocol.ts'
import { movePhases } from './store/move/move.ts'

const count = pipe(number(), integer(), minValue(0))

/** What stands in its way. The text of an error that crosses to people is kept for them: who asks is allowed to. */
export const MigrationError = object({ code: string(), message: string(), next: string() })
export type MigrationError = Infer<typeof MigrationError>

/** One store, as far as it is. */
export const StoreMigration = object({
  name: string(),
  phase: picklist(['waiting', ...movePhases]),
  /** Entries of the source, of those that were copied, and that were read back and found to be the same. */
  total: count,
  entries: count,
  verified: count,
  bytes: count,
  /** Written since they were copied. */
  behind: count,
  /** For an etcd that went away. */
  waits: boolean(),
  /** Epoch milliseconds. */
  startedMs: nullable(number()),
  endedMs: nullable(number()),
  /** For which writes waited, and how often that was tried. */
  fenceMs: number(),
  fences: count,
  /** The last revision that it had here, and the digest of what went along. */
  revision: nullable(count),
  digest: nullable(string()),
  /** It was there already when this migration came to it. */
  before: boolean(),
})
export type StoreMigration = Infer<typeof StoreMigration>

/** How far the stores of a host are on their way into etcd: what the journal has, and what people are shown. */
export const Migration = object({
  state: picklist(['running', 'done', 'failed']),
  endpoints: array(string()),
  /** Each store lies below it under its name. */
  prefix: string(),
  startedMs: number(),
  endedMs: nullable(number()),
  error: nullable(MigrationError),
  stores: array(StoreMigration),
})
export type Migration = Infer<typeof Migration>

/** What a migration would do with one store. */
export const PlannedStore = object({
  name: string(),
  entries: count,
  bytes: count,
  revision: count,
  /** `resumes`: an earlier one has begun. `moved`: it is there already. `refused`: see `error`. */
  what: picklist(['moves', 'resumes', 'moved', 'refused']),
  error: nullable(MigrationError),
})
export type PlannedStore = Infer<typeof PlannedStore>

export const MigrationPlan = object({
  endpoints: array(string()),
  prefix: string(),
  /** Operations that etcd takes in one transaction, up to what actors may use. */
  operationsMax: count,
  /** Nobody could say what it would do. */
  error: nullable(MigrationError),
  stores: array(PlannedStore),
})
export type MigrationPlan = Infer<typeof MigrationPlan>
