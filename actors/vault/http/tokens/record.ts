import {
  array, boolean, integer, number, object, optional, pipe, record, string, type Infer,
} from '../../../../runtime/protocol.ts'

const count = pipe(number(), integer())

/** What is kept of a token: not the token itself. Times are epoch milliseconds, lives are seconds. */
export const TokenRecord = object({
  /** The half of its digest that its name does not tell. */
  verifier: string(),
  accessor: string(),
  policies: array(string()),
  meta: optional(record(string(), string())),
  displayName: string(),
  /** Of the request that made it. */
  path: string(),
  createdAt: count,
  /** What it was given when it was made, or renewed last. */
  ttl: count,
  creationTtl: count,
  /** 0: none. */
  explicitMaxTtl: count,
  period: count,
  renewable: boolean(),
  /** 0: any number; -1: all are used up. */
  numUses: count,
  /** 0: never. */
  expiresAt: count,
  renewedAt: optional(count),
  /** Name of the token that it ends with; without one it is an orphan. */
  parent: optional(string()),
  role: optional(string()),
})
export type TokenRecord = Infer<typeof TokenRecord>

export const Named = object({ name: string(), accessor: string() })
export const Empty = object({})

const DUE_DIGITS = 15
export const folder = {
  ids: 'sys/token/id/', accessors: 'sys/token/accessor/', children: 'sys/token/parent/', due: 'sys/token/due/',
  /** Tokens that are gone, and whose children have to go as well. */
  revoking: 'sys/token/revoking/', roles: 'sys/token/role/',
} as const
export const saltPath = 'sys/token/salt'

export const idPath = (name: string): string => folder.ids + name
export const accessorPath = (name: string): string => folder.accessors + name
export const childPath = (parent: string, name: string): string => `${folder.children}${parent}/${name}`
/** In order of time. */
export const duePath = (at: number, name: string): string =>
  `${folder.due}${String(at).padStart(DUE_DIGITS, '0')}/${name}`
export const revokingPath = (name: string): string => folder.revoking + name
export const rolePath = (name: string): string => folder.roles + name

/** When and which, of a path of `due`. */
export function dueOf(path: string): { readonly at: number; readonly name: string } {
  const [at = '', name = ''] = path.slice(folder.due.length).split('/')
  return { at: Number(at), name }
}
