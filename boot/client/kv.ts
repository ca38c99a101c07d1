import { array, looseObject, nullable, number, picklist, safeParse, string, type GenericSchema } from 'valibot'
import type { Infer } from '../../runtime/protocol.ts'
import { NotAZone } from '../errors.ts'
import { follow } from './follow.ts'
import type { ZoneClient } from './zone-client.ts'

/** `kv://` of a running zone, by the originals' methods. */

export interface Item {
  readonly value: string
  readonly revision: number
}

/** Holds when the key was last written at this revision; 0: when it does not exist. */
export interface Guard {
  readonly key: string
  readonly revision: number
}

const Found = nullable(looseObject({ value: string(), version: number() }))
const Written = looseObject({ revision: number() })
const Names = array(string())
const Event = looseObject({ type: picklist(['put', 'delete']), key: string(), value: string(), revision: number() })
export type KvEvent = Infer<typeof Event>

const SCHEME = 'kv://'
/** `kv://a/b` and `a/b` are one key. */
export const keyOf = (text: string): string => (text.startsWith(SCHEME) ? text.slice(SCHEME.length) : text)

export function shapeOf<S extends GenericSchema>(schema: S, value: unknown, what: string): Infer<S> {
  const parsed = safeParse(schema, value)
  if (parsed.success) return parsed.output
  throw new NotAZone(`The zone answered ${what} in a way that this program does not know: ${parsed.issues[0].message}`)
}

const call = (client: ZoneClient, method: string, params: object): Promise<unknown> =>
  client.call('system_config', method, params)

export async function getItem(client: ZoneClient, key: string): Promise<Item | undefined> {
  const found = shapeOf(Found, await call(client, 'sys_config_get', { key }), 'a read')
  return found ? { value: found.value, revision: found.version } : undefined
}

export const listNames = async (client: ZoneClient, key: string): Promise<readonly string[]> =>
  shapeOf(Names, await call(client, 'sys_config_list', { key }), 'a listing')

const written = (answer: unknown): number => shapeOf(Written, answer, 'a write').revision

export const setKey = async (client: ZoneClient, key: string, value: string): Promise<number> =>
  written(await call(client, 'sys_config_set', { key, value }))

export const createKey = async (client: ZoneClient, key: string, value: string): Promise<number> =>
  written(await call(client, 'sys_config_create', { key, value }))

export const deleteKey = async (client: ZoneClient, key: string): Promise<number> =>
  written(await call(client, 'sys_config_delete', { key }))

/** All or nothing. @throws RevisionMismatch when the guard does not hold */
export async function transact(
  client: ZoneClient, actions: Readonly<Record<string, unknown>>, guard?: Guard, token?: string,
): Promise<number> {
  const params = { actions, ...(guard ? { main_key: guard } : {}) }
  const options = token === undefined ? {} : { token }
  return written(await client.call('system_config', 'sys_config_exec_tx', params, options))
}

/**
 * Each change once and in order, also across lost connections, a zone that restarts and tokens that end. The changes
 * of one transaction have one revision, and a connection may be lost among them: what comes again is known by its key.
 */
export async function* watchKeys(
  client: ZoneClient, prefix: string, from: number | undefined, signal: AbortSignal,
): AsyncIterable<KvEvent> {
  let last = from ?? shapeOf(Written, await call(client, 'sys_config_revision', { prefix }), 'a revision').revision
  let seen = new Set<string>()
  const open = () => {
    const after = seen.size > 0 ? last - 1 : last
    return client.stream('system_config', 'sys_config_watch', { prefix, after }, signal)
  }
  for await (const item of follow(client, signal, open)) {
    const event = shapeOf(Event, item, 'a watch')
    if (event.revision === last && seen.has(event.key)) continue
    if (event.revision !== last) seen = new Set()
    last = event.revision
    seen.add(event.key)
    yield event
  }
}

