import { SecretVersionMismatch } from '../protocol.ts'
import {
  array, boolean, integer, literal, minValue, number, object, optional, pipe, record, string, type Infer,
} from '../../../runtime/protocol.ts'

const count = pipe(number(), integer(), minValue(0))

/**
 * As in KV version 2: one entry says which versions there are, and each version is an entry of its own. What is
 * optional was not there in the first release. Times are epoch milliseconds.
 */
export const Metadata = object({
  /** 0: none yet. */
  current: count,
  versions: array(object({
    version: count, createdAt: number(),
    /** From then on it is deleted; it may lie ahead. */
    deletedAt: optional(number()),
    /** Its entry is gone. */
    destroyed: optional(literal(true)),
  })),
  createdAt: optional(number()),
  updatedAt: optional(number()),
  /** 0, as if absent: that of the mount. */
  maxVersions: optional(count),
  casRequired: optional(boolean()),
  deleteAfterSeconds: optional(count),
  custom: optional(record(string(), string())),
})
export type Metadata = Infer<typeof Metadata>
export type Version = Metadata['versions'][number]

/** `json`: an object, as text. Without it a text, by an actor over a link. */
export const Value = object({ value: string(), json: optional(literal(true)) })
export type Value = Infer<typeof Value>

/** Of a whole mount. */
export const Config = object({ maxVersions: count, casRequired: boolean(), deleteAfterSeconds: count })
export type Config = Infer<typeof Config>
export const noConfig: Config = { maxVersions: 0, casRequired: false, deleteAfterSeconds: 0 }

export const folder = { metadata: 'metadata/', versions: 'versions/' } as const
export const configPath = 'config'
export const metadataPath = (path: string): string => folder.metadata + path
export const versionPath = (path: string, of: number): string => `${folder.versions}${path}/${of}`

export const isDeleted = ({ deletedAt, destroyed }: Version, now: number): boolean =>
  destroyed === true || (deletedAt !== undefined && deletedAt <= now)

/** `cas` is undefined where one has to be named. */
export const mismatch = (cas: number | undefined, version: number): InstanceType<typeof SecretVersionMismatch> =>
  (cas === undefined
    ? new SecretVersionMismatch('The version that must be current has to be named', { version, required: true })
    : new SecretVersionMismatch(`The secret has another version than ${cas}: ${version}`, { version }))
